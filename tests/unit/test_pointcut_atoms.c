/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <errno.h>

#include "probe/pointcut_atoms.h"

/* A pointcut alone in its session. */
struct alone {
	struct pointcut *pointcut;
	struct pointcut_atoms atoms;
};

static struct alone parse(const char *text)
{
	struct alone alone = {};
	struct why why = {};

	if (pointcut_parse(text, &alone.pointcut, NULL, &why) != 0)
		fail_msg("'%s': %s", text, why.text);
	assert_int_equal(pointcut_atoms_add(&alone.atoms, alone.pointcut, NULL), 0);
	return alone;
}

static void alone_done(struct alone *alone)
{
	pointcut_free(alone->pointcut);
}

#define _cleanup_alone_ _cleanup_(alone_done)

static int condition_for(const struct alone *alone, const char *function, const char *program,
			 uint32_t held, struct pf_condition *ret_condition)
{
	const struct pointcut_names names = {.linker_name = function};
	const struct pointcut_subject subject = {
		.module_path = "x", .names = &names, .n_names = 1, .program = program};

	return pointcut_condition(alone->pointcut, &alone->atoms, &subject, held, ret_condition,
				  NULL, NULL);
}

/* What is left of it for a function, as people would write it; "never" and "always" if nothing. */
static void assert_condition(const char *text, const char *function, const char *program,
			     const char *expected)
{
	_cleanup_alone_ struct alone alone = parse(text);
	_cleanup_(text_done) struct text printed = {};
	struct pf_condition condition = {};
	int r;

	r = condition_for(&alone, function, program, 0, &condition);
	assert_true(r >= 0);
	if (r == 1)
		assert_int_equal(pointcut_condition_print(&condition, &alone.atoms, &printed), 0);
	assert_string_equal(r == 0 ? "never" : printed.data ? printed.data : "always", expected);
}

static void what_is_static_is_decided_and_the_rest_is_left(void **state)
{
	(void)state;
	assert_condition("f && rank(0)", "f", NULL, "rank(0)");
	assert_condition("f && rank(0)", "g", NULL, "never");
	assert_condition("f || rank(0)", "f", NULL, "always");
	assert_condition("f || rank(0)", "g", NULL, "rank(0)");
	assert_condition("f && !cflow(a)", "f", NULL, "!cflow(a)");
	assert_condition("!(f && cflow(a))", "f", NULL, "!cflow(a)");
	assert_condition("!(f && cflow(a))", "g", NULL, "always");
	assert_condition("f && cflow(a) || g && comm(sh) || cflow(b)", "g", NULL,
			 "comm(sh) || cflow(b)");
	assert_condition("f", "f", NULL, "always");
	assert_condition("f", "g", NULL, "never");
}

static void a_condition_is_as_simple_as_it_can_be(void **state)
{
	(void)state;
	assert_condition("* && cflow(a) && !cflow(a)", "f", NULL, "never");
	assert_condition("* && (cflow(a) || !cflow(a))", "f", NULL, "always");
	assert_condition("cflow(a) && cflow(b) || cflow(a)", "f", NULL, "cflow(a)");
	assert_condition("cflow(a) && cflow(b) || cflow(a) && !cflow(b)", "f", NULL, "cflow(a)");
	assert_condition("cflow(a) || !cflow(a) && cflow(b)", "f", NULL, "cflow(a) || cflow(b)");
	assert_condition("!(cflow(a) && cflow(b))", "f", NULL, "!cflow(a) || !cflow(b)");
	assert_condition("!(cflow(a) || cflow(b))", "f", NULL, "!cflow(a) && !cflow(b)");
}

static void what_is_said_of_the_process_together_is_one_atom(void **state)
{
	_cleanup_alone_ struct alone alone =
		parse("f && (exe(a) || exe(b) || exe(c) || exe(d) || exe(e)) || g && !rank(0) && "
		      "cflow(h)");

	(void)state;
	assert_int_equal(alone.atoms.n_items, 3);
	assert_int_equal(pointcut_atoms_process_mask(&alone.atoms), 3);
	assert_null(pointcut_atoms_cflow(&alone.atoms, 0));
	assert_non_null(pointcut_atoms_cflow(&alone.atoms, 2));
	assert_condition("f && !(exe(a) || exe(b))", "f", NULL, "!(exe(a) || exe(b))");
	assert_condition("f && !(exe(a) || rank(0) && uid(0))", "f", NULL,
			 "!(exe(a) || rank(0) && uid(0))");
}

static void the_program_of_a_function_may_decide(void **state)
{
	(void)state;
	assert_condition("f && exe(lmp)", "f", NULL, "exe(lmp)");
	assert_condition("f && exe(lmp)", "f", "/bin/lmp", "always");
	assert_condition("f && exe(lmp)", "f", "/bin/sh", "never");
	assert_condition("f && !exe(lmp)", "f", "/bin/sh", "always");
	assert_condition("f && (exe(lmp) || rank(0))", "f", "/bin/lmp", "always");
	assert_condition("f && (exe(lmp) || rank(0))", "f", "/bin/sh", "(exe(lmp) || rank(0))");
	assert_condition("f && exe(lmp) && rank(0)", "f", "/bin/lmp", "rank(0)");
}

static void a_function_is_inside_of_itself(void **state)
{
	_cleanup_alone_ struct alone inside = parse("f && cflow(f) && cflow(g)"),
				     outside = parse("f && !cflow(f)");
	struct pf_condition condition;

	(void)state;
	assert_int_equal(condition_for(&inside, "f", NULL, 1, &condition), 1);
	assert_int_equal(condition.n_alternatives, 1);
	assert_int_equal(condition.alternatives[0].mask, 2);
	assert_int_equal(condition_for(&inside, "f", NULL, 3, &condition), 1);
	assert_int_equal(condition.n_alternatives, 0);
	assert_int_equal(condition_for(&outside, "f", NULL, 1, &condition), 0);
}

static void the_name_that_matched_is_told_with_its_condition(void **state)
{
	_cleanup_alone_ struct alone alone = parse("f && cflow(x) || _Z1f* && size(9)");
	const struct pointcut_names names = {.linker_name = "_Z1fv", .plain = "f"};
	const struct pointcut_subject subject = {.module_path = "x", .names = &names, .n_names = 1};
	struct pf_condition condition;
	const char *matched = NULL;

	(void)state;
	assert_int_equal(pointcut_condition(alone.pointcut, &alone.atoms, &subject, 0, &condition,
					    &matched, NULL),
			 1);
	assert_ptr_equal(matched, names.plain);
}

static void a_static_probe_has_to_be_called_by_its_name_under_conditions_too(void **state)
{
	_cleanup_alone_ struct alone called = parse("usdt(a:*) && rank(0)"), not = parse("rank(0)");
	const struct pointcut_subject subject = {.module_path = "x", .provider = "a", .probe = "b"};
	struct pf_condition condition;

	(void)state;
	assert_int_equal(pointcut_condition(called.pointcut, &called.atoms, &subject, 0, &condition,
					    NULL, NULL),
			 1);
	assert_int_equal(condition.process_atoms, 1);
	assert_int_equal(
		pointcut_condition(not .pointcut, &not .atoms, &subject, 0, &condition, NULL, NULL),
		0);
}

static void too_many_alternatives_are_refused_with_a_sentence(void **state)
{
	_cleanup_alone_ struct alone alone =
		parse("cflow(a) || cflow(b) || cflow(c) || cflow(d) || cflow(e)");
	_cleanup_alone_ struct alone product = parse(
		"(cflow(a) || cflow(b)) && (cflow(c) || cflow(d)) && (cflow(e) || cflow(f)) && "
		"(cflow(g) || cflow(h)) && (cflow(i) || cflow(j)) && (cflow(k) || cflow(l))");
	const struct pointcut_subject subject = {.module_path = "x"};
	struct pf_condition condition;
	struct why why = {}, second = {};

	(void)state;
	assert_int_equal(pointcut_condition(alone.pointcut, &alone.atoms, &subject, 0, &condition,
					    NULL, &why),
			 -E2BIG);
	assert_string_equal(why.text,
			    "what depends on the process and the caller comes down to more than 4 "
			    "alternatives; terms of the process count as one where they stand "
			    "together in parentheses");
	assert_int_equal(pointcut_condition(product.pointcut, &product.atoms, &subject, 0,
					    &condition, NULL, &second),
			 -E2BIG);
	assert_string_equal(second.text, why.text);
}

static void a_session_has_a_bit_for_each_thing_it_asks_about(void **state)
{
	_cleanup_(pointcut_freep) struct pointcut *first = NULL, *second = NULL, *many = NULL;
	_cleanup_(text_done) struct text text = {};
	struct pointcut_atoms atoms = {};
	struct why why = {};

	(void)state;
	assert_int_equal(pointcut_parse("cflow(a || b) && f && rank(0..3)", &first, NULL, NULL), 0);
	assert_int_equal(pointcut_parse("g && !rank(0..3) && (!cflow( a||b ) || cflow(a || c))",
					&second, NULL, NULL),
			 0);
	assert_int_equal(pointcut_atoms_add(&atoms, first, NULL), 0);
	assert_int_equal(pointcut_atoms_add(&atoms, second, NULL), 0);
	assert_int_equal(atoms.n_items, 3);

	for (int i = 0; i < PF_MAX_ATOMS - 2; i++)
		text_printf(&text, "%scflow(x) && job(%d)", i ? " || " : "", i);
	assert_int_equal(pointcut_parse(text.data, &many, NULL, NULL), 0);
	assert_int_equal(pointcut_atoms_add(&atoms, many, &why), -E2BIG);
	assert_string_equal(why.text,
			    "a session may ask for 31 different things that depend on the process "
			    "or the caller (exe, comm, uid, cgroup, job, rank, cflow), this one "
			    "asks for more");
}

static bool holds_for(const char *text, const struct pointcut_process *process)
{
	_cleanup_alone_ struct alone alone = parse(text);

	assert_int_equal(alone.atoms.n_items, 1);
	return pointcut_atoms_of_process(&alone.atoms, process) == 1;
}

static void the_terms_of_a_process_are_what_they_say(void **state)
{
	const struct pointcut_process solver = {
		.exe = "/opt/lammps/bin/lmp",
		.comm = "lmp",
		.cgroup = "/system.slice/slurmstepd.scope/job_42/step_0",
		.job = "42",
		.uid = 1000,
		.rank = 3,
	};
	const struct pointcut_process nobody = {.uid = 0, .rank = -1};

	(void)state;
	assert_true(holds_for("exe(lmp)", &solver));
	assert_true(holds_for("exe(/opt/*)", &solver));
	assert_false(holds_for("exe(sh)", &solver));
	assert_true(holds_for("comm(l*)", &solver));
	assert_false(holds_for("comm(m)", &solver));
	assert_true(holds_for("uid(1000)", &solver));
	assert_false(holds_for("uid(root)", &solver));
	assert_true(holds_for("uid(root)", &nobody));
	assert_true(holds_for("job(42)", &solver));
	assert_true(holds_for("job(4*)", &solver));
	assert_false(holds_for("job(4)", &solver));
	assert_true(holds_for("rank(3)", &solver));
	assert_true(holds_for("rank(2..)", &solver));
	assert_true(holds_for("rank(..3)", &solver));
	assert_false(holds_for("rank(0..2)", &solver));
	assert_false(holds_for("rank(0..)", &nobody));
	assert_true(holds_for("exe(sh) || rank(3) && !uid(0)", &solver));
	assert_false(holds_for("exe(lmp) && rank(2)", &solver));
	assert_true(holds_for("(!job(*) || exe(*))", &nobody));
	assert_false(holds_for("exe(*)", &nobody));
	assert_false(holds_for("comm(*)", &nobody));
	assert_false(holds_for("cgroup(*)", &nobody));
	assert_false(holds_for("job(*)", &nobody));
}

static void a_process_is_in_its_cgroup_and_in_those_above(void **state)
{
	const struct pointcut_process process = {.cgroup =
							 "/system.slice/slurm.scope/job_42/step_0"};
	const struct pointcut_process root = {.cgroup = "/"};

	(void)state;
	assert_true(holds_for("cgroup(/system.slice/slurm.scope/job_42/step_0)", &process));
	assert_true(holds_for("cgroup(/system.slice/slurm.scope/job_42)", &process));
	assert_true(holds_for("cgroup(/system.slice)", &process));
	assert_true(holds_for("cgroup(*/job_42)", &process));
	assert_true(holds_for("cgroup(job_*)", &process));
	assert_true(holds_for("cgroup(step_0)", &process));
	assert_false(holds_for("cgroup(job_4)", &process));
	assert_false(holds_for("cgroup(/system.slice/slurm)", &process));
	assert_false(holds_for("cgroup(/job_42)", &process));
	assert_true(holds_for("cgroup(/)", &root));
	assert_false(holds_for("cgroup(/)", &process));
}

/*
 * Expressions are made by chance over four atoms and two names, and evaluated here for every
 * assignment: what is left of them for a function of each name has to hold for the same ones.
 */
enum { MAX_TREE = 64, N_ATOMS = 4 };

struct tree {
	char kind; /* '0'... an atom, 'f' and 'g' names, '!', '&', '|' */
	struct tree *left, *right;
};

static struct tree *grow(struct tree *pool, size_t *n, unsigned int *random, int depth)
{
	struct tree *tree = &pool[(*n)++];
	int choice = depth == 0 || *n > MAX_TREE - 8 ? 0 : rand_r(random) % 5;

	if (choice < 2) {
		tree->kind = "0123fg"[rand_r(random) % 6];
		return tree;
	}
	tree->kind = "!&|"[choice - 2];
	tree->left = grow(pool, n, random, depth - 1);
	tree->right = tree->kind == '!' ? NULL : grow(pool, n, random, depth - 1);
	return tree;
}

/* Two of the atoms are of the process, so that some expressions are altogether. */
static void write_tree(const struct tree *tree, struct text *text)
{
	static const char *const atoms[N_ATOMS] = {"rank(0)", "rank(1)", "cflow(a)", "cflow(b)"};

	if (tree->kind >= '0' && tree->kind <= '9') {
		text_printf(text, "%s", atoms[tree->kind - '0']);
		return;
	}
	if (!tree->left) {
		text_printf(text, "%c", tree->kind);
		return;
	}
	text_printf(text, "%s(", tree->kind == '!' ? "!" : "");
	write_tree(tree->left, text);
	if (tree->right) {
		text_printf(text, ") %c%c (", tree->kind, tree->kind);
		write_tree(tree->right, text);
	}
	text_printf(text, ")");
}

static bool holds(const struct tree *tree, char function, unsigned int assignment)
{
	switch (tree->kind) {
	case '!':
		return !holds(tree->left, function, assignment);
	case '&':
		return holds(tree->left, function, assignment) &&
		       holds(tree->right, function, assignment);
	case '|':
		return holds(tree->left, function, assignment) ||
		       holds(tree->right, function, assignment);
	case 'f':
	case 'g':
		return tree->kind == function;
	default:
		return assignment >> (tree->kind - '0') & 1;
	}
}

/* The bits of the session's atoms that hold: rank() takes one value, so two of the assignments are
 * not met. */
static uint32_t atoms_that_hold(const struct alone *alone, unsigned int assignment)
{
	const struct pointcut_process process = {.rank = assignment & 1	  ? 0
							 : assignment & 2 ? 1
									  : -1};
	uint32_t held = pointcut_atoms_of_process(&alone->atoms, &process);

	for (size_t i = 0; i < alone->atoms.n_items; i++) {
		const struct pointcut *inner = pointcut_atoms_cflow(&alone->atoms, i);
		_cleanup_(text_done) struct text text = {};

		if (!inner)
			continue;
		assert_int_equal(pointcut_print(inner, &text), 0);
		if (assignment & (text.data[0] == 'a' ? 4 : 8))
			held |= 1U << i;
	}
	return held;
}

static bool is_met(const struct alone *alone, const struct tree *tree, char function)
{
	const char name[2] = {function};
	struct pf_condition condition;
	int r = condition_for(alone, name, NULL, 0, &condition);

	if (r == -E2BIG)
		return false;
	assert_true(r >= 0);
	for (unsigned int assignment = 0; assignment < 1U << N_ATOMS; assignment++) {
		uint32_t atoms = atoms_that_hold(alone, assignment);
		bool expected = holds(tree, function, assignment);

		if ((assignment & 3) == 3)
			continue;
		if ((r == 1 && condition_holds(&condition, atoms)) != expected)
			fail_msg("for %c, 0x%x", function, assignment);
		if (r == 1 && condition.process_atoms & ~pointcut_atoms_process_mask(&alone->atoms))
			fail_msg("a cflow() is none of the process");
	}
	return true;
}

static void the_condition_of_any_expression_holds_where_it_does(void **state)
{
	unsigned int random = 7;
	int n_refused = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		_cleanup_(text_done) struct text text = {};
		struct tree pool[MAX_TREE + 64] = {}, *tree;
		size_t n = 0;

		tree = grow(pool, &n, &random, 5);
		write_tree(tree, &text);
		_cleanup_alone_ struct alone alone = parse(text.data);
		n_refused += !is_met(&alone, tree, 'f');
		n_refused += !is_met(&alone, tree, 'g');
	}
	/* few expressions over so few atoms need more alternatives than there may be */
	assert_true(n_refused < 40000 / 100);
}

static void conditions_of_several_pointcuts_are_joined(void **state)
{
	struct pf_condition first = {1, 1, {{1, 1}}}, second = {0, 1, {{3, 2}}}, always = {};
	struct why why = {};

	(void)state;
	assert_int_equal(pointcut_condition_or(&first, &second, NULL), 0);
	assert_int_equal(first.n_alternatives, 2);
	assert_int_equal(first.process_atoms, 1);
	for (uint32_t atoms = 0; atoms < 4; atoms++)
		assert_int_equal(condition_holds(&first, atoms), atoms != 0);
	assert_int_equal(pointcut_condition_or(&second, &always, NULL), 0);
	assert_int_equal(second.n_alternatives, 0);
	for (uint32_t bit = 4; bit < 32; bit *= 2) {
		const struct pf_condition other = {0, 1, {{bit, bit}}};

		assert_int_equal(pointcut_condition_or(&first, &other, &why),
				 bit < 16 ? 0 : -E2BIG);
	}
	assert_non_null(strstr(why.text, "more than 4 alternatives"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_static_is_decided_and_the_rest_is_left),
		cmocka_unit_test(a_condition_is_as_simple_as_it_can_be),
		cmocka_unit_test(what_is_said_of_the_process_together_is_one_atom),
		cmocka_unit_test(the_program_of_a_function_may_decide),
		cmocka_unit_test(a_function_is_inside_of_itself),
		cmocka_unit_test(the_name_that_matched_is_told_with_its_condition),
		cmocka_unit_test(a_static_probe_has_to_be_called_by_its_name_under_conditions_too),
		cmocka_unit_test(too_many_alternatives_are_refused_with_a_sentence),
		cmocka_unit_test(a_session_has_a_bit_for_each_thing_it_asks_about),
		cmocka_unit_test(the_terms_of_a_process_are_what_they_say),
		cmocka_unit_test(a_process_is_in_its_cgroup_and_in_those_above),
		cmocka_unit_test(the_condition_of_any_expression_holds_where_it_does),
		cmocka_unit_test(conditions_of_several_pointcuts_are_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
