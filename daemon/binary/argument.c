/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Where an argument is at the entry is told by the ABI and its type; what DWARF says of a
 * parameter's place holds there only in optimised code. It is looked at for what the type does not
 * say: whether the compiler passes the address of the value (gfortran does so by and large, C++ for
 * classes that are not trivial), and where it did not keep to the ABI. That it may where it sees
 * all callers: gcc then makes a copy with another name (.isra.0, .constprop.0) and clang changes
 * the function itself. There only what DWARF places at the entry is believed.
 */
#include "binary/argument.h"

#include <dwarf.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "binary/abi.h"
#include "binary/location.h"
#include "binary/subprogram.h"
#include "binary/type.h"
#include "binary/value.h"

#define MAX_ARGUMENTS 255
#define MAX_CHILDREN  4096 /* that are looked at for one parameter */

/* Codes of DWARF 6, which compilers use already. */
#define LANG_FORTRAN_18 0x2d

#define LEFT_OUT "the compiler left it out of this copy of the function"
#define UNPLACED "where it is passed is not known"
#define BY_VALUE "it is a struct, passed by value"

struct argument_reader {
	const struct binary *binary;
	struct subprograms *subprograms;
};

/* How a language passes what it passes. */
enum manner {
	MANNER_C,	/* by the ABI */
	MANNER_FORTRAN, /* by the ABI, addresses */
	MANNER_RUST,	/* scalars by the ABI, the rest as it likes */
	MANNER_OTHER,	/* as it likes */
};

struct walk { /* over the parameters of a function */
	const struct symbol *symbol;
	enum manner manner;
	bool is_go;
	Dwarf_Die function;
	struct abi_call call;
	bool is_altered; /* the compiler did not keep to the ABI */
	bool is_lost;	 /* too little is known to go on by the ABI */
	struct arguments *arguments;
};

int argument_reader_open(const struct binary *binary, struct argument_reader **ret_reader,
			 struct why *why)
{
	_cleanup_(argument_reader_closep) struct argument_reader *reader = NULL;
	int r;

	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->binary = binary;
	r = subprograms_open(binary, &reader->subprograms, why);
	if (r < 0)
		return r;
	*ret_reader = take_ptr(reader);
	return 0;
}

void argument_reader_close(struct argument_reader *reader)
{
	if (!reader)
		return;

	subprograms_close(reader->subprograms);
	free(reader);
}

static void argument_done(struct argument *argument)
{
	free(argument->name);
	free(argument->type);
}

void arguments_done(struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->n_items; i++)
		argument_done(&arguments->items[i]);
	free(arguments->items);
	argument_done(&arguments->result);
	*arguments = (struct arguments){};
}

static enum manner manner_of(Dwarf_Die *function)
{
	Dwarf_Die unit;

	if (!dwarf_diecu(function, &unit, NULL, NULL))
		return MANNER_OTHER;
	switch (dwarf_srclang(&unit)) {
	case DW_LANG_Fortran77:
	case DW_LANG_Fortran90:
	case DW_LANG_Fortran95:
	case DW_LANG_Fortran03:
	case DW_LANG_Fortran08:
	case LANG_FORTRAN_18:
		return MANNER_FORTRAN;
	case DW_LANG_Rust:
		return MANNER_RUST;
	case DW_LANG_Go:
	case DW_LANG_D:
	case DW_LANG_Haskell:
	case DW_LANG_OCaml:
	case DW_LANG_Swift:
		return MANNER_OTHER;
	default:
		return MANNER_C;
	}
}

/* A copy that the compiler made for some callers, with other parameters. */
static bool is_copy(const char *linker_name)
{
	static const char *const marks[] = {".isra.",	     ".constprop.", ".part.",
					    ".specialized.", ".argprom",    ".argelim"};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (strstr(linker_name, marks[i]))
			return true;
	}
	return false;
}

static bool has_tag(const Dwarf_Die *type, int a, int b)
{
	int tag = dwarf_tag((Dwarf_Die *)type);

	return tag == a || tag == b;
}

static bool is_reference(const Dwarf_Die *type)
{
	return has_tag(type, DW_TAG_reference_type, DW_TAG_rvalue_reference_type);
}

/* gfortran says of each that its address is passed, or the value is where it says. */
static enum abi_passing fortran_passing(Dwarf_Die *parameter, const Dwarf_Die *type,
					const struct location *location)
{
	bool is_added = dwarf_hasattr_integrate(parameter, DW_AT_artificial) &&
			has_tag(type, DW_TAG_base_type, DW_TAG_base_type);

	if (location->kind == LOCATION_AT_REGISTER || location->kind == LOCATION_AT_POINTER)
		return ABI_BY_ADDRESS;
	if (location->kind != LOCATION_NONE || is_added || is_reference(type) ||
	    has_tag(type, DW_TAG_pointer_type, DW_TAG_pointer_type))
		return ABI_BY_VALUE;
	return ABI_BY_ADDRESS;
}

static enum abi_passing passing_of(const struct walk *walk, Dwarf_Die *parameter,
				   const Dwarf_Die *type, const struct location *location)
{
	if (walk->manner == MANNER_FORTRAN)
		return fortran_passing(parameter, type, location);
	if (!type_is_class(type) || location->kind == LOCATION_NONE)
		return ABI_BY_TYPE;
	if (location->kind == LOCATION_AT_REGISTER || location->kind == LOCATION_AT_POINTER)
		return ABI_BY_ADDRESS;
	/* of an address on the stack clang says that the value is there, but of types it says it
	 * right */
	return dwarf_hasattr((Dwarf_Die *)type, DW_AT_calling_convention) ||
			       type_is_string(type) != TYPE_NO_STRING
		       ? ABI_BY_TYPE
		       : ABI_BY_VALUE;
}

/* Rust passes scalars as C does, and has its own way with all else. */
static bool is_left_open(const struct walk *walk, const Dwarf_Die *type)
{
	if (walk->manner == MANNER_C || walk->manner == MANNER_FORTRAN)
		return false;
	return walk->manner == MANNER_OTHER ||
	       (!has_tag(type, DW_TAG_base_type, DW_TAG_pointer_type) &&
		!has_tag(type, DW_TAG_enumeration_type, DW_TAG_enumeration_type));
}

static struct abi_place in_register(struct walk *walk, const struct location *location,
				    bool *ret_is_known)
{
	struct abi_place place = {.is_address = location->kind == LOCATION_AT_REGISTER};

	place.number = (uint8_t)location->number;
	*ret_is_known = abi_resume(&walk->call, location->number);
	place.place = PF_PLACE_REGISTER;
	return place;
}

/* Where DWARF has it at the entry: registers that carry arguments, and constants. */
static bool place_by_location(struct walk *walk, const struct location *location,
			      struct abi_place *ret_place)
{
	bool is_known = false;

	if (location->kind == LOCATION_REGISTER || location->kind == LOCATION_AT_REGISTER) {
		*ret_place = in_register(walk, location, &is_known);
	} else if (location->kind == LOCATION_CONSTANT && walk->is_altered) {
		*ret_place = (struct abi_place){.place = PF_PLACE_CONSTANT,
						.offset = location->constant};
		is_known = true;
	}
	return is_known;
}

static bool is_vector(const struct walk *walk, const struct location *location)
{
	unsigned int first = walk->call.machine == EM_X86_64 ? 17 : 64;

	return location->kind == LOCATION_REGISTER && location->number >= first &&
	       location->number < first + 8;
}

/* Whether a function whose callers the compiler saw has the argument elsewhere than the ABI does.
 */
static bool contradicts(const struct walk *walk, const struct location *location,
			const struct abi_place *place)
{
	struct abi_call unused = walk->call;

	if (walk->symbol->is_global ||
	    (location->kind != LOCATION_REGISTER && location->kind != LOCATION_AT_REGISTER))
		return false;
	return abi_resume(&unused, location->number) &&
	       (place->place != PF_PLACE_REGISTER || place->number != location->number);
}

static void set_place(struct argument *argument, const struct abi_place *place)
{
	argument->place = place->place;
	argument->number = place->number;
	argument->offset = place->offset;
	if (place->is_nowhere)
		argument->problem = "nothing is passed of an empty class";
	else if (place->place == PF_PLACE_UNREADABLE)
		argument->problem = ARGUMENT_IN_VECTOR;
}

/* -EAGAIN: the function turns out to be altered. */
static int place_argument(struct walk *walk, Dwarf_Die *parameter, const Dwarf_Die *type,
			  struct argument *argument, bool *ret_is_address)
{
	struct location location = location_read(parameter, walk->symbol->address);
	struct abi_place place = {.place = PF_PLACE_UNREADABLE};
	int r;

	if (!walk->is_lost) {
		r = is_left_open(walk, type)
			    ? -ENODATA
			    : abi_next(&walk->call, type,
				       passing_of(walk, parameter, type, &location), &place);
		walk->is_lost = r < 0;
	}
	if (walk->is_altered || walk->is_lost) {
		if (!place_by_location(walk, &location, &place) && !is_vector(walk, &location)) {
			place.place = PF_PLACE_UNREADABLE;
			argument->problem = walk->is_altered && location.kind == LOCATION_NONE
						    ? LEFT_OUT
						    : UNPLACED;
		}
	} else if (contradicts(walk, &location, &place)) {
		return -EAGAIN;
	}
	if (!argument->problem)
		set_place(argument, &place);
	*ret_is_address = place.is_address;
	return 0;
}

static void describe_pointer(const struct walk *walk, const Dwarf_Die *type,
			     struct argument *argument)
{
	Dwarf_Die die = *type, target;

	argument->value = VALUE_ADDRESS;
	if (!type_stripped_of(&die, &target))
		return;
	argument->value = value_of_address(&target, walk->symbol->linker_name);
	argument->target = value_of_scalar(&target);
	if (argument->target.format == ARGUMENT_CHAR && argument->target.size == 1)
		argument->value.format = ARGUMENT_STRING;
	if (argument->value.format != ARGUMENT_POINTER)
		argument->target = (struct argument_value){};
}

/* What is behind an address that is passed. What has no scalar there stays an address. */
static void describe_referred(const struct walk *walk, const Dwarf_Die *type,
			      struct argument *argument)
{
	if (!has_tag(type, DW_TAG_string_type, DW_TAG_string_type))
		argument->value = value_of_scalar(type);
	argument->is_by_reference = argument->value.format != ARGUMENT_NO_FORMAT;
	if (!argument->is_by_reference)
		argument->value = value_of_address(type, walk->symbol->linker_name);
	else if (has_tag(type, DW_TAG_pointer_type, DW_TAG_pointer_type))
		describe_pointer(walk, type, argument);
}

static void set_problem(struct argument *argument, const char *problem)
{
	argument->value = (struct argument_value){};
	if (!argument->problem)
		argument->problem = problem;
}

static void describe(const struct walk *walk, const Dwarf_Die *type, bool is_address,
		     struct argument *argument)
{
	Dwarf_Die die = *type, target;

	if (is_reference(type)) {
		argument->value = VALUE_ADDRESS;
		if (type_stripped_of(&die, &target))
			describe_referred(walk, &target, argument);
		return;
	}
	if (is_address) {
		describe_referred(walk, type, argument);
		if (type_is_class(type) && argument->value.format == ARGUMENT_POINTER &&
		    walk->manner != MANNER_FORTRAN)
			set_problem(argument, BY_VALUE);
		return;
	}
	if (dwarf_tag(&die) == DW_TAG_pointer_type) {
		describe_pointer(walk, type, argument);
		return;
	}
	argument->value = value_of_scalar(type);
	if (argument->value.format == ARGUMENT_NO_FORMAT)
		set_problem(argument, type_is_class(type)   ? BY_VALUE
				      : type_size(type) > 8 ? "it is longer than 8 bytes"
							    : "its type has no readable form");
}

static int name_argument(Dwarf_Die *die, const Dwarf_Die *type, struct argument *argument)
{
	_cleanup_(text_done) struct text text = {};
	const char *name = die ? type_name(die) : NULL;
	int r;

	r = type_print(type, &text);
	if (r < 0)
		return r;
	argument->type = take_ptr(text.data);
	argument->name = strdup(name ? name : "");
	return argument->name ? 0 : -ENOMEM;
}

/* Fortran's own names begin with a letter; in C++ `this` (of a lambda with gcc __closure) counts.
 */
static bool is_hidden(const struct walk *walk, Dwarf_Die *parameter, const char *name)
{
	if (!dwarf_hasattr_integrate(parameter, DW_AT_artificial))
		return false;
	if (walk->manner == MANNER_FORTRAN)
		return name[0] == '_' || name[0] == '.' || name[0] == '\0';
	return strcmp(name, "this") != 0 && strcmp(name, "__closure") != 0;
}

/* gfortran gives a type(c_ptr) no type: it is what an address points to. */
static void place_address(struct walk *walk, struct argument *argument)
{
	struct abi_place place = abi_next_word(&walk->call);

	set_place(argument, &place);
	argument->value = VALUE_ADDRESS;
}

static int read_argument(struct walk *walk, Dwarf_Die *parameter, struct argument *argument)
{
	bool is_address = false, is_typed;
	Dwarf_Die type, stripped;
	int r;

	*argument = (struct argument){.place = PF_PLACE_UNREADABLE, .length = -1};
	is_typed = type_of(parameter, &type);
	r = name_argument(parameter, is_typed ? &type : NULL, argument);
	if (r < 0)
		return r;
	argument->is_hidden = is_hidden(walk, parameter, argument->name);
	if (!is_typed && walk->manner == MANNER_FORTRAN && !walk->is_lost && !walk->is_altered) {
		place_address(walk, argument);
		return 0;
	}
	if (!is_typed || !type_strip(&type, &stripped)) {
		walk->is_lost = true;
		argument->problem = UNPLACED;
		return 0;
	}
	r = place_argument(walk, parameter, &stripped, argument, &is_address);
	if (r == 0)
		describe(walk, &stripped, is_address, argument);
	return r;
}

static int add_argument(struct walk *walk, Dwarf_Die *parameter)
{
	struct arguments *arguments = walk->arguments;
	struct argument argument = {};
	int r;

	if (arguments->n_items == MAX_ARGUMENTS)
		return 0;
	r = array_grow(&arguments->items, arguments->n_items, sizeof(argument));
	if (r == 0)
		r = read_argument(walk, parameter, &argument);
	if (r < 0)
		argument_done(&argument);
	else
		arguments->items[arguments->n_items++] = argument;
	return r;
}

/* The child of the function that is its own of an abstract parameter; or else the abstract one. */
static Dwarf_Die own_parameter(const struct walk *walk, Dwarf_Die *abstract)
{
	Dwarf_Die function = walk->function, die, origin;
	Dwarf_Attribute attribute;
	int n = 0;

	if (dwarf_child(&function, &die) != 0)
		return *abstract;
	do {
		if (dwarf_tag(&die) == DW_TAG_formal_parameter &&
		    dwarf_attr(&die, DW_AT_abstract_origin, &attribute) &&
		    dwarf_formref_die(&attribute, &origin) &&
		    dwarf_dieoffset(&origin) == dwarf_dieoffset(abstract))
			return die;
	} while (++n < MAX_CHILDREN && dwarf_siblingof(&die, &die) == 0);
	return *abstract;
}

/* Go's results stand among its parameters. */
static bool is_result(const struct walk *walk, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	bool is_set = false;

	return walk->is_go && dwarf_formflag(dwarf_attr_integrate(die, DW_AT_variable_parameter, &attribute), &is_set) == 0 && is_set;
}

static int add_arguments(struct walk *walk, Dwarf_Die *of, bool is_abstract)
{
	Dwarf_Die die, parameter;
	int r = 0;

	if (dwarf_child(of, &die) != 0)
		return 0;
	do {
		walk->arguments->is_variadic |= dwarf_tag(&die) == DW_TAG_unspecified_parameters;
		if (dwarf_tag(&die) != DW_TAG_formal_parameter || is_result(walk, &die))
			continue;
		parameter = is_abstract ? own_parameter(walk, &die) : die;
		r = add_argument(walk, &parameter);
	} while (r == 0 && dwarf_siblingof(&die, &die) == 0);
	return r;
}

/* Counts the parameters in "ns::f<int, long>(int, std::pair<int, long>, ...) const"; -1: there is
 * no list. */
static int count_listed(const char *name)
{
	const char *end = strrchr(name, ')'), *p = end;
	int depth = 0, n = 1;

	if (!end)
		return -1;
	do {
		depth += (*p == ')' || *p == '>' || *p == ']') -
			 (*p == '(' || *p == '<' || *p == '[');
		n += *p == ',' && depth == 1;
	} while (depth > 0 && --p >= name);
	if (depth != 0 || p + 1 == end)
		return depth ? -1 : 0;
	return end - p > 3 && strncmp(end - 3, "...", 3) == 0 ? n - 1 : n;
}

/* clang leaves parameters out that are passed by address and not used: nothing tells where they
 * were. */
static bool has_gaps(const struct walk *walk)
{
	_cleanup_free_ char *name = NULL;
	Dwarf_Die function = walk->function, die;
	int n = 0;

	if (walk->manner != MANNER_C ||
	    symbol_demangle(walk->symbol->linker_name, true, &name) < 0 ||
	    dwarf_child(&function, &die) != 0)
		return false;
	do {
		n += dwarf_tag(&die) == DW_TAG_formal_parameter &&
		     !dwarf_hasattr_integrate(&die, DW_AT_artificial);
	} while (dwarf_siblingof(&die, &die) == 0);
	return n < count_listed(name);
}

/* In a copy its own order need not be that of the source. */
static int read_arguments(struct walk *walk)
{
	Dwarf_Attribute attribute;
	Dwarf_Die abstract, type;
	bool returns = type_stripped_of(&walk->function, &type);
	int r;

	r = abi_begin(&walk->call, walk->call.machine, returns ? &type : NULL);
	walk->is_lost = r < 0 || has_gaps(walk) || walk->manner == MANNER_OTHER ||
			(walk->manner == MANNER_RUST && returns && type_is_class(&type));
	if (walk->is_altered && dwarf_attr(&walk->function, DW_AT_abstract_origin, &attribute) &&
	    dwarf_formref_die(&attribute, &abstract))
		return add_arguments(walk, &abstract, true);
	return add_arguments(walk, &walk->function, false);
}

static int read_result(struct walk *walk)
{
	struct argument *result = &walk->arguments->result;
	struct abi_place place = {.place = PF_PLACE_UNREADABLE};
	Dwarf_Die type, stripped;
	int r;

	*result = (struct argument){.length = -1};
	walk->arguments->returns = type_of(&walk->function, &type);
	r = name_argument(NULL, walk->arguments->returns ? &type : NULL, result);
	if (r < 0 || !walk->arguments->returns || !type_strip(&type, &stripped))
		return r;
	r = abi_returned(walk->call.machine, &stripped, &place);
	if (r < 0 || walk->manner == MANNER_OTHER ||
	    (walk->manner == MANNER_RUST && type_is_class(&stripped)))
		result->problem = UNPLACED;
	else if (strstr(walk->symbol->linker_name, ".isra."))
		result->problem = LEFT_OUT;
	else
		set_place(result, &place);
	describe(walk, &stripped, place.is_address, result);
	return 0;
}

/* gfortran tells the length of `name` in `_name`, behind all others. */
static void find_lengths(struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->n_items; i++) {
		struct argument *text = &arguments->items[i];

		for (size_t k = i + 1;
		     text->value.format == ARGUMENT_TEXT && k < arguments->n_items; k++) {
			const struct argument *length = &arguments->items[k];

			if (length->is_hidden && length->name[0] == '_' &&
			    strcmp(length->name + 1, text->name) == 0)
				text->length = (ssize_t)k;
		}
	}
}

static int read_function(struct walk *walk)
{
	int r;

	r = read_arguments(walk);
	if (r == -EAGAIN) {
		arguments_done(walk->arguments);
		walk->is_altered = true;
		r = read_arguments(walk);
	}
	if (r == 0)
		r = read_result(walk);
	return r;
}

int arguments_read(struct argument_reader *reader, const struct symbol *symbol,
		   struct arguments *ret_arguments)
{
	_cleanup_(arguments_done) struct arguments arguments = {};
	struct walk walk = {.symbol = symbol,
			    .is_go = reader->binary->is_go,
			    .call = {.machine = reader->binary->machine},
			    .arguments = &arguments};
	int r;

	r = subprograms_find(reader->subprograms, symbol->address, symbol->linker_name,
			     &walk.function);
	if (r < 0)
		return r;
	walk.manner = manner_of(&walk.function);
	walk.is_altered = is_copy(symbol->linker_name) ||
			  type_number(&walk.function, DW_AT_calling_convention, 0) == DW_CC_nocall;
	r = read_function(&walk);
	if (r < 0)
		return r;
	find_lengths(&arguments);
	*ret_arguments = arguments;
	arguments = (struct arguments){};
	return 0;
}

void argument_place_plain(uint16_t machine, unsigned int n, unsigned int n_floats, bool is_float,
			  struct argument *argument)
{
	struct abi_call call = {.machine = machine};
	struct abi_place place;

	for (unsigned int i = 0; i < n_floats; i++)
		abi_next_float(&call);
	for (unsigned int i = n_floats; i < n; i++)
		abi_next_word(&call);
	place = is_float ? abi_next_float(&call) : abi_next_word(&call);
	set_place(argument, &place);
}
