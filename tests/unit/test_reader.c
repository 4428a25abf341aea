/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "reader/reader.h"
#include "util/text.h"
#include "written.h"

#define A "{\"name\":\"a\",\"cat\":\"c\",\"ph\":\"X\",\"ts\":1.5,\"dur\":2,\"pid\":7,\"tid\":8}"
#define B                                                                                          \
	"{\"name\":\"b\",\"ph\":\"B\",\"ts\":81234567.251,\"pid\":7,\"args\":{\"x\":[1,{\"y\":"    \
	"null}]}}"

/* The names of the events, ';' for each thing that is none, and how it ended: ']' or '/'. */
static void read_all(const char *path, struct text *names, struct why *last_why)
{
	_cleanup_(reader_freep) struct reader *reader = NULL;
	struct trace_event event;
	struct why why = {0};
	int r;

	names->size = 0;
	text_printf(names, "%s", "");
	assert_int_equal(reader_open(path, &reader, &why), 0);
	for (;;) {
		why.text[0] = '\0';
		r = reader_next(reader, &event, &why);
		if (r == 0)
			break;
		if (r == -EBADMSG) {
			text_printf(names, ";");
			if (last_why)
				*last_why = why;
			continue;
		}
		assert_int_equal(r, 1);
		text_printf(names, "%s", event.name);
	}
	text_printf(names, "%s", reader_ending(reader)->is_closed ? "]" : "/");
}

static void check_names(const char *text, const char *expected)
{
	_cleanup_(text_done) struct text names = {0};
	struct written file = write_text(text);

	read_all(file.path, &names, NULL);
	assert_string_equal(names.data, expected);
	written_close(&file);
}

/* The fault is told with its line and byte, and what is behind it is read. */
static void check_fault(const char *text, const char *expected, const char *sentence)
{
	_cleanup_(text_done) struct text names = {0};
	struct written file = write_text(text);
	struct why why = {0};

	read_all(file.path, &names, &why);
	assert_string_equal(names.data, expected);
	assert_string_equal(why.text, sentence);
	written_close(&file);
}

static void every_layout_of_an_array_is_read(void **state)
{
	(void)state;
	check_names("[\n" A ",\n" B "\n]\n", "ab]");
	check_names("[" A "," B "]", "ab]");
	check_names("[\n" A "\n,\n" B "\n", "ab/");
	check_names("[\n" A ",\n" B ",\n", "ab/");
	check_names("[\n" A "\n" B "\n]\n", "ab]"); /* as DFTracer has it */
	check_names(" \n [{\n \"name\" : \"a\",\n \"ph\" :\n\"i\" } ,\n{\"name\":\"b\"}]", "ab]");
	check_names("[\n    " A ",\r\n    " B "\r\n]\r\n", "ab]");
	check_names("[]", "]");
	check_names("[", "/");
}

static void the_object_form_is_read(void **state)
{
	(void)state;
	check_names("{\"traceEvents\":[" A "," B "]}", "ab]");
	check_names("{\n  \"displayTimeUnit\": \"us\",\n  \"otherData\": {\n\n  },\n  "
		    "\"traceEvents\": [\n" A ",\n" B ",\n",
		    "ab/");
	check_names("{\"a\":1.5,\"b\":[{\"name\":\"no\"}],\"traceEvents\":[" A "],\"c\":{\"d\":2}}",
		    "a]");
	check_names("{\"traceEvents\":[" A "]", "a/");
	check_names("{\"traceEvents\":[" A, "a/");
}

static void fields_are_what_they_are(void **state)
{
	_cleanup_(reader_freep) struct reader *reader = NULL;
	struct written file = write_text("[\n" A ",\n" B "\n]\n");
	struct trace_event event;
	struct why why = {0};

	(void)state;
	assert_int_equal(reader_open(file.path, &reader, &why), 0);
	assert_int_equal(reader_next(reader, &event, &why), 1);
	assert_string_equal(event.category, "c");
	assert_int_equal(event.phase, 'X');
	assert_int_equal(event.time_ns, 1500);
	assert_int_equal(event.duration_ns, 2000);
	assert_int_equal(event.pid, 7);
	assert_int_equal(event.tid, 8);
	assert_int_equal(event.line, 2);
	assert_int_equal(event.offset, 2);
	assert_int_equal(event.n_commas, 0);
	assert_int_equal(event.size, strlen(A));
	assert_memory_equal(event.text, A, event.size);
	assert_int_equal(event.has, 63);

	assert_int_equal(reader_next(reader, &event, &why), 1);
	assert_int_equal(event.number, 2);
	assert_int_equal(event.line, 3);
	assert_int_equal(event.n_commas, 1);
	assert_int_equal(event.time_ns, 81234567251);
	assert_int_equal(event.tid, 7); /* not said: the first thread */
	assert_int_equal(event.has, EVENT_NAME | EVENT_TIME | EVENT_PID);
	assert_string_equal(event.category, "");
	assert_non_null(event.args);
	written_close(&file);
}

static void times_are_exact_to_the_nanosecond(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{"0", 0},
		{"12", 12000},
		{"12.5", 12500},
		{"12.001", 12001},
		{"12.0019", 12001},
		{"9007199254740.993", 9007199254740993}, /* no double has it */
		{"1795332060784914.250", 1795332060784914250},
		{"-1.5", -1500},
		{"1.5e3", 1500000},
		{"9223372036854775.807", INT64_MAX},
	};
	static const char *const no_times[] = {"\"12\"", "null", "9223372036854775.808", "1e300",
					       "9999999999999999999"};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json_object *number = json_tokener_parse(cases[i].text);

		assert_int_equal(json_microseconds(number, &ns), 0);
		assert_int_equal(ns, cases[i].ns);
		json_object_put(number);
	}
	for (size_t i = 0; i < sizeof(no_times) / sizeof(no_times[0]); i++) {
		struct json_object *number = json_tokener_parse(no_times[i]);

		assert_int_equal(json_microseconds(number, &ns), -EINVAL);
		json_object_put(number);
	}
}

static void a_line_that_is_damaged_costs_no_other(void **state)
{
	(void)state;
	check_fault("[\n" A ",\n{\"name\":\"x\",\"ph\":\"X,\n" B "\n]\n", "a;b]",
		    "line 3, byte 68: the line ends inside of an event");
	check_fault("[\n" A ",\n{\"name\":\"x\",,\"ph\":\"X\"},\n" B "\n]\n", "a;b]",
		    "line 3, byte 68: quoted object property name expected");
	check_fault("[\n" A ",\nfoo\n" B "\n]\n", "a;b]", "line 3, byte 68: this is no event");
	check_fault("[\n" A ",\n12,\n" B "\n]\n", "a;b]", "line 3, byte 68: this is no event");
	check_fault("[\n" A "]\n" A, "a;]", "line 3, byte 68: text behind the end of the trace");
}

static void what_is_not_json_is_no_event(void **state)
{
	(void)state;
	check_fault("[\n{\"a\":NaN},\n" A "]", ";a]",
		    "line 2, byte 2: a number that is not finite");
	check_fault("[\n{\"a\":-Infinity},\n" A "]", ";a]",
		    "line 2, byte 2: a number that is not finite");
	check_fault("[\n{'a':1},\n" A "]", ";a]", "line 2, byte 2: a single quote");
	check_fault("[\n{\"a\":\"\t\"},\n" A "]", ";a]",
		    "line 2, byte 2: a control character in a string");
	check_fault("[\n{\"a\":1.},\n" A "]", ";a]",
		    "line 2, byte 2: a number that ends in its point");
	check_fault("[\n{\"a\":\"\xff\"},\n" A "]", ";a]", "line 2, byte 2: invalid utf-8 string");
	check_fault("[\n{\"a\":-01.5},\n" A "]", ";a]",
		    "line 2, byte 2: a number that begins with 0");
	check_fault("[\n{\"a\":[1,2 , ]},\n" A "]", ";a]",
		    "line 2, byte 2: a comma with nothing behind it");
	check_fault("[\n{\"a\":1 /* one */},\n" A "]", ";a]", "line 2, byte 2: a comment");
	check_fault("[\n{\"a\":True},\n" A "]", ";a]",
		    "line 2, byte 2: a word that is not true, false or null");
	check_fault("[\n{\"a\":1e},\n" A "]", ";a]",
		    "line 2, byte 2: a number that ends in its exponent");
	check_fault("[\n{\"a\":1e-},\n" A "]", ";a]",
		    "line 2, byte 2: a sign with no digit behind it");
	check_names("[{\"name\":\"a\",\"b\":[true,false,null,{}],\"c\":[]}]", "a]");
	check_names("[{\"name\":\"\xc3\xa9/\xe2\x82\xac,]\"}]", "\xc3\xa9/\xe2\x82\xac,]]");
	check_names("[{\"name\":\"a\",\"b\":[0,-0.5,1e-05,1e05,1E+00,100,0.001]}]", "a]");
	check_names("[{\"name\":\"Infinity isn't NaN. \\\"'\\\\\"}]", "Infinity isn't NaN. \"'\\]");
}

static void a_trace_cut_off_at_any_byte_gives_the_events_before(void **state)
{
	const char *text = "[\n" A ",\n" B "\n]\n";
	size_t end_of_a = 2 + strlen(A), end_of_b = end_of_a + 2 + strlen(B);

	(void)state;
	for (size_t size = 1; size <= strlen(text); size++) {
		struct written file = write_bytes(text, size);
		_cleanup_(text_done) struct text names = {0};

		read_all(file.path, &names, NULL);
		assert_string_equal(names.data, size < end_of_a	      ? "/"
						: size < end_of_b     ? "a/"
						: size < end_of_b + 2 ? "ab/"
								      : "ab]");
		written_close(&file);
	}
}

/* Longer than any buffer, so that gzip has several blocks. */
static char *long_text(size_t n_events)
{
	struct text text = {0};

	text_printf(&text, "[\n");
	for (size_t i = 0; i < n_events; i++)
		text_printf(&text,
			    "%s{\"name\":\"e%zu-%d\",\"ph\":\"i\",\"ts\":%zu.%03d,\"pid\":1}",
			    i ? ",\n" : "", i, rand(), i, rand() % 1000);
	text_printf(&text, "\n]\n");
	return text.data;
}

static size_t count_events(const char *path, bool *ret_closed, bool *ret_damaged)
{
	_cleanup_(reader_freep) struct reader *reader = NULL;
	struct trace_event event;
	struct why why = {0};
	char begin[32];
	size_t n = 0;
	int r;

	assert_int_equal(reader_open(path, &reader, &why), 0);
	while ((r = reader_next(reader, &event, &why)) != 0) {
		if (r == -EBADMSG) {
			*ret_damaged = true;
			return n;
		}
		snprintf(begin, sizeof(begin), "e%zu-", n++);
		assert_memory_equal(event.name, begin, strlen(begin));
		assert_int_equal(event.line, n + 1);
	}
	*ret_closed = reader_ending(reader)->is_closed;
	*ret_damaged = input_damage(reader_input(reader)) != NULL;
	return n;
}

static void gzip_is_read_and_what_is_left_of_a_cut_member_too(void **state)
{
	char *text = long_text(60000);
	struct written file = write_gzip(text, 0);
	bool is_closed, is_damaged;
	size_t n;

	(void)state;
	assert_int_equal(count_events(file.path, &is_closed, &is_damaged), 60000);
	assert_true(is_closed);
	assert_false(is_damaged);
	written_close(&file);

	/* only the checksum is missing */
	file = write_gzip(text, 4);
	assert_int_equal(count_events(file.path, &is_closed, &is_damaged), 60000);
	assert_true(is_closed);
	assert_true(is_damaged);
	written_close(&file);

	file = write_gzip(text, 100000);
	n = count_events(file.path, &is_closed, &is_damaged);
	assert_true(n > 20000 && n < 60000);
	assert_false(is_closed);
	assert_true(is_damaged);
	written_close(&file);
	free(text);
}

static void several_gzip_members_are_one_text(void **state)
{
	char bytes[2000];
	struct written first = write_gzip("[\n" A ",\n", 0), second = write_gzip(B "\n]\n", 0),
		       both;
	_cleanup_(text_done) struct text names = {0};
	ssize_t size;

	(void)state;
	size = pread(first.fd, bytes, sizeof(bytes), 0);
	size += pread(second.fd, bytes + size, sizeof(bytes) - size, 0);
	memset(bytes + size, 0, 100); /* as tapes fill up */
	both = write_bytes(bytes, size + 100);
	read_all(both.path, &names, NULL);
	assert_string_equal(names.data, "ab]");
	written_close(&first);
	written_close(&second);
	written_close(&both);
}

static void damage_in_the_middle_of_gzip_is_told(void **state)
{
	char *text = long_text(60000);
	struct written file = write_gzip(text, 0);
	bool is_closed, is_damaged;

	(void)state;
	assert_int_equal(pwrite(file.fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, 200000), 8);
	assert_true(count_events(file.path, &is_closed, &is_damaged) < 60000);
	assert_true(is_damaged);
	written_close(&file);
	free(text);
}

static void a_pipe_is_read_as_it_comes(void **state)
{
	_cleanup_(text_done) struct text names = {0};
	const char *text = "[\n" A ",\n" B "\n]\n";
	char path[32];
	int fds[2];
	pid_t child;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		for (const char *p = text; *p; p++)
			if (write(fds[1], p, 1) != 1)
				_exit(1);
		_exit(0);
	}
	close(fds[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	read_all(path, &names, NULL);
	assert_string_equal(names.data, "ab]");
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(fds[0]);
}

static void an_event_longer_than_the_buffer_is_read(void **state)
{
	_cleanup_(text_done) struct text text = {0};
	struct written file;
	_cleanup_(reader_freep) struct reader *reader = NULL;
	struct trace_event event;
	struct why why = {0};

	(void)state;
	text_printf(&text, "[\n" A ",\n{\"name\":\"");
	for (int i = 0; i < 300000; i++)
		text_printf(&text, "0123456789");
	text_printf(&text, "\"}\n,\n" B "\n]\n");
	file = write_bytes(text.data, text.size);
	assert_int_equal(reader_open(file.path, &reader, &why), 0);
	assert_int_equal(reader_next(reader, &event, &why), 1);
	assert_int_equal(reader_next(reader, &event, &why), 1);
	assert_int_equal(strlen(event.name), 3000000);
	assert_int_equal(reader_next(reader, &event, &why), 1);
	assert_string_equal(event.name, "b");
	assert_int_equal(event.line, 5);
	assert_int_equal(reader_next(reader, &event, &why), 0);
	written_close(&file);
}

static void an_event_without_bounds_is_refused(void **state)
{
	_cleanup_(text_done) struct text text = {0};
	_cleanup_(text_done) struct text names = {0};
	struct written file;
	struct why why = {0};

	(void)state;
	text_printf(&text, "[\n" A ",\n{\"name\":\"");
	for (int i = 0; i < 1800000; i++)
		text_printf(&text, "0123456789");
	text_printf(&text, "\"},\n" B "\n]\n");
	file = write_bytes(text.data, text.size);
	read_all(file.path, &names, &why);
	assert_string_equal(names.data, "a;b]");
	assert_string_equal(why.text, "line 3, byte 68: an event of more than 16 MiB");
	written_close(&file);
}

static void check_refused(const char *text, const char *expected)
{
	struct written file = write_text(text);
	struct reader *reader = NULL;
	struct why why = {0};

	assert_int_equal(reader_open(file.path, &reader, &why), -EINVAL);
	assert_null(reader);
	assert_non_null(strstr(why.text, expected));
	assert_non_null(strstr(why.text, file.path));
	written_close(&file);
}

static void what_is_no_trace_is_refused_with_a_reason(void **state)
{
	struct reader *reader = NULL;
	struct why why = {0};

	(void)state;
	check_refused("", "it is empty");
	check_refused(" \n\n", "it is empty");
	check_refused("no trace\n", "neither [ nor {");
	check_refused("\xef\xbb\xbf[" A "]", "neither [ nor {");
	check_refused(A "\n" B "\n", "without \"traceEvents\"");
	check_refused("{\"a\":1}", "without \"traceEvents\"");
	check_refused("{\"a\"", "without \"traceEvents\"");
	check_refused("{\"a\" 1}", "a colon is missing");
	check_refused("{\"a\":x}", "line 1, byte 5");
	check_refused("\x28\xb5\x2f\xfd....", "zstd");
	assert_int_equal(reader_open("/no/such/trace", &reader, &why), -ENOENT);
	assert_non_null(strstr(why.text, "/no/such/trace"));
	why.text[0] = '\0';
	assert_int_equal(reader_open("/", &reader, &why), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_of_an_array_is_read),
		cmocka_unit_test(the_object_form_is_read),
		cmocka_unit_test(fields_are_what_they_are),
		cmocka_unit_test(times_are_exact_to_the_nanosecond),
		cmocka_unit_test(a_line_that_is_damaged_costs_no_other),
		cmocka_unit_test(what_is_not_json_is_no_event),
		cmocka_unit_test(a_trace_cut_off_at_any_byte_gives_the_events_before),
		cmocka_unit_test(gzip_is_read_and_what_is_left_of_a_cut_member_too),
		cmocka_unit_test(several_gzip_members_are_one_text),
		cmocka_unit_test(damage_in_the_middle_of_gzip_is_told),
		cmocka_unit_test(a_pipe_is_read_as_it_comes),
		cmocka_unit_test(an_event_longer_than_the_buffer_is_read),
		cmocka_unit_test(an_event_without_bounds_is_refused),
		cmocka_unit_test(what_is_no_trace_is_refused_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
