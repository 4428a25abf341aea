/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "reader/check.h"
#include "util/text.h"
#include "written.h"

#define START                                                                                      \
	"{\"name\":\"perfflow_trace\",\"cat\":\"__metadata\",\"ph\":\"M\",\"ts\":1.000,\"pid\":0," \
	"\"tid\":0,\"argsStripped\":true,\"args\":{\"host\":\"h\"}}"
#define PROCESS                                                                                    \
	"{\"name\":\"process_name\",\"cat\":\"__metadata\",\"ph\":\"M\",\"ts\":1.000,\"pid\":5,"   \
	"\"tid\":5,\"args\":{\"name\":\"p\"}}"
#define CALL(name, ts, dur)                                                                        \
	"{\"name\":\"" name "\",\"cat\":\"c\",\"ph\":\"X\",\"ts\":" #ts ",\"dur\":" #dur           \
	",\"pid\":5,\"tid\":5,\"args\":{\"cpu_usage\":1.00}}"
#define ASYNC(ph, id, ts)                                                                          \
	"{\"name\":\"w\",\"cat\":\"c\",\"ph\":\"" ph "\",\"ts\":" #ts                              \
	",\"pid\":5,\"tid\":5,\"id2\":{\"local\":\"" id "\"},\"args\":{}}"
#define ARROW(way, id, ts)                                                                         \
	"{\"name\":\"" way "\",\"cat\":\"c\",\"ph\":\"X\",\"ts\":" #ts                             \
	",\"pid\":5,\"tid\":5,\"dur\":0.000,\"bind_id\":" id ",\"flow_" way "\":true,\"args\":{}}"
#define SUMMARY_WITH(spans, marks, losses, ends, more)                                             \
	"{\"name\":\"perfflow_summary\",\"cat\":\"__metadata\",\"ph\":\"M\",\"ts\":99.000,"        \
	"\"pid\":0,\"tid\":0,\"argsStripped\":true,\"args\":{\"reason\":\"stopped\","              \
	"\"spans\":" #spans ",\"marks\":" #marks ",\"processes\":1,\"losses\":{" losses            \
	"},\"bad_records\":0,\"missed_runs\":0,\"ends\":{" ends "}," more "}}"
#define SUMMARY(spans, marks)                                                                      \
	SUMMARY_WITH(spans, marks, "\"ring_full\":0", "\"return\":" #spans ",\"unwound\":0",       \
		     "\"warnings\":[],\"complete\":true")
#define TRACE(...) "[\n" START ",\n" PROCESS ",\n" __VA_ARGS__ "\n]\n"
#define THREE                                                                                      \
	CALL("a", 2.000, 1.000)                                                                    \
	",\n" CALL("b", 4.000, 1.000) ",\n" CALL("main", 1.500, 9.000) ","                         \
								       "\n"

/* What was found, a line each: "line 3: ...", "missing: ...", "note: ...". */
static enum check_verdict check_file(const struct written *file, struct text *found)
{
	_cleanup_(check_done) struct check check = {0};
	struct why why = {0};

	found->size = 0;
	text_printf(found, "%s", "");
	assert_int_equal(check_trace(file->path, &check, &why), 0);
	for (size_t i = 0; i < check.n_kept; i++)
		text_printf(found, "line %" PRIu64 ": %s\n", check.faults[i].line,
			    check.faults[i].text);
	for (size_t i = 0; i < check.missing.n_items; i++)
		text_printf(found, "missing: %s\n", check.missing.items[i]);
	for (size_t i = 0; i < check.notes.n_items; i++)
		text_printf(found, "note: %s\n", check.notes.items[i]);
	return check.verdict;
}

static void check_text(const char *text, enum check_verdict verdict, const char *expected)
{
	_cleanup_(text_done) struct text found = {0};
	struct written file = write_text(text);

	assert_int_equal(check_file(&file, &found), verdict);
	assert_string_equal(found.data, expected);
	written_close(&file);
}

static void a_trace_that_is_all_there_is_complete(void **state)
{
	(void)state;
	check_text(TRACE(THREE SUMMARY(3, 0)), CHECK_COMPLETE, "");
	check_text(TRACE(SUMMARY(0, 0)), CHECK_COMPLETE, "");
	check_text(TRACE(ASYNC("b", "0x1", 2.000) ",\n" ASYNC("e", "0x1", 3.000) ",\n" ARROW(
			   "out", "1", 4.000) ",\n" ARROW("in", "1", 4.001) ",\n" SUMMARY(0, 2)),
		   CHECK_COMPLETE, "");
}

static void what_was_lost_is_told_by_reason(void **state)
{
	(void)state;
	check_text(
		TRACE(THREE SUMMARY_WITH(
			3, 0, "\"ring_full\":120,\"too_deep\":3,\"new_reason\":1", "\"return\":3",
			"\"warnings\":[\"libx.so was not woven\"],\"complete\":false")),
		CHECK_INCOMPLETE,
		"missing: records that found no room in their ring (calls, marks, names, states): "
		"120\n"
		"missing: calls nested too deep to be followed: 3\n"
		"missing: records lost by 'new_reason': 1\n"
		"missing: as the trace warns: libx.so was not woven\n");
}

static void a_summary_that_contradicts_itself_is_broken(void **state)
{
	(void)state;
	check_text(TRACE(THREE SUMMARY_WITH(3, 0, "\"ring_full\":1", "\"return\":3",
					    "\"warnings\":[],\"complete\":true")),
		   CHECK_BROKEN,
		   "line 7: the summary says that nothing is missing, and counts what is\n"
		   "missing: records that found no room in their ring (calls, marks, names, "
		   "states): 1\n");
	check_text(
		TRACE(THREE SUMMARY_WITH(3, 0, "", "\"return\":2,\"exec\":1", "\"complete\":true")),
		CHECK_BROKEN,
		"line 7: the summary counts 2 calls that ended by 'return', 3 are there\n"
		"line 7: the summary counts 1 calls that ended by 'exec', 0 are there\n");
	check_text(TRACE(THREE SUMMARY_WITH(3, 0, "", "\"return\":3", "\"complete\":false")),
		   CHECK_INCOMPLETE, "missing: something: the summary says so, and not what\n");
}

static void calls_that_were_open_at_the_stop_are_no_loss(void **state)
{
	(void)state;
	check_text(TRACE("{\"name\":\"a\",\"cat\":\"c\",\"ph\":\"X\",\"ts\":2,\"dur\":1,\"pid\":5,"
			 "\"tid\":5,\"args\":{\"end\":\"session_stop\"}},\n" SUMMARY_WITH(
				 1, 0, "", "\"session_stop\":1",
				 "\"short\":7,\"sampled_out\":8,\"complete\":true")),
		   CHECK_COMPLETE,
		   "note: calls open when the session stopped, shown to end there: 1\n"
		   "note: calls shorter than min=, left out as asked for: 7\n"
		   "note: calls left out by sample=, as asked for: 8\n");
}

static void lines_that_were_taken_out_are_missed(void **state)
{
	(void)state;
	check_text(TRACE(THREE SUMMARY(5, 2)), CHECK_INCOMPLETE,
		   "missing: calls: 2 (counted: 5, there: 3)\n"
		   "missing: marks: 2 (counted: 2, there: 0)\n");
	check_text("[\n" START ",\n" CALL("a", 2.000, 1.000) ",\n" SUMMARY(1, 0) "\n]\n",
		   CHECK_INCOMPLETE, "missing: names of processes: 1 (5)\n");
	check_text(
		TRACE(ASYNC("e", "0x1", 3.000) ",\n" ARROW("out", "1", 4.000) ",\n" SUMMARY(0, 1)),
		CHECK_INCOMPLETE,
		"missing: ends of asynchronous work: 1 (line 4 has the other one)\n"
		"missing: ends of arrows: 1 (line 5 has the other one)\n");
}

static void who_only_had_a_cpu_needs_no_name(void **state)
{
	(void)state;
	check_text(TRACE("{\"name\":\"Running\",\"cat\":\"__sched\",\"ph\":\"T\",\"ts\":2.000,"
			 "\"dur\":1.000,"
			 "\"pid\":1,\"tid\":9,\"args\":{\"cpu\":0}},\n" SUMMARY(0, 0)),
		   CHECK_COMPLETE, "");
}

static void lines_that_were_put_in_are_faults(void **state)
{
	(void)state;
	check_text(TRACE(THREE THREE SUMMARY(6, 0)), CHECK_BROKEN,
		   "line 4: it begins when the call of line 7 on its thread does [N4]\n"
		   "line 5: it begins when the call of line 8 on its thread does [N4]\n"
		   "line 6: it begins when the call of line 9 on its thread does [N4]\n");
	check_text(TRACE(THREE SUMMARY(2, 0)), CHECK_BROKEN,
		   "line 7: the summary counts 2 calls, 3 are there\n");
	check_text(
		TRACE(ASYNC("b", "0x1", 2.000) ",\n" ASYNC("b", "0x1", 3.000) ",\n" ASYNC(
			"e", "0x1",
			4.000) ",\n" ARROW("out", "1",
					   5.000) ",\n" ARROW("in", "1",
							      5.001) ",\n" ARROW("out", "1",
										 6.000) ","
											"\n" SUMMARY(
												0,
												3)),
		CHECK_BROKEN,
		"line 5: what has its id began in line 4 already [A1]\n"
		"line 9: what has its id began in line 7 already [L1]\n");
	check_text(TRACE(THREE SUMMARY(3, 0) ",\n" SUMMARY(3, 0)), CHECK_BROKEN,
		   "line 8: there is a summary already, in line 7\n");
	check_text(TRACE(THREE START ",\n" SUMMARY(3, 0)), CHECK_BROKEN,
		   "line 7: a trace begins inside of the trace [F6]\n");
}

static void calls_in_any_order_are_sound_and_the_summary_is_last(void **state)
{
	(void)state;
	check_text(TRACE(CALL("main", 1.500, 9.000) ",\n" CALL("b", 4.000, 1.000) ",\n" CALL(
			   "a", 2.000, 1.000) ",\n" SUMMARY(3, 0)),
		   CHECK_COMPLETE, "");
	check_text(TRACE(SUMMARY(1, 0) ",\n" CALL("a", 2.000, 1.000)), CHECK_BROKEN,
		   "line 5: it stands behind the summary of line 4\n");
}

static void calls_that_do_not_nest_are_faults(void **state)
{
	(void)state;
	check_text(TRACE(CALL("a", 2.000, 2.000) ",\n" CALL("b", 3.000, 1.001) ",\n" SUMMARY(2, 0)),
		   CHECK_BROKEN,
		   "line 5: it ends after the call of line 4 that it begins in [N1]\n");
	check_text(TRACE(CALL("a", 2.000, 2.000) ",\n" CALL("b", 3.000, 1.000) ",\n" SUMMARY(2, 0)),
		   CHECK_COMPLETE, "");
}

static void fields_that_are_not_as_they_must_be_are_faults(void **state)
{
	(void)state;
	check_text(TRACE("{\"name\":\"\",\"ph\":\"i\",\"ts\":2,\"pid\":5,\"tid\":5},\n{\"name\":"
			 "\"a\",\"ph\":\"ii\",\"ts\":2,\"pid\":5,\"tid\":5},\n"
			 "{\"name\":\"a\",\"ph\":\"i\",\"ts\":2,\"pid\":2147483648,\"tid\":5},\n{"
			 "\"name\":\"a\",\"ph\":\"i\",\"ts\":2,\"pid\":5},\n"
			 "{\"name\":\"a\",\"ph\":\"i\",\"ts\":\"2\",\"pid\":5,\"tid\":5},\n{"
			 "\"name\":\"a\",\"ph\":\"i\",\"ts\":-2,\"pid\":5,\"tid\":5},\n"
			 "{\"name\":\"a\",\"ph\":\"X\",\"ts\":2,\"pid\":5,\"tid\":5},\n{\"name\":"
			 "\"a\",\"ph\":\"X\",\"ts\":2,\"dur\":-1,\"pid\":5,\"tid\":5},\n" SUMMARY(
				 0, 0)),
		   CHECK_BROKEN,
		   "line 4: it has no name [E1]\nline 5: it has no phase that exists [E1]\n"
		   "line 6: its pid is no integer from 0 to 2^31 - 1 [E2]\nline 7: its tid is no "
		   "integer from 0 to 2^31 - 1 [E2]\n"
		   "line 8: its ts is no number, or negative [T2]\nline 9: its ts is no number, or "
		   "negative [T2]\n"
		   "line 10: it has no dur [N1]\nline 11: it ends before it begins [N1]\n");
}

static void what_stands_between_events_matters(void **state)
{
	(void)state;
	check_text("[\n" START "\n" PROCESS ",\n\n,\n" SUMMARY(0, 0) ",\n]\n", CHECK_BROKEN,
		   "line 3: the comma before it is missing [F4]\nline 6: there is a comma too many "
		   "before it [F4]\n"
		   "line 6: there is a comma behind the last event [F4]\n");
	check_text("[\n" START ",\n[\n" PROCESS ",\n" SUMMARY(0, 0) "\n]\n]\n", CHECK_BROKEN,
		   "line 4: an array begins before it, inside of the array [F6]\nline 7: byte 513: "
		   "text "
		   "behind the end of the trace\n");
	check_text(TRACE("{\"name\":\"a,\n" CALL("b", 2.000, 1.000) ",\nnonsense\n" SUMMARY(1, 0)),
		   CHECK_BROKEN,
		   "line 4: byte 224: the line ends inside of an event\nline 6: byte 334: this is "
		   "no event\n");
}

/* What the file holds up to a byte of it is sound, wherever that is. */
static void a_trace_cut_off_at_any_byte_is_incomplete_and_sound(void **state)
{
	static const char text[] = TRACE(
		THREE ASYNC("b", "0x1", 2.000) ",\n" ASYNC("e", "0x1", 3.000) ",\n" SUMMARY(3, 2));

	(void)state;
	for (size_t size = strlen("[\n" START); size < strlen(text); size++) {
		_cleanup_(text_done) struct text found = {0};
		struct written file = write_bytes(text, size);
		enum check_verdict verdict = check_file(&file, &found);

		if (size == strlen(text) - 1) { /* all but the end of the last line */
			assert_int_equal(verdict, CHECK_COMPLETE);
		} else {
			assert_int_equal(verdict, CHECK_INCOMPLETE);
			assert_non_null(strstr(found.data, "the file is cut off"));
		}
		written_close(&file);
	}
}

static void a_gzip_file_cut_off_at_any_byte_is_incomplete_or_no_trace(void **state)
{
	static const char text[] = TRACE(THREE SUMMARY(3, 0));
	struct written whole = write_gzip(text, 0);
	size_t size = lseek(whole.fd, 0, SEEK_END);

	(void)state;
	for (size_t n_missing = 1; n_missing < size - 2; n_missing++) {
		struct written file = write_gzip(text, n_missing);
		_cleanup_(check_done) struct check check = {0};
		struct why why = {0};
		int r = check_trace(file.path, &check, &why);

		if (r < 0)
			assert_non_null(strstr(why.text, "its gzip data is cut off"));
		else
			assert_int_equal(check.verdict, CHECK_INCOMPLETE);
		written_close(&file);
	}
	written_close(&whole);
}

static void the_end_of_what_is_there_is_told_with_its_time_and_line(void **state)
{
	(void)state;
	check_text("[\n" START ",\n" PROCESS ",\n" CALL("a", 2.000, 1.250) ",\n{\"name\":\"b",
		   CHECK_INCOMPLETE,
		   "missing: what came after 0.000003250 s, and calls that were open then: the "
		   "file is cut off inside of "
		   "the event behind line 4\n"
		   "missing: the summary: what was lost in the last second before its place is not known\n");
}

static void traces_of_others_are_checked_as_far_as_they_tell(void **state)
{
	(void)state;
	check_text("[\n" CALL("a", 2, 1) ",\n" CALL("b", 2, 1) "\n]\n", CHECK_INCOMPLETE,
		   "missing: a summary: the trace is not perfflow's own, and does not tell what "
		   "was lost\n");
	check_text("[\n{\"name\":\"a\",\"ph\":\"E\",\"ts\":1,\"pid\":5,\"tid\":5},\n{\"name\":"
		   "\"b\",\"ph\":\"B\",\"ts\":1,\"pid\":5,\"tid\":5}\n]\n",
		   CHECK_BROKEN,
		   "line 2: it ends a call that has not begun\nmissing: ends of calls: 1\n"
		   "missing: a summary: the trace is not perfflow's own, and does not tell what "
		   "was lost\n");
}

static void there_is_an_end_to_the_faults_that_are_kept(void **state)
{
	_cleanup_(check_done) struct check check = {0};
	_cleanup_(text_done) struct text text = {0};
	struct written file;
	struct why why = {0};

	(void)state;
	text_printf(&text, "[\n" START);
	for (int i = 0; i < 5000; i++)
		text_printf(&text, ",\n{\"ph\":\"i\"}");
	text_printf(&text, ",\n" SUMMARY(0, 0) "\n]\n");
	file = write_bytes(text.data, text.size);
	assert_int_equal(check_trace(file.path, &check, &why), 0);
	assert_int_equal(check.n_faults, 5000);
	assert_int_equal(check.n_kept, CHECK_MAX_FAULTS);
	assert_int_equal(check.faults[0].line, 3);
	written_close(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trace_that_is_all_there_is_complete),
		cmocka_unit_test(what_was_lost_is_told_by_reason),
		cmocka_unit_test(a_summary_that_contradicts_itself_is_broken),
		cmocka_unit_test(calls_that_were_open_at_the_stop_are_no_loss),
		cmocka_unit_test(lines_that_were_taken_out_are_missed),
		cmocka_unit_test(who_only_had_a_cpu_needs_no_name),
		cmocka_unit_test(lines_that_were_put_in_are_faults),
		cmocka_unit_test(calls_in_any_order_are_sound_and_the_summary_is_last),
		cmocka_unit_test(calls_that_do_not_nest_are_faults),
		cmocka_unit_test(fields_that_are_not_as_they_must_be_are_faults),
		cmocka_unit_test(what_stands_between_events_matters),
		cmocka_unit_test(a_trace_cut_off_at_any_byte_is_incomplete_and_sound),
		cmocka_unit_test(a_gzip_file_cut_off_at_any_byte_is_incomplete_or_no_trace),
		cmocka_unit_test(the_end_of_what_is_there_is_told_with_its_time_and_line),
		cmocka_unit_test(traces_of_others_are_checked_as_far_as_they_tell),
		cmocka_unit_test(there_is_an_end_to_the_faults_that_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
