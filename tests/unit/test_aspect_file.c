/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "probe/aspect_file.h"
#include "util/cleanup.h"

static void aspects_stand_one_a_line_among_comments(void **state)
{
	static const char text[] = "# what for\n"
				   "\n"
				   "around(MPI_*)\n"
				   "; between\n"
				   "\tmin=10us\r\n"
				   "    cat=mpi  \n"
				   "solver:step*\n"
				   "   \n"
				   "  # nothing\n"
				   "f && g";
	_cleanup_(strings_done) struct strings aspects = { 0 };
	struct why why = { 0 };

	(void)state;
	assert_int_equal(strings_add(&aspects, "first"), 0);
	assert_int_equal(aspect_file_parse("x", text, strlen(text), &aspects, &why), 0);
	assert_int_equal(aspects.n_items, 4);
	assert_string_equal(aspects.items[0], "first");
	assert_string_equal(aspects.items[1], "around(MPI_*) min=10us cat=mpi");
	assert_string_equal(aspects.items[2], "solver:step*");
	assert_string_equal(aspects.items[3], "f && g");
}

static void a_file_that_makes_no_sense_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		const char *sentence;
	} cases[] = {
		{"", 0, "there is no aspect in 'x'"},
		{"# f\n\n", 5, "there is no aspect in 'x'"},
		{"# f\n  g\n", 8, "x:2: there is no aspect that this line could go on with"},
		{"f\n\n  g\n", 7, "x:3: there is no aspect that this line could go on with"},
		{"f\ng\0h\n", 6, "x:2: there is a zero byte"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(strings_done) struct strings aspects = { 0 };
		struct why why = { 0 };

		assert_true(aspect_file_parse("x", cases[i].text, cases[i].size, &aspects, &why) < 0);
		assert_string_equal(why.text, cases[i].sentence);
	}
}

static void a_name_is_that_of_a_file_of_the_sites(void **state)
{
	_cleanup_(strings_done) struct strings aspects = { 0 };
	struct why why = { 0 };

	(void)state;
	assert_true(aspect_file_read("no-such-name", &aspects, &why) < 0);
	assert_non_null(strstr(why.text, "'" ASPECT_FILE_FOLDER "/no-such-name.aspect'"));
	why = (struct why){ 0 };
	assert_true(aspect_file_read("./no-such-name", &aspects, &why) < 0);
	assert_non_null(strstr(why.text, "'./no-such-name'"));
	why = (struct why){ 0 };
	assert_true(aspect_file_read("/", &aspects, &why) < 0);
	assert_non_null(strstr(why.text, "cannot read '/'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aspects_stand_one_a_line_among_comments),
		cmocka_unit_test(a_file_that_makes_no_sense_is_refused_with_its_line),
		cmocka_unit_test(a_name_is_that_of_a_file_of_the_sites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
