/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* PERFFLOW_OPTIONS: each option, each way to spell it, and each way to get it wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sink/pfw_options.h"
#include "util/cleanup.h"

struct parsed {
	struct pfw_options options;
	struct strings faults;
};

static void parsed_done(struct parsed *parsed)
{
	pfw_options_done(&parsed->options);
	strings_done(&parsed->faults);
}

static void parse(const char *text, struct parsed *ret_parsed)
{
	*ret_parsed = (struct parsed){0};
	assert_int_equal(pfw_options_parse(text, &ret_parsed->options, &ret_parsed->faults), 0);
}

static void assert_faults(const struct parsed *parsed, const char *const *sentences)
{
	size_t n = 0;

	for (; sentences[n]; n++) {
		assert_true(n < parsed->faults.n_items);
		assert_string_equal(parsed->faults.items[n], sentences[n]);
	}
	assert_int_equal(parsed->faults.n_items, n);
}
#define ASSERT_FAULTS(parsed, ...) assert_faults(parsed, (const char *const[]){__VA_ARGS__, NULL})

static void assert_usual(const struct pfw_options *options)
{
	assert_string_equal(options->name, "generic");
	assert_string_equal(options->log_dir, "./");
	assert_int_equal(options->n_parts, 2);
	assert_int_equal(options->parts[0], PFW_PART_HOSTNAME);
	assert_int_equal(options->parts[1], PFW_PART_PID);
	assert_true(options->is_enabled);
	assert_false(options->with_counters);
	assert_false(options->is_compact);
	assert_false(options->is_object);
}

static void without_the_variable_all_is_as_usual(void **state)
{
	const char *const texts[] = {NULL, ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(parsed_done) struct parsed parsed;

		parse(texts[i], &parsed);
		assert_usual(&parsed.options);
		assert_int_equal(parsed.faults.n_items, 0);
	}
}

static void all_options_are_read(void **state)
{
	_cleanup_(parsed_done) struct parsed parsed;

	(void)state;
	parse("name=solver:log-filename-include=name,instance-path,hostname,pid:log-dir=./logs/a:"
	      "log-enable=False:cpu-mem-usage=True:log-event=Compact:log-format=Object",
	      &parsed);
	assert_string_equal(parsed.options.name, "solver");
	assert_string_equal(parsed.options.log_dir, "./logs/a");
	assert_int_equal(parsed.options.n_parts, 4);
	assert_int_equal(parsed.options.parts[0], PFW_PART_NAME);
	assert_int_equal(parsed.options.parts[1], PFW_PART_INSTANCE_PATH);
	assert_int_equal(parsed.options.parts[2], PFW_PART_HOSTNAME);
	assert_int_equal(parsed.options.parts[3], PFW_PART_PID);
	assert_false(parsed.options.is_enabled);
	assert_true(parsed.options.with_counters);
	assert_true(parsed.options.is_compact);
	assert_true(parsed.options.is_object);
	assert_int_equal(parsed.faults.n_items, 0);
}

static void the_three_spellings_of_each_word_are_taken(void **state)
{
	static const char *const words[][2] = {
		{"True", "False"}, {"true", "false"}, {"TRUE", "FALSE"}};
	static const char *const events[][2] = {
		{"Compact", "Verbose"}, {"compact", "verbose"}, {"COMPACT", "VERBOSE"}};
	static const char *const formats[][2] = {
		{"Object", "Array"}, {"object", "array"}, {"OBJECT", "ARRAY"}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t no = 0; no < 2; no++) {
			_cleanup_(parsed_done) struct parsed parsed;
			_cleanup_(text_done) struct text text = {0};

			text_printf(&text,
				    "log-enable=%s:cpu-mem-usage=%s:log-event=%s:log-format=%s:"
				    "caliper-enable=%s",
				    words[i][no], words[i][no], events[i][no], formats[i][no],
				    words[i][no]);
			parse(text.data, &parsed);
			assert_int_equal(parsed.options.is_enabled, !no);
			assert_int_equal(parsed.options.with_counters, !no);
			assert_int_equal(parsed.options.is_compact, !no);
			assert_int_equal(parsed.options.is_object, !no);
			assert_int_equal(parsed.faults.n_items, 0);
		}
	}
}

static void a_word_that_is_none_gets_its_sentence_and_the_default(void **state)
{
	_cleanup_(parsed_done) struct parsed parsed;

	(void)state;
	parse("log-enable=no:cpu-mem-usage=tRue:log-event=terse:log-format=csv:caliper-enable=1",
	      &parsed);
	assert_usual(&parsed.options);
	ASSERT_FAULTS(&parsed, "perfflow invalid option: log-enable=[True|False]",
		      "perfflow invalid option: cpu-mem-usage=[True|False]",
		      "perfflow invalid option: log-event=[Verbose|Compact]",
		      "perfflow invalid option: log-format=[Array|Object]",
		      "perfflow invalid option: caliper-enable=[True|False]");
}

static void an_empty_value_is_no_word(void **state)
{
	_cleanup_(parsed_done) struct parsed parsed;

	(void)state;
	parse("log-enable=:log-format=:log-dir=:log-filename-include=", &parsed);
	assert_usual(&parsed.options);
	ASSERT_FAULTS(&parsed, "perfflow invalid option: log-enable=[True|False]",
		      "perfflow invalid option: log-format=[Array|Object]",
		      "Ill-formed option: log-dir=", "perfflow warning: unknown option param=");
}

static void a_pair_without_a_sign_is_ill_formed_and_the_others_count(void **state)
{
	_cleanup_(parsed_done) struct parsed parsed;

	(void)state;
	parse("log-enable:name=x::log-event=compact:pid", &parsed);
	assert_string_equal(parsed.options.name, "x");
	assert_true(parsed.options.is_enabled);
	assert_true(parsed.options.is_compact);
	ASSERT_FAULTS(&parsed, "Ill-formed option: log-enable",
		      "Ill-formed option: ", "Ill-formed option: pid");
}

static void parts_that_are_unknown_are_passed_over(void **state)
{
	_cleanup_(parsed_done) struct parsed parsed;

	(void)state;
	parse("log-filename-include=pid,rank,name,,Pid", &parsed);
	assert_int_equal(parsed.options.n_parts, 2);
	assert_int_equal(parsed.options.parts[0], PFW_PART_PID);
	assert_int_equal(parsed.options.parts[1], PFW_PART_NAME);
	ASSERT_FAULTS(&parsed, "perfflow warning: unknown option param=rank",
		      "perfflow warning: unknown option param=",
		      "perfflow warning: unknown option param=Pid");
}

static void a_part_may_come_twice_and_endless_ones_end(void **state)
{
	_cleanup_(parsed_done) struct parsed parsed;
	_cleanup_(text_done) struct text text = {0};

	(void)state;
	text_printf(&text, "log-filename-include=pid");
	for (int i = 0; i < 100; i++)
		text_printf(&text, ",pid");
	parse(text.data, &parsed);
	assert_int_equal(parsed.options.n_parts, PFW_MAX_PARTS);
	assert_int_equal(parsed.options.parts[1], PFW_PART_PID);
}

static void the_last_of_two_counts_and_a_value_keeps_its_signs(void **state)
{
	_cleanup_(parsed_done) struct parsed parsed;

	(void)state;
	parse("name=a:name=b=c:log-dir=/x:log-dir=/y z/:log-event=compact:log-event=verbose",
	      &parsed);
	assert_string_equal(parsed.options.name, "b=c");
	assert_string_equal(parsed.options.log_dir, "/y z/");
	assert_false(parsed.options.is_compact);
	assert_int_equal(parsed.faults.n_items, 0);
}

static void keys_that_are_unknown_mean_nothing(void **state)
{
	_cleanup_(parsed_done) struct parsed parsed;

	(void)state;
	parse("log-level=9:Name=x: name=y:=z", &parsed);
	assert_usual(&parsed.options);
	assert_int_equal(parsed.faults.n_items, 0);
}

static void a_fault_is_shown_in_part_where_it_is_long(void **state)
{
	_cleanup_(parsed_done) struct parsed parsed;
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	parse(text, &parsed);
	assert_int_equal(parsed.faults.n_items, 1);
	assert_true(strlen(parsed.faults.items[0]) < 300);
	assert_non_null(strstr(parsed.faults.items[0], "xxx..."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_variable_all_is_as_usual),
		cmocka_unit_test(all_options_are_read),
		cmocka_unit_test(the_three_spellings_of_each_word_are_taken),
		cmocka_unit_test(a_word_that_is_none_gets_its_sentence_and_the_default),
		cmocka_unit_test(an_empty_value_is_no_word),
		cmocka_unit_test(a_pair_without_a_sign_is_ill_formed_and_the_others_count),
		cmocka_unit_test(parts_that_are_unknown_are_passed_over),
		cmocka_unit_test(a_part_may_come_twice_and_endless_ones_end),
		cmocka_unit_test(the_last_of_two_counts_and_a_value_keeps_its_signs),
		cmocka_unit_test(keys_that_are_unknown_mean_nothing),
		cmocka_unit_test(a_fault_is_shown_in_part_where_it_is_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
