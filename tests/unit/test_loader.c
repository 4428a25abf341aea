/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>

#include "binary/loader.h"
#include "binary/view.h"

#define CONTEXT(...) (&(struct loader_context){.root = "", .directory = "/", __VA_ARGS__})

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted real paths, each once, without the program. */
static struct strings real_paths(const struct strings *paths, const char *program)
{
	char real[PATH_MAX], own[PATH_MAX];
	struct strings all = {};

	assert_non_null(realpath(program, own));
	for (size_t i = 0; i < paths->n_items; i++) {
		if (realpath(paths->items[i], real) && strcmp(real, own) != 0 &&
		    !strings_contain(&all, real))
			assert_int_equal(strings_add(&all, real), 0);
	}
	qsort(all.items, all.n_items, sizeof(*all.items), by_text);
	return all;
}

/* The paths in "name => /path (0x...)" and "/path (0x...)". */
static struct strings ask_ldd(const char *program)
{
	struct strings paths = {};
	char command[PATH_MAX + 16], line[PATH_MAX], path[PATH_MAX];
	FILE *ldd;

	snprintf(command, sizeof(command), "ldd '%s'", program);
	ldd = popen(command, "r");
	assert_non_null(ldd);
	while (fgets(line, sizeof(line), ldd)) {
		const char *slash = strchr(line, '/');

		if (slash && sscanf(slash, "%s", path) == 1)
			assert_int_equal(strings_add(&paths, path), 0);
	}
	pclose(ldd);
	return paths;
}

static void assert_same_as_ldd(const char *program)
{
	_cleanup_(strings_done) struct strings paths = {}, theirs = {}, mine = {}, real = {};

	theirs = ask_ldd(program);
	assert_true(theirs.n_items > 0);
	assert_int_equal(loader_closure(CONTEXT(), program, &paths, NULL), 0);
	assert_string_equal(paths.items[0], program);
	mine = real_paths(&paths, program);
	real = real_paths(&theirs, program);
	for (size_t i = 0; i < mine.n_items && i < real.n_items; i++)
		assert_string_equal(mine.items[i], real.items[i]);
	assert_int_equal(mine.n_items, real.n_items);
}

static void programs_would_load_what_ldd_says(void **state)
{
	static const char *const programs[] = {
		"/bin/ls",	"/bin/bash",	  "/usr/bin/gcc",     "/usr/bin/cmake",
		"/usr/bin/git", "/usr/bin/clang", "/usr/bin/python3", "/usr/bin/lmp",
	};

	(void)state;
	assert_same_as_ldd(FIXTURE_PROGRAM);
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		char start[2] = "";
		_cleanup_close_ int fd = open(programs[i], O_RDONLY | O_CLOEXEC);

		/* what is not installed, or a script, cannot be asked about */
		if (fd >= 0 && read(fd, start, 2) == 2 && memcmp(start, "#!", 2) != 0)
			assert_same_as_ldd(programs[i]);
	}
}

static bool has_file(const struct strings *paths, const char *name)
{
	for (size_t i = 0; i < paths->n_items; i++) {
		if (strcmp(text_file_name(paths->items[i]), name) == 0)
			return true;
	}
	return false;
}

static void the_library_path_is_looked_into(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();
	_cleanup_(strings_done) struct strings with = {}, preloaded = {};
	char library[PATH_MAX], list[PATH_MAX];

	(void)state;
	snprintf(library, sizeof(library), "%s/libpf_functions.so.1", folder);
	fixture_copy(FIXTURE_FUNCTIONS, library);
	snprintf(list, sizeof(list), "/does/not/exist:%s", folder);

	/*
	 * a program without a run path of its own: the preloaded name is looked for as if it needed
	 * it
	 */
	assert_int_equal(
		loader_closure(CONTEXT(.library_path = list, .preload = "libpf_functions.so.1"),
			       "/bin/ls", &with, NULL),
		0);
	assert_true(strings_contain(&with, library));
	assert_int_equal(loader_closure(CONTEXT(.preload = library), "/bin/ls", &preloaded, NULL),
			 0);
	assert_true(strings_contain(&preloaded, library));
}

static void a_script_gives_its_interpreter_and_the_program_of_env(void **state)
{
	static const char by_env[] = "#!/usr/bin/env -S A=1 bash -e\n",
			  plain[] = "#! /bin/sh -e\necho";
	_cleanup_folder_ char *folder = fixture_folder();
	_cleanup_(strings_done) struct strings env = {}, shell = {};
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/script", folder);
	fixture_write(path, by_env, strlen(by_env), 0755);
	assert_int_equal(loader_is_script(CONTEXT(), path), 1);
	assert_int_equal(loader_closure(CONTEXT(.path = "/usr/bin:/bin"), path, &env, NULL), 0);
	assert_true(has_file(&env, "env"));
	assert_true(has_file(&env, "bash"));
	assert_true(has_file(&env, "libc.so.6"));
	assert_false(has_file(&env, "script"));

	fixture_write(path, plain, strlen(plain), 0755);
	assert_int_equal(loader_closure(CONTEXT(), path, &shell, NULL), 0);
	assert_true(has_file(&shell, "sh"));
	assert_int_equal(loader_is_script(CONTEXT(), "/bin/ls"), 0);
	assert_int_equal(loader_is_script(CONTEXT(), "/does/not/exist"), 0);
}

static void scripts_that_run_each_other_come_to_an_end(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();
	_cleanup_(strings_done) struct strings paths = {};
	char path[PATH_MAX], line[PATH_MAX + 8];

	(void)state;
	snprintf(path, sizeof(path), "%s/script", folder);
	snprintf(line, sizeof(line), "#!%s\n", path);
	fixture_write(path, line, strlen(line), 0755);
	assert_int_equal(loader_closure(CONTEXT(), path, &paths, NULL), 0);
	assert_int_equal(paths.n_items, 0);
}

static void what_is_no_elf_file_gives_nothing_and_what_is_missing_an_error(void **state)
{
	_cleanup_(strings_done) struct strings paths = {};
	struct why why = {};

	(void)state;
	assert_int_equal(loader_closure(CONTEXT(), "/etc/passwd", &paths, &why), 0);
	assert_int_equal(paths.n_items, 0);
	assert_int_equal(loader_closure(CONTEXT(), "/does/not/exist", &paths, &why), -ENOENT);
	assert_string_equal(why.text, "cannot read '/does/not/exist': No such file or directory");
}

static void a_program_is_found_as_execvp_finds_it(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();
	_cleanup_free_ char *in_path = NULL, *relative = NULL, *beside = NULL;
	char file[PATH_MAX], list[PATH_MAX], *none = NULL;

	(void)state;
	snprintf(file, sizeof(file), "%s/tool", folder);
	fixture_write(file, "#!/bin/sh\n", 10, 0644);
	snprintf(list, sizeof(list), "/does/not/exist:%s", folder);
	assert_int_equal(loader_find_program(CONTEXT(.path = list), "tool", &none), -EACCES);
	assert_int_equal(loader_find_program(CONTEXT(.path = list), "nothing", &none), -ENOENT);
	assert_int_equal(loader_find_program(CONTEXT(.path = list), "", &none), -ENOENT);

	assert_int_equal(chmod(file, 0755), 0);
	assert_int_equal(loader_find_program(CONTEXT(.path = list), "tool", &in_path), 0);
	assert_string_equal(in_path, file);
	assert_int_equal(
		loader_find_program(&(struct loader_context){.root = "", .directory = folder},
				    "./tool", &relative),
		0);
	assert_non_null(strstr(relative, "/./tool"));
	/* an empty element of PATH is the working directory */
	assert_int_equal(
		loader_find_program(
			&(struct loader_context){.root = "", .directory = folder, .path = ""},
			"tool", &beside),
		0);
	assert_string_equal(beside, file);
}

static void make_folder(const char *root, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void in_another_root_links_lead_to_that_root(void **state)
{
	_cleanup_folder_ char *root = fixture_folder();
	_cleanup_(strings_done) struct strings paths = {};
	const struct loader_context context = {.root = root, .directory = "/", .path = "/bin"};
	_cleanup_free_ char *found = NULL;
	char path[PATH_MAX];

	(void)state;
	make_folder(root, "bin");
	make_folder(root, "lib");
	make_folder(root, "real");
	snprintf(path, sizeof(path), "%s/real/program", root);
	fixture_copy(FIXTURE_PROGRAM, path);
	snprintf(path, sizeof(path), "%s/real/functions", root);
	fixture_copy(FIXTURE_FUNCTIONS, path);
	snprintf(path, sizeof(path), "%s/bin/program", root);
	assert_int_equal(symlink("/real/../bin/../../../real/program", path), 0);
	snprintf(path, sizeof(path), "%s/lib/libpf_functions.so.1", root);
	assert_int_equal(symlink("/real/functions", path), 0);
	snprintf(path, sizeof(path), "%s/lib/loop.so", root);
	assert_int_equal(symlink("/lib/loop.so", path), 0);

	assert_int_equal(loader_find_program(&context, "program", &found), 0);
	assert_string_equal(found, "/bin/program");
	assert_int_equal(loader_closure(&context, found, &paths, NULL), 0);
	snprintf(path, sizeof(path), "%s/real/program", root);
	assert_string_equal(paths.items[0], path);
	snprintf(path, sizeof(path), "%s/real/functions", root);
	assert_true(strings_contain(&paths, path));
	assert_int_equal(paths.n_items, 2); /* its C library is not in this root */
}

/* ld.so.cache as ldconfig writes it, with one entry. */
static size_t make_cache(uint8_t bytes[256], bool with_old)
{
	static const char strings[] = "libpf_functions.so.1\0/hidden/functions";
	const uint32_t n = 1, size = sizeof(strings), name = 48 + 24, path = name + 21;
	size_t at = 0;

	memset(bytes, 0, 256);
	if (with_old) {
		memcpy(bytes, "ld.so-1.7.0", 11);
		memcpy(bytes + 12, &n, 4);
		at = 32;
	}
	memcpy(bytes + at, "glibc-ld.so.cache1.1", 20);
	memcpy(bytes + at + 20, &n, 4);
	memcpy(bytes + at + 24, &size, 4);
	memcpy(bytes + at + 48 + 4, &name, 4);
	memcpy(bytes + at + 48 + 8, &path, 4);
	memcpy(bytes + at + 48 + 24, strings, sizeof(strings));
	return at + 48 + 24 + sizeof(strings);
}

static void the_cache_is_read_and_may_be_damaged(void **state)
{
	_cleanup_folder_ char *root = fixture_folder();
	const struct loader_context context = {.root = root, .directory = "/"};
	char path[PATH_MAX], library[PATH_MAX], cache[PATH_MAX];
	uint8_t bytes[256], saved;
	size_t size;

	(void)state;
	make_folder(root, "etc");
	make_folder(root, "hidden");
	snprintf(path, sizeof(path), "%s/program", root);
	fixture_copy(FIXTURE_PROGRAM, path);
	snprintf(library, sizeof(library), "%s/hidden/functions", root);
	fixture_copy(FIXTURE_FUNCTIONS, library);
	snprintf(cache, sizeof(cache), "%s/etc/ld.so.cache", root);

	for (int with_old = 0; with_old < 2; with_old++) {
		_cleanup_(strings_done) struct strings paths = {}, found = {};

		size = make_cache(bytes, with_old);
		fixture_write(cache, bytes, size, 0644);
		assert_int_equal(loader_closure(&context, "/program", &paths, NULL), 0);
		assert_true(strings_contain(&paths, library));
		assert_int_equal(loader_find_libraries(&context, "libpf_*", &found), 0);
		assert_int_equal(found.n_items, 1);
	}
	for (size_t i = 0; i < size; i++) {
		_cleanup_(strings_done) struct strings paths = {};

		saved = bytes[i];
		bytes[i] = 0xff;
		fixture_write(cache, bytes, size, 0644);
		assert_int_equal(loader_closure(&context, "/program", &paths, NULL), 0);
		bytes[i] = saved;
		fixture_write(cache, bytes, i, 0644);
		assert_int_equal(loader_closure(&context, "/program", &paths, NULL), 0);
	}
}

static void origin_is_the_folder_of_the_file_that_says_it(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();
	_cleanup_(strings_done) struct strings paths = {};
	char tool[PATH_MAX], library[PATH_MAX], list[PATH_MAX];

	(void)state;
	make_folder(folder, "lib64");
	snprintf(tool, sizeof(tool), "%s/tool", folder);
	fixture_copy("/bin/ls", tool);
	snprintf(library, sizeof(library), "%s/lib64/libpf_functions.so.1", folder);
	fixture_copy(FIXTURE_FUNCTIONS, library);
	snprintf(list, sizeof(list), "$ORIGIN/nothing:${ORIGIN}/$LIB");
	assert_int_equal(
		loader_closure(CONTEXT(.library_path = list, .preload = "libpf_functions.so.1"),
			       tool, &paths, NULL),
		0);
	assert_true(strings_contain(&paths, library));
}

static void libraries_and_programs_are_found_by_a_glob(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();
	_cleanup_(strings_done) struct strings libraries = {}, whole = {}, programs = {},
					       system = {};
	char library[PATH_MAX], text[PATH_MAX], tool[PATH_MAX];

	(void)state;
	snprintf(library, sizeof(library), "%s/libpf_functions.so.1.0", folder);
	fixture_copy(FIXTURE_FUNCTIONS, library);
	snprintf(text, sizeof(text), "%s/libpf_text.so", folder);
	fixture_write(text, "INPUT(libx.so.1)", 16, 0644);
	snprintf(tool, sizeof(tool), "%s/pf_tool", folder);
	fixture_write(tool, "#!/bin/sh\n", 10, 0755);

	assert_int_equal(
		loader_find_libraries(CONTEXT(.library_path = folder), "libpf_*", &libraries), 0);
	assert_int_equal(libraries.n_items, 1);
	assert_string_equal(libraries.items[0], library);
	assert_int_equal(loader_find_libraries(CONTEXT(), library, &whole), 0);
	assert_int_equal(whole.n_items, 1);
	assert_int_equal(loader_find_libraries(CONTEXT(), "libc.so", &system), 0);
	assert_true(has_file(&system, "libc.so.6"));
	assert_int_equal(loader_find_programs(CONTEXT(.path = folder), "pf_*", &programs), 0);
	assert_int_equal(programs.n_items, 1);
	assert_string_equal(programs.items[0], tool);
}

static void what_a_program_uses_itself_is_not_looked_for_elsewhere(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();
	_cleanup_(strings_done) struct strings paths = {}, globs = {};
	bool has_libc = false;
	char library[PATH_MAX], other[PATH_MAX], tool[PATH_MAX];

	(void)state;
	snprintf(library, sizeof(library), "%s/libpf_functions.so.1.0", folder);
	fixture_copy(FIXTURE_FUNCTIONS, library);
	snprintf(other, sizeof(other), "%s/libpf_other.so", folder);
	fixture_copy(FIXTURE_NAMES, other);
	snprintf(tool, sizeof(tool), "%s/pf_tool", folder);
	fixture_copy(FIXTURE_PROGRAM, tool);
	assert_int_equal(chmod(tool, 0755), 0);
	assert_int_equal(strings_add(&globs, "libpf_functions.so*"), 0);
	assert_int_equal(strings_add(&globs, "libpf_other.so"), 0);
	assert_int_equal(strings_add(&globs, "pf_tool"), 0);

	assert_int_equal(strings_add(&paths, FIXTURE_FUNCTIONS), 0);
	assert_int_equal(loader_find_named(CONTEXT(.library_path = folder, .path = folder), &globs, &paths), 0);
	assert_true(paths.n_items > 3); /* the tool comes with what it would load */
	assert_string_equal(paths.items[1], other);
	assert_true(strings_contain(&paths, tool));
	for (size_t i = 2; i < paths.n_items; i++)
		has_libc |= strstr(paths.items[i], "/libc.so") != NULL;
	assert_true(has_libc);
}

static void the_loader_is_known(void **state)
{
	_cleanup_(strings_done) struct strings paths = {};
	size_t n_loaders = 0;

	(void)state;
	assert_int_equal(loader_closure(CONTEXT(), "/bin/ls", &paths, NULL), 0);
	for (size_t i = 0; i < paths.n_items; i++) {
		_cleanup_(binary_freep) struct binary *binary = NULL;

		assert_int_equal(binary_open(paths.items[i], &binary, NULL), 0);
		n_loaders += loader_is_one(binary);
	}
	assert_int_equal(n_loaders, 1);
}

static void a_process_finds_files_as_its_environment_says(void **state)
{
	_cleanup_(view_done) struct view own, none;
	_cleanup_free_ char *directory = getcwd(NULL, 0);

	(void)state;
	view_init(&own, getpid());
	assert_string_equal(own.context.root, "");
	assert_string_equal(own.context.directory, directory);
	assert_string_equal(own.context.path, getenv("PATH"));
	view_init(&none, 0);
	assert_string_equal(none.context.root, "");
	assert_string_equal(none.context.directory, "/");
	assert_null(none.context.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_would_load_what_ldd_says),
		cmocka_unit_test(the_library_path_is_looked_into),
		cmocka_unit_test(a_script_gives_its_interpreter_and_the_program_of_env),
		cmocka_unit_test(scripts_that_run_each_other_come_to_an_end),
		cmocka_unit_test(what_is_no_elf_file_gives_nothing_and_what_is_missing_an_error),
		cmocka_unit_test(a_program_is_found_as_execvp_finds_it),
		cmocka_unit_test(in_another_root_links_lead_to_that_root),
		cmocka_unit_test(the_cache_is_read_and_may_be_damaged),
		cmocka_unit_test(origin_is_the_folder_of_the_file_that_says_it),
		cmocka_unit_test(libraries_and_programs_are_found_by_a_glob),
		cmocka_unit_test(what_a_program_uses_itself_is_not_looked_for_elsewhere),
		cmocka_unit_test(the_loader_is_known),
		cmocka_unit_test(a_process_finds_files_as_its_environment_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
