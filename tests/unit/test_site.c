/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture_symbols.h"

#include <errno.h>
#include <stdlib.h>

#include "probe/site.h"

#define CODE(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void what_the_kernel_emulates_is_known(void **state)
{
	(void)state;
	assert_true(site_is_emulated(CODE(0x53)));		     /* push %rbx */
	assert_true(site_is_emulated(CODE(0x41, 0x57)));	     /* push %r15 */
	assert_true(site_is_emulated(CODE(0x90)));		     /* nop */
	assert_true(site_is_emulated(CODE(0x66, 0x90)));	     /* nop of two bytes */
	assert_true(site_is_emulated(CODE(0x0f, 0x1f, 0x44, 0, 0))); /* nop of five */
	assert_true(site_is_emulated(CODE(0xeb, 0x10)));	     /* jmp */
	assert_true(site_is_emulated(CODE(0xe9, 0, 1, 0, 0)));	     /* jmp */
	assert_true(site_is_emulated(CODE(0x74, 0x10)));	     /* je */
	assert_true(site_is_emulated(CODE(0x0f, 0x84, 0, 1, 0, 0))); /* je */
	assert_true(site_is_emulated(CODE(0xe8, 0, 1, 0, 0)));	     /* call */
}

static void all_else_is_single_stepped(void **state)
{
	(void)state;
	assert_false(site_is_emulated(CODE(0xf3, 0x0f, 0x1e, 0xfa))); /* endbr64 */
	assert_false(site_is_emulated(CODE(0x48, 0x89, 0xf8)));	      /* mov */
	assert_false(site_is_emulated(CODE(0xf3, 0x90)));	      /* pause */
	assert_false(site_is_emulated(CODE(0x48, 0x53))); /* push with a needless prefix */
	assert_false(site_is_emulated(CODE(0x41, 0x90))); /* xchg %r8, %rax */
	assert_false(site_is_emulated(CODE(0xff, 0x25, 0, 0, 0, 0))); /* jmp through memory */
	assert_false(site_is_emulated(CODE(0xc3)));		      /* ret */
	assert_false(site_is_emulated(CODE(0xe8, 0)));		      /* cut off */
	assert_false(site_is_emulated((const uint8_t *)"", 0));
}

#if defined(__x86_64__)
struct opened {
	struct binary *binary;
	struct symbols symbols;
	struct site_chooser *chooser;
};

static int open_functions(void **state)
{
	struct opened *opened = calloc(1, sizeof(*opened));

	*state = opened;
	fixture_open_binary(FIXTURE_FUNCTIONS, &opened->binary, &opened->symbols);
	assert_int_equal(site_chooser_open(opened->binary, &opened->symbols, &opened->chooser, NULL), 0);
	return 0;
}

static int close_functions(void **state)
{
	struct opened *opened = *state;

	site_chooser_close(opened->chooser);
	fixture_close_binary(opened->binary, &opened->symbols);
	free(opened);
	return 0;
}

static const struct symbol *find(const struct opened *opened, const char *name)
{
	return fixture_find(&opened->symbols, name);
}

static void assert_site(void **state, const char *name, uint64_t shift, bool is_emulated)
{
	const struct opened *opened = *state;
	const struct symbol *symbol = find(opened, name);
	_cleanup_(site_done) struct site site = {};

	assert_int_equal(site_choose(opened->chooser, symbol, SITE_MODE_AUTO, &site, NULL), 0);
	assert_int_equal(site.entry_offset - symbol->file_offset, shift);
	assert_int_equal(site.is_emulated, is_emulated);
}

static void the_entry_is_probed_where_it_is_cheap_and_allowed(void **state)
{
	assert_site(state, "entry_push", 0, true);
	assert_site(state, "entry_mov", 0, false);
	assert_site(state, "entry_endbr_push", 4, true);
	assert_site(state, "entry_vpxor", 4, false);
}

static void what_the_kernel_refuses_is_refused_with_a_sentence(void **state)
{
	static const char *const names[] = {"entry_xchg", "entry_hlt"};
	const struct opened *opened = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct why why = {};
		struct site site;
		char sentence[128];

		assert_int_equal(site_choose(opened->chooser, find(opened, names[i]), SITE_MODE_AUTO, &site, &why),
				 -ENOENT);
		snprintf(sentence, sizeof(sentence),
			 "'%s' cannot be probed: the kernel refuses its first instruction, and no later one will do",
			 names[i]);
		assert_string_equal(why.text, sentence);
	}
}

static void assert_returns(void **state, const char *name, enum site_mode mode, enum site_returns returns,
			   const char *reason)
{
	const struct opened *opened = *state;
	_cleanup_(site_done) struct site site = {};

	assert_int_equal(site_choose(opened->chooser, find(opened, name), mode, &site, NULL), 0);
	assert_int_equal(site.returns, returns);
	assert_string_equal(site.reason, reason);
	assert_int_equal(site_has_return_probe(&site), returns == SITE_RETURN_PROBE);
	if (returns != SITE_EXITS)
		assert_int_equal(site.n_exits, 0);
	assert_true(site_cost_ns(&site, NULL) > 0);
}

static void where_nothing_is_thrown_there_is_a_return_probe(void **state)
{
	assert_returns(state, "solve", SITE_MODE_AUTO, SITE_RETURN_PROBE,
		       "nothing in it throws, catches or cleans up after exceptions");
}

static void the_mode_decides_where_it_is_asked_for(void **state)
{
	assert_returns(state, "solve", SITE_MODE_SITES, SITE_EXITS, "this was asked for");
	assert_returns(state, "solve", SITE_MODE_PROBES, SITE_RETURN_PROBE, "this was asked for");
	assert_returns(state, "solve", SITE_MODE_NEVER, SITE_ENTRY_ONLY, "this was asked for");
}

static void what_returns_oddly_is_entered_only_in_any_mode(void **state)
{
	for (enum site_mode mode = SITE_MODE_AUTO; mode <= SITE_MODE_NEVER; mode++)
		assert_returns(state, "setjmp", mode, SITE_ENTRY_ONLY, "it returns more than once, or minds who called it");
}

static void functions_of_go_are_entered_only_in_any_mode(void **state)
{
	struct opened *opened = *state;

	opened->binary->is_go = true;
	for (enum site_mode mode = SITE_MODE_AUTO; mode <= SITE_MODE_NEVER; mode++)
		assert_returns(state, "solve", mode, SITE_ENTRY_ONLY, "it is written in Go, which moves its stacks");
	opened->binary->is_go = false;
}

static void what_is_distrusted_has_its_exits_probed_with_a_reason(void **state)
{
	struct opened *opened = *state;

	opened->binary->distrust = "callbacks may throw through it";
	assert_returns(state, "solve", SITE_MODE_AUTO, SITE_EXITS, "callbacks may throw through it");
	assert_returns(state, "solve", SITE_MODE_PROBES, SITE_RETURN_PROBE, "this was asked for");
	opened->binary->distrust = NULL;
}

static void libraries_are_distrusted_where_others_may_use_them(void **state)
{
	char library[] = FIXTURE_FUNCTIONS, own[] = "/proc/self/exe";
	char *items[] = {library, own};
	int (*volatile starts)(const char *) = system; /* that is what makes this very program one that may start others */
	struct strings paths = {.items = items, .n_items = 1};

	(void)state;
	(void)starts;
	assert_null(site_distrust_libraries(&paths, true));
	assert_string_equal(site_distrust_libraries(&paths, false), "other programs may use it, which this kernel would not spare");
	paths.n_items = 2;
	assert_string_equal(site_distrust_libraries(&paths, true), "the program may start others that unwind their stacks");
}

static void exits_that_are_not_all_known_are_not_probed(void **state)
{
	assert_returns(state, "entry_endbr_alone", SITE_MODE_SITES, SITE_ENTRY_ONLY, "it runs on into what follows it");
}

static void cplusplus_has_its_exits_probed(void **state)
{
	_cleanup_(site_chooser_closep) struct site_chooser *chooser = NULL;
	_cleanup_(symbols_done) struct symbols symbols = {};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	size_t n_exits = 0;

	(void)state;
	assert_int_equal(binary_open(FIXTURE_NAMES, &binary, NULL), 0);
	assert_int_equal(symbols_read(binary, &symbols, NULL), 0);
	assert_int_equal(site_chooser_open(binary, &symbols, &chooser, NULL), 0);
	for (size_t i = 0; i < symbols.n_items; i++) {
		_cleanup_(site_done) struct site site = {};

		if (strncmp(symbols.items[i].linker_name, "_ZN2ns", 6) != 0)
			continue;
		assert_int_equal(site_choose(chooser, &symbols.items[i], SITE_MODE_AUTO, &site, NULL), 0);
		assert_int_equal(site.returns, SITE_EXITS);
		n_exits += site.n_exits;
	}
	assert_true(n_exits > 5);
}

static void a_call_costs_what_its_probes_cost(void **state)
{
	const struct opened *opened = *state;
	const struct probe_costs costs = {.emulated_ns = 100, .stepped_ns = 300, .return_ns = 10};
	struct site push = {}, mov = {}, exits = {};

	assert_int_equal(site_choose(opened->chooser, find(opened, "entry_push"), SITE_MODE_PROBES, &push, NULL), 0);
	assert_int_equal(site_choose(opened->chooser, find(opened, "entry_mov"), SITE_MODE_PROBES, &mov, NULL), 0);
	assert_int_equal(site_choose(opened->chooser, find(opened, "entry_push"), SITE_MODE_SITES, &exits, NULL), 0);
	assert_true(site_cost_ns(&mov, NULL) > site_cost_ns(&push, NULL));
	assert_true(site_cost_ns(&exits, NULL) > site_cost_ns(&push, NULL));
	/* as they were measured */
	assert_int_equal(site_cost_ns(&mov, &costs) - site_cost_ns(&push, &costs), 200);
	assert_int_equal(site_cost_ns(&exits, &costs) - site_cost_ns(&push, &costs), 290);
	site_done(&exits);
}

static void modes_are_known_by_their_names(void **state)
{
	enum site_mode parsed;

	(void)state;
	for (enum site_mode mode = SITE_MODE_AUTO; mode <= SITE_MODE_NEVER; mode++) {
		assert_int_equal(site_mode_parse(site_mode_name(mode), &parsed), 0);
		assert_int_equal(parsed, mode);
	}
	assert_int_equal(site_mode_parse("always", &parsed), -EINVAL);
}

static void code_that_is_not_in_the_file_cannot_be_probed(void **state)
{
	const struct opened *opened = *state;
	struct symbol symbol = *find(opened, "solve");
	struct why why = {};
	struct site site;

	symbol.file_offset = opened->binary->size;
	assert_int_equal(site_choose(opened->chooser, &symbol, SITE_MODE_AUTO, &site, &why), -ENOENT);
	assert_string_equal(why.text, "'solve' cannot be probed: its code is not in the file");
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] =
	{ cmocka_unit_test(what_the_kernel_emulates_is_known),
	  cmocka_unit_test(all_else_is_single_stepped),
#if defined(__x86_64__)
	  cmocka_unit_test_setup_teardown(the_entry_is_probed_where_it_is_cheap_and_allowed,
					  open_functions, close_functions),
	  cmocka_unit_test_setup_teardown(what_the_kernel_refuses_is_refused_with_a_sentence,
					  open_functions, close_functions),
	  cmocka_unit_test_setup_teardown(where_nothing_is_thrown_there_is_a_return_probe,
					  open_functions, close_functions),
	  cmocka_unit_test_setup_teardown(the_mode_decides_where_it_is_asked_for,
					  open_functions, close_functions),
	  cmocka_unit_test_setup_teardown(what_returns_oddly_is_entered_only_in_any_mode,
					  open_functions, close_functions),
	  cmocka_unit_test_setup_teardown(functions_of_go_are_entered_only_in_any_mode,
					  open_functions, close_functions),
	  cmocka_unit_test_setup_teardown(what_is_distrusted_has_its_exits_probed_with_a_reason,
					  open_functions, close_functions),
	  cmocka_unit_test_setup_teardown(exits_that_are_not_all_known_are_not_probed,
					  open_functions, close_functions),
	  cmocka_unit_test_setup_teardown(cplusplus_has_its_exits_probed,
					  open_functions, close_functions),
	  cmocka_unit_test_setup_teardown(a_call_costs_what_its_probes_cost,
					  open_functions, close_functions),
	  cmocka_unit_test(libraries_are_distrusted_where_others_may_use_them),
	  cmocka_unit_test(modes_are_known_by_their_names),
	  cmocka_unit_test_setup_teardown(code_that_is_not_in_the_file_cannot_be_probed,
					  open_functions, close_functions),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
