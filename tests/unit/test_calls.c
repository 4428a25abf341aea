/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "reader/calls.h"
#include "reader/pairs.h"
#include "util/text.h"
#include "written.h"

/* Calls as "name start-end how,", '?' for an event that belongs to nothing, '/' at the end of the
 * file. */
static void read_calls(const char *text, struct text *out)
{
	_cleanup_(reader_freep) struct reader *reader = NULL;
	struct written file = write_text(text);
	struct lanes lanes = {0};
	struct trace_event event;
	struct calls calls;
	struct why why = {0};
	struct call call;
	bool is_more = true;
	int r;

	calls_init(&calls, &lanes);
	assert_int_equal(reader_open(file.path, &reader, &why), 0);
	while (is_more) {
		is_more = reader_next(reader, &event, &why) == 1;
		if (!is_more) {
			text_printf(out, "/");
			calls_finish(&calls);
		} else {
			r = calls_push(&calls, &event);
			if (r < 0)
				text_printf(out, r == -ENOMSG ? "?" : "#");
		}
		while (calls_pop(&calls, &call))
			text_printf(out, "%s %d-%d %s@%d,", call.name, (int)(call.start_ns / 1000),
				    (int)(call.end_ns / 1000), call.end ? call.end : "",
				    (int)call.lane->tid);
	}
	calls_done(&calls);
	lanes_done(&lanes);
	written_close(&file);
}

static void check_calls(const char *text, const char *expected)
{
	_cleanup_(text_done) struct text out = {0};

	read_calls(text, &out);
	assert_string_equal(out.data, expected);
}

#define E(ph, name, ts, tid)                                                                       \
	"{\"name\":\"" name "\",\"ph\":\"" ph "\",\"ts\":" #ts ",\"pid\":1,\"tid\":" #tid "}"

static void an_x_is_a_call_and_so_is_a_b_with_its_e(void **state)
{
	(void)state;
	check_calls("[{\"name\":\"x\",\"ph\":\"X\",\"ts\":5,\"dur\":3,\"pid\":1,\"tid\":1}]",
		    "x 5-8 @1,/");
	check_calls("[" E("B", "f", 1, 1) "," E("B", "g", 2, 1) "," E("E", "g", 3,
								      1) "," E("E", "f", 4, 1) "]",
		    "g 2-3 @1,f 1-4 @1,/");
}

static void threads_do_not_end_each_others_calls(void **state)
{
	(void)state;
	check_calls("[" E("B", "f", 1, 1) "," E("B", "f", 2, 2) "," E("E", "f", 3,
								      1) "," E("E", "f", 4, 2) "]",
		    "f 1-3 @1,f 2-4 @2,/");
}

static void an_end_of_an_outer_call_unwinds_the_inner_ones(void **state)
{
	(void)state;
	check_calls("[" E("B", "f", 1, 1) "," E("B", "g", 2, 1) "," E("B", "h", 3,
								      1) "," E("E", "f", 4, 1) "]",
		    "h 3-4 unwound@1,g 2-4 unwound@1,f 1-4 @1,/");
}

static void an_end_without_a_begin_is_told_and_ends_nothing(void **state)
{
	(void)state;
	check_calls("[" E("B", "f", 1, 1) "," E("E", "g", 2, 1) "," E("E", "f", 3, 1) "]",
		    "?f 1-3 @1,/");
}

static void calls_that_never_end_end_with_the_trace(void **state)
{
	(void)state;
	check_calls("[" E("B", "f", 1, 1) "," E("B", "g", 2, 2) "," E("i", "m", 9, 3) "]",
		    "/f 1-9 cut_off@1,g 2-9 cut_off@2,");
}

static void an_x_without_a_duration_or_with_a_negative_one_is_told(void **state)
{
	(void)state;
	check_calls("[" E("X", "f", 1,
			  1) ",{\"name\":\"x\",\"ph\":\"X\",\"ts\":5,\"dur\":-3,\"pid\":1}]",
		    "##/");
	check_calls("[{\"name\":\"x\",\"ph\":\"X\",\"ts\":9223372036854775,\"dur\":"
		    "9223372036854775,\"pid\":1}]",
		    "#/");
}

static void the_end_of_an_arrow_is_no_call(void **state)
{
	(void)state;
	check_calls("[{\"name\":\"fork\",\"ph\":\"X\",\"ts\":5,\"dur\":0.000,\"pid\":1,\"bind_id\":"
		    "1,\"flow_out\":true},"
		    "{\"name\":\"f\",\"ph\":\"X\",\"ts\":6,\"dur\":1,\"pid\":1,\"bind_id\":2,"
		    "\"flow_in\":true}]",
		    "f 6-7 @1,/");
}

#define P(ph, name, id, ts, pid)                                                                   \
	"{\"name\":\"" name "\",\"cat\":\"c\",\"ph\":\"" ph "\"," id ",\"ts\":" #ts                \
	",\"pid\":" #pid "}"

static void check_pairs(const char *text, const char *expected, size_t n_open, size_t n_stray)
{
	_cleanup_(text_done) struct text out = {0};
	_cleanup_(reader_freep) struct reader *reader = NULL;
	struct written file = write_text(text);
	struct lanes lanes = {0};
	struct pairs pairs = {0};
	struct trace_event event;
	struct why why = {0};
	struct call work;

	text_printf(&out, "%s", "");
	assert_int_equal(reader_open(file.path, &reader, &why), 0);
	while (reader_next(reader, &event, &why) == 1)
		if (pairs_take(&pairs, &lanes, &event, &work) == 1)
			text_printf(&out, "%s %d-%d@%d,", work.name, (int)(work.start_ns / 1000),
				    (int)(work.end_ns / 1000), (int)work.lane->pid);
	assert_string_equal(out.data, expected);
	assert_int_equal(pairs.n_open, n_open);
	assert_int_equal(pairs.n_stray, n_stray);
	pairs_done(&pairs);
	lanes_done(&lanes);
	written_close(&file);
}

static void asynchronous_work_is_told_apart_by_id_name_and_process(void **state)
{
	(void)state;
	check_pairs("[" P("b", "w", "\"id\":1", 1, 1) "," P("b", "w", "\"id\":2", 2, 1) "," P(
			    "e", "w", "\"id\":1", 3, 1) "," P("e", "w", "\"id\":2", 4, 2) "]",
		    "w 1-3@1,w 2-4@1,", 0, 0);
	check_pairs("[" P("b", "w", "\"id2\":{\"local\":\"0x1\"}", 1,
			  1) "," P("b", "w", "\"id2\":{\"local\":\"0x1\"}", 2,
				   2) "," P("e", "w", "\"id2\":{\"local\":\"0x1\"}", 3, 1) "]",
		    "w 1-3@1,", 1, 0);
	check_pairs("[" P("b", "w", "\"id\":1", 1, 1) "," P("e", "v", "\"id\":1", 2, 1) "," P(
			    "e", "w", "\"id\":\"1\"", 3, 1) "]",
		    "", 1, 2);
}

static void of_work_that_is_alike_the_last_begun_ends_first(void **state)
{
	(void)state;
	check_pairs("[" P("b", "w", "\"id\":1", 1, 1) "," P("b", "w", "\"id\":1", 2, 1) "," P(
			    "e", "w", "\"id\":1", 3,
			    1) "," P("e", "w", "\"id\":1", 4,
				     1) "," P("b", "w", "\"id\":1", 5,
					      1) "," P("b", "w", "\"id\":1", 6, 1) "]",
		    "w 2-3@1,w 1-4@1,", 2, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_x_is_a_call_and_so_is_a_b_with_its_e),
		cmocka_unit_test(threads_do_not_end_each_others_calls),
		cmocka_unit_test(an_end_of_an_outer_call_unwinds_the_inner_ones),
		cmocka_unit_test(an_end_without_a_begin_is_told_and_ends_nothing),
		cmocka_unit_test(calls_that_never_end_end_with_the_trace),
		cmocka_unit_test(an_x_without_a_duration_or_with_a_negative_one_is_told),
		cmocka_unit_test(the_end_of_an_arrow_is_no_call),
		cmocka_unit_test(asynchronous_work_is_told_apart_by_id_name_and_process),
		cmocka_unit_test(of_work_that_is_alike_the_last_begun_ends_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
