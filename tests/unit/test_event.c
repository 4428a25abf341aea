/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
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

static void a_mark_says_when_it_was_made(void **state)
{
	struct pf_mark mark = {.event = HEADER(PF_EVENT_MARK, sizeof(mark)),
			       .atoms = PF_ATOMS_UNDECIDED,
			       .moment = PF_MOMENT_RETURN};
	struct event event;

	(void)state;
	assert_int_equal(event_decode(&mark, sizeof(mark), &event), 0);
	assert_int_equal(event.order_ns, 1000);
	assert_memory_equal(&event.mark, &mark, sizeof(mark));
	assert_null(event_next_item(&event, NULL));
	event_done(&event);
	mark.moment = PF_N_MOMENTS;
	assert_int_equal(event_decode(&mark, sizeof(mark), &event), -EBADMSG);
}

/* A span or mark with items, as the ring has it. */
struct record {
	union {
		struct pf_event header;
		struct pf_span span;
		struct pf_mark mark;
		char bytes[8192];
	};
};

static void put_item(struct record *record, struct pf_item item, const void *value)
{
	char *end = record->bytes + record->header.size;

	memcpy(end, &item, sizeof(item));
	memset(end + sizeof(item), 0xee, (item.size + 7) & ~7);
	if (value)
		memcpy(end + sizeof(item), value, item.size);
	record->header.size += sizeof(item) + ((item.size + 7) & ~7);
}

static void put_number(struct record *record, unsigned int kind, unsigned int index, uint64_t value)
{
	put_item(record, (struct pf_item){.kind = kind, .index = index, .size = 8}, &value);
}

static const struct record bare_span = {
	.span = {.event = HEADER(PF_EVENT_SPAN, sizeof(struct pf_span)), .duration_ns = 100}};
static const struct record bare_mark = {
	.mark = {.event = HEADER(PF_EVENT_MARK, sizeof(struct pf_mark))}};

static void check_item(const struct pf_item *item, unsigned int kind, unsigned int index,
		       unsigned int size)
{
	assert_non_null(item);
	assert_int_equal(item->kind, kind);
	assert_int_equal(item->index, index);
	assert_int_equal(item->size, size);
}

static void items_of_any_length_are_walked_over(void **state)
{
	struct record records[] = {bare_span, bare_mark};
	static const uint64_t stack[] = {1, 2, 3};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		struct record *record = &records[i];
		const struct pf_item *item;
		struct event event;

		put_item(record, (struct pf_item){.kind = PF_ITEM_ARGUMENT, .index = 11, .size = 5},
			 "hello");
		put_item(record, (struct pf_item){.kind = PF_ITEM_ARGUMENT, .size = 0}, NULL);
		put_item(record, (struct pf_item){.kind = PF_ITEM_RETURN, .index = 1, .size = 4},
			 "\1\2\3\4");
		put_item(record, (struct pf_item){.kind = PF_ITEM_STACK, .size = 24}, stack);
		put_number(record, PF_ITEM_ID, 2, 77);
		put_number(record, PF_ITEM_METRIC, PF_N_METRICS - 1, 5);

		assert_int_equal(event_decode(record, record->header.size, &event), 0);
		check_item(item = event_next_item(&event, NULL), PF_ITEM_ARGUMENT, 11, 5);
		assert_memory_equal(item_value(item), "hello", 5);
		check_item(item = event_next_item(&event, item), PF_ITEM_ARGUMENT, 0, 0);
		check_item(item = event_next_item(&event, item), PF_ITEM_RETURN, 1, 4);
		check_item(item = event_next_item(&event, item), PF_ITEM_STACK, 0, 24);
		assert_memory_equal(item_value(item), stack, sizeof(stack));
		check_item(item = event_next_item(&event, item), PF_ITEM_ID, 2, 8);
		check_item(item = event_next_item(&event, item), PF_ITEM_METRIC, PF_N_METRICS - 1,
			   8);
		assert_null(event_next_item(&event, item));
		event_done(&event);
		assert_null(event.items);
	}
}

static void refuse_item(struct pf_item item)
{
	struct record record = bare_span;
	struct event event;

	put_item(&record, item, NULL);
	assert_int_equal(event_decode(&record, record.header.size, &event), -EBADMSG);
}

static void impossible_items_are_refused(void **state)
{
	(void)state;
	refuse_item((struct pf_item){.kind = 0, .size = 8});
	refuse_item((struct pf_item){.kind = PF_N_ITEM_KINDS, .size = 8});
	refuse_item((struct pf_item){.kind = PF_ITEM_ARGUMENT, .size = PF_MAX_STRING_BYTES + 1});
	refuse_item((struct pf_item){.kind = PF_ITEM_ARGUMENT, .index = PF_MAX_CAPTURES});
	refuse_item((struct pf_item){.kind = PF_ITEM_RETURN, .index = PF_MAX_CAPTURES});
	refuse_item((struct pf_item){.kind = PF_ITEM_ID, .size = 4});
	refuse_item((struct pf_item){.kind = PF_ITEM_ID, .size = 8, .index = PF_MAX_CAPTURES});
	refuse_item((struct pf_item){.kind = PF_ITEM_STACK, .size = 12});
	refuse_item((struct pf_item){.kind = PF_ITEM_STACK, .size = 8, .index = 1});
	refuse_item((struct pf_item){.kind = PF_ITEM_METRIC, .size = 16});
	refuse_item((struct pf_item){.kind = PF_ITEM_METRIC, .size = 8, .index = PF_N_METRICS});
	refuse_item((struct pf_item){.kind = PF_ITEM_ID, .size = 8, .is_missing = 2});
	refuse_item((struct pf_item){.kind = PF_ITEM_ID, .size = 8, .is_cut = 2});
}

static void a_value_that_is_missing_may_have_any_size(void **state)
{
	struct record record = bare_span;
	struct event event;

	(void)state;
	put_item(&record, (struct pf_item){.kind = PF_ITEM_ID, .size = 0, .is_missing = 1}, NULL);
	put_item(&record, (struct pf_item){.kind = PF_ITEM_STACK, .size = 3, .is_missing = 1},
		 NULL);
	assert_int_equal(event_decode(&record, record.header.size, &event), 0);
	event_done(&event);
}

static void one_value_twice_is_refused(void **state)
{
	static const unsigned int pairs[][2] = {
		{PF_ITEM_ARGUMENT, PF_ITEM_ARGUMENT}, {PF_ITEM_RETURN, PF_ITEM_RETURN},
		{PF_ITEM_ARGUMENT, PF_ITEM_RETURN},   {PF_ITEM_ID, PF_ITEM_ID},
		{PF_ITEM_METRIC, PF_ITEM_METRIC},
	};
	struct event event;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct record record = bare_span;

		put_number(&record, pairs[i][0], 3, 1);
		put_number(&record, pairs[i][1], 3, 1);
		assert_int_equal(event_decode(&record, record.header.size, &event), -EBADMSG);
	}
}

static void two_ids_are_refused_whatever_their_index(void **state)
{
	struct record record = bare_mark;
	struct event event;

	(void)state;
	put_number(&record, PF_ITEM_ID, 0, 1);
	put_number(&record, PF_ITEM_ID, 1, 1);
	assert_int_equal(event_decode(&record, record.header.size, &event), -EBADMSG);
}

/* Every way to cut a record off, and every size that an item may claim. */
static void an_item_never_sticks_out_of_its_record(void **state)
{
	struct record whole = bare_span;
	struct event event;

	(void)state;
	put_item(&whole, (struct pf_item){.kind = PF_ITEM_ARGUMENT, .size = 20}, NULL);
	for (unsigned int size = sizeof(struct pf_span) + 1; size < whole.header.size; size++) {
		struct record *cut = malloc(size);

		memcpy(cut, &whole, size);
		cut->header.size = size;
		assert_int_equal(event_decode(cut, size, &event), -EBADMSG);
		free(cut);
	}
	for (unsigned int claim = 0; claim <= UINT16_MAX; claim++) {
		struct record record = bare_span;
		struct pf_item item = {.kind = PF_ITEM_ARGUMENT, .size = 24};
		bool right = claim > 16 && claim <= 24;

		put_item(&record, item, NULL);
		item.size = claim;
		memcpy(record.bytes + sizeof(struct pf_span), &item, sizeof(item));
		assert_int_equal(event_decode(&record, record.header.size, &event),
				 right ? 0 : -EBADMSG);
		if (right)
			event_done(&event);
	}
}

static const struct pf_process_text good_text = {
	.event = HEADER(PF_EVENT_PROCESS_TEXT, sizeof(struct pf_process_text)),
	.what = PF_TEXT_EXE,
	.bytes = 9,
	.is_last = 1,
	.text = "sim\0opt\0",
};

static void refuse_text(struct pf_process_text text)
{
	struct event event;

	assert_int_equal(event_decode(&text, sizeof(text), &event), -EBADMSG);
}

#define TEXT_WITH(assignment)                                                                      \
	({                                                                                         \
		struct pf_process_text text = good_text;                                           \
		text.assignment;                                                                   \
		text;                                                                              \
	})

static void a_text_of_a_process_stays_within_its_bounds(void **state)
{
	struct pf_process_text last = TEXT_WITH(offset = PF_MAX_ENVIRONMENT_BYTES - PF_TEXT_BYTES);
	struct event event;

	(void)state;
	assert_int_equal(event_decode(&good_text, sizeof(good_text), &event), 0);
	assert_int_equal(event.order_ns, 1000);
	assert_int_equal(event.header.kind, PF_EVENT_PROCESS_TEXT);
	assert_memory_equal(event.text, &good_text, sizeof(good_text));
	event_done(&event);

	last.bytes = PF_TEXT_BYTES;
	assert_int_equal(event_decode(&last, sizeof(last), &event), 0);
	event_done(&event);
	last.offset++;
	refuse_text(last);
	refuse_text(TEXT_WITH(what = 0));
	refuse_text(TEXT_WITH(what = PF_N_TEXTS));
	refuse_text(TEXT_WITH(bytes = PF_TEXT_BYTES + 1));
	refuse_text(TEXT_WITH(offset = UINT32_MAX));
	refuse_text(TEXT_WITH(is_last = 2));
	refuse_text(TEXT_WITH(is_cut = 2));
}

static void forks_switches_and_wake_ups_are_decoded(void **state)
{
	struct pf_fork fork = {
		.event = HEADER(PF_EVENT_FORK, sizeof(fork)), .parent_pid = 3, .parent_tid = 4};
	struct pf_switch cpu_switch = {.event = HEADER(PF_EVENT_SWITCH, sizeof(cpu_switch)),
				       .cpu = 7,
				       .left_pid = 5,
				       .left_tid = 6,
				       .left_state = PF_THREAD_IO,
				       .comm = "sim"};
	struct pf_wake wake = {
		.event = HEADER(PF_EVENT_WAKE, sizeof(wake)), .waker_pid = 8, .waker_tid = 9};
	struct event event;

	(void)state;
	assert_int_equal(event_decode(&fork, sizeof(fork), &event), 0);
	assert_memory_equal(&event.fork, &fork, sizeof(fork));
	assert_int_equal(event_decode(&cpu_switch, sizeof(cpu_switch), &event), 0);
	assert_memory_equal(&event.cpu_switch, &cpu_switch, sizeof(cpu_switch));
	assert_int_equal(event_decode(&wake, sizeof(wake), &event), 0);
	assert_memory_equal(&event.wake, &wake, sizeof(wake));
	assert_int_equal(event.order_ns, 1000);

	fork.parent_tid = 1U << 31;
	assert_int_equal(event_decode(&fork, sizeof(fork), &event), -EBADMSG);
	cpu_switch.left_state = PF_N_THREAD_STATES;
	assert_int_equal(event_decode(&cpu_switch, sizeof(cpu_switch), &event), -EBADMSG);
	cpu_switch.left_state = 0;
	cpu_switch.cpu = 65536;
	assert_int_equal(event_decode(&cpu_switch, sizeof(cpu_switch), &event), -EBADMSG);
	cpu_switch.cpu = 0;
	memset(cpu_switch.comm, 'x', sizeof(cpu_switch.comm));
	assert_int_equal(event_decode(&cpu_switch, sizeof(cpu_switch), &event), -EBADMSG);
	wake.waker_pid = UINT32_MAX;
	assert_int_equal(event_decode(&wake, sizeof(wake), &event), -EBADMSG);
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
	static const size_t sizes[] = {
		[PF_EVENT_SPAN] = 64,	[PF_EVENT_PROCESS] = 512,
		[PF_EVENT_THREAD] = 40, [PF_EVENT_PROCESS_END] = 40,
		[PF_EVENT_MARK] = 32,	[PF_EVENT_PROCESS_TEXT] = 1024,
		[PF_EVENT_FORK] = 32,	[PF_EVENT_SWITCH] = 56,
		[PF_EVENT_WAKE] = 40,	[PF_EVENT_WAKE + 1] = 0,
	};
	union {
		struct pf_event header;
		char bytes[1200];
	} record = {};
	struct event event = {.order_ns = 99};

	(void)state;
	for (unsigned int kind = 0; kind < ARRAY_SIZE(sizes); kind++) {
		for (size_t size = 0; size <= sizeof(record); size++) {
			record.header.size = size;
			record.header.kind = kind;
			if (size == sizes[kind])
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
	assert_string_equal(event_loss_name(PF_LOST_ITEMS), "items");
	assert_string_equal(event_loss_name(PF_LOST_OVER_RATE), "over_rate");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_span_is_ordered_by_its_end),
		cmocka_unit_test(a_mark_says_when_it_was_made),
		cmocka_unit_test(items_of_any_length_are_walked_over),
		cmocka_unit_test(impossible_items_are_refused),
		cmocka_unit_test(a_value_that_is_missing_may_have_any_size),
		cmocka_unit_test(one_value_twice_is_refused),
		cmocka_unit_test(two_ids_are_refused_whatever_their_index),
		cmocka_unit_test(an_item_never_sticks_out_of_its_record),
		cmocka_unit_test(a_text_of_a_process_stays_within_its_bounds),
		cmocka_unit_test(forks_switches_and_wake_ups_are_decoded),
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
