/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "util/cleanup.h"
#include "util/why.h"

static void the_sentence_ends_with_what_the_system_says(void **state)
{
	struct why why = {};

	(void)state;
	assert_int_equal(why_set(&why, -ENOENT, "cannot open '%s'", "a.out"), -ENOENT);
	assert_string_equal(why_text(&why, -ENOENT),
			    "cannot open 'a.out': No such file or directory");
}

static void too_few_descriptors_are_a_limit_that_can_be_raised(void **state)
{
	struct why why = {};

	(void)state;
	assert_int_equal(why_set(&why, -EMFILE, "cannot open '%s'", "a.out"), -EMFILE);
	assert_non_null(strstr(why_text(&why, -EMFILE), "cannot open 'a.out': "));
	assert_non_null(strstr(why_text(&why, -EMFILE), "'ulimit -n'"));
	assert_non_null(strstr(why_text(NULL, -EMFILE), "'ulimit -n'"));
	assert_non_null(strstr(why_text(NULL, -ENFILE), "fs.file-max"));
}

static void a_sentence_that_says_it_all_stands_alone(void **state)
{
	struct why why = {};

	(void)state;
	assert_int_equal(why_say(&why, -EINVAL, "%d is no pid", 0), -EINVAL);
	assert_string_equal(why_text(&why, -EINVAL), "0 is no pid");
}

static void the_first_reason_wins(void **state)
{
	struct why why = {};

	(void)state;
	why_say(&why, -EBADMSG, "near");
	assert_int_equal(why_set(&why, -EIO, "far"), -EIO);
	assert_int_equal(why_say(&why, -EIO, "farther"), -EIO);
	assert_string_equal(why.text, "near");
}

static void without_a_reason_the_errno_speaks(void **state)
{
	struct why why = {};

	(void)state;
	assert_string_equal(why_text(&why, -EPERM), "Operation not permitted");
	assert_string_equal(why_text(NULL, -EPERM), "Operation not permitted");
	assert_string_equal(why_text(NULL, -99999), "unknown error");
	assert_int_equal(why_set(NULL, -EPERM, "nobody asks"), -EPERM);
}

static void a_long_sentence_is_cut_off(void **state)
{
	struct why why = {};
	char name[2000];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	why_set(&why, -ENOENT, "cannot open '%s'", name);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sentence_ends_with_what_the_system_says),
		cmocka_unit_test(too_few_descriptors_are_a_limit_that_can_be_raised),
		cmocka_unit_test(a_sentence_that_says_it_all_stands_alone),
		cmocka_unit_test(the_first_reason_wins),
		cmocka_unit_test(without_a_reason_the_errno_speaks),
		cmocka_unit_test(a_long_sentence_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
