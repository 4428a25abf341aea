/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the names of the fixtures' parameters tell: see fixtures/arguments.h. */
#include "fixture.h"

#include <elf.h>
#include <errno.h>

#include "binary/argument.h"
#include "probe/capture.h"

struct opened {
	struct binary *binary;
	struct symbols symbols;
	struct capturer *capturer;
};

static struct opened opened;

#if defined(__x86_64__)
#define OPERANDS "-4@%eax 8@$5"
#else
#define OPERANDS "-4@x0 8@5"
#endif

static int open_fixture(const char *path)
{
	assert_int_equal(binary_open(path, &opened.binary, NULL), 0);
	assert_int_equal(symbols_read(opened.binary, &opened.symbols, NULL), 0);
	return capturer_open(opened.binary, &opened.symbols, &opened.capturer);
}

static int open_c(void **state)
{
	(void)state;
	return open_fixture(FIXTURE_ARGUMENTS_C);
}

static int open_cxx(void **state)
{
	(void)state;
	return open_fixture(FIXTURE_ARGUMENTS_CXX);
}

static int open_bare(void **state)
{
	(void)state;
	return open_fixture(FIXTURE_ARGUMENTS_BARE);
}

static int close_fixture(void **state)
{
	(void)state;
	capturer_close(opened.capturer);
	symbols_done(&opened.symbols);
	binary_free(opened.binary);
	opened = (struct opened){};
	return 0;
}

static struct joinpoint find(const char *part)
{
	for (size_t i = 0; i < opened.symbols.n_items; i++) {
		const struct symbol *symbol = &opened.symbols.items[i];

		if (strstr(symbol->linker_name, part))
			return (struct joinpoint){.kind = JOINPOINT_FUNCTION, .name = (char *)part, .address = symbol->address};
	}
	fail_msg("no %s", part);
	return (struct joinpoint){};
}

/* The sentence of what cannot be captured at the only join point, or "". */
static const char *choose(const char *function, const char *aspect_text, struct captures *ret_captures)
{
	_cleanup_(capture_report_done) struct capture_report report = {};
	_cleanup_(aspect_freep) struct aspect *aspect = NULL;
	_cleanup_(strings_done) struct strings warnings = {};
	struct joinpoint joinpoint = find(function);
	static struct why why;

	why = (struct why){};
	if (aspect_parse(aspect_text, &aspect, NULL, &why) < 0)
		fail_msg("%s: %s", aspect_text, why.text);
	assert_int_equal(captures_choose(opened.capturer, aspect, &joinpoint, &report, ret_captures), 0);
	if (capture_report_judge(&report, &warnings, &why) == 0 && warnings.n_items)
		snprintf(why.text, sizeof(why.text), "%s", warnings.items[0]);
	return why.text;
}

static void assert_lack(const char *function, const char *aspect, const char *sentence)
{
	_cleanup_(captures_done) struct captures captures = {};

	assert_string_equal(choose(function, aspect, &captures), sentence);
	/* what is returned by nobody is no value */
	assert_true(captures.n_items == 0 || captures.items[captures.n_items - 1].place == PF_PLACE_UNREADABLE);
}

static void assert_item(const struct captures *captures, unsigned int i, const char *name, enum capture_format format,
			struct pf_capture expected)
{
	struct pf_capture item = captures->items[i];

	assert_true(i < captures->n_items);
	if (name)
		assert_string_equal(captures->labels[i].name, name);
	else
		assert_null(captures->labels[i].name);
	assert_int_equal(captures->labels[i].format, format);
	assert_int_equal(captures->labels[i].is_return, expected.is_at_return);
	assert_memory_equal(&item, &expected, sizeof(item));
}

#if defined(__x86_64__)
#define RDI 5
#define RSI 4
#define RCX 2
#define RAX 0
#define RSP 7

static void a_type_that_is_said_counts(void **state)
{
	_cleanup_(captures_done) struct captures captures = {};

	(void)state;
	assert_string_equal(choose("pf_case_pointers__v200", "(f) args=(@1, p17:*i32, number:*u16@1, text:str[9]@1)", &captures),
			    "");
	assert_int_equal(captures.n_items, 4);
	assert_item(&captures, 0, "p17", CAPTURE_POINTER, (struct pf_capture){.number = RDI, .size = 8});
	assert_item(&captures, 1, "p17", CAPTURE_SIGNED, (struct pf_capture){.number = RDI, .size = 4, .n_dereferences = 1});
	assert_item(&captures, 2, "number", CAPTURE_UNSIGNED,
		    (struct pf_capture){.number = RDI, .size = 2, .n_dereferences = 1});
	assert_item(&captures, 3, "text", CAPTURE_STRING,
		    (struct pf_capture){.number = RDI, .value = PF_VALUE_STRING, .max_bytes = 9});
}

static void the_return_value_and_the_id_are_captured_too(void **state)
{
	_cleanup_(captures_done) struct captures captures = {}, others = {}, last = {};

	(void)state;
	assert_string_equal(choose("pf_case_more_pointers__s5", "around_async(f) args=(v5, p3) ret=* id=v5", &captures), "");
	assert_int_equal(captures.n_items, 3);
	assert_int_equal(captures.id, 0);
	assert_int_equal(captures.name, -1);
	assert_item(&captures, 2, NULL, CAPTURE_STRING,
		    (struct pf_capture){
			    .number = RAX, .value = PF_VALUE_STRING, .max_bytes = 64, .is_at_return = 1});
	/* an id that is none of the arguments asked for, and is a string: its address counts */
	assert_string_equal(choose("pf_case_pointers__v200", "around_async(f) args=(s3) id=arg2 name={s3}", &others), "");
	assert_int_equal(others.n_items, 2);
	assert_int_equal(others.name, 0);
	assert_int_equal(others.id, 1);
	assert_item(&others, 1, "s1", CAPTURE_POINTER, (struct pf_capture){.number = RSI, .size = 8});
	assert_string_equal(choose("pf_case_pointers__v200", "after_async(f) id=ret", &last), "");
	assert_int_equal(last.id, 0);
	assert_item(&last, 0, NULL, CAPTURE_UNSIGNED, (struct pf_capture){.number = RAX, .size = 1, .is_at_return = 1});
}

static void a_float_in_a_vector_register_is_missing(void **state)
{
	_cleanup_(captures_done) struct captures captures = {};

	(void)state;
	assert_lack("pf_case_floats__x", "(f) args=(h2)",
		    "'pf_case_floats__x' has an argument 'h2' (double) that cannot be captured: it is in a vector register, "
		    "which the kernel does not hand out");
	/* with all arguments it does not stand in the way of the others */
	assert_non_null(strstr(choose("pf_case_float_result__x", "(f) args=*", &captures), "has an argument 'h1' (double)"));
	assert_int_equal(captures.n_items, 3);
	assert_int_equal(captures.items[0].place, PF_PLACE_UNREADABLE);
	assert_item(&captures, 2, "v3", CAPTURE_SIGNED, (struct pf_capture){.number = RDI, .size = 4});
}

static void no_more_is_captured_than_there_is_room_for(void **state)
{
	_cleanup_(captures_done) struct captures captures = {};

	(void)state;
	assert_non_null(strstr(choose("pf_case_stack__n5000000000", "around_async(f) args=* ret=* id=arg1", &captures),
			       "has more than the 12 arguments"));
	assert_int_equal(captures.n_items, PF_MAX_CAPTURES);
	assert_int_equal(captures.id, PF_MAX_CAPTURES - 1);
	assert_true(captures.items[PF_MAX_CAPTURES - 2].is_at_return);
}

static void without_debug_information_positions_are_counted(void **state)
{
	_cleanup_(captures_done) struct captures captures = {};
	const char *sentence = choose("pf_case_floats__x", "(f) args=(@1, x:f64@2, third:i32@3, @9, mean:*f64@7) ret=*", &captures);

	(void)state;
	assert_non_null(strstr(sentence, "'x' that cannot be captured: it is in a vector register"));
	assert_int_equal(captures.n_items, 6);
	assert_item(&captures, 0, "arg1", CAPTURE_POINTER, (struct pf_capture){.number = RDI, .size = 8});
	assert_item(&captures, 1, "x", CAPTURE_POINTER, (struct pf_capture){.place = PF_PLACE_UNREADABLE, .size = 8});
	assert_item(&captures, 2, "third", CAPTURE_SIGNED, (struct pf_capture){.number = RSI, .size = 4});
	assert_item(&captures, 3, "arg9", CAPTURE_POINTER,
		    (struct pf_capture){.place = PF_PLACE_MEMORY, .number = RSP, .size = 8, .offset = 16});
	assert_item(&captures, 4, "mean", CAPTURE_FLOAT, (struct pf_capture){.number = 9, .size = 8, .n_dereferences = 1});
	assert_item(&captures, 5, NULL, CAPTURE_POINTER, (struct pf_capture){.number = RAX, .size = 8, .is_at_return = 1});
}

static void without_debug_information_nobody_knows_where_go_has_its_arguments(void **state)
{
	char expected[512];

	(void)state;
	opened.binary->is_go = true;
	snprintf(expected, sizeof(expected),
		 "'pf_case_widths__n7' is written in Go, whose arguments have places of their own: '%s' has no debug information (it "
		 "was compiled without -g)",
		 FIXTURE_ARGUMENTS_BARE);
	assert_lack("pf_case_widths__n7", "(f) args=(n1:i64@1)", expected);
}

static void without_debug_information_names_are_not_known(void **state)
{
	char expected[512];

	(void)state;
	snprintf(expected, sizeof(expected),
		 "'pf_case_widths__n7' cannot be asked for its argument 'n1' by name, but by position (@1): '%s' has no debug "
		 "information (it was compiled without -g)",
		 FIXTURE_ARGUMENTS_BARE);
	assert_lack("pf_case_widths__n7", "(f) args=(n1)", expected);
	snprintf(expected, sizeof(expected),
		 "'pf_case_widths__n7' cannot be asked for all its arguments: '%s' has no debug information (it was compiled "
		 "without -g)",
		 FIXTURE_ARGUMENTS_BARE);
	assert_lack("pf_case_widths__n7", "(f) args=*", expected);
	assert_lack("pf_case_widths__n7", "(f) ret=f64",
		    "'pf_case_widths__n7' returns what cannot be captured: it is in a vector register, which the kernel does not "
		    "hand out");
}

static void a_variadic_function_has_more_arguments_than_it_names(void **state)
{
	_cleanup_(captures_done) struct captures captures = {};

	(void)state;
	assert_string_equal(choose("pf_case_variadic__p17", "(f) args=(@4)", &captures), "");
	assert_item(&captures, 0, "arg4", CAPTURE_POINTER, (struct pf_capture){.number = RCX, .size = 8});
}

/* A std::string is read from its address, a reference is followed, a pointer is not. */
static void classes_and_references_of_cplusplus_are_captured(void **state)
{
	_cleanup_(captures_done) struct captures captures = {}, result = {}, told = {};

	(void)state;
	assert_string_equal(choose("22pf_case_references__v7", "(f) args=(v1, s5, p6)", &captures), "");
	assert_item(&captures, 0, "v1", CAPTURE_SIGNED, (struct pf_capture){.number = RDI, .size = 4, .n_dereferences = 1});
	assert_item(&captures, 1, "s5", CAPTURE_STRING,
		    (struct pf_capture){.number = 8, .value = PF_VALUE_STRING, .max_bytes = 64, .n_dereferences = 1});
	assert_item(&captures, 2, "p6", CAPTURE_POINTER, (struct pf_capture){.number = 9, .size = 8, .n_dereferences = 1});
	assert_string_equal(choose("18pf_case_method__v7", "(f) args=(@1, s2:string[20]) ret=*", &result), "");
	assert_item(&result, 0, "this", CAPTURE_POINTER, (struct pf_capture){.number = RDI, .size = 8});
	assert_item(&result, 1, "s2", CAPTURE_STRING,
		    (struct pf_capture){.number = 1, .value = PF_VALUE_STD_STRING, .max_bytes = 20});
	/* a type without a star is that of what is referred to, and the star is the reference */
	assert_string_equal(choose("22pf_case_references__v7", "(f) args=(a:u8@1, b:*u8@1, c:ptr@1)", &told), "");
	assert_item(&told, 0, "a", CAPTURE_UNSIGNED, (struct pf_capture){.number = RDI, .size = 1, .n_dereferences = 1});
	assert_item(&told, 1, "b", CAPTURE_UNSIGNED, (struct pf_capture){.number = RDI, .size = 1, .n_dereferences = 1});
	assert_item(&told, 2, "c", CAPTURE_POINTER, (struct pf_capture){.number = RDI, .size = 8});
}
#endif

static void what_cannot_be_captured_is_said(void **state)
{
	(void)state;
	assert_lack("pf_case_complex_result__x", "(f) args=(n)",
		    "'pf_case_complex_result__x' has no argument 'n', it has 'v1' and 'v2'");
	assert_lack("pf_case_small_float_result__x", "(f) args=(n)",
		    "'pf_case_small_float_result__x' has no argument 'n', it has none at all");
	assert_lack("pf_case_complex_result__x", "(f) args=(@3)", "'pf_case_complex_result__x' has no argument at position 3, it has 2");
	assert_lack("pf_case_large_structs__x", "(f) ret=*", "'pf_case_large_structs__x' returns nothing");
	assert_lack("pf_case_small_result__x", "(f) ret=*",
		    "'pf_case_small_result__x' returns what cannot be captured (struct pair): it is a struct, passed by value");
	assert_lack("pf_case_complex__x", "(f) args=(x1)",
		    "'pf_case_complex__x' has an argument 'x1' (complex double) that cannot be captured: it is in a vector "
		    "register, which the kernel does not hand out");
}

/* What is missing at some join points is a warning, what is missing at all of them an error. */
static void lacks_are_judged_over_all_functions(void **state)
{
	static const char *const functions[] = {"pf_case_large_result__x", "pf_case_widths__n7", "pf_case_wide_result__x"};
	_cleanup_(capture_report_done) struct capture_report report = {};
	_cleanup_(aspect_freep) struct aspect *aspect = NULL;
	_cleanup_(strings_done) struct strings warnings = {};
	struct why why = {};

	(void)state;
	assert_int_equal(aspect_parse("(f) args=(n1, h7)", &aspect, NULL, &why), 0);
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		_cleanup_(captures_done) struct captures captures = {};
		struct joinpoint joinpoint = find(functions[i]);

		assert_int_equal(captures_choose(opened.capturer, aspect, &joinpoint, &report, &captures), 0);
		assert_int_equal(captures.n_items, 2);
		assert_int_equal(captures.items[0].place, i == 1 ? PF_PLACE_REGISTER : PF_PLACE_UNREADABLE);
	}
	assert_int_equal(capture_report_judge(&report, &warnings, &why), -ENOENT);
	assert_string_equal(why.text, "'pf_case_large_result__x' has no argument 'h7', it has 'v1' and 's2'");
	assert_int_equal(warnings.n_items, 1);
	assert_string_equal(warnings.items[0],
			    "2 of 3 functions lack a value that was asked for: 'pf_case_large_result__x' has no argument 'n1', it has "
			    "'v1' and 's2'");
}

static void an_aspect_that_asks_for_nothing_captures_nothing(void **state)
{
	_cleanup_(captures_done) struct captures captures = {};

	(void)state;
	assert_string_equal(choose("pf_case_widths__n7", "around(f) stack", &captures), "");
	assert_int_equal(captures.n_items, 0);
	assert_int_equal(captures.id, -1);
}

static void arguments_of_a_static_probe_have_positions(void **state)
{
	struct joinpoint probe = {.kind = JOINPOINT_STATIC_PROBE, .name = (char *)"app:step", .arguments = (char *)OPERANDS};
	_cleanup_(capture_report_done) struct capture_report report = {};
	_cleanup_(captures_done) struct captures captures = {}, all = {}, named = {};
	_cleanup_(aspect_freep) struct aspect *aspect = NULL, *asks_all = NULL, *by_name = NULL;

	(void)state;
	assert_int_equal(aspect_parse("before(f) args=(bytes:u16@2, @1)", &aspect, NULL, NULL), 0);
	assert_int_equal(captures_choose(opened.capturer, aspect, &probe, &report, &captures), 0);
	assert_item(&captures, 0, "bytes", CAPTURE_UNSIGNED, (struct pf_capture){.place = PF_PLACE_CONSTANT, .size = 2, .offset = 5});
	assert_item(&captures, 1, "arg1", CAPTURE_SIGNED, (struct pf_capture){.number = 0, .size = 4});
	assert_int_equal(aspect_parse("before(f) args=*", &asks_all, NULL, NULL), 0);
	assert_int_equal(captures_choose(opened.capturer, asks_all, &probe, &report, &all), 0);
	assert_int_equal(all.n_items, 2);
	assert_string_equal(all.labels[1].name, "arg2");
	assert_int_equal(report.lacks[0].n, 0);
	assert_int_equal(aspect_parse("before(f) args=(n)", &by_name, NULL, NULL), 0);
	assert_int_equal(captures_choose(opened.capturer, by_name, &probe, &report, &named), 0);
	assert_string_equal(report.lacks[0].first, "'app:step' has no argument 'n', its arguments have no names");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
		cmocka_unit_test_setup_teardown(a_type_that_is_said_counts, open_c, close_fixture),
		cmocka_unit_test_setup_teardown(the_return_value_and_the_id_are_captured_too, open_c, close_fixture),
		cmocka_unit_test_setup_teardown(a_float_in_a_vector_register_is_missing, open_c, close_fixture),
		cmocka_unit_test_setup_teardown(no_more_is_captured_than_there_is_room_for, open_c, close_fixture),
		cmocka_unit_test_setup_teardown(without_debug_information_positions_are_counted, open_bare, close_fixture),
		cmocka_unit_test_setup_teardown(without_debug_information_nobody_knows_where_go_has_its_arguments, open_bare,
						close_fixture),
		cmocka_unit_test_setup_teardown(without_debug_information_names_are_not_known, open_bare, close_fixture),
		cmocka_unit_test_setup_teardown(a_variadic_function_has_more_arguments_than_it_names, open_c, close_fixture),
		cmocka_unit_test_setup_teardown(classes_and_references_of_cplusplus_are_captured, open_cxx, close_fixture),
#endif
		cmocka_unit_test_setup_teardown(what_cannot_be_captured_is_said, open_c, close_fixture),
		cmocka_unit_test_setup_teardown(lacks_are_judged_over_all_functions, open_c, close_fixture),
		cmocka_unit_test_setup_teardown(an_aspect_that_asks_for_nothing_captures_nothing, open_c, close_fixture),
		cmocka_unit_test_setup_teardown(arguments_of_a_static_probe_have_positions, open_c, close_fixture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
