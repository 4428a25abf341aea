/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <errno.h>

#include "probe/candidates.h"
#include "probe/joinpoint.h"

#define MAX_POINTCUTS 3

struct found {
	struct joinpoints joinpoints;
	size_t matched[MAX_POINTCUTS];
	size_t followed[PF_MAX_ATOMS];
};

static struct found find_as(const char *path, const char *first, const char *second, bool tells_left_out)
{
	_cleanup_(symbols_done) struct symbols symbols = {};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct aspect *aspects[2] = {};
	struct pointcut_atoms atoms = {};
	struct found found = {};
	struct joinpoint_query query = {
		.aspects = (const struct aspect *const *)aspects,
		.atoms = &atoms,
		.matched = found.matched,
		.followed = found.followed,
		.tells_left_out = tells_left_out,
	};
	struct why why = {};

	assert_int_equal(binary_open(path, &binary, NULL), 0);
	assert_int_equal(symbols_read(binary, &symbols, NULL), 0);
	for (; query.n_aspects < (second ? 2 : 1); query.n_aspects++) {
		assert_int_equal(aspect_parse(query.n_aspects ? second : first,
					      &aspects[query.n_aspects], NULL, NULL),
				 0);
		assert_int_equal(
			pointcut_atoms_add(&atoms, aspects[query.n_aspects]->pointcut, NULL), 0);
	}
	if (joinpoints_find(binary, &symbols, &query, &found.joinpoints, &why) != 0)
		fail_msg("%s", why.text);
	aspect_free(aspects[0]);
	aspect_free(aspects[1]);
	return found;
}

static struct found find_in(const char *path, const char *first, const char *second)
{
	return find_as(path, first, second, false);
}

static void found_done(struct found *found)
{
	joinpoints_done(&found->joinpoints);
}

static bool has(const struct found *found, const char *name)
{
	for (size_t i = 0; i < found->joinpoints.n_items; i++) {
		if (strcmp(found->joinpoints.items[i].name, name) == 0)
			return true;
	}
	return false;
}

static const struct joinpoint *find(const struct found *found, const char *name)
{
	for (size_t i = 0; i < found->joinpoints.n_items; i++) {
		if (strcmp(found->joinpoints.items[i].name, name) == 0)
			return &found->joinpoints.items[i];
	}
	fail_msg("there is no %s", name);
	return NULL;
}

static const char *rejected(const struct found *found, const char *name)
{
	for (size_t i = 0; i < found->joinpoints.n_rejected; i++) {
		if (strcmp(found->joinpoints.rejected[i].name, name) == 0)
			return found->joinpoints.rejected[i].reason;
	}
	return "";
}

static void a_function_is_found_by_its_name(void **state)
{
	_cleanup_(found_done) struct found found = find_in(FIXTURE_FUNCTIONS, "solve", NULL);

	(void)state;
	assert_int_equal(found.joinpoints.n_items, 1);
	assert_int_equal(found.matched[0], 1);
	assert_string_equal(found.joinpoints.items[0].name, "solve");
	assert_true(found.joinpoints.items[0].size > 0);
	assert_true(found.joinpoints.items[0].site.returns == SITE_RETURN_PROBE);
}

static void a_function_with_two_names_is_one_join_point_by_the_name_that_was_asked_for(void **state)
{
	_cleanup_(found_done) struct found mpi = find_in(FIXTURE_FUNCTIONS, "MPI_*", NULL);
	_cleanup_(found_done) struct found pmpi = find_in(FIXTURE_FUNCTIONS, "PMPI_*", NULL);
	_cleanup_(found_done) struct found both = find_in(FIXTURE_FUNCTIONS, "*MPI_Step", NULL);

	(void)state;
	assert_int_equal(mpi.joinpoints.n_items, 1);
	assert_string_equal(mpi.joinpoints.items[0].name, "MPI_Step");
	assert_int_equal(pmpi.joinpoints.n_items, 1);
	assert_string_equal(pmpi.joinpoints.items[0].name, "PMPI_Step");
	assert_int_equal(both.joinpoints.n_items, 1);
	assert_string_equal(both.joinpoints.items[0].name, "MPI_Step");
}

static void each_pointcut_has_its_own_count_and_the_first_names(void **state)
{
	_cleanup_(found_done) struct found found =
		find_in(FIXTURE_FUNCTIONS, "PMPI_Step", "*Step || solve");

	(void)state;
	assert_int_equal(found.joinpoints.n_items, 2);
	assert_int_equal(found.matched[0], 1);
	assert_int_equal(found.matched[1], 2);
	assert_true(has(&found, "PMPI_Step"));
	assert_true(has(&found, "solve"));
}

static void another_module_has_nothing(void **state)
{
	_cleanup_(found_done) struct found other =
		find_in(FIXTURE_FUNCTIONS, "libother.so:solve", NULL);
	_cleanup_(found_done) struct found own =
		find_in(FIXTURE_FUNCTIONS, "libpf_functions.so:solve", NULL);

	(void)state;
	assert_int_equal(other.joinpoints.n_items, 0);
	assert_int_equal(other.matched[0], 0);
	assert_int_equal(own.joinpoints.n_items, 1);
}

static void names_of_cplusplus_and_fortran_are_found_demangled(void **state)
{
	_cleanup_(found_done) struct found area = find_in(FIXTURE_NAMES, "ns::shape::area", NULL);
	_cleanup_(found_done) struct found with_arguments =
		find_in(FIXTURE_NAMES, "ns::*(int,double*) const", NULL);
	_cleanup_(found_done) struct found operators =
		find_in(FIXTURE_NAMES, "ns::shape::operator()", "*::operator||");
	_cleanup_(found_done) struct found template =
		find_in(FIXTURE_NAMES, "ns::shape::scaled<int>", "*::scaled<*");
	_cleanup_(found_done) struct found anonymous =
		find_in(FIXTURE_NAMES, "(anonymous namespace)::secret", NULL);
	_cleanup_(found_done) struct found tagged = find_in(FIXTURE_NAMES, "tagged", NULL);
	_cleanup_(found_done) struct found fortran =
		find_in(FIXTURE_FUNCTIONS, "solver_mod::*", NULL);

	(void)state;
	assert_string_equal(area.joinpoints.items[0].name, "ns::shape::area");
	assert_string_equal(with_arguments.joinpoints.items[0].name,
			    "ns::shape::area(int, double*) const");
	assert_int_equal(operators.matched[0], 1);
	assert_int_equal(operators.matched[1], 1);
	assert_int_equal(template.matched[0], 1);
	assert_int_equal(template.matched[1], 2);
	assert_int_equal(anonymous.matched[0], 1);
	assert_int_equal(tagged.matched[0], 1);
	assert_string_equal(fortran.joinpoints.items[0].name, "solver_mod::step");
}

static void join_points_are_sorted_by_address(void **state)
{
	_cleanup_(found_done) struct found found = find_in(FIXTURE_FUNCTIONS, "*", NULL);

	(void)state;
	assert_true(found.joinpoints.n_items > 5);
	assert_int_equal(found.matched[0], found.joinpoints.n_items);
	for (size_t i = 1; i < found.joinpoints.n_items; i++)
		assert_true(found.joinpoints.items[i - 1].address <
			    found.joinpoints.items[i].address);
}

#if defined(__x86_64__)
static void what_cannot_be_probed_is_neither_found_nor_counted(void **state)
{
	_cleanup_(found_done) struct found found =
		find_in(FIXTURE_FUNCTIONS, "entry_hlt || _start || solve", NULL);

	(void)state;
	assert_int_equal(found.joinpoints.n_items, 1);
	assert_int_equal(found.matched[0], 1);
	assert_int_equal(found.joinpoints.n_rejected, 1); /* entry_hlt; the other is no join point at all */
}

static void what_is_no_join_point_is_told_to_who_asks(void **state)
{
	_cleanup_(found_done) struct found found =
		find_as(FIXTURE_FUNCTIONS, "entry_hlt || _start || chosen || solve", NULL, true);
	_cleanup_(found_done) struct found unasked = find_as(FIXTURE_FUNCTIONS, "solve", NULL, true);

	(void)state;
	assert_int_equal(found.joinpoints.n_items, 1);
	assert_int_equal(found.matched[0], 1);
	assert_int_equal(found.joinpoints.n_rejected, 3);
	assert_non_null(strstr(rejected(&found, "_start"), "'_start' cannot be probed: nobody calls it"));
	assert_non_null(strstr(rejected(&found, "chosen"), "'chosen' cannot be probed: it is an IFUNC"));
	assert_int_equal(unasked.joinpoints.n_rejected, 0);
}
#endif

static void annotated_functions_are_found_with_their_annotation(void **state)
{
	_cleanup_(found_done) struct found found = find_in(FIXTURE_MARKED, "annotated()", NULL);

	(void)state;
	assert_int_equal(found.joinpoints.n_items, 3);
	assert_true(has(&found, "annotated_long"));
	assert_true(has(&found, "annotated_short"));
	assert_true(has(&found, "annotated_plainly"));
	for (size_t i = 0; i < found.joinpoints.n_items; i++)
		assert_non_null(strstr(found.joinpoints.items[i].annotation, "critical_path"));
}

static const char *reason_for(const struct found *found, const char *name)
{
	for (size_t i = 0; i < found->joinpoints.n_rejected; i++) {
		if (strcmp(found->joinpoints.rejected[i].name, name) == 0)
			return found->joinpoints.rejected[i].reason;
	}
	return NULL;
}

static void a_malformed_annotation_is_none_and_whoever_asked_is_told(void **state)
{
	_cleanup_(found_done) struct found by_annotation = find_in(FIXTURE_LINES, "annotated() && lines_*", NULL);
	_cleanup_(found_done) struct found by_name = find_in(FIXTURE_LINES, "annotated() || lines_malformed", NULL);

	(void)state;
	assert_false(has(&by_annotation, "lines_malformed"));
	assert_non_null(strstr(reason_for(&by_annotation, "lines_malformed"), "Ignoring @critical_path(pointcut='never')"));
	assert_true(has(&by_annotation, "lines_before"));
	assert_true(has(&by_name, "lines_malformed"));
	assert_null(reason_for(&by_name, "lines_malformed"));
	for (size_t i = 0; i < by_name.joinpoints.n_items; i++) {
		if (strcmp(by_name.joinpoints.items[i].name, "lines_malformed") == 0)
			assert_null(by_name.joinpoints.items[i].annotation);
	}
}

#if defined(FIXTURE_LINES_HAS_NOTES)
static void annotations_that_cannot_be_read_are_told_of_once(void **state)
{
	_cleanup_(found_done) struct found asked = find_in(FIXTURE_LINES_STRIPPED, "annotated()", NULL);
	_cleanup_(found_done) struct found not_asked = find_in(FIXTURE_LINES_STRIPPED, "lines_before", NULL);

	(void)state;
	assert_int_equal(asked.joinpoints.n_rejected, 1);
	assert_non_null(strstr(reason_for(&asked, "annotated()"), "no debug information"));
	assert_int_equal(not_asked.joinpoints.n_rejected, 0);
	assert_int_equal(not_asked.joinpoints.n_items, 1);
}
#endif

static void a_source_file_selects_its_functions(void **state)
{
	_cleanup_(found_done) struct found found = find_in(FIXTURE_MARKED, "within(annotated.c)",
							   "within(file:fixtures/*plainly*) && !x");
	_cleanup_(found_done) struct found none =
		find_in(FIXTURE_FUNCTIONS, "within(nowhere.c)", NULL);

	(void)state;
	assert_int_equal(found.matched[0], 3);
	assert_int_equal(found.matched[1], 1);
	assert_true(has(&found, "not_annotated"));
	assert_true(has(&found, "annotated_plainly"));
	assert_int_equal(none.joinpoints.n_items, 0);
}

#if defined(FIXTURE_HAS_STATIC_PROBES)
static void static_probes_are_join_points_of_their_own_kind(void **state)
{
	_cleanup_(found_done) struct found found =
		find_in(FIXTURE_MARKED, "usdt(pf_test:step)",
			"usdt(pf_*:*) && within(static_probes.c) || annotated_long");
	size_t n_probes = 0;

	(void)state;
	assert_int_equal(found.matched[0], 2);
	assert_int_equal(found.matched[1], 4);
	assert_int_equal(found.joinpoints.n_items, 4);
	for (size_t i = 0; i < found.joinpoints.n_items; i++) {
		const struct joinpoint *joinpoint = &found.joinpoints.items[i];

		assert_true(i == 0 || found.joinpoints.items[i - 1].address < joinpoint->address);
		if (joinpoint->kind != JOINPOINT_STATIC_PROBE)
			continue;
		n_probes++;
		assert_true(strncmp(joinpoint->name, "pf_test:", 8) == 0);
		assert_true(joinpoint->site.entry_offset > 0);
		assert_int_equal(joinpoint->site.returns, SITE_ENTRY_ONLY);
		assert_true(joinpoint->semaphore_offset > 0);
		assert_non_null(joinpoint->arguments);
	}
	assert_int_equal(n_probes, 3);
}
#endif

static void what_a_cflow_names_is_woven_for_it(void **state)
{
	_cleanup_(found_done) struct found found = find_in(
		FIXTURE_FUNCTIONS, "hidden && cflow(calls_*)", "solve && !cflow(solve || hidden)");
	const struct joinpoint *calls, *hidden;

	(void)state;
	assert_int_equal(found.joinpoints.n_items, 3);
	assert_int_equal(found.matched[0], 1);
	calls = find(&found, "calls_hidden");
	assert_true(calls->aspect == JOINPOINT_OF_NONE);
	assert_int_equal(calls->sets_atoms, 1);
	assert_int_equal(calls->site.returns, SITE_RETURN_PROBE);
	assert_int_equal(found.followed[0], 1);
	hidden = find(&found, "hidden");
	assert_int_equal(hidden->aspect, 0);
	assert_int_equal(hidden->sets_atoms, 2);
	assert_int_equal(hidden->condition.n_alternatives, 1);
	assert_int_equal(hidden->condition.alternatives[0].mask, 1);
	assert_int_equal(hidden->condition.alternatives[0].wanted, 1);
	/* it is always inside of itself */
	assert_int_equal(found.matched[1], 0);
	assert_true(find(&found, "solve")->aspect == JOINPOINT_OF_NONE);
	assert_int_equal(found.followed[1], 2);
}

static void a_cflow_looks_in_other_modules_too(void **state)
{
	_cleanup_(found_done) struct found other = find_in(
		FIXTURE_FUNCTIONS, "libother.so:f && cflow(libpf_functions.so:solve)", NULL);
	_cleanup_(found_done) struct found own =
		find_in(FIXTURE_FUNCTIONS, "hidden && cflow(libother.so:*)", NULL);

	(void)state;
	assert_int_equal(other.joinpoints.n_items, 1);
	assert_int_equal(find(&other, "solve")->sets_atoms, 1);
	assert_int_equal(other.matched[0], 0);
	assert_int_equal(own.joinpoints.n_items, 1);
	assert_int_equal(own.followed[0], 0);
}

static void aspects_that_record_the_same_share_a_join_point(void **state)
{
	_cleanup_(found_done) struct found same = find_in(FIXTURE_FUNCTIONS,
							  "around(solve && rank(0)) min=1us",
							  "(solve && rank(1)) min=1000ns"),
					   always = find_in(FIXTURE_FUNCTIONS, "solve && rank(0)",
							    "solve"),
					   different = find_in(FIXTURE_FUNCTIONS,
							       "before(solve && rank(0))",
							       "around(solve)");

	(void)state;
	assert_int_equal(same.joinpoints.n_items, 1);
	assert_int_equal(find(&same, "solve")->condition.n_alternatives, 2);
	assert_int_equal(find(&same, "solve")->condition.process_atoms, 3);
	assert_true(find(&same, "solve")->overruled == JOINPOINT_OF_NONE);
	assert_int_equal(same.matched[1], 1);
	assert_int_equal(find(&always, "solve")->condition.n_alternatives, 0);
	assert_int_equal(different.joinpoints.n_items, 1);
	assert_int_equal(find(&different, "solve")->aspect, 0);
	assert_int_equal(find(&different, "solve")->condition.n_alternatives, 1);
	assert_int_equal(find(&different, "solve")->overruled, 1);
}

static void conditions_with_too_many_alternatives_fail_with_a_sentence(void **state)
{
	_cleanup_(aspect_freep) struct aspect *aspect = NULL;
	_cleanup_(symbols_done) struct symbols symbols = {};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct pointcut_atoms atoms = {};
	struct joinpoints joinpoints = {};
	size_t matched = 0, followed[PF_MAX_ATOMS] = {};
	const struct joinpoint_query query = {
		.aspects = (const struct aspect *const *)&aspect,
		.n_aspects = 1,
		.atoms = &atoms,
		.matched = &matched,
		.followed = followed,
	};
	struct why why = {};

	(void)state;
	assert_int_equal(binary_open(FIXTURE_FUNCTIONS, &binary, NULL), 0);
	assert_int_equal(symbols_read(binary, &symbols, NULL), 0);
	assert_int_equal(
		aspect_parse("solve && (cflow(a) || cflow(b) || cflow(c) || cflow(d) || cflow(e))",
			     &aspect, NULL, NULL),
		0);
	assert_int_equal(pointcut_atoms_add(&atoms, aspect->pointcut, NULL), 0);
	assert_int_equal(joinpoints_find(binary, &symbols, &query, &joinpoints, &why), -E2BIG);
	assert_non_null(strstr(why.text, "more than 4 alternatives"));
}

#if defined(__x86_64__)
static void returns_are_looked_for_where_they_are_needed(void **state)
{
	_cleanup_(found_done) struct found
		before = find_in(FIXTURE_FUNCTIONS, "before(solve)", NULL),
		inside = find_in(FIXTURE_FUNCTIONS, "before(solve)", "x && cflow(solve)"),
		around = find_in(FIXTURE_FUNCTIONS, "around(setjmp)", NULL),
		after = find_in(FIXTURE_FUNCTIONS, "after(setjmp)", NULL),
		async = find_in(FIXTURE_FUNCTIONS, "around_async(setjmp)", NULL),
		scope = find_in(FIXTURE_FUNCTIONS, "solve && cflow(setjmp)", "before(setjmp)");

	(void)state;
	assert_int_equal(find(&before, "solve")->site.returns, SITE_ENTRY_ONLY);
	assert_int_equal(find(&inside, "solve")->site.returns, SITE_RETURN_PROBE);
	assert_int_equal(find(&around, "setjmp")->site.returns, SITE_ENTRY_ONLY);
	assert_int_equal(after.joinpoints.n_items, 0);
	assert_int_equal(after.matched[0], 0);
	assert_string_equal(
		rejected(&after, "setjmp"),
		"its return is not seen, since it returns more than once, or minds who called it");
	assert_int_equal(async.joinpoints.n_items, 0);
	assert_string_equal(
		rejected(&scope, "setjmp"),
		"cflow() cannot follow it: its return is not seen, since it returns more than "
		"once, or minds who called it");
	assert_int_equal(scope.followed[0], 0);
	assert_int_equal(find(&scope, "setjmp")->sets_atoms, 0);
	assert_int_equal(find(&scope, "setjmp")->aspect, 1);
}
#endif

#if defined(FIXTURE_HAS_STATIC_PROBES)
static void a_static_probe_takes_the_advice_of_a_moment(void **state)
{
	_cleanup_(found_done) struct found
		after = find_in(FIXTURE_MARKED, "after_async(usdt(pf_test:step)) id=arg1", NULL),
		around = find_in(FIXTURE_MARKED, "around_async(usdt(pf_test:step))", NULL),
		returned = find_in(FIXTURE_MARKED, "after_async(usdt(pf_test:step)) id=ret", NULL);

	(void)state;
	assert_true(after.joinpoints.n_items > 0);
	assert_int_equal(around.joinpoints.n_items, 0);
	assert_string_equal(rejected(&around, "pf_test:step"),
			    "a static probe is a place, which 'around_async' has no end for");
	assert_int_equal(returned.joinpoints.n_items, 0);
	assert_string_equal(rejected(&returned, "pf_test:step"),
			    "a static probe is a place, and returns nothing for 'id=ret'");
}
#endif

static void assert_nearest(const char *path, const char *asked, const char *expected)
{
	_cleanup_(candidates_freep) struct candidates *candidates = NULL;
	_cleanup_(pointcut_freep) struct pointcut *pointcut = NULL;
	_cleanup_(symbols_done) struct symbols symbols = {};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_(strings_done) struct strings list = {};

	assert_int_equal(binary_open(path, &binary, NULL), 0);
	assert_int_equal(symbols_read(binary, &symbols, NULL), 0);
	assert_int_equal(pointcut_parse(asked, &pointcut, NULL, NULL), 0);
	assert_int_equal(candidates_new(pointcut, &candidates), 0);
	assert_int_equal(candidates_consider(candidates, binary, &symbols), 0);
	assert_int_equal(candidates_consider(candidates, binary, &symbols), 0);
	assert_int_equal(candidates_list(candidates, &list), 0);
	assert_true(list.n_items <= 5);
	if (!expected) {
		assert_int_equal(list.n_items, 0);
		return;
	}
	assert_true(list.n_items > 0);
	assert_string_equal(strchr(list.items[0], ':') + 1, expected);
	for (size_t i = 1; i < list.n_items; i++)
		assert_string_not_equal(list.items[0], list.items[i]);
}

static void what_was_mistyped_has_candidates_nearest_first(void **state)
{
	(void)state;
	assert_nearest(FIXTURE_FUNCTIONS, "slove", "solve");
	assert_nearest(FIXTURE_FUNCTIONS, "SOLVE", "solve");
	assert_nearest(FIXTURE_FUNCTIONS, "mpi_step", "MPI_Step");
	assert_nearest(FIXTURE_FUNCTIONS, "hiddn", "hidden");
	assert_nearest(FIXTURE_FUNCTIONS, "libother.so:solve", "solve");
	assert_nearest(FIXTURE_FUNCTIONS, "other::step", "solver_mod::step");
	assert_nearest(FIXTURE_NAMES, "ns::shape::aera", "ns::shape::area");
	assert_nearest(FIXTURE_NAMES, "ns::area", "ns::shape::area");
	assert_nearest(FIXTURE_NAMES, "ns::twice(double)", "ns::twice(int)");
	assert_nearest(FIXTURE_NAMES, "ns::shape::scaled", "ns::shape::scaled<int>");
	assert_nearest(FIXTURE_PROGRAM, "mian", "main");
}

#if defined(FIXTURE_HAS_STATIC_PROBES)
static void static_probes_that_were_mistyped_have_candidates_too(void **state)
{
	(void)state;
	assert_nearest(FIXTURE_MARKED, "usdt(pf_test:stpe)", "step)");
	assert_nearest(FIXTURE_MARKED, "usdt(pf_tset:done)", "done)");
	assert_nearest(FIXTURE_MARKED, "usdt(pf_test:DONE) || slove", "done)");
	assert_nearest(FIXTURE_MARKED, "usdt(pf_test:with_static_probes)", NULL); /* a function */
	assert_nearest(FIXTURE_MARKED, "step", NULL);				   /* a probe */
}
#endif

static void what_is_far_from_all_has_no_candidates(void **state)
{
	(void)state;
	assert_nearest(FIXTURE_FUNCTIONS, "qqqqqqqqqq", NULL);
	assert_nearest(FIXTURE_FUNCTIONS, "*", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_is_found_by_its_name),
		cmocka_unit_test(
			a_function_with_two_names_is_one_join_point_by_the_name_that_was_asked_for),
		cmocka_unit_test(each_pointcut_has_its_own_count_and_the_first_names),
		cmocka_unit_test(another_module_has_nothing),
		cmocka_unit_test(names_of_cplusplus_and_fortran_are_found_demangled),
		cmocka_unit_test(join_points_are_sorted_by_address),
		cmocka_unit_test(annotated_functions_are_found_with_their_annotation),
		cmocka_unit_test(a_malformed_annotation_is_none_and_whoever_asked_is_told),
#if defined(FIXTURE_LINES_HAS_NOTES)
		cmocka_unit_test(annotations_that_cannot_be_read_are_told_of_once),
#endif
		cmocka_unit_test(a_source_file_selects_its_functions),
		cmocka_unit_test(what_a_cflow_names_is_woven_for_it),
		cmocka_unit_test(a_cflow_looks_in_other_modules_too),
		cmocka_unit_test(aspects_that_record_the_same_share_a_join_point),
		cmocka_unit_test(conditions_with_too_many_alternatives_fail_with_a_sentence),
#if defined(__x86_64__)
		cmocka_unit_test(returns_are_looked_for_where_they_are_needed),
#endif
#if defined(FIXTURE_HAS_STATIC_PROBES)
		cmocka_unit_test(a_static_probe_takes_the_advice_of_a_moment),
#endif
#if defined(FIXTURE_HAS_STATIC_PROBES)
		cmocka_unit_test(static_probes_are_join_points_of_their_own_kind),
#endif
#if defined(__x86_64__)
		cmocka_unit_test(what_cannot_be_probed_is_neither_found_nor_counted),
		cmocka_unit_test(what_is_no_join_point_is_told_to_who_asks),
#endif
		cmocka_unit_test(what_was_mistyped_has_candidates_nearest_first),
#if defined(FIXTURE_HAS_STATIC_PROBES)
		cmocka_unit_test(static_probes_that_were_mistyped_have_candidates_too),
#endif
		cmocka_unit_test(what_is_far_from_all_has_no_candidates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
