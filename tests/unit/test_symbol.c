/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture_symbols.h"

#include <elf.h>
#include <errno.h>
#include <time.h>

struct opened {
	struct binary *binary;
	struct symbols symbols;
};

static struct opened open_symbols(const char *path)
{
	struct opened opened = {};

	fixture_open_binary(path, &opened.binary, &opened.symbols);
	return opened;
}

static void close_symbols(struct opened *opened)
{
	fixture_close_binary(opened->binary, &opened->symbols);
}

static void functions_are_found_and_other_symbols_are_not(void **state)
{
	_cleanup_(close_symbols) struct opened opened = open_symbols(FIXTURE_FUNCTIONS);
	const struct symbol *solve = fixture_look_for(&opened.symbols, "solve");

	(void)state;
	assert_non_null(solve);
	assert_true(solve->is_global);
	assert_true(solve->size > 0);
	assert_non_null(fixture_look_for(&opened.symbols, "hidden"));
	assert_false(fixture_look_for(&opened.symbols, "hidden")->is_global);
	assert_null(fixture_look_for(&opened.symbols, "counter"));	      /* a variable */
	assert_null(fixture_look_for(&opened.symbols, "chosen"));	      /* an IFUNC */
	assert_null(fixture_look_for(&opened.symbols, "__cxa_finalize")); /* of another library */
}

static void symbols_are_sorted_and_each_name_is_there_once(void **state)
{
	_cleanup_(close_symbols) struct opened opened = open_symbols(FIXTURE_FUNCTIONS);

	(void)state;
	assert_true(opened.symbols.n_items > 5);
	for (size_t i = 1; i < opened.symbols.n_items; i++) {
		const struct symbol *last = &opened.symbols.items[i - 1],
				    *symbol = &opened.symbols.items[i];

		assert_true(last->address <= symbol->address);
		if (last->address != symbol->address)
			continue;
		assert_true(last->is_global >= symbol->is_global);
		assert_string_not_equal(last->linker_name, symbol->linker_name);
	}
	assert_true(fixture_look_for(&opened.symbols, "MPI_Step") + 1 == fixture_look_for(&opened.symbols, "PMPI_Step"));
}

#if defined(__x86_64__)
static void all_names_of_a_function_are_judged_together(void **state)
{
	_cleanup_(close_symbols) struct opened opened = open_symbols(FIXTURE_FUNCTIONS);

	(void)state;
	assert_true(fixture_look_for(&opened.symbols, "setjmp")->returns_oddly);
	assert_true(fixture_look_for(&opened.symbols, "innocent")->returns_oddly);
	assert_false(fixture_look_for(&opened.symbols, "solve")->returns_oddly);
	assert_null(fixture_look_for(&opened.symbols, "_start"));
}
#endif

static void versions_are_cut_off(void **state)
{
	_cleanup_(close_symbols) struct opened opened = open_symbols("/proc/self/exe");

	(void)state;
	for (size_t i = 0; i < opened.symbols.n_items; i++)
		assert_null(strchr(opened.symbols.items[i].linker_name, '@'));
	assert_non_null(fixture_look_for(&opened.symbols, "main"));
}

/* In a copy in memory: the first section of a type. */
static Elf64_Shdr *section_of(uint8_t *bytes, uint32_t type)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;
	Elf64_Shdr *sections = (Elf64_Shdr *)(bytes + header->e_shoff);

	for (size_t i = 0; i < header->e_shnum; i++) {
		if (sections[i].sh_type == type)
			return &sections[i];
	}
	fail();
	return NULL;
}

static int read_bytes(const uint8_t *bytes, size_t size, struct why *why)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_close_ int fd = fixture_memory(bytes, size);
	struct symbols symbols = {};
	int r;

	assert_int_equal(binary_open_fd(fd, "x", &binary, NULL), 0);
	r = symbols_read(binary, &symbols, why);
	symbols_done(&symbols);
	return r;
}

static void damaged_symbol_tables_are_refused_with_a_sentence(void **state)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	Elf64_Shdr *section, saved;
	struct why why;
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_FUNCTIONS, &size);
	section = section_of(bytes, SHT_DYNSYM);
	saved = *section;

	why = (struct why){};
	section->sh_size = UINT64_MAX / 2;
	assert_int_equal(read_bytes(bytes, size, &why), -ENOEXEC);
	assert_string_equal(why.text,
			    "the symbols of 'x' cannot be read: a table is absurdly large");

	*section = saved;
	why = (struct why){};
	section->sh_entsize = 7;
	assert_int_equal(read_bytes(bytes, size, &why), -ENOEXEC);
	assert_string_equal(
		why.text, "the symbols of 'x' cannot be read: the size of an entry makes no sense");

	*section = saved;
	why = (struct why){};
	section->sh_link = 0;
	assert_int_equal(read_bytes(bytes, size, &why), -ENOEXEC);
	assert_string_equal(why.text,
			    "the symbols of 'x' cannot be read: they have no string table");

	*section = saved;
	why = (struct why){};
	((Elf64_Shdr *)(bytes + ((Elf64_Ehdr *)bytes)->e_shoff))[section->sh_link].sh_size -= 1;
	assert_int_equal(read_bytes(bytes, size, &why), -ENOEXEC);
	assert_string_equal(why.text,
			    "the symbols of 'x' cannot be read: their string table has no end");
}

static void a_stripped_file_has_no_symbols_and_that_is_no_error(void **state)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_free_ uint8_t *bytes = NULL;
	_cleanup_close_ int fd = -1;
	struct symbols symbols = {};
	Elf64_Ehdr *header;
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_FUNCTIONS, &size);
	header = (Elf64_Ehdr *)bytes;
	header->e_shoff = 0;
	header->e_shnum = 0;
	header->e_shstrndx = 0;
	fd = fixture_memory(bytes, size);
	assert_int_equal(binary_open_fd(fd, "x", &binary, NULL), 0);
	assert_int_equal(symbols_read(binary, &symbols, NULL), 0);
	assert_int_equal(symbols.n_items, 0);
	symbols_done(&symbols);
}

static void assert_demangled(const char *linker_name, bool with_arguments, const char *expected)
{
	_cleanup_free_ char *name = NULL;
	int r;

	r = symbol_demangle(linker_name, with_arguments, &name);
	if (!expected) {
		assert_int_equal(r, -ENOENT);
		return;
	}
	assert_int_equal(r, 0);
	assert_string_equal(name, expected);
}

static void names_are_demangled_in_a_plain_and_a_long_form(void **state)
{
	static const struct {
		const char *linker_name, *plain, *with_arguments;
	} cases[] = {
		{"_ZN9LAMMPS_NS4Pair7computeEii", "LAMMPS_NS::Pair::compute",
		 "LAMMPS_NS::Pair::compute(int, int)"},
		{"_ZN2ns5shapeC1Ev", "ns::shape::shape", "ns::shape::shape()"},
		{"_ZN2ns5shapeD2Ev", "ns::shape::~shape", "ns::shape::~shape()"},
		{"_ZNK2ns5shapeclEi", "ns::shape::operator()", "ns::shape::operator()(int) const"},
		{"_ZN2ns5shapelsEi", "ns::shape::operator<<", "ns::shape::operator<<(int)"},
		{"_ZN2ns5shapeooEi", "ns::shape::operator||", "ns::shape::operator||(int)"},
		{"_ZNK2ns5shapecvPKcEv", "ns::shape::operator char const*",
		 "ns::shape::operator char const*() const"},
		/* instances of templates carry their return type; it is left out */
		{"_ZNK2ns1S1tIiEET_S2_i", "ns::S::t<int>", "ns::S::t<int>(int, int) const"},
		{"_ZN2ns3addIidEEDTplfp_fp0_ET_T0_", "ns::add<int, double>",
		 "ns::add<int, double>(int, double)"},
		{"_ZN2ns2fpIdEEPFiiET_", "ns::fp<double>", NULL},
		{"_ZN12_GLOBAL__N_16secretEi", "(anonymous namespace)::secret",
		 "(anonymous namespace)::secret(int)"},
		{"_ZZN2ns4uselEiENUliE_clEi", "ns::usel(int)::{lambda(int)#1}::operator()",
		 "ns::usel(int)::{lambda(int)#1}::operator()(int)"},
		{"_Z6taggedB2v2i", "tagged", "tagged(int)"},
		{"_Z1fi.constprop.0.isra.1", "f", "f(int)"},
		{"_ZN4core3ptr13drop_in_place17h0123456789abcdefE", "core::ptr::drop_in_place",
		 "core::ptr::drop_in_place"},
		{"_RNvCskwGfYPst2Cb_3foo3bar", "foo::bar", "foo::bar"},
		{"_D8demangle4testFaZv", "demangle.test", "demangle.test(char)"},
		{"__solver_mod_MOD_step", "solver_mod::step", "solver_mod::step"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_demangled(cases[i].linker_name, false, cases[i].plain);
		if (cases[i].with_arguments)
			assert_demangled(cases[i].linker_name, true, cases[i].with_arguments);
	}
}

static void names_that_are_not_mangled_stay_as_they_are(void **state)
{
	static const char *const names[] = {
		"main",	   "",	      "_",	"__",	    "_Z",
		"_ZN",	   "_R",      "_D",	"_DYNAMIC", "__libc_start_main",
		"__MOD_x", "___MOD_", "_Zmain", "_ZNSt",    "_GLOBAL__sub_I_x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_demangled(names[i], false, NULL);
}

/* Each substitution stands for twice what the one before it does. */
static void a_name_that_would_fill_the_memory_is_not_demangled(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char name[600] = "_Z1f1AIiiES_IS0_S0_E", part[32];
	struct timespec start, end;

	(void)state;
	for (int i = 0; i < 34; i++) {
		snprintf(part, sizeof(part), "S_IS%c_S%c_E", digits[i], digits[i]);
		strcat(name, part);
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_demangled(name, true, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(end.tv_sec - start.tv_sec < 2);
}

static void what_a_return_probe_would_break_is_known(void **state)
{
	static const char *const odd[] = {
		"setjmp",
		"_setjmp",
		"__sigsetjmp",
		"vfork",
		"getcontext",
		"swapcontext",
		"jump_fcontext",
		"clone3",
		"__cxa_throw",
		"__cxa_rethrow",
		"_Unwind_Resume",
		"_ZSt20__throw_length_errorPKc",
		"dlsym",
		"dlopen",
		"pthread_exit",
		"backtrace",
		"_ZN4core9panicking5panic17h0123456789abcdefE",
	};
	static const char *const normal[] = {
		"main",
		"_init",
		"_fini",
		"longjmp",
		"fork",
		"__libc_start_main",
		"makecontext",
		"setjmp_count",
		"_Unwind_GetIP",
		"dlclose",
		"__cxa_begin_catch",
		"solve",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		assert_true(symbol_returns_oddly(odd[i]));
		assert_null(symbol_off_limits(odd[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(normal); i++) {
		assert_false(symbol_returns_oddly(normal[i]));
		assert_null(symbol_off_limits(normal[i]));
	}
}

static void what_has_no_frame_of_its_own_is_off_limits(void **state)
{
	static const char *const names[] = {
		"_start",
		"__restore_rt",
		"_dl_runtime_resolve_xsavec",
		"_dl_tlsdesc_return",
		"__morestack",
		"__start_context",
		"__x86_indirect_thunk_rax",
		"_ZN2ns1fEv.cold",
		"f.cold.1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_non_null(symbol_off_limits(names[i]));
	assert_null(symbol_off_limits("_ZN2ns1fEv.part.0"));
	assert_null(symbol_off_limits("coldest"));
}

static void what_is_left_out_stands_apart_with_all_its_names(void **state)
{
	_cleanup_(close_symbols) struct opened opened = open_symbols(FIXTURE_FUNCTIONS);
	const struct symbols left_out = {.items = opened.symbols.left_out, .n_items = opened.symbols.n_left_out};
	const struct symbol *chosen = fixture_find(&left_out, "chosen");

	(void)state;
	assert_true(chosen->is_resolver);
	assert_non_null(strstr(symbols_left_out_because(chosen, 1), "IFUNC"));
	/* what chooses is a function as any other */
	assert_int_equal(fixture_find(&opened.symbols, "choose")->address, chosen->address);
	assert_null(fixture_look_for(&left_out, "choose"));
	assert_null(fixture_look_for(&left_out, "solve"));
	for (size_t i = 1; i < left_out.n_items; i++)
		assert_true(left_out.items[i - 1].address <= left_out.items[i].address);
}

/* How many functions have this demangled name. */
static int count_demangled(const struct symbols *symbols, bool with_arguments, const char *name)
{
	uint64_t last = 0;
	int n = 0;

	for (size_t i = 0; i < symbols->n_items; i++) {
		_cleanup_free_ char *its_name = NULL;

		if (symbol_demangle(symbols->items[i].linker_name, with_arguments, &its_name) < 0 ||
		    strcmp(its_name, name) != 0 || symbols->items[i].address == last)
			continue;
		last = symbols->items[i].address;
		n++;
	}
	return n;
}

static void what_a_cplusplus_compiler_makes_has_the_names_of_its_source(void **state)
{
	_cleanup_(close_symbols) struct opened opened = open_symbols(FIXTURE_NAMES);
	static const char *const names[] = {
		"ns::shape::shape",
		"ns::shape::~shape",
		"ns::shape::operator()",
		"ns::shape::operator<<",
		"ns::shape::operator||",
		"ns::shape::operator[]",
		"ns::shape::operator char const*",
		"ns::shape::area",
		"ns::shape::scaled<int>",
		"ns::twice",
		"(anonymous namespace)::secret",
		"tagged",
		"ns::tagged_space::within_tagged",
		"ns::base::~base",
	};
	bool lambda = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (count_demangled(&opened.symbols, false, names[i]) == 0)
			fail_msg("%s is missing", names[i]);
	}
	/* with and without the virtual base: two functions of one name */
	assert_int_equal(count_demangled(&opened.symbols, false, "ns::derived::derived"), 2);
	assert_int_equal(count_demangled(&opened.symbols, true, "ns::derived::derived(int)"), 2);
	for (size_t i = 0; i < opened.symbols.n_items; i++) {
		_cleanup_free_ char *name = NULL;

		if (symbol_demangle(opened.symbols.items[i].linker_name, false, &name) == 0)
			lambda |= strcmp(name, "ns::twice(int)::{lambda(int)#1}::operator()") == 0;
	}
	assert_true(lambda);
}

static void all_versions_of_a_function_have_its_name(void **state)
{
	_cleanup_(close_symbols) struct opened opened = open_symbols(FIXTURE_NAMES);
	uint64_t last = 0;
	int n = 0;

	(void)state;
	for (size_t i = 0; i < opened.symbols.n_items; i++) {
		if (strcmp(opened.symbols.items[i].linker_name, "versioned") == 0) {
			assert_true(opened.symbols.items[i].address != last);
			last = opened.symbols.items[i].address;
			n++;
		}
	}
	assert_int_equal(n, 2);
}

#if defined(FIXTURE_FORTRAN)
static void what_a_fortran_compiler_makes_has_its_module(void **state)
{
	_cleanup_(close_symbols) struct opened opened = open_symbols(FIXTURE_FORTRAN);

	(void)state;
	assert_int_equal(count_demangled(&opened.symbols, false, "pf_solver::step"), 1);
	assert_non_null(fixture_look_for(&opened.symbols, "outside_"));
}
#endif

#if defined(FIXTURE_RUST)
static void what_a_rust_compiler_makes_has_its_path(void **state)
{
	_cleanup_(close_symbols) struct opened opened = open_symbols(FIXTURE_RUST);

	(void)state;
	assert_int_equal(count_demangled(&opened.symbols, false, "pf_names::solver::step"), 1);
	assert_int_equal(count_demangled(&opened.symbols, false,
					 "pf_names::apply::<pf_names::pf_rust::{closure#0}>"),
			 1);
	assert_non_null(fixture_look_for(&opened.symbols, "pf_rust"));
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_are_found_and_other_symbols_are_not),
		cmocka_unit_test(symbols_are_sorted_and_each_name_is_there_once),
#if defined(__x86_64__)
		cmocka_unit_test(all_names_of_a_function_are_judged_together),
#endif
		cmocka_unit_test(versions_are_cut_off),
		cmocka_unit_test(damaged_symbol_tables_are_refused_with_a_sentence),
		cmocka_unit_test(a_stripped_file_has_no_symbols_and_that_is_no_error),
		cmocka_unit_test(names_are_demangled_in_a_plain_and_a_long_form),
		cmocka_unit_test(names_that_are_not_mangled_stay_as_they_are),
		cmocka_unit_test(a_name_that_would_fill_the_memory_is_not_demangled),
		cmocka_unit_test(what_a_cplusplus_compiler_makes_has_the_names_of_its_source),
		cmocka_unit_test(all_versions_of_a_function_have_its_name),
#if defined(FIXTURE_FORTRAN)
		cmocka_unit_test(what_a_fortran_compiler_makes_has_its_module),
#endif
#if defined(FIXTURE_RUST)
		cmocka_unit_test(what_a_rust_compiler_makes_has_its_path),
#endif
		cmocka_unit_test(what_a_return_probe_would_break_is_known),
		cmocka_unit_test(what_has_no_frame_of_its_own_is_off_limits),
		cmocka_unit_test(what_is_left_out_stands_apart_with_all_its_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
