/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a compiler pass would have called functions, and their sources: of the fixtures, which have
 * debug information. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "binary/unit.h"
#include "util/cleanup.h"

struct opened {
	struct binary *binary;
	struct symbols symbols;
	struct units *units;
};

static void open_fixture(const char *path, struct opened *ret_opened)
{
	struct why why = {0};

	*ret_opened = (struct opened){0};
	assert_int_equal(binary_open(path, &ret_opened->binary, &why), 0);
	assert_int_equal(symbols_read(ret_opened->binary, &ret_opened->symbols, &why), 0);
	assert_int_equal(units_open(ret_opened->binary, &ret_opened->symbols, &ret_opened->units),
			 0);
}

static void opened_done(struct opened *opened)
{
	units_close(opened->units);
	symbols_done(&opened->symbols);
	binary_free(opened->binary);
}

/* Of the first function whose name has that in it. */
static void describe(struct opened *opened, const char *part, char **ret_source,
		     char **ret_function)
{
	for (size_t i = 0; i < opened->symbols.n_items; i++) {
		if (!strstr(opened->symbols.items[i].linker_name, part))
			continue;
		assert_int_equal(units_describe(opened->units, opened->symbols.items[i].address,
						ret_source, ret_function),
				 0);
		return;
	}
	fail_msg("there is no function with %s in its name", part);
}

static void assert_described(struct opened *opened, const char *part, const char *source,
			     const char *function)
{
	_cleanup_free_ char *found_source = NULL, *found_function = NULL;
	size_t size, length = strlen(source);

	describe(opened, part, &found_source, &found_function);
	assert_string_equal(found_function, function);
	assert_non_null(found_source);
	size = strlen(found_source);
	assert_true(size >= length);
	assert_string_equal(found_source + size - length, source);
}

static void a_function_of_c_has_its_own_name_and_source(void **state)
{
	_cleanup_(opened_done) struct opened opened;

	(void)state;
	open_fixture(FIXTURE_FUNCTIONS, &opened);
	assert_described(&opened, "calls_hidden", "unit/fixtures/functions.c", "calls_hidden");
}

static void arguments_are_left_out_and_return_types_of_templates_are_not(void **state)
{
	_cleanup_(opened_done) struct opened opened;

	(void)state;
	open_fixture(FIXTURE_NAMES, &opened);
	assert_described(&opened, "_ZNK2ns5shapeclEi", "unit/fixtures/names.cpp",
			 "ns::shape::operator()");
	assert_described(&opened, "5shapecvPKcEv", "unit/fixtures/names.cpp",
			 "ns::shape::operator char const*");
	assert_described(&opened, "_ZNK2ns5shape4areaEiPd", "unit/fixtures/names.cpp",
			 "ns::shape::area");
	assert_described(&opened, "6scaledIiE", "unit/fixtures/names.cpp",
			 "int ns::shape::scaled<int>");
	assert_described(
		&opened, "6scaledISt6vector", "unit/fixtures/names.cpp",
		"std::vector<int, std::allocator<int> > ns::shape::scaled<std::vector<int, "
		"std::allocator<int> > >");
}

static void an_address_inside_of_a_function_is_none_of_a_function(void **state)
{
	_cleanup_free_ char *source = NULL, *function = NULL;
	_cleanup_(opened_done) struct opened opened;

	(void)state;
	open_fixture(FIXTURE_FUNCTIONS, &opened);
	assert_true(opened.symbols.n_items > 0);
	assert_int_equal(units_describe(opened.units, opened.symbols.items[0].address + 1, &source,
					&function),
			 -ENOENT);
	assert_int_equal(units_describe(opened.units, 0, &source, &function), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_of_c_has_its_own_name_and_source),
		cmocka_unit_test(arguments_are_left_out_and_return_types_of_templates_are_not),
		cmocka_unit_test(an_address_inside_of_a_function_is_none_of_a_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
