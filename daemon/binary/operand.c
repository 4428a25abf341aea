/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The text is what the compiler put into an assembler statement, so it has every form that an
 * operand of an instruction has. A symbol is found relative to the probe: that holds wherever the
 * binary was loaded to, and the kernel knows the instruction pointer.
 */
#include "binary/operand.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>

#define MAX_OPERANDS   64
#define MAX_WORD_BYTES 256
#define X86_RIP	       16
#define ARM64_SP       31
#define ARM64_VECTOR   64

#define NOT_UNDERSTOOD "its place is written in a way that is not understood"
#define INDEXED	       "it is an element of an array, found by two registers"
#define NO_SYMBOL      "the symbol that it is at is not in the binary"

struct parser {
	const struct binary *binary;
	uint64_t address; /* of the probe */
	char word[MAX_WORD_BYTES];
	const char *p; /* in word */
	struct argument *argument;
};

static void set_problem(struct parser *parser, const char *problem)
{
	parser->argument->place = PF_PLACE_UNREADABLE;
	parser->argument->problem = problem;
}

static bool take(struct parser *parser, char c)
{
	parser->p += strspn(parser->p, " \t");
	if (*parser->p != c)
		return false;
	parser->p++;
	return true;
}

/* Letters and digits; returns how many there were. */
static size_t take_name(struct parser *parser, char name[64], const char *others)
{
	size_t n = 0;

	parser->p += strspn(parser->p, " \t");
	while (isalnum((unsigned char)parser->p[n]) ||
	       (parser->p[n] && strchr(others, parser->p[n])))
		n++;
	snprintf(name, 64, "%.*s", n < 64 ? (int)n : 0, parser->p);
	parser->p += n;
	return n < 64 ? n : 0;
}

/* The names of a register by its width, without the digits of the new ones. */
static int x86_number(const char *name)
{
	static const char *const names[][4] = {
		{"rax", "eax", "ax", "al"},  {"rdx", "edx", "dx", "dl"},
		{"rcx", "ecx", "cx", "cl"},  {"rbx", "ebx", "bx", "bl"},
		{"rsi", "esi", "si", "sil"}, {"rdi", "edi", "di", "dil"},
		{"rbp", "ebp", "bp", "bpl"}, {"rsp", "esp", "sp", "spl"},
	};
	int number, used = 0;

	for (int i = 0; i < (int)ARRAY_SIZE(names); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(names[i]); k++) {
			if (strcmp(name, names[i][k]) == 0)
				return i;
		}
	}
	if (sscanf(name, "r%2d%n", &number, &used) == 1 && number >= 8 && number <= 15 &&
	    (!name[used] || (strchr("dwb", name[used]) && !name[used + 1])))
		return number;
	return strcmp(name, "rip") == 0 ? X86_RIP : -1;
}

/* -1: none. */
static int arm64_number(const char *name)
{
	int number, used = 0;

	if (strcmp(name, "sp") == 0 || strcmp(name, "wsp") == 0)
		return ARM64_SP;
	if (strcmp(name, "fp") == 0)
		return 29;
	if (strcmp(name, "lr") == 0)
		return 30;
	if ((name[0] == 'x' || name[0] == 'w') && sscanf(name + 1, "%2d%n", &number, &used) == 1 &&
	    !name[1 + used] && number >= 0 && number <= 30)
		return number;
	return -1;
}

/* The number of a vector register as DWARF counts, or -1. */
static int vector_number(uint16_t machine, const char *name)
{
	int number, used = 0;

	if (machine == EM_X86_64) {
		if (!strchr("xyz", name[0]) || sscanf(name + 1, "mm%2d%n", &number, &used) != 1 ||
		    name[1 + used] || number < 0 || number > 31)
			return -1;
		return number < 16 ? 17 + number : 67 + number - 16;
	}
	if (!strchr("vqdshb", name[0]) || sscanf(name + 1, "%2d%n", &number, &used) != 1 ||
	    number < 0 || number > 31)
		return -1;
	return ARM64_VECTOR + number;
}

/* Of a variable. Where several have the name, nobody knows which is meant. */
static int find_symbol(const struct binary *binary, const char *name, uint64_t *ret_address)
{
	Elf_Scn *section = NULL;
	const char *its_name;
	uint64_t address = 0;
	GElf_Shdr header;
	GElf_Sym symbol;
	Elf_Data *data;

	while ((section = elf_nextscn(binary->elf, section))) {
		if (!gelf_getshdr(section, &header) ||
		    (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM))
			continue;
		data = elf_getdata(section, NULL);
		for (int i = 0; data && gelf_getsym(data, i, &symbol); i++) {
			its_name = elf_strptr(binary->elf, header.sh_link, symbol.st_name);
			if (!its_name || strcmp(its_name, name) != 0 ||
			    symbol.st_shndx == SHN_UNDEF || GELF_ST_TYPE(symbol.st_info) == STT_TLS)
				continue;
			if (address && address != symbol.st_value)
				return -ENOENT;
			address = symbol.st_value;
		}
	}
	*ret_address = address;
	return address ? 0 : -ENOENT;
}

/* A sum of numbers and at most one symbol: "-8", "sym+4", "4+sym". False: it is none. */
static bool take_sum(struct parser *parser, int64_t *ret_number, char symbol[64])
{
	int64_t number = 0;
	bool is_negative, is_first = true;
	char *end;

	symbol[0] = '\0';
	for (;;) {
		is_negative = take(parser, '-');
		if (!is_negative && !take(parser, '+') && !is_first)
			break;
		if (isdigit((unsigned char)*parser->p)) {
			int64_t term = (int64_t)strtoull(parser->p, &end, 0);

			number = (int64_t)((uint64_t)number +
					   (is_negative ? -(uint64_t)term : (uint64_t)term));
			parser->p = end;
		} else if (is_negative || symbol[0] || !take_name(parser, symbol, "_.$")) {
			return false;
		}
		is_first = false;
	}
	*ret_number = number;
	return true;
}

static void set_memory(struct parser *parser, int number, int64_t offset)
{
	parser->argument->place = PF_PLACE_MEMORY;
	parser->argument->number = (uint8_t)number;
	parser->argument->offset = offset;
}

static void set_symbol(struct parser *parser, const char *symbol, int64_t offset)
{
	uint64_t address;

	if (parser->binary->machine != EM_X86_64)
		set_problem(parser, NOT_UNDERSTOOD);
	else if (find_symbol(parser->binary, symbol, &address) < 0)
		set_problem(parser, NO_SYMBOL);
	else
		set_memory(parser, X86_RIP, (int64_t)(address - parser->address) + offset);
}

static void set_constant(struct parser *parser, int64_t number)
{
	parser->argument->place = PF_PLACE_CONSTANT;
	parser->argument->offset = number;
}

static void set_register(struct parser *parser, int number, const char *name)
{
	int vector = vector_number(parser->binary->machine, name);

	if (number >= 0) {
		parser->argument->place = PF_PLACE_REGISTER;
		parser->argument->number = (uint8_t)number;
	} else if (vector >= 0) {
		set_problem(parser, ARGUMENT_IN_VECTOR);
		parser->argument->number = (uint8_t)vector;
	} else {
		set_problem(parser, NOT_UNDERSTOOD);
	}
}

/* Behind what stands before it: "(%rbp)", "(%rax,%rbx,8)". */
static void parse_x86_base(struct parser *parser, int64_t offset, const char *symbol)
{
	char name[64] = "";
	int number = -1;

	if (take(parser, '%') && take_name(parser, name, ""))
		number = x86_number(name);
	if (take(parser, ','))
		set_problem(parser, INDEXED);
	else if (number < 0 || !take(parser, ')') || (symbol[0] && number != X86_RIP))
		set_problem(parser, NOT_UNDERSTOOD);
	else if (symbol[0])
		set_symbol(parser, symbol, offset);
	else
		set_memory(parser, number, offset);
}

static void parse_x86(struct parser *parser)
{
	char name[64] = "", symbol[64] = "";
	int64_t number = 0;

	if (take(parser, '%')) {
		take_name(parser, name, "");
		set_register(parser, x86_number(name), name);
	} else if (take(parser, '$')) {
		if (take_sum(parser, &number, symbol) && !symbol[0])
			set_constant(parser, number);
		else
			set_problem(parser, NOT_UNDERSTOOD);
	} else if (*parser->p != '(' && !take_sum(parser, &number, symbol)) {
		set_problem(parser, NOT_UNDERSTOOD);
	} else if (take(parser, '(')) {
		parse_x86_base(parser, number, symbol);
	} else if (symbol[0]) {
		set_symbol(parser, symbol, number);
	} else {
		set_problem(parser, NOT_UNDERSTOOD);
	}
	if (*parser->p && !parser->argument->problem)
		set_problem(parser, NOT_UNDERSTOOD);
}

/* "[sp, 16]": behind the "[" */
static void parse_arm64_memory(struct parser *parser)
{
	char name[64] = "", symbol[64] = "";
	int64_t offset = 0;
	int number = -1;

	if (take_name(parser, name, ""))
		number = arm64_number(name);
	if (number >= 0 && take(parser, ',')) {
		take(parser, '#');
		if (!take_sum(parser, &offset, symbol) || symbol[0]) {
			set_problem(parser, symbol[0] && arm64_number(symbol) >= 0
						    ? INDEXED
						    : NOT_UNDERSTOOD);
			return;
		}
	}
	if (number < 0 || !take(parser, ']'))
		set_problem(parser, NOT_UNDERSTOOD);
	else
		set_memory(parser, number, offset);
}

static void parse_arm64(struct parser *parser)
{
	char name[64] = "", symbol[64] = "";
	int64_t number;

	if (take(parser, '[')) {
		parse_arm64_memory(parser);
	} else if (isalpha((unsigned char)*parser->p)) {
		take_name(parser, name, "");
		if (strcmp(name, "xzr") == 0 || strcmp(name, "wzr") == 0)
			set_constant(parser, 0);
		else
			set_register(parser, arm64_number(name), name);
	} else {
		take(parser, '#');
		if (take_sum(parser, &number, symbol) && !symbol[0])
			set_constant(parser, number);
		else
			set_problem(parser, NOT_UNDERSTOOD);
	}
	if (*parser->p && !parser->argument->problem)
		set_problem(parser, NOT_UNDERSTOOD);
}

/* "-4@": a negative size is that of a signed number, an "f" makes it a float. Eight bytes if it is
 * not said. */
static void parse_size(struct parser *parser)
{
	struct argument_value *value = &parser->argument->value;
	int size = 8, used = 0;
	bool is_float;

	*value = (struct argument_value){.format = ARGUMENT_UNSIGNED, .size = 8};
	if (sscanf(parser->p, "%3d%n", &size, &used) != 1)
		used = 0;
	is_float = used && parser->p[used] == 'f';
	if (parser->p[used + is_float] != '@')
		return;
	parser->p += used + is_float + 1;
	value->format = size < 0 ? ARGUMENT_SIGNED : ARGUMENT_UNSIGNED;
	value->size = (unsigned int)(size < 0 ? -size : size);
	if (is_float)
		value->format = ARGUMENT_FLOAT;
	if ((value->size != 1 && value->size != 2 && value->size != 4 && value->size != 8) ||
	    (is_float && value->size < 4))
		set_problem(parser, "its size is none of a number");
}

static int parse_word(struct parser *parser)
{
	static const char *const prefixes[] = {
		[ARGUMENT_SIGNED] = "i", [ARGUMENT_UNSIGNED] = "u", [ARGUMENT_FLOAT] = "f"};
	struct argument *argument = parser->argument;

	parser->p = parser->word;
	parse_size(parser);
	if (argument->problem)
		argument->value = (struct argument_value){};
	else if (parser->binary->machine == EM_X86_64)
		parse_x86(parser);
	else
		parse_arm64(parser);
	argument->name = strdup("");
	if (asprintf(&argument->type, "%s%u",
		     argument->value.size ? prefixes[argument->value.format] : "",
		     8 * argument->value.size) < 0)
		argument->type = NULL;
	return argument->name && argument->type ? 0 : -ENOMEM;
}

/* Up to the next white space that is in no bracket. False: there is no more. */
static bool next_word(const char **text, char word[MAX_WORD_BYTES])
{
	int depth = 0;
	size_t n = 0;

	*text += strspn(*text, " \t");
	for (; **text && (depth > 0 || !isspace((unsigned char)**text)); (*text)++) {
		depth += strchr("([", **text) != NULL;
		depth -= strchr(")]", **text) != NULL;
		if (n < MAX_WORD_BYTES - 1)
			word[n++] = **text;
	}
	word[n] = '\0';
	return n > 0;
}

int operands_read(const struct binary *binary, uint64_t address, const char *text,
		  struct arguments *ret_arguments)
{
	_cleanup_(arguments_done) struct arguments arguments = {};
	struct parser parser = {.binary = binary, .address = address};
	int r;

	while (arguments.n_items < MAX_OPERANDS && next_word(&text, parser.word)) {
		r = array_grow(&arguments.items, arguments.n_items, sizeof(*arguments.items));
		if (r < 0)
			return r;
		parser.argument = &arguments.items[arguments.n_items++];
		*parser.argument = (struct argument){.length = -1};
		r = parse_word(&parser);
		if (r < 0)
			return r;
	}
	*ret_arguments = arguments;
	arguments = (struct arguments){};
	return 0;
}
