/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <errno.h>

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
};

static int open_functions(void **state)
{
	struct opened *opened = calloc(1, sizeof(*opened));

	*state = opened;
	assert_int_equal(binary_open(FIXTURE_FUNCTIONS, &opened->binary, NULL), 0);
	assert_int_equal(symbols_read(opened->binary, &opened->symbols, NULL), 0);
	return 0;
}

static int close_functions(void **state)
{
	struct opened *opened = *state;

	symbols_done(&opened->symbols);
	binary_free(opened->binary);
	free(opened);
	return 0;
}

static const struct symbol *find(const struct opened *opened, const char *name)
{
	for (size_t i = 0; i < opened->symbols.n_items; i++) {
		if (strcmp(opened->symbols.items[i].linker_name, name) == 0)
			return &opened->symbols.items[i];
	}
	fail_msg("no %s", name);
	return NULL;
}

static void assert_site(void **state, const char *name, uint64_t shift, bool is_emulated)
{
	const struct opened *opened = *state;
	const struct symbol *symbol = find(opened, name);
	struct site site;

	assert_int_equal(site_choose(opened->binary, symbol, &site, NULL), 0);
	assert_int_equal(site.entry_offset - symbol->file_offset, shift);
	assert_int_equal(site.is_emulated, is_emulated);
}

static void without_endbr_the_probe_is_on_the_entry(void **state)
{
	assert_site(state, "entry_push", 0, true);
	assert_site(state, "entry_mov", 0, false);
	assert_site(state, "entry_vxorps", 0, false);
}

static void behind_endbr_it_is_on_an_instruction_that_is_emulated(void **state)
{
	assert_site(state, "entry_endbr_push", 4, true);
	assert_site(state, "entry_endbr_jump", 4, true);
	assert_site(state, "entry_endbr_nop5", 4, true);
}

static void it_stays_on_endbr_where_another_way_may_lead_behind_it(void **state)
{
	assert_site(state, "entry_endbr_mov", 0, false);
	assert_site(state, "entry_endbr_call", 0, false);
	assert_site(state, "entry_endbr_loop", 0, false);
	assert_site(state, "entry_endbr_alone", 0, false);
}

static void what_the_kernel_refuses_is_refused_with_a_sentence(void **state)
{
	static const char *const names[] = {"entry_vpxor", "entry_fma4", "entry_lock", "entry_hlt"};
	const struct opened *opened = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct why why = {};
		struct site site;
		char sentence[128];

		assert_int_equal(site_choose(opened->binary, find(opened, names[i]), &site, &why),
				 -ENOENT);
		snprintf(sentence, sizeof(sentence),
			 "'%s' cannot be probed: the kernel refuses its first instruction",
			 names[i]);
		assert_string_equal(why.text, sentence);
	}
}

static void what_returns_oddly_gets_no_return_probe(void **state)
{
	const struct opened *opened = *state;
	struct site site;

	assert_int_equal(site_choose(opened->binary, find(opened, "setjmp"), &site, NULL), 0);
	assert_false(site.has_return_probe);
	assert_int_equal(site_choose(opened->binary, find(opened, "solve"), &site, NULL), 0);
	assert_true(site.has_return_probe);
}

static void functions_of_go_get_no_return_probe(void **state)
{
	const struct opened *opened = *state;
	struct site site;

	opened->binary->is_go = true;
	assert_int_equal(site_choose(opened->binary, find(opened, "solve"), &site, NULL), 0);
	assert_false(site.has_return_probe);
	opened->binary->is_go = false;
}

static void code_that_is_not_in_the_file_cannot_be_probed(void **state)
{
	const struct opened *opened = *state;
	struct symbol symbol = *find(opened, "solve");
	struct why why = {};
	struct site site;

	symbol.file_offset = opened->binary->size;
	assert_int_equal(site_choose(opened->binary, &symbol, &site, &why), -ENOENT);
	assert_string_equal(why.text, "'solve' cannot be probed: its code is not in the file");
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] =
	{ cmocka_unit_test(what_the_kernel_emulates_is_known),
	  cmocka_unit_test(all_else_is_single_stepped),
#if defined(__x86_64__)
	  cmocka_unit_test_setup_teardown(without_endbr_the_probe_is_on_the_entry, open_functions,
					  close_functions),
	  cmocka_unit_test_setup_teardown(behind_endbr_it_is_on_an_instruction_that_is_emulated,
					  open_functions, close_functions),
	  cmocka_unit_test_setup_teardown(it_stays_on_endbr_where_another_way_may_lead_behind_it,
					  open_functions, close_functions),
	  cmocka_unit_test_setup_teardown(what_the_kernel_refuses_is_refused_with_a_sentence,
					  open_functions, close_functions),
	  cmocka_unit_test_setup_teardown(what_returns_oddly_gets_no_return_probe, open_functions,
					  close_functions),
	  cmocka_unit_test_setup_teardown(functions_of_go_get_no_return_probe, open_functions,
					  close_functions),
	  cmocka_unit_test_setup_teardown(code_that_is_not_in_the_file_cannot_be_probed,
					  open_functions, close_functions),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
