/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <errno.h>

#include "probe/python.h"

#define MAX_ASPECTS 48

/* Aspects with what is made of their py(). */
struct session {
	struct aspect *aspects[MAX_ASPECTS];
	size_t n_aspects;
	struct pointcut_atoms atoms;
	struct python_plan plan;
	struct why why;
	int r;
};

static void session_done(struct session *session)
{
	python_plan_done(&session->plan);
	for (size_t i = 0; i < session->n_aspects; i++)
		aspect_free(session->aspects[i]);
}

static const struct aspect *const *aspects_of(const struct session *session)
{
	return (const struct aspect *const *)session->aspects;
}

static void session_plan(struct session *session, const char *const *texts)
{
	struct why why = {};

	*session = (struct session){};
	for (; *texts; texts++) {
		if (aspect_parse(*texts, &session->aspects[session->n_aspects], NULL, &why) != 0)
			fail_msg("'%s': %s", *texts, why.text);
		assert_int_equal(
			pointcut_atoms_add(&session->atoms,
					   session->aspects[session->n_aspects++]->pointcut, NULL),
			0);
	}
	session->r = python_plan_make(aspects_of(session), session->n_aspects, &session->atoms,
				      &session->plan, &session->why);
}

#define _cleanup_session_ _cleanup_(session_done)

static void assert_printed(const char *const *texts, const char *expected)
{
	_cleanup_session_ struct session session;
	_cleanup_(text_done) struct text text = {};

	session_plan(&session, texts);
	if (session.r != 0)
		fail_msg("'%s': %s", texts[0], session.why.text);
	assert_int_equal(python_plan_print(&session.plan, &text), 0);
	assert_string_equal(text.data, expected);
}

#define ASSERT_PRINTED(expected, ...)                                                              \
	assert_printed((const char *const[]){__VA_ARGS__, NULL}, expected)

static void one_pattern_is_one_group_and_one_slot(void **state)
{
	(void)state;
	ASSERT_PRINTED("1 -a\n0 solver.* Mesh.?refine\n", "py(solver.*:Mesh.?refine)");
	ASSERT_PRINTED("1 -\n", "usdt(perfflow:*)");
}

static void patterns_that_count_together_are_one_group(void **state)
{
	(void)state;
	ASSERT_PRINTED("1 -a\n0 a f\n0 b g\n", "py(a:f) || py(b:g)");
	ASSERT_PRINTED("1 -a\n0 a f\n0 b g\n0 c h\n", "py(a:f)", "py(b:g) || py(c:h)");
	/* what records something else, or has more to it, is apart */
	ASSERT_PRINTED("1 -aba\n0 a f\n1 b g\n", "py(a:f)", "before(py(b:g))");
	ASSERT_PRINTED("1 -a--\n0 a f\n1 b g\n", "py(a:f) && !py(b:g)");
}

static void what_is_denied_and_joined_shows_in_the_slots(void **state)
{
	(void)state;
	ASSERT_PRINTED("1 -a--\n0 a *\n1 a x\n", "py(a:*) && !py(a:x)");
	ASSERT_PRINTED("1 ---a\n0 a *\n1 * x\n", "py(a:*) && py(*:x)");
	/* only a py() that holds selects */
	ASSERT_PRINTED("1 --\n0 a f\n", "!py(a:f)");
	ASSERT_PRINTED("1 -a\n0 a f\n", "py(a:f) || libm.so.6:cos || !main");
	ASSERT_PRINTED("1 --\n0 a f\n", "py(a:f) && cos");
}

static void the_first_aspect_decides_and_conditions_are_kept_apart(void **state)
{
	(void)state;
	ASSERT_PRINTED("1 -aba\n0 a f\n1 a *\n", "before(py(a:f))", "py(a:*)");
	ASSERT_PRINTED("1 -abc\n0 a f\n1 a *\n", "py(a:f) && rank(0)", "py(a:*) && rank(1)");
	ASSERT_PRINTED("1 -aba\n0 a f\n1 a *\n", "py(a:f)", "py(a:*) && rank(1)");
	/* the same under the same condition */
	ASSERT_PRINTED("1 -a\n0 a f\n0 b g\n", "(py(a:f) || py(b:g)) && uid(7)");
}

static void more_than_can_be_told_apart_is_refused(void **state)
{
	const char *many[] = {"py(a:f) && rank(0)", "py(b:f) && rank(1)", "py(c:f) && rank(2)",
			      "py(d:f) && rank(3)", "py(e:f) && rank(4)", "py(g:f) && rank(5)",
			      "py(h:f) && rank(6)", "py(i:f) && rank(7)", "py(j:f) && rank(8)",
			      NULL};
	_cleanup_session_ struct session nine, eight;

	(void)state;
	session_plan(&nine, many);
	assert_int_equal(nine.r, -E2BIG);
	assert_non_null(strstr(nine.why.text, "this one has 9"));
	session_plan(&eight, many + 1);
	assert_int_equal(eight.r, -E2BIG);
	assert_non_null(strstr(eight.why.text, "these py() come to more"));
}

static void many_that_record_the_same_are_no_more_than_one(void **state)
{
	static const char *many[MAX_ASPECTS];
	_cleanup_session_ struct session session;

	(void)state;
	for (size_t i = 0; i + 1 < MAX_ASPECTS; i++)
		many[i] = "py(a:f)";
	session_plan(&session, many);
	assert_int_equal(session.r, 0);
	assert_int_equal(session.plan.n_groups, 1);
	assert_int_equal(session.plan.n_slots, 1);
}

static void options_that_read_machine_code_are_refused(void **state)
{
	static const char *const texts[] = {"(py(a:f)) args=*", "(py(a:f)) args=(x@1)",
					    "(py(a:f)) ret=i64", "before_async(py(a:f)) id=arg1",
					    "around_async(py(a:f)) sample=1/2"};
	static const char *const good[] = {"(py(a:f)) sample=1/2 min=1ms name=x cat=y stack",
					   "before(py(a:f)) sample=1/2", "(f) args=*"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(aspect_freep) struct aspect *aspect = NULL;
		struct why why = {};

		assert_int_equal(aspect_parse(texts[i], &aspect, NULL, &why), 0);
		assert_int_equal(python_check(aspect, &why), -EINVAL);
		assert_non_null(strstr(why.text, "py()"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_(aspect_freep) struct aspect *aspect = NULL;

		assert_int_equal(aspect_parse(good[i], &aspect, NULL, NULL), 0);
		assert_int_equal(python_check(aspect, NULL), 0);
	}
}

static void probes_are_known_by_their_names(void **state)
{
	struct python_probe probe;

	(void)state;
	assert_true(python_find_probe("perfflow_python", "task_finish_15", &probe));
	assert_int_equal(probe.which, PF_PYTHON_TASK_FINISH);
	assert_int_equal(probe.slot, 15);
	assert_false(probe.by_interpreter);
	assert_true(python_find_probe("python", "function__return", &probe));
	assert_int_equal(probe.which, PF_PYTHON_LEAVE);
	assert_true(probe.by_interpreter);
	for (size_t i = 0; i < 8; i++) {
		static const char *const others[] = {"enter", "enter_", "enter_16", "enter_1x", "_1",
						     "finish_task_1", "", "function__entry"};

		assert_false(python_find_probe("perfflow_python", others[i], &probe));
	}
	assert_false(python_find_probe("python", "line", &probe));
	assert_false(python_find_probe("perfflow", "enter_1", &probe));
}

static void each_advice_has_the_probes_that_tell_of_it(void **state)
{
	static const char *const served[ASPECT_N_ADVICES] = {
		[ASPECT_AROUND] = "enter leave task_start task_finish",
		[ASPECT_BEFORE] = "start",
		[ASPECT_AFTER] = "return",
		[ASPECT_AROUND_ASYNC] = "start finish",
		[ASPECT_BEFORE_ASYNC] = "start",
		[ASPECT_AFTER_ASYNC] = "return",
	};
	static const char *const names[] = {"enter_0", "leave_0", "start_0", "finish_0",
					    "return_0", "task_start_0", "task_finish_0"};

	(void)state;
	for (enum aspect_advice advice = 0; advice < ASPECT_N_ADVICES; advice++) {
		_cleanup_(text_done) struct text text = {};

		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			struct python_probe probe;

			assert_true(python_find_probe("perfflow_python", names[i], &probe));
			if (python_probe_serves(&probe, "libperfflow-python.so", advice))
				assert_int_equal(text_printf(&text, "%s%.*s", text.size ? " " : "",
							     (int)strlen(names[i]) - 2, names[i]),
						 0);
		}
		assert_string_equal(text.data, served[advice]);
	}
}

static void python_3_11_tells_of_returns_alone(void **state)
{
	struct python_probe entry, leave;

	(void)state;
	assert_true(python_find_probe("python", "function__entry", &entry));
	assert_true(python_find_probe("python", "function__return", &leave));
	assert_true(python_probe_serves(&entry, "python3.10", ASPECT_AROUND));
	assert_true(python_probe_serves(&leave, "libpython3.15.so.1.0", ASPECT_AROUND));
	assert_false(python_probe_serves(&entry, "python3.11", ASPECT_AROUND));
	assert_false(python_probe_serves(&leave, "libpython3.11.so.1.0", ASPECT_AROUND));
	assert_true(python_probe_serves(&leave, "python3.11", ASPECT_AFTER));
	assert_false(python_probe_serves(&entry, "python3.11", ASPECT_BEFORE));
}

static void calls_that_an_interpreter_tells_of_are_selected_by_file_and_name(void **state)
{
	static const struct {
		const char *pointcut, *file, *function;
		bool is_selected;
	} cases[] = {
		{"py(package.mod:step)", "/usr/lib/python3/package/mod.py", "step", true},
		{"py(mod:step)", "/usr/lib/python3/package/mod.py", "step", true},
		{"py(mod:step)", "/usr/lib/python3/package/amod.py", "step", false},
		{"py(package:step)", "/usr/lib/python3/package/__init__.py", "step", true},
		{"py(package:step)", "package/mod.py", "step", false},
		{"py(train:Mesh.step)", "train.py", "step", true},
		{"py(train:outer.<locals>.step)", "train.py", "step", true},
		{"py(train:Mesh)", "train.py", "step", false},
		{"py(*:*)", "train.py", "<module>", false},
		{"py(*:<module>)", "train.py", "<module>", true},
		{"py(*:*)", "train.py", "<lambda>", true},
		{"py(importlib._bootstrap:*)", "<frozen importlib._bootstrap>", "_find_spec", true},
		{"py(*:*) && !py(json.*:*)", "/usr/lib/python3/json/decoder.py", "decode", false},
		{"py(*:*)", "", "", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const texts[] = {cases[i].pointcut, NULL};
		_cleanup_session_ struct session session;

		session_plan(&session, texts);
		assert_int_equal(session.r, 0);
		if (python_selects(&session.plan, cases[i].file, cases[i].function) !=
		    cases[i].is_selected)
			fail_msg("%s: %s in '%s'", cases[i].pointcut, cases[i].function,
				 cases[i].file);
	}
}

static void an_interpreter_tells_in_one_way(void **state)
{
	static const char *const one[] = {"py(a:f)", "py(b:g)", NULL};
	static const char *const two[] = {"py(a:f)", "before(py(b:g))", NULL};
	static const char *const async[] = {"around_async(py(a:f))", NULL};
	static const struct {
		const char *const *texts;
		int r;
	} cases[] = {{one, 0}, {two, -EINVAL}, {async, -EINVAL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_session_ struct session session;

		session_plan(&session, cases[i].texts);
		assert_int_equal(session.r, 0);
		assert_int_equal(python_plan_by_interpreter(&session.plan, aspects_of(&session),
							    session.n_aspects, &session.why),
				 cases[i].r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_pattern_is_one_group_and_one_slot),
		cmocka_unit_test(patterns_that_count_together_are_one_group),
		cmocka_unit_test(what_is_denied_and_joined_shows_in_the_slots),
		cmocka_unit_test(the_first_aspect_decides_and_conditions_are_kept_apart),
		cmocka_unit_test(more_than_can_be_told_apart_is_refused),
		cmocka_unit_test(many_that_record_the_same_are_no_more_than_one),
		cmocka_unit_test(options_that_read_machine_code_are_refused),
		cmocka_unit_test(probes_are_known_by_their_names),
		cmocka_unit_test(each_advice_has_the_probes_that_tell_of_it),
		cmocka_unit_test(python_3_11_tells_of_returns_alone),
		cmocka_unit_test(
			calls_that_an_interpreter_tells_of_are_selected_by_file_and_name),
		cmocka_unit_test(an_interpreter_tells_in_one_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
