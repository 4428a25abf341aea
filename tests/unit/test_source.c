/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture_symbols.h"

#include <errno.h>

#include "binary/source.h"

struct opened {
	struct binary *binary;
	struct symbols symbols;
	struct source *source;
};

static struct opened open_source(const char *path)
{
	struct opened opened = {};

	fixture_open_binary(path, &opened.binary, &opened.symbols);
	assert_int_equal(source_open(opened.binary, &opened.symbols, &opened.source), 0);
	return opened;
}

static void close_source(struct opened *opened)
{
	source_close(opened->source);
	fixture_close_binary(opened->binary, &opened->symbols);
}

static int find(const struct opened *opened, const char *name, const char **path,
		unsigned int *line)
{
	return source_find(opened->source, fixture_find(&opened->symbols, name)->address, path, line);
}

/* The line of the fixture's source at which the text stands. */
static unsigned int line_of(const char *file, const char *text)
{
	_cleanup_(fclosep) FILE *source = fopen(file, "re");
	unsigned int n = 0;
	char line[256];

	assert_non_null(source);
	while (fgets(line, sizeof(line), source)) {
		n++;
		if (strstr(line, text))
			return n;
	}
	fail();
	return 0;
}

static void assert_places(const struct opened *opened)
{
	const char *path, *other;
	unsigned int line;

	assert_int_equal(find(opened, "annotated_long", &path, &line), 0);
	assert_string_equal(path, FIXTURE_FOLDER "/annotated.c");
	/* compilers count the line of the name or of the brace */
	assert_in_range(line, line_of(path, "annotated_long(int n)"),
			line_of(path, "annotated_long(int n)") + 1);
	assert_int_equal(find(opened, "not_annotated", &other, &line), 0);
	assert_ptr_equal(other, path);
	assert_int_equal(find(opened, "annotated_plainly", &other, &line), 0);
	assert_string_equal(other, FIXTURE_FOLDER "/annotated_plainly.c");
}

static void a_function_has_its_file_and_line(void **state)
{
	_cleanup_(close_source) struct opened opened = open_source(FIXTURE_MARKED);
	unsigned int line;
	const char *path;

	(void)state;
	assert_places(&opened);
	assert_int_equal(source_find(opened.source, 1, &path, &line), -ENOENT);
	/* what the compiler adds has no source */
	assert_int_equal(find(&opened, "frame_dummy", &path, &line), -ENOENT);
}

static void the_debug_file_is_read_too(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();
	char command[1024], path[256];
	struct opened opened;

	(void)state;
	snprintf(command, sizeof(command),
		 "cd %s && objcopy --only-keep-debug %s x.debug && objcopy --strip-all %s x && "
		 "objcopy --add-gnu-debuglink=x.debug x",
		 folder, FIXTURE_MARKED, FIXTURE_MARKED);
	if (system(command) != 0)
		skip();
	snprintf(path, sizeof(path), "%s/x", folder);
	opened = open_source(path);
	assert_places(&opened);
	close_source(&opened);
}

static void without_debug_information_nothing_is_known(void **state)
{
	_cleanup_(symbols_done) struct symbols symbols = {};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct source *source = NULL;

	(void)state;
	assert_int_equal(binary_open("/bin/true", &binary, NULL), 0);
	assert_int_equal(symbols_read(binary, &symbols, NULL), 0);
	assert_int_equal(source_open(binary, &symbols, &source), -ENODATA);
	assert_null(source);
}

/* What is in the sections of DWARF is anybody's: it may be wrong, and must do no harm. */
static void damaged_debug_information_does_no_harm(void **state)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	unsigned int random = 1;
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_MARKED, &size);
	for (int i = 0; i < 300; i++) {
		_cleanup_(binary_freep) struct binary *binary = NULL;
		_cleanup_(symbols_done) struct symbols symbols = {};
		_cleanup_(source_closep) struct source *source = NULL;
		size_t at = size / 4 + rand_r(&random) % (size / 2);
		uint8_t saved = bytes[at];
		int fd;

		bytes[at] = (uint8_t)rand_r(&random);
		fd = fixture_memory(bytes, size);
		if (binary_open_fd(fd, "x", &binary, NULL) == 0 &&
		    symbols_read(binary, &symbols, NULL) == 0)
			source_open(binary, &symbols, &source);
		close(fd);
		bytes[at] = saved;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_has_its_file_and_line),
		cmocka_unit_test(the_debug_file_is_read_too),
		cmocka_unit_test(without_debug_information_nothing_is_known),
		cmocka_unit_test(damaged_debug_information_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
