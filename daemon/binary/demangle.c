/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Names are demangled through libiberty's callback form, which allocates nothing, so that it can be
 * left in the midst of its work: substitutions let forty bytes stand for gigabytes. Its option to
 * leave the parameters out gives the plain form; cutting them off the full form would have to parse
 * C++. (Without parameters its option to drop the return type drops those inside of template
 * arguments too, so it is used with parameters only, where alone it is needed.)
 */
#include "binary/symbol.h"

#include <errno.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MANGLED_BYTES   (16 << 10)
#define MAX_DEMANGLED_BYTES (16 << 10)
#define MAX_DLANG_BYTES	    200

struct demangled {
	jmp_buf too_long;
	size_t size;
	char text[MAX_DEMANGLED_BYTES];
};

static void take_demangled(const char *text, size_t size, void *opaque)
{
	struct demangled *demangled = opaque;

	if (size >= sizeof(demangled->text) - demangled->size)
		longjmp(demangled->too_long, 1);
	memcpy(demangled->text + demangled->size, text, size);
	demangled->size += size;
}

/*
 * Rust's older names look like C++ with a hash for a last part: "17h" and 16 hex digits. libiberty
 * looks closer.
 */
static bool may_be_rust(const char *name)
{
	return name[1] == 'R' || (strncmp(name, "_ZN", 3) == 0 && strstr(name, "17h"));
}

static bool demangle(const char *name, bool with_arguments, struct demangled *demangled)
{
	int options = with_arguments ? DMGL_PARAMS | DMGL_ANSI | DMGL_RET_DROP : DMGL_ANSI;

	demangled->size = 0;
	if (setjmp(demangled->too_long))
		return false;
	if (may_be_rust(name) && rust_demangle_callback(name, 0, take_demangled, demangled))
		return true;
	/* a callback that was called before a failure left something */
	demangled->size = 0;
	return name[1] == 'Z' &&
	       cplus_demangle_v3_callback(name, options, take_demangled, demangled);
}

/* Takes out all parts that begin with `begin` and end with ']': ABI tags, marks of clones. */
static void cut_marks(char *text, const char *begin)
{
	char *mark = text, *end;

	while ((mark = strstr(mark, begin))) {
		end = strchr(mark, ']');
		if (!end)
			return;
		memmove(mark, end + 1, strlen(end + 1) + 1);
	}
}

static int demangle_itanium(const char *name, bool with_arguments, char **ret_name)
{
	struct demangled demangled;
	char *text;

	if (!demangle(name, with_arguments, &demangled))
		return -ENOENT;
	text = strndup(demangled.text, demangled.size);
	if (!text)
		return -ENOMEM;
	cut_marks(text, "[abi:");
	cut_marks(text, " [clone ");
	*ret_name = text;
	return 0;
}

/*
 * libiberty has no callback for D; back references, which make long texts out of short ones, begin
 * with 'Q'.
 */
static int demangle_dlang(const char *name, size_t size, bool with_arguments, char **ret_name)
{
	size_t depth = 0;
	char *text, *p;

	if (size > MAX_DLANG_BYTES && strchr(name, 'Q'))
		return -ENOENT;
	text = dlang_demangle(name, 0);
	if (!text)
		return -ENOENT;

	p = strrchr(text, ')');
	for (; !with_arguments && p && p > text; p--) {
		depth += *p == ')';
		depth -= *p == '(';
		if (depth == 0) {
			*p = '\0';
			break;
		}
	}
	*ret_name = text;
	return 0;
}

/* "__solver_MOD_step" is procedure step of module solver. */
static int demangle_fortran(const char *name, char **ret_name)
{
	const char *mark = strstr(name + 2, "_MOD_");

	if (!mark || mark == name + 2 || !mark[5])
		return -ENOENT;
	if (asprintf(ret_name, "%.*s::%s", (int)(mark - (name + 2)), name + 2, mark + 5) < 0)
		return -ENOMEM;
	return 0;
}

int symbol_demangle(const char *linker_name, bool with_arguments, char **ret_name)
{
	size_t size;

	if (linker_name[0] != '_')
		return -ENOENT;
	size = strlen(linker_name);
	if (size >= MAX_MANGLED_BYTES)
		return -ENOENT;
	switch (linker_name[1]) {
	case 'Z':
	case 'R':
		return demangle_itanium(linker_name, with_arguments, ret_name);
	case 'D':
		return demangle_dlang(linker_name, size, with_arguments, ret_name);
	case '_':
		return demangle_fortran(linker_name, ret_name);
	default:
		return -ENOENT;
	}
}

int symbol_demangle_whole(const char *linker_name, char **ret_name)
{
	struct demangled demangled;

	demangled.size = 0;
	if (setjmp(demangled.too_long) ||
	    !cplus_demangle_v3_callback(linker_name, DMGL_PARAMS | DMGL_ANSI, take_demangled, &demangled))
		return -ENOENT;
	*ret_name = strndup(demangled.text, demangled.size);
	return *ret_name ? 0 : -ENOMEM;
}
