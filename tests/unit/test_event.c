/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "trace/event.h"
#include "util/cleanup.h"

#define HEADER(k, bytes)                                                                           \
	{                                                                                          \
		.size = (bytes), .kind = (k), .joinpoint = 7, .time_ns = 1000, .pid = 10,          \
		.tid = 11                                                                          \
	}

static const struct pf_span good_span = {
	.event = HEADER(PF_EVENT_SPAN, sizeof(struct pf_span)),
	.duration_ns = 100,
	.oncpu_ns = 50,
	.runnable_ns = 20,
	.io_ns = 30,
	.depth = 3,
	.begin = PF_BEGIN_FORK,
	.end = PF_END_EXEC,
};

static const struct pf_process_seen good_process = {
	.event = HEADER(PF_EVENT_PROCESS, sizeof(struct pf_process_seen)),
	.start_ns = 5,
	.ppid = 1,
	.command_line_bytes = 5,
	.comm = "sim",
	.command_line = "sim\0-x",
};

static const struct pf_thread_seen good_thread = {
	.event = HEADER(PF_EVENT_THREAD, sizeof(struct pf_thread_seen)),
	.comm = "worker",
};

static void a_span_is_ordered_by_its_end(void **state)
{
	struct event event;

	(void)state;
	assert_int_equal(event_decode(&good_span, sizeof(good_span), &event), 0);
	assert_int_equal(event.order_ns, 1100);
	assert_memory_equal(&event.span, &good_span, sizeof(good_span));
	event_done(&event);
}

static void a_mark_is_a_header_alone(void **state)
{
	struct pf_event mark = HEADER(PF_EVENT_MARK, sizeof(mark));
	struct event event;

	(void)state;
	assert_int_equal(event_decode(&mark, sizeof(mark), &event), 0);
	assert_int_equal(event.order_ns, 1000);
	assert_int_equal(event.header.joinpoint, 7);
	event_done(&event);
}

static void a_process_is_owned_by_the_event(void **state)
{
	struct event event;

	(void)state;
	assert_int_equal(event_decode(&good_process, sizeof(good_process), &event), 0);
	assert_int_equal(event.order_ns, 1000);
	assert_int_equal(event.header.kind, PF_EVENT_PROCESS);
	assert_memory_equal(event.process, &good_process, sizeof(good_process));
	event_done(&event);
	assert_null(event.process);
}

static void threads_and_ends_of_processes_are_decoded(void **state)
{
	struct pf_process_end end = {.event = HEADER(PF_EVENT_PROCESS_END, sizeof(end)),
				     .exit_code = -1};
	struct event event;

	(void)state;
	assert_int_equal(event_decode(&good_thread, sizeof(good_thread), &event), 0);
	assert_string_equal(event.thread.comm, "worker");
	assert_int_equal(event_decode(&end, sizeof(end), &event), 0);
	assert_int_equal(event.process_end.exit_code, -1);
}

static void a_record_at_an_odd_address_is_decoded(void **state)
{
	char bytes[sizeof(good_span) + 1];
	struct event event;

	(void)state;
	memcpy(bytes + 1, &good_span, sizeof(good_span));
	assert_int_equal(event_decode(bytes + 1, sizeof(good_span), &event), 0);
	assert_int_equal(event.span.depth, 3);
}

static void a_wrong_size_is_refused_for_every_kind(void **state)
{
	union {
		struct pf_event header;
		char bytes[600];
	} record = {};
	struct event event = {.order_ns = 99};

	(void)state;
	for (unsigned int kind = 0; kind <= 6; kind++) {
		for (size_t size = 0; size <= sizeof(record); size++) {
			bool right = (kind == PF_EVENT_SPAN && size == 64) ||
				     (kind == PF_EVENT_PROCESS && size == 504) ||
				     (kind == PF_EVENT_THREAD && size == 40) ||
				     (kind == PF_EVENT_MARK && size == 24) ||
				     (kind == PF_EVENT_PROCESS_END && size == 40);

			record.header.size = size;
			record.header.kind = kind;
			if (right)
				continue;
			assert_int_equal(event_decode(&record, size, &event), -EBADMSG);
			assert_int_equal(event.order_ns, 99); /* written only on success */
		}
	}
}

static void a_size_that_differs_from_what_was_sent_is_refused(void **state)
{
	struct pf_span span = good_span;
	struct event event;

	(void)state;
	span.event.size = 24;
	assert_int_equal(event_decode(&span, sizeof(span), &event), -EBADMSG);
}

static void refuse_span(struct pf_span span)
{
	struct event event;

	assert_int_equal(event_decode(&span, sizeof(span), &event), -EBADMSG);
}

#define SPAN_WITH(assignment)                                                                      \
	({                                                                                         \
		struct pf_span span = good_span;                                                   \
		span.assignment;                                                                   \
		span;                                                                              \
	})

static void impossible_spans_are_refused(void **state)
{
	(void)state;
	refuse_span(SPAN_WITH(oncpu_ns = 101));
	refuse_span(SPAN_WITH(oncpu_ns = 51)); /* 51 + 20 + 30 > 100 */
	refuse_span(SPAN_WITH(runnable_ns = 51));
	refuse_span(SPAN_WITH(runnable_ns = UINT64_MAX - 10)); /* the sum overflows */
	refuse_span(SPAN_WITH(io_ns = 31));
	refuse_span(SPAN_WITH(duration_ns = UINT64_MAX));
	refuse_span(SPAN_WITH(duration_ns = 1ULL << 63));
	refuse_span(SPAN_WITH(event.time_ns = 1ULL << 63));
	refuse_span(SPAN_WITH(event.time_ns = (1ULL << 63) - 50)); /* ends past it */
	refuse_span(SPAN_WITH(begin = PF_N_BEGINS));
	refuse_span(SPAN_WITH(end = PF_N_ENDS));
	refuse_span(SPAN_WITH(reserved = 1));
	refuse_span(SPAN_WITH(event.pid = 1U << 31));
	refuse_span(SPAN_WITH(event.tid = UINT32_MAX));
}

static void text_without_its_end_is_refused(void **state)
{
	struct pf_process_seen process = good_process;
	struct pf_thread_seen thread = good_thread;
	struct event event;

	(void)state;
	memset(thread.comm, 'x', sizeof(thread.comm));
	assert_int_equal(event_decode(&thread, sizeof(thread), &event), -EBADMSG);
	memset(process.comm, 'x', sizeof(process.comm));
	assert_int_equal(event_decode(&process, sizeof(process), &event), -EBADMSG);
	process = good_process;
	process.command_line_bytes = PF_COMMAND_LINE_BYTES + 1;
	assert_int_equal(event_decode(&process, sizeof(process), &event), -EBADMSG);
}

static void a_command_line_may_fill_its_field(void **state)
{
	struct pf_process_seen process = good_process;
	struct event event;

	(void)state;
	memset(process.command_line, 'x', sizeof(process.command_line));
	process.command_line_bytes = PF_COMMAND_LINE_BYTES;
	assert_int_equal(event_decode(&process, sizeof(process), &event), 0);
	event_done(&event);
}

static void every_end_and_every_loss_has_a_name(void **state)
{
	(void)state;
	assert_null(event_end_name(PF_END_RETURN));
	assert_null(event_end_name(PF_N_ENDS));
	assert_null(event_loss_name(PF_N_LOSSES));
	for (unsigned int i = 1; i < PF_N_ENDS; i++)
		assert_non_null(event_end_name(i));
	for (unsigned int i = 0; i < PF_N_LOSSES; i++)
		assert_non_null(event_loss_name(i));
	assert_string_equal(event_end_name(PF_END_SESSION_STOP), "session_stop");
	assert_string_equal(event_loss_name(PF_LOST_RING_FULL), "ring_full");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_span_is_ordered_by_its_end),
		cmocka_unit_test(a_mark_is_a_header_alone),
		cmocka_unit_test(a_process_is_owned_by_the_event),
		cmocka_unit_test(threads_and_ends_of_processes_are_decoded),
		cmocka_unit_test(a_record_at_an_odd_address_is_decoded),
		cmocka_unit_test(a_wrong_size_is_refused_for_every_kind),
		cmocka_unit_test(a_size_that_differs_from_what_was_sent_is_refused),
		cmocka_unit_test(impossible_spans_are_refused),
		cmocka_unit_test(text_without_its_end_is_refused),
		cmocka_unit_test(a_command_line_may_fill_its_field),
		cmocka_unit_test(every_end_and_every_loss_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
