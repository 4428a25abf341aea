/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <elf.h>

#include "binary/operand.h"
#include "binary/symbol.h"
#include "binary/usdt.h"

static const struct binary x86 = {.machine = EM_X86_64}, arm64 = {.machine = EM_AARCH64};

static struct arguments read_text(const struct binary *binary, const char *text)
{
	struct arguments arguments;

	assert_int_equal(operands_read(binary, 0x1000, text, &arguments), 0);
	return arguments;
}

struct expected {
	enum pf_place place;
	int number;
	int64_t offset;
	enum argument_format format;
	unsigned int size;
};

static void assert_operands(const struct binary *binary, const char *text, const struct expected *expected, size_t n)
{
	_cleanup_(arguments_done) struct arguments arguments = read_text(binary, text);

	assert_int_equal(arguments.n_items, n);
	for (size_t i = 0; i < n; i++) {
		const struct argument *argument = &arguments.items[i];

		if (argument->problem)
			fail_msg("number %zu of '%s': %s", i, text, argument->problem);
		assert_int_equal(argument->place, expected[i].place);
		assert_int_equal(argument->number, expected[i].number);
		assert_int_equal(argument->offset, expected[i].offset);
		assert_int_equal(argument->value.format, expected[i].format);
		assert_int_equal(argument->value.size, expected[i].size);
	}
}

static void assert_problem(const struct binary *binary, const char *text, const char *problem)
{
	_cleanup_(arguments_done) struct arguments arguments = read_text(binary, text);

	assert_int_equal(arguments.n_items, 1);
	assert_int_equal(arguments.items[0].place, PF_PLACE_UNREADABLE);
	assert_non_null(arguments.items[0].problem);
	if (!strstr(arguments.items[0].problem, problem))
		fail_msg("'%s': %s", text, arguments.items[0].problem);
}

static void registers_memory_and_constants_of_x86_are_read(void **state)
{
	static const struct expected expected[] = {
		{PF_PLACE_REGISTER, 0, 0, ARGUMENT_SIGNED, 4},	   {PF_PLACE_MEMORY, 6, -16, ARGUMENT_UNSIGNED, 8},
		{PF_PLACE_CONSTANT, 0, 5, ARGUMENT_UNSIGNED, 8},   {PF_PLACE_CONSTANT, 0, -1, ARGUMENT_SIGNED, 4},
		{PF_PLACE_REGISTER, 10, 0, ARGUMENT_UNSIGNED, 1},  {PF_PLACE_REGISTER, 5, 0, ARGUMENT_SIGNED, 2},
		{PF_PLACE_MEMORY, 7, 0, ARGUMENT_UNSIGNED, 8},	   {PF_PLACE_MEMORY, 12, 32, ARGUMENT_FLOAT, 8},
		{PF_PLACE_REGISTER, 4, 0, ARGUMENT_UNSIGNED, 1},   {PF_PLACE_MEMORY, 3, 24, ARGUMENT_SIGNED, 8},
		{PF_PLACE_REGISTER, 15, 0, ARGUMENT_UNSIGNED, 8},
	};

	(void)state;
	assert_operands(&x86,
			"-4@%eax 8@-16(%rbp) 8@$5 -4@$-1 1@%r10b -2@%di\t8@(%rsp) 8f@0x20(%r12) 1@%sil -8@8+16(%rbx)  %r15",
			expected, ARRAY_SIZE(expected));
}

static void registers_memory_and_constants_of_arm64_are_read(void **state)
{
	static const struct expected expected[] = {
		{PF_PLACE_REGISTER, 0, 0, ARGUMENT_SIGNED, 4},	  {PF_PLACE_MEMORY, 31, 12, ARGUMENT_UNSIGNED, 4},
		{PF_PLACE_CONSTANT, 0, 5, ARGUMENT_UNSIGNED, 8},  {PF_PLACE_MEMORY, 31, 0, ARGUMENT_UNSIGNED, 8},
		{PF_PLACE_MEMORY, 29, -20, ARGUMENT_SIGNED, 4},	  {PF_PLACE_REGISTER, 21, 0, ARGUMENT_UNSIGNED, 1},
		{PF_PLACE_CONSTANT, 0, -7, ARGUMENT_SIGNED, 8},	  {PF_PLACE_CONSTANT, 0, 0, ARGUMENT_SIGNED, 4},
		{PF_PLACE_REGISTER, 30, 0, ARGUMENT_UNSIGNED, 8},
	};

	(void)state;
	assert_operands(&arm64, "-4@x0 4@[sp, 12] 8@5 8@[sp] -4@[x29, #-20] 1@w21 -8@-7 -4@wzr 8@lr", expected,
			ARRAY_SIZE(expected));
}

static void what_the_kernel_side_cannot_read_is_said(void **state)
{
	(void)state;
	assert_problem(&x86, "8@%xmm3", "in a vector register");
	assert_problem(&arm64, "-8@v0", "in a vector register");
	assert_problem(&x86, "8@(%rdx,%rax,8)", "found by two registers");
	assert_problem(&arm64, "8@[x0, x1]", "found by two registers");
	assert_problem(&x86, "8@nowhere(%rip)", "not in the binary");
	assert_problem(&x86, "16@%rax", "size");
	assert_problem(&x86, "8@%fs:16", "not understood");
	assert_problem(&x86, "1@%ah", "not understood");
	assert_problem(&x86, "8@$symbol", "not understood");
}

static void nonsense_is_not_understood(void **state)
{
	static const char *const texts[] = {"@",      "8@",	  "%",	   "8@%",      "8@(",	"8@()",	    "8@(%rax", "8@5(",
					    "8@%rax)", "8@$",	  "8@--",  "8@4+(%rax)", "@@",	"8@x(%rax)", "8@[sp]",  "8@%r16",
					    "8@%raxx", "8@$5x",	  "(((((", "8@%r8q"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_problem(&x86, texts[i], "");
	assert_problem(&arm64, "8@[sp", "");
	assert_problem(&arm64, "8@[", "");
	assert_problem(&arm64, "8@x31", "");
	assert_problem(&arm64, "8@%rax", "");
}

static void no_text_is_no_argument(void **state)
{
	_cleanup_(arguments_done) struct arguments arguments = read_text(&x86, " ");

	(void)state;
	assert_int_equal(arguments.n_items, 0);
}

#if defined(__x86_64__) && defined(FIXTURE_OPERANDS)
#include "breakpoint.h"

struct probe {
	const struct usdt_probe *probe;
	struct arguments arguments;
	unsigned int n_hits, n_read;
};

static int64_t value_of(const struct argument *argument, const struct registers *registers)
{
	unsigned int shift = 64 - 8 * argument->value.size;
	uint64_t word = (uint64_t)argument->offset;

	if (argument->place == PF_PLACE_REGISTER)
		word = registers->general[argument->number];
	else if (argument->place == PF_PLACE_MEMORY)
		memcpy(&word, (void *)(registers->general[argument->number] + word), argument->value.size);
	return argument->value.format == ARGUMENT_SIGNED ? (int64_t)(word << shift) >> shift : (int64_t)(word << shift >> shift);
}

static bool is_right(const struct argument *argument, const struct registers *registers, const char *name)
{
	int64_t value = value_of(argument, registers), number = atoll(name + 1);
	double real;

	if (name[0] != 'h')
		return value == (name[0] == 'n' ? -number : number);
	memcpy(&real, &value, sizeof(real));
	return argument->value.format == ARGUMENT_FLOAT && real == (double)number + 0.5;
}

/* "n1_v2": the first argument is -1, the second 2 */
static void on_hit(void *opaque, const struct registers *registers, bool is_return)
{
	struct probe *probe = opaque;
	const char *name = probe->probe->name;

	(void)is_return;
	probe->n_hits++;
	for (size_t i = 0; i < probe->arguments.n_items; i++, name += strcspn(name, "_"), name += *name == '_') {
		const struct argument *argument = &probe->arguments.items[i];

		if (argument->problem)
			continue;
		if (!is_right(argument, registers, name))
			fail_msg("%s (%s): number %zu is %lld", probe->probe->name, probe->probe->arguments, i + 1,
				 (long long)value_of(argument, registers));
		probe->n_read++;
	}
}

static void run_fixture(const char *path)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_(usdt_done) struct usdt_probes found = {};
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	struct probe probes[16] = {};
	unsigned int n_read = 0;
	uint64_t base;

	assert_non_null(library);
	base = breakpoint_prepare(library);
	assert_int_equal(binary_open(path, &binary, NULL), 0);
	assert_int_equal(usdt_read(binary, &found, NULL), 0);
	assert_int_equal(found.n_items, 8);
	for (size_t i = 0; i < found.n_items; i++) {
		probes[i].probe = &found.items[i];
		assert_int_equal(operands_read(binary, found.items[i].address, found.items[i].arguments, &probes[i].arguments), 0);
		breakpoint_set(base + found.items[i].address, &probes[i], false);
	}
	breakpoint_run(on_hit, (void (*)(void))dlsym(library, "pf_cases_run"));
	for (size_t i = 0; i < found.n_items; i++) {
		assert_int_equal(probes[i].n_hits, 1);
		n_read += probes[i].n_read;
		arguments_done(&probes[i].arguments);
	}
	assert_true(n_read >= 18);
	dlclose(library);
}

static void arguments_of_static_probes_are_where_the_compiler_says(void **state)
{
	_cleanup_free_ char *copy = strdup(FIXTURE_OPERANDS);

	(void)state;
	for (char *save = NULL, *path = strtok_r(copy, ":", &save); path; path = strtok_r(NULL, ":", &save))
		run_fixture(path);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_memory_and_constants_of_x86_are_read),
		cmocka_unit_test(registers_memory_and_constants_of_arm64_are_read),
		cmocka_unit_test(what_the_kernel_side_cannot_read_is_said),
		cmocka_unit_test(nonsense_is_not_understood),
		cmocka_unit_test(no_text_is_no_argument),
#if defined(__x86_64__) && defined(FIXTURE_OPERANDS)
		cmocka_unit_test(arguments_of_static_probes_are_where_the_compiler_says),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
