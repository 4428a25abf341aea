/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture_symbols.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <errno.h>

#include "binary/code.h"
#include "perfflow/branch.h"

struct opened {
	struct binary *binary;
	struct symbols symbols;
	struct unwind unwind;
	struct code *code;
};

static struct opened *open_code(const char *path, uint16_t machine)
{
	struct opened *opened = calloc(1, sizeof(*opened));
	_cleanup_free_ uint8_t *bytes = NULL;
	_cleanup_close_ int fd = -1;
	size_t size;

	/* a file for another machine is refused to anybody else */
	bytes = fixture_read(path, &size);
#if defined(__x86_64__)
	((Elf64_Ehdr *)bytes)->e_machine = EM_X86_64;
#else
	((Elf64_Ehdr *)bytes)->e_machine = EM_AARCH64;
#endif
	fd = fixture_memory(bytes, size);
	assert_int_equal(binary_open_fd(fd, path, &opened->binary, NULL), 0);
	opened->binary->machine = machine;
	assert_int_equal(symbols_read(opened->binary, &opened->symbols, NULL), 0);
	assert_int_equal(unwind_read(opened->binary, &opened->unwind), 0);
	assert_int_equal(code_open(opened->binary, &opened->symbols, &opened->unwind, &opened->code), 0);
	return opened;
}

static int close_code(void **state)
{
	struct opened *opened = *state;

	if (!opened)
		return 0;
	code_close(opened->code);
	unwind_done(&opened->unwind);
	fixture_close_binary(opened->binary, &opened->symbols);
	free(opened);
	return 0;
}

static const struct symbol *find(const struct opened *opened, const char *name)
{
	return fixture_find(&opened->symbols, name);
}

static struct code_exits find_exits(void **state, const char *name)
{
	const struct opened *opened = *state;
	struct code_exits exits;

	assert_int_equal(code_find_exits(opened->code, find(opened, name), &exits), 0);
	return exits;
}

/* kinds: a letter for each exit in the order of the file: r(eturn), j(ump), b(ranch), branch to a return (c) */
static void assert_exits(void **state, const char *name, const char *kinds)
{
	_cleanup_(code_exits_done) struct code_exits exits = find_exits(state, name);

	if (!exits.is_complete)
		fail_msg("%s: %s", name, exits.reason);
	if (exits.n_items != strlen(kinds))
		fail_msg("%s has %zu exits, not %zu", name, exits.n_items, strlen(kinds));
	for (size_t i = 0; i < exits.n_items; i++) {
		assert_int_equal("rjbc"[exits.items[i].kind], kinds[i]);
		if (i)
			assert_true(exits.items[i].file_offset > exits.items[i - 1].file_offset);
	}
}

static void assert_not_complete(void **state, const char *name, const char *reason)
{
	_cleanup_(code_exits_done) struct code_exits exits = find_exits(state, name);

	if (exits.is_complete)
		fail_msg("%s is held to be complete", name);
	assert_string_equal(exits.reason, reason);
}

static void another_machine_is_refused(void **state)
{
	struct binary binary = {.machine = EM_RISCV};
	struct symbols symbols = {};
	struct unwind unwind = {};
	struct code *code;

	(void)state;
	assert_int_equal(code_open(&binary, &symbols, &unwind, &code), -EOPNOTSUPP);
}

#if defined(FIXTURE_EXITS)
static int open_x86(void **state)
{
	*state = open_code(FIXTURE_EXITS, EM_X86_64);
	return 0;
}

static void each_return_is_an_exit(void **state)
{
	assert_exits(state, "exits_returns", "rr");
	assert_exits(state, "exits_return_with_size", "r");
	assert_exits(state, "exits_behind_lock", "r");
	assert_exits(state, "exits_sized_by_range", "r");
}

static void a_jump_to_another_function_is_an_exit(void **state)
{
	assert_exits(state, "exits_tail_call", "jr");
	assert_exits(state, "exits_tail_call_elsewhere", "j");
	assert_exits(state, "exits_through_got", "j");
	assert_exits(state, "exits_through_vtable", "j");
}

/* -mfunction-return=thunk-extern */
static void a_jump_to_a_return_that_many_have_in_common_is_a_return(void **state)
{
	_cleanup_(code_exits_done) struct code_exits exits = find_exits(state, "exits_by_common_return");

	assert_exits(state, "exits_by_common_return", "rr");
	assert_true(exits.items[0].is_emulated && exits.items[1].is_emulated);
}

static void a_branch_to_a_return_of_others_returns_if_its_condition_holds(void **state)
{
	_cleanup_(code_exits_done) struct code_exits exits = find_exits(state, "exits_by_branch_to_common_return");

	assert_exits(state, "exits_by_branch_to_common_return", "cr");
	assert_int_equal(exits.items[0].condition.code, 4); /* e */
	assert_true(exits.calls_nobody);
}

static void it_does_not_matter_to_whom_the_return_belongs(void **state)
{
	assert_exits(state, "exits_by_return_of_another", "rr");
	assert_exits(state, "exits_lending_return", "r");
}

/* else a call would seem to end at the jump, and once more at the ret */
static void a_return_in_a_part_of_the_function_is_the_exit_and_the_jump_to_it_is_none(void **state)
{
	assert_exits(state, "exits_by_return_of_a_part", "rr");
	assert_exits(state, "exits_by_return_before_a_part", "rrr");
	assert_exits(state, "exits_switch_to_a_part", "rrr");
}

static void a_case_of_a_switch_that_is_a_return_alone_is_an_exit(void **state)
{
	assert_exits(state, "exits_switch_to_return", "rrr");
}

static void a_branch_to_another_function_has_its_condition(void **state)
{
	_cleanup_(code_exits_done) struct code_exits exits = find_exits(state, "exits_branch");

	assert_exits(state, "exits_branch", "br");
	assert_int_equal(exits.items[0].condition.code, 6); /* be */
	assert_true(exits.items[0].is_emulated);
	assert_false(exits.items[1].is_emulated);
}

static void a_jump_to_what_was_loaded_or_handed_in_is_a_tail_call(void **state)
{
	assert_exits(state, "exits_through_vtable_and_register", "rj");
	assert_exits(state, "exits_to_argument", "j");
	assert_exits(state, "exits_to_result", "j");
	assert_exits(state, "exits_table_of_functions", "j");
}

static void a_switch_is_no_exit_but_its_cases_may_have_some(void **state)
{
	assert_exits(state, "exits_switch", "rrrr");
}

static void exits_of_a_part_that_was_moved_away_count(void **state)
{
	assert_exits(state, "exits_cold", "rr");
}

static void what_never_returns_has_no_exits(void **state)
{
	assert_exits(state, "exits_never", "");
}

static void what_calls_nobody_is_known(void **state)
{
	_cleanup_(code_exits_done) struct code_exits leaf = find_exits(state, "exits_calling_nobody");
	_cleanup_(code_exits_done) struct code_exits calls = find_exits(state, "exits_never");
	_cleanup_(code_exits_done) struct code_exits jumps = find_exits(state, "exits_tail_call");

	assert_true(leaf.calls_nobody);
	assert_false(calls.calls_nobody);
	assert_false(jumps.calls_nobody);
}

static void a_loop_to_the_entry_is_known(void **state)
{
	_cleanup_(code_exits_done) struct code_exits loop = find_exits(state, "exits_loop_to_entry");
	_cleanup_(code_exits_done) struct code_exits other = find_exits(state, "exits_returns");

	assert_true(loop.loops_to_entry);
	assert_false(other.loops_to_entry);
}

static void what_cannot_be_understood_is_not_complete_and_says_why(void **state)
{
	assert_not_complete(state, "exits_computed", "it jumps to an address that is computed");
	assert_not_complete(state, "exits_with_bad_bytes", "not all of its bytes are instructions");
	assert_not_complete(state, "exits_with_data", "data may lie among its code");
	assert_not_complete(state, "exits_into_instruction", "it jumps into the middle of an instruction");
	assert_not_complete(state, "exits_by_push", "it returns to an address that it has put on the stack");
	assert_not_complete(state, "exits_by_push_and_common_return", "it returns to an address that it has put on the stack");
	assert_not_complete(state, "exits_by_push_and_branch_to_common_return",
			    "it returns to an address that it has put on the stack");
	assert_not_complete(state, "exits_by_return_behind", "it jumps to code of which nothing is known");
	assert_not_complete(state, "exits_falling_into_return", "it runs on into what follows it");
	assert_not_complete(state, "exits_far", "it leaves by a far jump or return");
	assert_not_complete(state, "exits_by_count", "it leaves by a branch on a bit or a count");
	assert_not_complete(state, "exits_by_falling", "it runs on into what follows it");
	assert_not_complete(state, "exits_to_nowhere", "it jumps to code of which nothing is known");
	assert_not_complete(state, "exits_without_size", "its size is not known");
}

static void assert_entry(void **state, const char *name, uint64_t shift, const char *instruction, bool is_emulated)
{
	const struct opened *opened = *state;
	const struct symbol *symbol = find(opened, name);
	struct code_entry entry;

	assert_int_equal(code_find_entry(opened->code, symbol, &entry), 0);
	assert_true(strncmp(entry.instruction, instruction, strlen(instruction)) == 0);
	assert_int_equal(entry.file_offset - symbol->file_offset, shift);
	assert_int_equal(entry.is_emulated, is_emulated);
}

static void the_probe_is_on_the_entry_where_that_is_as_cheap_as_any(void **state)
{
	assert_entry(state, "exits_cold", 0, "push rbx", true);
	assert_entry(state, "exits_calling_nobody", 0, "mov eax, edi", false);
	assert_entry(state, "enters_before_return", 0, "vxorps", false);
}

static void behind_endbr_it_is_on_what_is_emulated(void **state)
{
	assert_entry(state, "enters_at_push_behind_endbr", 4, "push r12", true);
	assert_entry(state, "enters_at_jump_behind_endbr", 4, "jmp", true);
	assert_entry(state, "enters_at_call_behind_endbr", 4, "call", true);
	assert_entry(state, "enters_at_nop5_behind_endbr", 4, "nop", true);
}

static void it_stays_on_endbr_where_nothing_is_emulated_or_another_way_leads_behind_it(void **state)
{
	assert_entry(state, "enters_at_endbr_before_mov", 0, "endbr64", false);
	assert_entry(state, "enters_at_endbr_before_loop", 0, "endbr64", false);
	assert_entry(state, "enters_at_endbr_alone", 0, "endbr64", false);
}

static void the_probe_goes_behind_what_touches_nothing(void **state)
{
	assert_entry(state, "enters_behind_mov", 7, "je 0x", true);
	assert_entry(state, "enters_behind_refused", 3, "push rbx", true);
	assert_entry(state, "enters_behind_vector", 4, "push rbx", true);
}

static void the_probe_goes_behind_what_the_kernel_refuses(void **state)
{
	assert_entry(state, "enters_behind_misread", 4, "mov rax, rdi", false);
	assert_entry(state, "enters_behind_undecoded", 6, "ret", false);
	assert_entry(state, "enters_behind_lock", 4, "ret", false);
	assert_entry(state, "enters_behind_several_misread", 8, "ret", false);
	assert_entry(state, "enters_at_push_behind_misread", 6, "push rbx", true);
	assert_entry(state, "enters_between_misread_and_loop", 4, "mov eax, edi", false);
	assert_entry(state, "enters_behind_misread_and_nop5", 9, "ret", false);
}

static void the_probe_stays_on_what_the_kernel_refuses_where_nothing_else_will_do(void **state)
{
	assert_entry(state, "enters_nowhere_before_loop", 0, "vpor", false);
	assert_entry(state, "enters_nowhere_before_argument", 0, "xchg", false);
	assert_entry(state, "enters_nowhere_before_flags", 0, "pushfq", false);
	assert_entry(state, "enters_nowhere_before_another", 0, "vpor", false);
	assert_entry(state, "enters_nowhere_with_a_switch", 0, "vpor", false);
}

static void the_probe_stays_at_the_entry_where_it_would_see_something_else(void **state)
{
	assert_entry(state, "enters_before_argument", 0, "xor edi, edi", false);
	assert_entry(state, "enters_before_another_jumps_in", 0, "mov rax, rdi", false);
	assert_entry(state, "enters_before_frame", 0, "enter 8, 0", false);
	assert_entry(state, "enters_before_system_call", 0, "syscall", false);
	assert_entry(state, "enters_before_transaction", 0, "xbegin", false);
	assert_entry(state, "enters_before_stack", 0, "sub rsp, 8", false);
	assert_entry(state, "enters_before_loop", 0, "mov eax, edi", false);
	assert_entry(state, "enters_before_nop5", 0, "mov qword ptr", false);
	assert_entry(state, "exits_loop_to_entry", 0, "dec edi", false);
}

static void a_nop_of_five_bytes_is_known_to_be_made_a_call(void **state)
{
	const struct opened *opened = *state;
	struct code_entry entry;

	assert_int_equal(code_find_entry(opened->code, find(opened, "enters_at_nop5"), &entry), 0);
	assert_true(entry.is_optimised);
	assert_int_equal(code_find_entry(opened->code, find(opened, "exits_cold"), &entry), 0);
	assert_false(entry.is_optimised);
}

/* Our lengths against Capstone's, for all of the code that this very program is made of. */
static void lengths_of_instructions_are_those_that_capstone_finds(void **state)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct instruction instruction;
	size_t n_seen = 0, left;
	const uint8_t *at;
	cs_insn *insn;
	csh capstone;

	(void)state;
	assert_int_equal(binary_open("/proc/self/exe", &binary, NULL), 0);
	assert_int_equal(cs_open(CS_ARCH_X86, CS_MODE_64, &capstone), CS_ERR_OK);
	insn = cs_malloc(capstone);
	for (size_t i = 0; i < binary->n_segments; i++) {
		if (!binary->segments[i].executable)
			continue;
		left = binary->segments[i].file_bytes;
		bytes = malloc(left);
		assert_int_equal(binary_read(binary, binary->segments[i].file_offset, bytes, left), left);
		for (at = bytes; left; at += insn->size, left -= insn->size) {
			const uint8_t *code = at;
			size_t size = left;
			uint64_t address = 0;

			if (!cs_disasm_iter(capstone, &code, &size, &address, insn))
				break;
			if (!instruction_decode_x86(at, left, &instruction) || instruction.size != insn->size)
				fail_msg("%s %s", insn->mnemonic, insn->op_str);
			n_seen++;
		}
		break;
	}
	assert_true(n_seen > 1000);
	cs_free(insn, 1);
	cs_close(&capstone);
}

static void what_is_cut_off_is_no_instruction(void **state)
{
	static const uint8_t code[] = {0x66, 0x0f, 0x3a, 0x0f, 0x84, 0x24, 1, 2, 3, 4, 5}; /* palignr */
	struct instruction instruction;

	(void)state;
	for (size_t size = 0; size < sizeof(code); size++)
		assert_false(instruction_decode_x86(code, size, &instruction));
	assert_true(instruction_decode_x86(code, sizeof(code), &instruction));
	assert_int_equal(instruction.size, sizeof(code));
}
#endif

static void a_branch_is_taken_as_the_processor_has_it(void **state)
{
	const uint64_t cf = 1, pf = 1 << 2, zf = 1 << 6, sf = 1 << 7, of = 1 << 11;
	const struct {
		uint8_t code;
		uint64_t holds, does_not;
	} x86[] = {
		{0, of, cf},	{1, 0, of},	 {2, cf, zf},	   {3, zf, cf},	     {4, zf, cf},      {5, cf, zf},
		{6, cf, pf},	{6, zf, sf},	 {7, sf, cf | zf}, {8, sf, of},	     {9, of, sf},      {10, pf, zf},
		{11, zf, pf},	{12, sf, sf | of}, {12, of, 0},	   {13, sf | of, sf}, {14, zf, sf | of}, {14, of, 0},
		{15, sf | of, zf}, {15, 0, sf},
	};
	const uint64_t n = 1u << 31, z = 1 << 30, c = 1 << 29, v = 1 << 28;
	const struct {
		uint8_t code;
		uint64_t holds, does_not;
	} arm64[] = {
		{0, z, c}, {1, c, z},	  {2, c, z}, {3, z, c},	    {4, n, z},	     {5, z, n},	 {6, v, z},	     {7, z, v},
		{8, c, c | z}, {9, z, c}, {10, n | v, n}, {11, n, n | v}, {12, 0, z}, {12, n | v, v}, {13, z, n | v},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(x86); i++) {
		assert_true(pf_branch_is_taken_x86(x86[i].code, x86[i].holds));
		assert_false(pf_branch_is_taken_x86(x86[i].code, x86[i].does_not));
	}
	for (size_t i = 0; i < ARRAY_SIZE(arm64); i++) {
		assert_true(pf_branch_is_taken_arm64(arm64[i].code, arm64[i].holds, 0));
		assert_false(pf_branch_is_taken_arm64(arm64[i].code, arm64[i].does_not, 0));
	}
}

static void a_branch_on_a_register_looks_at_as_much_of_it_as_it_says(void **state)
{
	const uint8_t cbz_w3 = 0x83, cbz_x3 = 0xa3, cbnz_w3 = 0xc3, cbnz_x3 = 0xe3;
	const uint64_t zero = 1 << 30, high = 1ULL << 32;

	(void)state;
	assert_true(pf_branch_is_taken_arm64(cbz_w3, 0, high));
	assert_false(pf_branch_is_taken_arm64(cbz_w3, zero, 1));
	assert_true(pf_branch_is_taken_arm64(cbz_x3, 0, 0));
	assert_false(pf_branch_is_taken_arm64(cbz_x3, zero, high));
	assert_true(pf_branch_is_taken_arm64(cbnz_w3, zero, high | 1));
	assert_false(pf_branch_is_taken_arm64(cbnz_w3, 0, high));
	assert_true(pf_branch_is_taken_arm64(cbnz_x3, zero, high));
	assert_false(pf_branch_is_taken_arm64(cbnz_x3, 0, 0));
}

#if defined(FIXTURE_EXITS_ARM64)
static int open_arm64(void **state)
{
	*state = open_code(FIXTURE_EXITS_ARM64, EM_AARCH64);
	return 0;
}

static void exits_of_aarch64_are_found_on_any_machine(void **state)
{
	assert_exits(state, "exits_returns", "rr");
	assert_exits(state, "exits_authenticated", "r");
	assert_exits(state, "exits_tail_call", "j");
	assert_exits(state, "exits_through_vtable", "j");
	assert_exits(state, "exits_to_argument", "j");
	assert_exits(state, "exits_switch_of_words", "rr");
	assert_exits(state, "exits_switch_of_bytes", "rrr");
	assert_exits(state, "exits_switch_of_halves", "rr");
	assert_exits(state, "exits_never", "");
	assert_exits(state, "exits_call_of_last", "j");
}

static void a_switch_that_a_compiler_made_for_aarch64_has_no_exits_of_its_own(void **state)
{
	_cleanup_(code_exits_done) struct code_exits exits = find_exits(state, "exits_switch");

	assert_true(exits.is_complete);
	assert_true(exits.n_items > 0);
	for (size_t i = 0; i < exits.n_items; i++)
		assert_int_not_equal(exits.items[i].kind, CODE_EXIT_BRANCH);
}

static void a_piece_of_a_function_of_aarch64_that_is_seldom_run_belongs_to_it(void **state)
{
	const struct opened *opened = *state;

	assert_exits(state, "exits_cold", "rjr");
	assert_null(fixture_look_for(&opened->symbols, "exits_cold.cold"));
}

static void branches_of_aarch64_have_their_conditions(void **state)
{
	const uint8_t expected[] = {8, PF_BRANCH_REGISTER | 3, PF_BRANCH_REGISTER | PF_BRANCH_NOT_ZERO | PF_BRANCH_WIDE | 4};
	_cleanup_(code_exits_done) struct code_exits exits = find_exits(state, "exits_branches");

	assert_exits(state, "exits_branches", "bbbr");
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(exits.items[i].condition.code, expected[i]);
}

static void a_branch_of_aarch64_that_always_holds_is_a_jump(void **state)
{
	assert_exits(state, "exits_always", "j");
}

static void what_cannot_be_understood_of_aarch64_is_not_complete(void **state)
{
	assert_not_complete(state, "exits_computed", "it jumps to an address that is computed");
	assert_not_complete(state, "exits_switch_of_nobody_knows", "it jumps to an address that is computed");
	assert_not_complete(state, "exits_with_data", "data may lie among its code");
	assert_not_complete(state, "exits_by_bit", "it leaves by a branch on a bit or a count");
	assert_not_complete(state, "exits_by_other_bit", "it leaves by a branch on a bit or a count");
	assert_not_complete(state, "exits_by_zero_register", "it leaves by a branch on a bit or a count");
}

static void a_branch_of_aarch64_on_a_bit_is_fine_inside_of_the_function(void **state)
{
	assert_exits(state, "exits_around_bit", "rr");
}

static void an_entry_of_aarch64_is_probed_where_it_is(void **state)
{
	const struct opened *opened = *state;
	const struct symbol *symbol = find(opened, "exits_never");
	struct code_entry entry;

	assert_int_equal(code_find_entry(opened->code, symbol, &entry), 0);
	assert_int_equal(entry.file_offset, symbol->file_offset);
	assert_string_equal(entry.instruction, "stp x29, x30, [sp, #-0x10]!");
	assert_false(entry.is_emulated);
}
#endif

#define X86(test)   cmocka_unit_test_setup_teardown(test, open_x86, close_code)
#define ARM64(test) cmocka_unit_test_setup_teardown(test, open_arm64, close_code)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_machine_is_refused),
		cmocka_unit_test(a_branch_is_taken_as_the_processor_has_it),
		cmocka_unit_test(a_branch_on_a_register_looks_at_as_much_of_it_as_it_says),
#if defined(FIXTURE_EXITS)
		X86(each_return_is_an_exit),
		X86(a_jump_to_another_function_is_an_exit),
		X86(a_branch_to_another_function_has_its_condition),
		X86(a_jump_to_a_return_that_many_have_in_common_is_a_return),
		X86(a_branch_to_a_return_of_others_returns_if_its_condition_holds),
		X86(it_does_not_matter_to_whom_the_return_belongs),
		X86(a_return_in_a_part_of_the_function_is_the_exit_and_the_jump_to_it_is_none),
		X86(a_case_of_a_switch_that_is_a_return_alone_is_an_exit),
		X86(a_jump_to_what_was_loaded_or_handed_in_is_a_tail_call),
		X86(a_switch_is_no_exit_but_its_cases_may_have_some),
		X86(exits_of_a_part_that_was_moved_away_count),
		X86(what_never_returns_has_no_exits),
		X86(what_calls_nobody_is_known),
		X86(a_loop_to_the_entry_is_known),
		X86(what_cannot_be_understood_is_not_complete_and_says_why),
		X86(the_probe_is_on_the_entry_where_that_is_as_cheap_as_any),
		X86(behind_endbr_it_is_on_what_is_emulated),
		X86(it_stays_on_endbr_where_nothing_is_emulated_or_another_way_leads_behind_it),
		X86(the_probe_goes_behind_what_touches_nothing),
		X86(the_probe_goes_behind_what_the_kernel_refuses),
		X86(the_probe_stays_on_what_the_kernel_refuses_where_nothing_else_will_do),
		X86(the_probe_stays_at_the_entry_where_it_would_see_something_else),
		X86(a_nop_of_five_bytes_is_known_to_be_made_a_call),
		cmocka_unit_test(lengths_of_instructions_are_those_that_capstone_finds),
		cmocka_unit_test(what_is_cut_off_is_no_instruction),
#endif
#if defined(FIXTURE_EXITS_ARM64)
		ARM64(exits_of_aarch64_are_found_on_any_machine),
		ARM64(a_switch_that_a_compiler_made_for_aarch64_has_no_exits_of_its_own),
		ARM64(a_piece_of_a_function_of_aarch64_that_is_seldom_run_belongs_to_it),
		ARM64(branches_of_aarch64_have_their_conditions),
		ARM64(a_branch_of_aarch64_that_always_holds_is_a_jump),
		ARM64(a_branch_of_aarch64_on_a_bit_is_fine_inside_of_the_function),
		ARM64(what_cannot_be_understood_of_aarch64_is_not_complete),
		ARM64(an_entry_of_aarch64_is_probed_where_it_is),
#endif
	};

#if !defined(FIXTURE_EXITS_ARM64)
	print_message("AArch64 is left out: there was no lld to link its fixture with\n");
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
