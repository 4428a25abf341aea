/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What an inspector tells is taken as it was told, and refused where no inspector of ours would tell it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "inspect/found.h"

#define FILE_BYTES 4096

struct told {
	struct plan plan;
	struct joinpoint joinpoint;
	struct code_exit exits[2];
	struct advised advised;
	struct wire_writer writer;
};

static int setup(void **state)
{
	struct told *told = calloc(1, sizeof(*told));

	assert_non_null(told);
	assert_int_equal(plan_add_aspect(&told->plan, "around(f) args=(a:i32@1, b:str@2)", NULL, NULL), 0);
	assert_int_equal(plan_add_aspect(&told->plan, "g && cflow(f)", NULL, NULL), 0);
	told->exits[0] = (struct code_exit){ .file_offset = 200, .kind = CODE_EXIT_RETURN };
	told->exits[1] = (struct code_exit){ .file_offset = 210, .kind = CODE_EXIT_BRANCH, .condition.code = 5 };
	told->joinpoint = (struct joinpoint){
		.aspect = 0,
		.overruled = JOINPOINT_OF_NONE,
		.sets_atoms = 1,
		.site = { .entry_offset = 100, .returns = SITE_EXITS, .exits = told->exits, .n_exits = 2 },
	};
	told->advised = (struct advised){
		.advice = { .kind = PF_ADVICE_AROUND, .id_capture = PF_NO_ID, .n_captures = 2, .sets_atoms = 1 },
		.values = { { .name = "a", .format = SINK_SIGNED, .size = 4 }, { .name = "b", .format = SINK_STRING } },
		.label = { .name = "f(int, char*)", .category = "prog", .n_values = 2, .name_value = -1,
			   .category_value = -1, .scope_value = -1, .id_value = 1 },
	};
	told->advised.label.values = told->advised.values;
	told->advised.advice.captures[1].value = PF_VALUE_STRING;
	told->advised.advice.captures[1].max_bytes = PF_MAX_STRING_BYTES;
	*state = told;
	return 0;
}

static int teardown(void **state)
{
	struct told *told = *state;

	plan_done(&told->plan);
	wire_writer_done(&told->writer);
	free(told);
	return 0;
}

static int take(struct told *told, struct found *found)
{
	wire_writer_done(&told->writer);
	found_put_joinpoint(&told->writer, &told->joinpoint, &told->advised);
	assert_int_equal(told->writer.error, 0);
	assert_int_equal(found_init(found, &told->plan), 0);
	return found_take_joinpoints(found, FILE_BYTES, told->writer.text.data, told->writer.text.size);
}

static void a_join_point_arrives_as_it_was_told(void **state)
{
	_cleanup_(found_done) struct found found = { 0 };
	struct told *told = *state;
	struct sink_label label;

	assert_int_equal(take(told, &found), 0);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.joinpoints[0].site.entry_offset, 100);
	assert_int_equal(found.joinpoints[0].site.n_exits, 2);
	assert_int_equal(found.joinpoints[0].site.exits[1].condition.code, 5);
	assert_int_equal(found.joinpoints[0].overruled, JOINPOINT_OF_NONE);
	assert_memory_equal(&found.advices[0].advice, &told->advised.advice, sizeof(struct pf_advice));
	label = found_label(&found, 0);
	assert_string_equal(label.name, "f(int, char*)");
	assert_null(label.scope);
	assert_int_equal(label.id_value, 1);
	assert_string_equal(label.values[1].name, "b");
}

static void many_join_points_come_in_one_message(void **state)
{
	_cleanup_(found_done) struct found found = { 0 };
	struct told *told = *state;

	for (int i = 0; i < 999; i++)
		found_put_joinpoint(&told->writer, &told->joinpoint, &told->advised);
	assert_int_equal(found_init(&found, &told->plan), 0);
	assert_int_equal(found_take_joinpoints(&found, FILE_BYTES, told->writer.text.data, told->writer.text.size), 0);
	assert_int_equal(found.n, 999);
	assert_string_equal(found_label(&found, 998).values[0].name, "a");
}

static void refused(struct told *told)
{
	_cleanup_(found_done) struct found found = { 0 };

	assert_int_equal(take(told, &found), -EBADMSG);
}

/* Sets a field, sees it refused, and puts it back. */
#define REFUSED_WITH(field, bad)                        \
	do {                                            \
		__typeof__(field) good_ = (field);      \
		(field) = (bad);                        \
		refused(told);                          \
		(field) = good_;                        \
	} while (0)

static void what_is_out_of_range_is_refused(void **state)
{
	struct told *told = *state;
	struct pf_advice *advice = &told->advised.advice;
	struct sink_label *label = &told->advised.label;

	REFUSED_WITH(told->joinpoint.kind, JOINPOINT_STATIC_PROBE + 1);
	REFUSED_WITH(told->joinpoint.aspect, 2);
	REFUSED_WITH(told->joinpoint.overruled, 2);
	REFUSED_WITH(told->joinpoint.semaphore_offset, FILE_BYTES);
	REFUSED_WITH(told->joinpoint.condition.n_alternatives, PF_MAX_ALTERNATIVES + 1);
	REFUSED_WITH(told->joinpoint.condition.process_atoms, 2);
	REFUSED_WITH(told->joinpoint.site.entry_offset, FILE_BYTES);
	REFUSED_WITH(told->joinpoint.site.returns, SITE_RETURN_PROBE + 1);
	REFUSED_WITH(told->joinpoint.site.returns, SITE_RETURN_PROBE); /* which has no exits */
	REFUSED_WITH(told->exits[1].file_offset, UINT64_MAX);
	REFUSED_WITH(told->exits[1].kind, CODE_EXIT_KINDS);
	REFUSED_WITH(label->name, NULL);
	REFUSED_WITH(label->kind, SINK_ASYNC_END + 1);
	REFUSED_WITH(label->flow, SINK_FLOW_OUTIN + 1);
	REFUSED_WITH(label->name_value, 2);
	REFUSED_WITH(label->id_value, -2);
	REFUSED_WITH(label->n_values, 1);
	REFUSED_WITH(told->advised.values[0].format, SINK_STRING + 1);
	REFUSED_WITH(told->advised.values[0].size, 9);
	REFUSED_WITH(advice->kind, PF_ADVICE_WOVEN_AFTER + 1);
	REFUSED_WITH(advice->n_captures, PF_MAX_CAPTURES + 1);
	REFUSED_WITH(advice->n_captures, 1);
	REFUSED_WITH(advice->id_capture, 2);
	REFUSED_WITH(advice->sets_atoms, 2);
	REFUSED_WITH(advice->with_stack, 2);
	REFUSED_WITH(advice->captures[1].max_bytes, PF_MAX_STRING_BYTES + 1);
	REFUSED_WITH(advice->captures[1].value, PF_VALUE_TEXT + 1);
	REFUSED_WITH(advice->captures[0].value, PF_VALUE_TEXT); /* whose length is in the one before */
	REFUSED_WITH(advice->captures[0].place, PF_PLACE_UNREADABLE + 1);
	REFUSED_WITH(advice->captures[0].size, 9);
	REFUSED_WITH(told->advised.is_plain, true); /* with values */
}

static void what_is_cut_off_is_refused_wherever_it_ends(void **state)
{
	struct told *told = *state;

	found_put_joinpoint(&told->writer, &told->joinpoint, &told->advised);
	for (size_t size = 1; size < told->writer.text.size; size++) {
		_cleanup_(found_done) struct found found = { 0 };
		_cleanup_free_ char *cut = malloc(size); /* so that a sanitizer sees what reads past it */

		assert_non_null(cut);
		memcpy(cut, told->writer.text.data, size);
		assert_int_equal(found_init(&found, &told->plan), 0);
		assert_int_equal(found_take_joinpoints(&found, FILE_BYTES, cut, size), -EBADMSG);
	}
}

static void a_string_without_an_end_is_refused(void **state)
{
	struct wire_reader reader;
	char bytes[] = { 3, 0, 0, 0, 'a', 'b', 'c' }, inside[] = { 3, 0, 0, 0, 'a', 0, 0 }, good[] = { 2, 0, 0, 0, 'a', 0 };

	(void)state;
	reader = (struct wire_reader){ .at = bytes, .left = sizeof(bytes) };
	assert_null(wire_optional(&reader));
	assert_true(reader.is_bad);
	reader = (struct wire_reader){ .at = inside, .left = sizeof(inside) };
	assert_null(wire_optional(&reader));
	assert_true(reader.is_bad);
	reader = (struct wire_reader){ .at = good, .left = sizeof(good) };
	assert_string_equal(wire_string(&reader), "a");
	assert_false(reader.is_bad);
}

static void sums_arrive_and_are_refused_with_anything_behind_them(void **state)
{
	_cleanup_(found_done) struct found told_sums = { 0 }, taken = { 0 };
	struct told *told = *state;

	assert_int_equal(found_init(&told_sums, &told->plan), 0);
	assert_int_equal(found_init(&taken, &told->plan), 0);
	told_sums.matched[1] = 7;
	told_sums.followed[0] = 3;
	told_sums.n_rejected = 1;
	told_sums.rejection = "'f': it has no code";
	told_sums.reports[0].n_joinpoints = 2;
	told_sums.reports[0].lacks[3].n = 1;
	told_sums.reports[0].lacks[3].first = strdup("a is not there");
	found_put_sums(&told->writer, &told_sums);
	assert_int_equal(found_take_sums(&taken, told->writer.text.data, told->writer.text.size), 0);
	assert_int_equal(taken.matched[1], 7);
	assert_int_equal(taken.followed[0], 3);
	assert_string_equal(taken.rejection, "'f': it has no code");
	assert_string_equal(taken.reports[0].lacks[3].first, "a is not there");
	wire_put_u32(&told->writer, 0);
	assert_int_equal(found_take_sums(&taken, told->writer.text.data, told->writer.text.size), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_join_point_arrives_as_it_was_told, setup, teardown),
		cmocka_unit_test_setup_teardown(many_join_points_come_in_one_message, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_out_of_range_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_cut_off_is_refused_wherever_it_ends, setup, teardown),
		cmocka_unit_test(a_string_without_an_end_is_refused),
		cmocka_unit_test_setup_teardown(sums_arrive_and_are_refused_with_anything_behind_them, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
