/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The compilers' own calls are the truth: fixtures are loaded into this process, and a breakpoint at each function, where a
 * probe would be, shows the registers and the stack as it is called. fixtures/arguments.h says how the names of parameters
 * tell what they are called with.
 */
#include "fixture.h"

#include <dwarf.h>
#include <elf.h>
#include <errno.h>

#include "binary/argument.h"
#include "binary/subprogram.h"

struct opened {
	struct binary *binary;
	struct symbols symbols;
	struct argument_reader *reader;
};

static void open_arguments(const char *path, struct opened *opened)
{
	struct why why = {};

	assert_int_equal(binary_open(path, &opened->binary, NULL), 0);
	assert_int_equal(symbols_read(opened->binary, &opened->symbols, NULL), 0);
	if (argument_reader_open(opened->binary, &opened->reader, &why) < 0)
		fail_msg("%s", why.text);
}

static void close_arguments(struct opened *opened)
{
	argument_reader_close(opened->reader);
	symbols_done(&opened->symbols);
	binary_free(opened->binary);
	*opened = (struct opened){};
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

#if defined(__x86_64__)
#include "breakpoint.h"

struct fixture_case { /* a function of a fixture */
	const struct symbol *symbol;
	struct arguments arguments;
	char result[64]; /* what is returned, as a parameter would be called */
	unsigned int n_hits, n_returns, n_read;
};

static struct {
	const char *path;
	struct fixture_case cases[128];
	size_t n_cases;
	uint64_t opaque; /* the address of pf_opaque */
	char failures[4096];
} run;

static void complain(const struct fixture_case *fixture, const struct argument *argument, const char *name, const char *text)
{
	size_t used = strlen(run.failures);

	snprintf(run.failures + used, sizeof(run.failures) - used, "%s: %s: %s (%s): %s\n", text_file_name(run.path),
		 fixture->symbol->linker_name, name, argument->type, text);
}

/* The word that is passed, or where it is. */
static uint64_t place_of(const struct argument *argument, const struct registers *registers, bool *ret_is_address)
{
	*ret_is_address = argument->place == PF_PLACE_MEMORY;
	if (argument->place == PF_PLACE_CONSTANT)
		return (uint64_t)argument->offset;
	assert_true(argument->number < ARRAY_SIZE(registers->general));
	return registers->general[argument->number] + (*ret_is_address ? (uint64_t)argument->offset : 0);
}

/* Bytes of the value, widened as its format says. */
static int64_t value_of(const struct argument *argument, const struct registers *registers)
{
	bool is_address;
	uint64_t word = place_of(argument, registers, &is_address);
	unsigned int shift = 64 - 8 * (argument->value.size ? argument->value.size : 8);

	for (int n = is_address + argument->is_by_reference; n > 0; n--)
		memcpy(&word, (void *)word, n == 1 && argument->value.size ? argument->value.size : 8);
	return argument->value.format == ARGUMENT_SIGNED ? (int64_t)(word << shift) >> shift
							  : (int64_t)(word << shift >> shift);
}

static bool is_text(const struct fixture_case *fixture, const struct argument *argument, const struct registers *registers,
		    const char *text)
{
	uint64_t address = (uint64_t)value_of(argument, registers), size = strlen(text);
	const struct {
		const char *data;
		uint64_t size;
	} *string = (void *)address;

	switch (argument->value.format) {
	case ARGUMENT_STRING:
		return strcmp((char *)address, text) == 0;
	case ARGUMENT_STD_STRING:
		return string->size == size && memcmp(string->data, text, size) == 0;
	case ARGUMENT_STD_STRING_SHARED:
		return strcmp(*(char **)address, text) == 0;
	case ARGUMENT_TEXT:
		return argument->length >= 0 &&
		       value_of(&fixture->arguments.items[argument->length], registers) == (int64_t)size &&
		       memcmp((char *)address, text, size) == 0;
	default:
		return false;
	}
}

static bool is_float(const struct argument *argument, const struct registers *registers, double expected)
{
	unsigned char bytes[8];
	float small;
	double large;
	int64_t value;

	if (argument->place == PF_PLACE_UNREADABLE) { /* what cannot be read is there all the same */
		if (!argument->problem || strcmp(argument->problem, ARGUMENT_IN_VECTOR) != 0)
			return false;
		memcpy(bytes, registers->vector[argument->number - 17], sizeof(bytes));
	} else {
		value = value_of(argument, registers);
		memcpy(bytes, &value, sizeof(bytes));
	}
	memcpy(&small, bytes, sizeof(small));
	memcpy(&large, bytes, sizeof(large));
	return argument->value.format == ARGUMENT_FLOAT && (argument->value.size == 4 ? (double)small : large) == expected;
}

static bool is_this(const struct fixture_case *fixture, const struct argument *argument, const struct registers *registers)
{
	uint64_t address = (uint64_t)value_of(argument, registers);

	if (strstr(fixture->symbol->linker_name, "base__x") || strstr(fixture->symbol->linker_name, "virtually__x"))
		return true; /* it is under construction */
	return *(int *)(address + 8) == 4242;
}

/* What name tells against what is there. */
static bool is_right(const struct fixture_case *fixture, const struct argument *argument, const struct registers *registers,
		     const char *name)
{
	long long number = strtoll(name + 1, NULL, 10);
	char text[16];

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(name, "_"), name);
	switch (name[0]) {
	case 'v':
	case 'm':
		return argument->value.format != ARGUMENT_FLOAT && value_of(argument, registers) == number;
	case 'n':
		return argument->value.format == ARGUMENT_SIGNED && value_of(argument, registers) == -number;
	case 'h':
		return is_float(argument, registers, (double)number + 0.5);
	case 'p':
		return argument->value.format == ARGUMENT_POINTER && argument->target.format == ARGUMENT_SIGNED &&
		       argument->target.size == 4 && *(int *)value_of(argument, registers) == number;
	case 's':
	case 't':
		if (strcmp(name, "this") == 0)
			return is_this(fixture, argument, registers);
		return is_text(fixture, argument, registers, text);
	case 'o':
		return (uint64_t)value_of(argument, registers) == run.opaque;
	case 'a':
		return argument->value.format != ARGUMENT_NO_FORMAT;
	default:
		return false;
	}
}

static void check(struct fixture_case *fixture, const struct argument *argument, const struct registers *registers,
		  const char *name)
{
	bool is_vector = argument->problem && strcmp(argument->problem, ARGUMENT_IN_VECTOR) == 0;

	if (argument->is_hidden || !name[0])
		return;
	if (name[0] == 'x') {
		if (!argument->problem)
			complain(fixture, argument, name, "is held to be readable");
		return;
	}
	if (argument->problem && !(name[0] == 'h' && is_vector)) {
		/* what the compiler has changed need not be found */
		if (fixture->symbol->is_global && name[0] != 'm')
			complain(fixture, argument, name, argument->problem);
		return;
	}
	if (!is_right(fixture, argument, registers, name))
		complain(fixture, argument, name, "is another value");
	fixture->n_read++;
}

static void on_hit(void *opaque, const struct registers *registers, bool is_return)
{
	struct fixture_case *fixture = opaque;

	if (is_return) {
		fixture->n_returns++;
		check(fixture, &fixture->arguments.result, registers, fixture->result);
		return;
	}
	fixture->n_hits++;
	for (size_t i = 0; i < fixture->arguments.n_items; i++)
		check(fixture, &fixture->arguments.items[i], registers, fixture->arguments.items[i].name);
	if (fixture->arguments.returns)
		breakpoint_set(*(uint64_t *)registers->general[7], fixture, true);
}

/* "_ZN2pf5thing19pf_case_method__v7Ei" -> "v7"; where it is mangled the length before it tells its end. */
static void read_result_name(struct fixture_case *fixture)
{
	const char *name = fixture->symbol->linker_name, *start = strstr(name, "pf_case_"), *digits = start, *end = "";
	char text[128];

	while (digits > name && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	snprintf(text, sizeof(text), "%.*s", digits < start ? atoi(digits) : (int)strcspn(start, "."), start);
	for (const char *next = text; (next = strstr(next, "__")); next += 2)
		end = next + 2;
	snprintf(fixture->result, sizeof(fixture->result), "%s", end);
}

static void set_breakpoints(const struct opened *opened, uint64_t base)
{
	for (size_t i = 0; i < opened->symbols.n_items; i++) {
		const struct symbol *symbol = &opened->symbols.items[i];
		struct fixture_case *fixture = &run.cases[run.n_cases];

		if (!strstr(symbol->linker_name, "pf_case_") || (i > 0 && symbol[-1].address == symbol->address) ||
		    strncmp(symbol->linker_name, "_ZT", 3) == 0)
			continue;
		assert_true(run.n_cases < ARRAY_SIZE(run.cases));
		fixture->symbol = symbol;
		if (arguments_read(opened->reader, symbol, &fixture->arguments) != 0)
			fail_msg("%s: nothing is known of %s", run.path, symbol->linker_name);
		read_result_name(fixture);
		breakpoint_set(base + symbol->address, fixture, false);
		run.n_cases++;
	}
}

/* Whether one is a copy of the other that clang calls where it knows what is passed: "f.specialized.1". */
static bool is_copy_of(const struct fixture_case *fixture, const struct fixture_case *other)
{
	const char *copy = fixture->symbol->linker_name, *name = other->symbol->linker_name;
	size_t length = strlen(name);

	return strncmp(copy, name, length) == 0 && strncmp(copy + length, ".specialized.", 13) == 0;
}

static unsigned int count_hits(const struct fixture_case *fixture)
{
	unsigned int n_hits = 0;

	for (size_t i = 0; i < run.n_cases; i++) {
		if (&run.cases[i] == fixture || is_copy_of(&run.cases[i], fixture))
			n_hits += run.cases[i].n_hits;
	}
	return n_hits;
}

static void end_cases(void)
{
	unsigned int n_read = 0;

	for (size_t i = 0; i < run.n_cases; i++) {
		struct fixture_case *fixture = &run.cases[i];

		if (count_hits(fixture) != 1 || fixture->n_returns != fixture->n_hits * fixture->arguments.returns)
			fail_msg("%s: %s was entered %u times and returned %u times", run.path,
				 fixture->symbol->linker_name, fixture->n_hits, fixture->n_returns);
		n_read += fixture->n_read;
	}
	if (run.failures[0])
		fail_msg("\n%s", run.failures);
	assert_true(n_read > 20);
}

static int end_run(void **state)
{
	(void)state;
	for (size_t i = 0; i < run.n_cases; i++)
		arguments_done(&run.cases[i].arguments);
	memset(&run, 0, sizeof(run));
	breakpoints.n_items = 0;
	return 0;
}

static void run_fixture(const char *path)
{
	_cleanup_(close_arguments) struct opened opened = {};
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		fail_msg("%s", dlerror());
	open_arguments(path, &opened);
	end_run(NULL);
	run.path = path;
	run.opaque = (uint64_t)dlsym(library, "pf_opaque");
	assert_true(run.opaque);
	set_breakpoints(&opened, breakpoint_prepare(library));
	breakpoint_run(on_hit, (void (*)(void))dlsym(library, "pf_cases_run"));
	end_cases();
	dlclose(library);
}

static void run_fixtures(const char *list)
{
	_cleanup_free_ char *copy = strdup(list);

	for (char *save = NULL, *path = strtok_r(copy, ":", &save); path; path = strtok_r(NULL, ":", &save))
		run_fixture(path);
}

static void arguments_of_c_are_where_calls_put_them(void **state)
{
	(void)state;
	run_fixtures(FIXTURE_ARGUMENTS_C);
}

static void arguments_of_cplusplus_are_where_calls_put_them(void **state)
{
	(void)state;
	run_fixtures(FIXTURE_ARGUMENTS_CXX);
}

#if defined(FIXTURE_ARGUMENTS_FORTRAN)
static void arguments_of_fortran_are_where_calls_put_them(void **state)
{
	(void)state;
	run_fixtures(FIXTURE_ARGUMENTS_FORTRAN);
}
#endif
#endif

static void read_one(const struct opened *opened, const char *name, struct arguments *arguments)
{
	assert_int_equal(arguments_read(opened->reader, find(opened, name), arguments), 0);
}

static void assert_type(const struct arguments *arguments, size_t i, const char *type, enum argument_format format)
{
	assert_true(i < arguments->n_items);
	assert_string_equal(arguments->items[i].type, type);
	assert_int_equal(arguments->items[i].value.format, format);
}

#if defined(__x86_64__)
static const struct symbol *find_start(const struct opened *opened, const char *start)
{
	for (size_t i = 0; i < opened->symbols.n_items; i++) {
		if (strncmp(opened->symbols.items[i].linker_name, start, strlen(start)) == 0)
			return &opened->symbols.items[i];
	}
	fail_msg("no %s", start);
	return NULL;
}

/* gcc calls the copy pf_case_constant__v18.constprop.0, clang changes the function itself. */
static void what_the_compiler_left_out_of_a_copy_is_said(void **state)
{
	_cleanup_free_ char *copy = strdup(FIXTURE_ARGUMENTS_OPTIMISED);

	(void)state;
	for (char *save = NULL, *path = strtok_r(copy, ":", &save); path; path = strtok_r(NULL, ":", &save)) {
		_cleanup_(arguments_done) struct arguments constant = {}, unused = {};
		_cleanup_(close_arguments) struct opened opened = {};

		open_arguments(path, &opened);
		assert_int_equal(arguments_read(opened.reader, find_start(&opened, "pf_case_constant__v18"), &constant), 0);
		assert_int_equal(constant.items[0].place, PF_PLACE_CONSTANT);
		assert_int_equal(constant.items[0].offset, 5);
		assert_int_equal(constant.items[1].place, PF_PLACE_REGISTER);
		assert_int_equal(constant.items[1].number, 5); /* rdi, which the first one would have */
		assert_int_equal(arguments_read(opened.reader, find_start(&opened, "pf_case_unused__v18"), &unused), 0);
		assert_int_equal(unused.items[1].number, 5);
		if (unused.items[0].problem)
			assert_string_equal(unused.items[0].problem, "the compiler left it out of this copy of the function");
		else
			assert_int_equal(unused.items[0].offset, 5);
	}
}
#endif

static void types_are_called_what_they_are_in_c(void **state)
{
	_cleanup_(arguments_done) struct arguments pointers = {}, others = {}, structs = {};
	_cleanup_(close_arguments) struct opened opened = {};

	(void)state;
	open_arguments(FIXTURE_ARGUMENTS_ONE, &opened);
	read_one(&opened, "pf_case_pointers__v200", &pointers);
	assert_type(&pointers, 0, "int *", ARGUMENT_POINTER);
	assert_type(&pointers, 1, "const char *", ARGUMENT_STRING);
	assert_type(&pointers, 3, "name_t", ARGUMENT_STRING);
	assert_type(&pointers, 4, "void *", ARGUMENT_POINTER);
	assert_type(&pointers, 5, "char **", ARGUMENT_POINTER);
	assert_type(&pointers, 6, "void (*)()", ARGUMENT_POINTER);
	assert_string_equal(pointers.result.type, "unsigned char");
	assert_int_equal(pointers.items[0].target.format, ARGUMENT_SIGNED);
	assert_false(pointers.is_variadic);
	read_one(&opened, "pf_case_more_pointers__s5", &others);
	assert_type(&others, 1, "const struct pair *", ARGUMENT_POINTER);
	assert_type(&others, 2, "volatile int *", ARGUMENT_POINTER);
	assert_type(&others, 5, "odd_number_t", ARGUMENT_SIGNED);
	read_one(&opened, "pf_case_large_structs__x", &structs);
	assert_type(&structs, 0, "struct three_longs", ARGUMENT_NO_FORMAT);
	assert_string_equal(structs.items[0].problem, "it is a struct, passed by value");
	assert_false(structs.returns);
	assert_string_equal(structs.result.type, "void");
}

#if defined(FIXTURE_ARGUMENTS_ARM64)
/* What was compiled for AArch64 is looked into here, too: nobody but a test takes such a file. */
static void open_arm64(const char *path, struct opened *opened)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	_cleanup_close_ int fd = -1;
	size_t size;

	bytes = fixture_read(path, &size);
#if defined(__x86_64__)
	((Elf64_Ehdr *)bytes)->e_machine = EM_X86_64;
#endif
	fd = fixture_memory(bytes, size);
	assert_int_equal(binary_open_fd(fd, path, &opened->binary, NULL), 0);
	opened->binary->machine = EM_AARCH64;
	assert_int_equal(symbols_read(opened->binary, &opened->symbols, NULL), 0);
	assert_int_equal(argument_reader_open(opened->binary, &opened->reader, NULL), 0);
}

/* Where optimised code has it at the entry: a register, the address in one, or the stack. */
static bool find_place(Dwarf_Die *parameter, uint64_t entry, enum pf_place *place, int64_t *number)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t n;

	if (!dwarf_attr(parameter, DW_AT_location, &attribute) ||
	    dwarf_getlocation_addr(&attribute, entry, &ops, &n, 1) != 1 || n == 0)
		return false;
	*place = PF_PLACE_REGISTER;
	if (ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31)
		*number = ops[0].atom - DW_OP_reg0;
	else if (ops[0].atom == DW_OP_regx)
		*number = (int64_t)ops[0].number;
	else if (ops[0].atom >= DW_OP_breg0 && ops[0].atom < DW_OP_breg31 && ops[0].number == 0)
		*number = ops[0].atom - DW_OP_breg0;
	else if (ops[0].atom == DW_OP_breg31 || ops[0].atom == DW_OP_fbreg) {
		*place = PF_PLACE_MEMORY;
		*number = (int64_t)ops[0].number;
	} else {
		return false;
	}
	if (*place == PF_PLACE_REGISTER && *number >= 64)
		*place = PF_PLACE_UNREADABLE;
	return true;
}

static unsigned int compare_with_compiler(const struct symbol *symbol, Dwarf_Die *function, const struct arguments *arguments)
{
	unsigned int n_compared = 0;
	enum pf_place place;
	int64_t number;
	Dwarf_Die die;
	size_t i = 0;

	if (dwarf_child(function, &die) != 0)
		return 0;
	do {
		const struct argument *argument = &arguments->items[i];

		if (dwarf_tag(&die) != DW_TAG_formal_parameter)
			continue;
		assert_true(i++ < arguments->n_items);
		if (!find_place(&die, symbol->address, &place, &number) ||
		    (place == PF_PLACE_MEMORY && argument->place != place)) /* where it is kept later */
			continue;
		if (argument->place != place || (place == PF_PLACE_MEMORY ? argument->offset : argument->number) != number)
			fail_msg("%s: %s (%s) is at %d, %d %+lld, and the compiler says %d, %lld", symbol->linker_name,
				 argument->name, argument->type, argument->place, argument->number, (long long)argument->offset,
				 place, (long long)number);
		n_compared++;
	} while (dwarf_siblingof(&die, &die) == 0);
	return n_compared;
}

static void arguments_on_arm64_are_where_the_compiler_says(void **state)
{
	_cleanup_free_ char *copy = strdup(FIXTURE_ARGUMENTS_ARM64);
	unsigned int n_compared = 0;

	(void)state;
	for (char *save = NULL, *path = strtok_r(copy, ":", &save); path; path = strtok_r(NULL, ":", &save)) {
		_cleanup_(subprograms_closep) struct subprograms *subprograms = NULL;
		_cleanup_(close_arguments) struct opened opened = {};

		open_arm64(path, &opened);
		assert_int_equal(subprograms_open(opened.binary, &subprograms, NULL), 0);
		for (size_t i = 0; i < opened.symbols.n_items; i++) {
			const struct symbol *symbol = &opened.symbols.items[i];
			_cleanup_(arguments_done) struct arguments arguments = {};
			Dwarf_Die function;

			assert_int_equal(arguments_read(opened.reader, symbol, &arguments), 0);
			assert_int_equal(subprograms_find(subprograms, symbol->address, NULL, &function), 0);
			n_compared += compare_with_compiler(symbol, &function, &arguments);
		}
	}
	assert_true(n_compared > 120);
}
#endif

static void a_debug_file_is_read_too(void **state)
{
	_cleanup_(arguments_done) struct arguments arguments = {};
	_cleanup_(close_arguments) struct opened opened = {};
	_cleanup_folder_ char *folder = fixture_folder();
	char command[1024], path[256];

	(void)state;
	snprintf(command, sizeof(command),
		 "cd %s && objcopy --only-keep-debug %s x.debug && objcopy --strip-debug %s x && objcopy "
		 "--add-gnu-debuglink=x.debug x",
		 folder, FIXTURE_ARGUMENTS_ONE, FIXTURE_ARGUMENTS_ONE);
	if (system(command) != 0)
		skip();
	snprintf(path, sizeof(path), "%s/x", folder);
	open_arguments(path, &opened);
	read_one(&opened, "pf_case_widths__n7", &arguments);
	assert_int_equal(arguments.n_items, 6);
	assert_string_equal(arguments.items[0].name, "n1");
}

/* dwz moves what several debug files have in common to one that they name. */
static void what_debug_files_share_is_read_too(void **state)
{
	_cleanup_(arguments_done) struct arguments arguments = {};
	_cleanup_(close_arguments) struct opened opened = {};
	_cleanup_folder_ char *folder = fixture_folder();
	struct why why = {};
	char command[1024], path[256];

	(void)state;
	snprintf(command, sizeof(command),
		 "cd %s && cp %s a && cp %s b && cp %s c && dwz -m common a b c 2>/dev/null && test -f common", folder,
		 FIXTURE_ARGUMENTS_ONE, FIXTURE_ARGUMENTS_OTHER, FIXTURE_ARGUMENTS_ONE);
	if (system(command) != 0)
		skip();
	snprintf(path, sizeof(path), "%s/a", folder);
	open_arguments(path, &opened);
	read_one(&opened, "pf_case_pointers__v200", &arguments);
	assert_type(&arguments, 1, "const char *", ARGUMENT_STRING);
	/* a file that is not there is not looked for elsewhere, and not passed over */
	argument_reader_close(opened.reader);
	opened.reader = NULL;
	snprintf(command, sizeof(command), "rm %s/common", folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(argument_reader_open(opened.binary, &opened.reader, &why), -ENODATA);
	assert_non_null(strstr(why.text, "needs 'common', which is not there"));
}

static void without_debug_information_nothing_is_known(void **state)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct argument_reader *reader = NULL;
	struct why why = {};

	(void)state;
	assert_int_equal(binary_open("/bin/true", &binary, NULL), 0);
	assert_int_equal(argument_reader_open(binary, &reader, &why), -ENODATA);
	assert_string_equal(why.text, "'/bin/true' has no debug information (it was compiled without -g)");
	assert_null(reader);
}

static void a_function_that_debug_information_does_not_have_is_not_found(void **state)
{
	_cleanup_(close_arguments) struct opened opened = {};
	struct arguments arguments = {};
	struct symbol symbol = {.linker_name = "nobody", .address = 0x7fff0000};

	(void)state;
	open_arguments(FIXTURE_ARGUMENTS_ONE, &opened);
	assert_int_equal(arguments_read(opened.reader, &symbol, &arguments), -ENOENT);
}

/* What is in the sections of DWARF is anybody's: it may be wrong, and must do no harm. */
static void damaged_debug_information_does_no_harm(void **state)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	unsigned int random = 1;
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_ARGUMENTS_ONE, &size);
	for (int i = 0; i < 400; i++) {
		_cleanup_(close_arguments) struct opened opened = {};
		size_t at = size / 4 + rand_r(&random) % (size / 2);
		uint8_t saved = bytes[at];
		int fd;

		bytes[at] = (uint8_t)rand_r(&random);
		fd = fixture_memory(bytes, size);
		if (binary_open_fd(fd, "x", &opened.binary, NULL) == 0 &&
		    symbols_read(opened.binary, &opened.symbols, NULL) == 0)
			argument_reader_open(opened.binary, &opened.reader, NULL);
		for (size_t k = 0; opened.reader && k < opened.symbols.n_items; k++) {
			_cleanup_(arguments_done) struct arguments arguments = {};

			arguments_read(opened.reader, &opened.symbols.items[k], &arguments);
		}
		close(fd);
		bytes[at] = saved;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
		cmocka_unit_test_teardown(arguments_of_c_are_where_calls_put_them, end_run),
		cmocka_unit_test_teardown(arguments_of_cplusplus_are_where_calls_put_them, end_run),
#if defined(FIXTURE_ARGUMENTS_FORTRAN)
		cmocka_unit_test_teardown(arguments_of_fortran_are_where_calls_put_them, end_run),
#endif
		cmocka_unit_test(what_the_compiler_left_out_of_a_copy_is_said),
#endif
#if defined(FIXTURE_ARGUMENTS_ARM64)
		cmocka_unit_test(arguments_on_arm64_are_where_the_compiler_says),
#endif
		cmocka_unit_test(types_are_called_what_they_are_in_c),
		cmocka_unit_test(a_debug_file_is_read_too),
		cmocka_unit_test(what_debug_files_share_is_read_too),
		cmocka_unit_test(without_debug_information_nothing_is_known),
		cmocka_unit_test(a_function_that_debug_information_does_not_have_is_not_found),
		cmocka_unit_test(damaged_debug_information_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
