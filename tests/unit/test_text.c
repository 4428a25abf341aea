/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "util/cleanup.h"
#include "util/text.h"

static void text_grows_and_keeps_its_end(void **state)
{
	struct text text = {};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(text_append(&text, "ab", 2), 0);
		assert_int_equal(text_printf(&text, "%d,", i % 10), 0);
	}
	assert_int_equal(text.size, 4000);
	assert_int_equal(strlen(text.data), 4000);
	assert_memory_equal(text.data + 3996, "ab9,", 4);
	text_done(&text);
	assert_null(text.data);
}

static void appending_nothing_makes_an_empty_string(void **state)
{
	struct text text = {};

	(void)state;
	assert_int_equal(text_append(&text, NULL, 0), 0);
	assert_string_equal(text.data, "");
	text_done(&text);
}

static void check_json(const char *data, size_t size, const char *expected)
{
	struct text text = {};

	assert_int_equal(text_append_json(&text, data, size), 0);
	assert_string_equal(text.data, expected);
	text_done(&text);
}

static void json_escapes_quotes_backslashes_and_control_characters(void **state)
{
	(void)state;
	check_json("", 0, "");
	check_json("a\"b\\c\n\t\r\x01\x1f\0z", 12, "a\\\"b\\\\c\\n\\t\\r\\u0001\\u001f\\u0000z");
}

static void json_keeps_what_is_utf8(void **state)
{
	const char *good = "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xed\x9f\xbf \xf4\x8f\xbf\xbf";

	(void)state;
	check_json(good, strlen(good), good);
}

static void json_replaces_what_is_not_utf8(void **state)
{
	(void)state;
	check_json("a\xff", 2, "a\xef\xbf\xbd");
	check_json("\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd");		       /* overlong '/' */
	check_json("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
	check_json("\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	check_json("x\xe2\x82", 3, "x\xef\xbf\xbd\xef\xbf\xbd"); /* cut off at the end */
	check_json("\xe2\x82\"", 3, "\xef\xbf\xbd\xef\xbf\xbd\\\"");
}

static void strings_are_copied_and_found(void **state)
{
	struct strings strings = {};
	char item[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(item, sizeof(item), "item %d", i);
		assert_int_equal(strings_add(&strings, item), 0);
	}
	assert_int_equal(strings.n_items, 100);
	assert_int_equal(strings_printf(&strings, "item %d of %s", 101, "these"), 0);
	assert_string_equal(strings.items[100], "item 101 of these");
	assert_string_equal(strings.items[42], "item 42");
	assert_true(strings_contain(&strings, "item 99"));
	assert_false(strings_contain(&strings, "item 100"));
	strings_done(&strings);
	assert_int_equal(strings.n_items, 0);
}

static void an_array_that_shrank_grows_again(void **state)
{
	int *array = NULL;
	size_t n = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		while (n < 37) {
			assert_int_equal(array_grow(&array, n, sizeof(*array)), 0);
			array[n] = n;
			n++;
		}
		for (size_t i = 0; i < n; i++)
			assert_int_equal(array[i], i);
		n = round ? 0 : 8;
	}
	free(array);
}

static void sizes_are_shown_for_people(void **state)
{
	static const struct {
		unsigned long long bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{999, "999 B"},
		{1000, "1.0 kB"},
		{1549, "1.5 kB"},
		{9949, "9.9 kB"},
		{9950, "10 kB"},
		{12345, "12 kB"},
		{999499, "999 kB"},
		{999500, "1.0 MB"},
		{1500000, "1.5 MB"},
		{2500000000ULL, "2.5 GB"},
		{ULLONG_MAX, "18 EB"},
	};
	char buffer[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_format_bytes(buffer, cases[i].bytes), cases[i].text);
}

static void a_file_name_is_the_last_part_of_a_path(void **state)
{
	(void)state;
	assert_string_equal(text_file_name("/usr/lib/libm.so.6"), "libm.so.6");
	assert_string_equal(text_file_name("a.out"), "a.out");
	assert_string_equal(text_file_name("/"), "");
}

static void globs_match_whole_strings(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"**", "abc", true},
		{"a*c", "abbbc", true},
		{"a*c", "abbbcd", false},
		{"*::compute", "LAMMPS_NS::PairLJ::compute", true},
		{"LAMMPS_NS::Pair*::compute", "LAMMPS_NS::PairLJ::compute", true},
		{"lib*/x", "lib/a/b/x", true},
		{"MPI_?send", "MPI_Isend", true},
		{"MPI_?send", "MPI_send", false},
		{"[a-c]x", "bx", true},
		{"[a-c]x", "dx", false},
		{"[!a-c]x", "dx", true},
		{"[!a-c]x", "bx", false},
		{"[]]", "]", true},
		{"[a-]", "-", true},
		{"[\\]x]", "]", true},
		{"[a", "[a", true},
		{"[a", "a", false},
		{"\\*", "*", true},
		{"\\*", "x", false},
		{"a\\", "a\\", true},
		{"operator\\[\\]", "operator[]", true},
		{"*ab*ab", "abxabab", true},
		{"*aab", "aaaab", true},
		{"?", "\xe9", true},
		{"[\xe0-\xff]", "\xe9", true},
		{"a?", "a", false},
		{"a[b]", "a", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (text_glob(cases[i].pattern, cases[i].text) != cases[i].matches)
			fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].text);
	}
}

static void a_glob_of_many_stars_is_quick(void **state)
{
	char pattern[201] = "", text[5001];

	(void)state;
	for (int i = 0; i < 100; i++)
		memcpy(pattern + 2 * i, "*a", 3);
	memset(text, 'a', 5000);
	text[4999] = 'b';
	text[5000] = '\0';
	assert_false(text_glob(pattern, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows_and_keeps_its_end),
		cmocka_unit_test(appending_nothing_makes_an_empty_string),
		cmocka_unit_test(json_escapes_quotes_backslashes_and_control_characters),
		cmocka_unit_test(json_keeps_what_is_utf8),
		cmocka_unit_test(json_replaces_what_is_not_utf8),
		cmocka_unit_test(strings_are_copied_and_found),
		cmocka_unit_test(an_array_that_shrank_grows_again),
		cmocka_unit_test(sizes_are_shown_for_people),
		cmocka_unit_test(a_file_name_is_the_last_part_of_a_path),
		cmocka_unit_test(globs_match_whole_strings),
		cmocka_unit_test(a_glob_of_many_stars_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
