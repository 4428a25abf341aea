/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What was stripped from a binary is found again. The files are made by binutils; where those are
 * missing, tests skip. */
#include "fixture.h"

#include <dlfcn.h>
#include <errno.h>

#include "binary/debugfile.h"
#include "binary/symbol.h"

/* In the folder; "$F" is the fixture. Skips where a command is missing. */
static void shell(const char *folder, const char *script)
{
	char command[2048];
	int status;

	snprintf(command, sizeof(command), "cd %s && F=%s && { %s; }", folder, FIXTURE_FUNCTIONS,
		 script);
	status = system(command);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		fixture_skip("a command is missing: binutils and xz are needed");
	assert_int_equal(status, 0);
}

static bool has_hidden(const char *folder, const char *name)
{
	_cleanup_(symbols_done) struct symbols symbols = {};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(binary_open(path, &binary, NULL), 0);
	assert_int_equal(symbols_read(binary, &symbols, NULL), 0);
	for (size_t i = 0; i < symbols.n_items; i++) {
		if (strcmp(symbols.items[i].linker_name, "hidden") == 0)
			return true;
	}
	return false;
}

static void what_is_stripped_is_gone(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();

	(void)state;
	shell(folder, "objcopy --strip-all $F x");
	assert_false(has_hidden(folder, "x"));
}

#define STRIP "objcopy --only-keep-debug $F x.debug && objcopy --strip-all $F x"
#define STRIP_NO_ID                                                                                \
	"objcopy -R .note.gnu.build-id $F y && objcopy --only-keep-debug y x.debug && objcopy "    \
	"--strip-all y x"
#define LINK " && objcopy --add-gnu-debuglink=x.debug x"

static void a_debuglink_is_followed_in_the_same_folder_and_in_its_debug_folder(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();

	(void)state;
	shell(folder, STRIP LINK);
	assert_true(has_hidden(folder, "x"));
	shell(folder, "mkdir .debug && mv x.debug .debug/");
	assert_true(has_hidden(folder, "x"));
	shell(folder, "rm -r .debug");
	assert_false(has_hidden(folder, "x"));
}

static void without_build_ids_the_checksum_decides(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();

	(void)state;
	shell(folder, STRIP_NO_ID LINK);
	assert_true(has_hidden(folder, "x"));
	shell(folder, "printf x >>x.debug");
	assert_false(has_hidden(folder, "x"));
}

static void a_debug_file_of_another_binary_is_refused(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();

	(void)state;
	shell(folder, STRIP LINK " && objcopy --only-keep-debug " FIXTURE_NAMES " x.debug");
	assert_false(has_hidden(folder, "x"));
	/* no file at all, no ELF file, something that would block, the binary itself */
	shell(folder, "rm x.debug && mkdir x.debug");
	assert_false(has_hidden(folder, "x"));
	shell(folder, "rmdir x.debug && echo x >x.debug");
	assert_false(has_hidden(folder, "x"));
	shell(folder, "rm x.debug && mkfifo x.debug");
	assert_false(has_hidden(folder, "x"));
	shell(folder, "rm x.debug && ln -s x x.debug");
	assert_false(has_hidden(folder, "x"));
}

static void the_system_folder_is_searched_by_build_id_and_by_path(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();
	_cleanup_(binary_freep) struct binary *binary = NULL;
	char path[256], script[1024];
	bool found;

	(void)state;
	if (access("/usr/lib/debug", W_OK) < 0 && access("/usr/lib", W_OK) < 0)
		skip();
	shell(folder, STRIP LINK);
	snprintf(path, sizeof(path), "%s/x", folder);
	assert_int_equal(binary_open(path, &binary, NULL), 0);

	snprintf(script, sizeof(script),
		 "mkdir -p /usr/lib/debug%s && mv x.debug /usr/lib/debug%s/", folder, folder);
	shell(folder, script);
	found = has_hidden(folder, "x");
	snprintf(script, sizeof(script),
		 "mkdir -p /usr/lib/debug/.build-id/%.2s && mv /usr/lib/debug%s/x.debug "
		 "/usr/lib/debug/.build-id/%.2s/%s.debug; "
		 "rmdir -p --ignore-fail-on-non-empty /usr/lib/debug%s",
		 binary->build_id, folder, binary->build_id, binary->build_id + 2, folder);
	shell(folder, script);
	assert_true(found);
	found = has_hidden(folder, "x");
	snprintf(script, sizeof(script),
		 "rm /usr/lib/debug/.build-id/%.2s/%s.debug; rmdir -p --ignore-fail-on-non-empty "
		 "/usr/lib/debug/.build-id/%.2s",
		 binary->build_id, binary->build_id + 2, binary->build_id);
	shell(folder, script);
	assert_true(found);
}

static void the_small_symbol_table_is_unpacked(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();

	(void)state;
	shell(folder,
	      "objcopy -S --remove-section .comment --keep-symbol=hidden $F mini && xz -k mini && "
	      "objcopy --strip-all --add-section .gnu_debugdata=mini.xz $F x");
	assert_true(has_hidden(folder, "x"));
	/* damaged, and cut off */
	shell(folder, "head -c 200 mini.xz >cut && objcopy --strip-all --add-section "
		      ".gnu_debugdata=cut $F x");
	assert_false(has_hidden(folder, "x"));
	shell(folder, "head -c 4096 /dev/zero | xz >zero && objcopy --strip-all --add-section "
		      ".gnu_debugdata=zero $F x");
	assert_false(has_hidden(folder, "x"));
	/* a bomb: 600 MB in 90 kB */
	shell(folder, "head -c 600000000 /dev/zero | xz -0 >bomb && "
		      "objcopy --strip-all --add-section .gnu_debugdata=bomb $F x");
	assert_false(has_hidden(folder, "x"));
}

static void servers_are_asked_only_if_that_is_switched_on(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder(), *cache = fixture_folder();
	_cleanup_(binary_freep) struct binary *binary = NULL;
	char path[256], url[256], script[1024];
	void *library;

	(void)state;
	library = dlopen("libdebuginfod.so.1", RTLD_LAZY | RTLD_LOCAL);
	if (!library)
		fixture_skip("there is no libdebuginfod.so.1");
	dlclose(library);
	shell(folder, STRIP);
	snprintf(path, sizeof(path), "%s/x", folder);
	assert_int_equal(binary_open(path, &binary, NULL), 0);
	snprintf(script, sizeof(script), "mkdir -p buildid/%s && mv x.debug buildid/%s/debuginfo",
		 binary->build_id, binary->build_id);
	shell(folder, script);
	snprintf(url, sizeof(url), "file://%s", folder);

	setenv("DEBUGINFOD_CACHE_PATH", cache, 1);
	setenv("DEBUGINFOD_URLS", url, 1);
	assert_false(has_hidden(folder, "x"));
	setenv("PERFFLOW_DEBUGINFOD", "1", 1);
	assert_true(has_hidden(folder, "x"));
	unsetenv("DEBUGINFOD_URLS");
	assert_false(has_hidden(folder, "x"));
	unsetenv("PERFFLOW_DEBUGINFOD");
	unsetenv("DEBUGINFOD_CACHE_PATH");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stripped_is_gone),
		cmocka_unit_test(
			a_debuglink_is_followed_in_the_same_folder_and_in_its_debug_folder),
		cmocka_unit_test(without_build_ids_the_checksum_decides),
		cmocka_unit_test(a_debug_file_of_another_binary_is_refused),
		cmocka_unit_test(the_system_folder_is_searched_by_build_id_and_by_path),
		cmocka_unit_test(the_small_symbol_table_is_unpacked),
		cmocka_unit_test(servers_are_asked_only_if_that_is_switched_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
