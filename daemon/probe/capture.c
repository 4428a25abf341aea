/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Each value that an aspect asks for is found among the function's arguments, by its position or
 * its name, and becomes one item for the kernel side. Where debug information is missing a position
 * is counted by the ABI: all are words, but for those that are said to be floats.
 *
 * Where it is there, it also knows what is passed by reference: then a type that is said means what
 * is referred to, and if it has a "*", that is the reference.
 */
#include "probe/capture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binary/argument.h"
#include "binary/operand.h"

/* Numbers of lacks: those of args come first. */
#define LACK_RETURN	PF_MAX_CAPTURES
#define LACK_ID		(PF_MAX_CAPTURES + 1)
#define LACK_ALL	(PF_MAX_CAPTURES + 2) /* args=* found nothing */
#define LACK_SOME	(PF_MAX_CAPTURES + 3) /* args=* did not find all */
#define MAX_NAMES_SHOWN 12

struct capturer {
	const struct binary *binary;
	const struct symbols *symbols;
	struct argument_reader *reader;
	bool is_asked;	   /* for debug information */
	struct why reason; /* why there is none */
};

struct choice { /* for one join point */
	struct capturer *capturer;
	const struct aspect *aspect;
	const struct joinpoint *joinpoint;
	struct capture_report *report;
	struct captures *captures;
	struct arguments arguments;
	uint32_t lacked;   /* a bit for each lack that was counted */
	bool is_known;	   /* arguments tells what it has */
	struct why reason; /* why not */
};

struct wish { /* a value that is to be captured */
	const struct aspect_value *asked;
	unsigned int lack; /* the number of what is said if it cannot be */
	bool is_return, is_id;
	char *name; /* owned */
};

void captures_done(struct captures *captures)
{
	for (unsigned int i = 0; i < captures->n_items; i++)
		free(captures->labels[i].name);
	*captures = (struct captures){};
}

void capture_report_done(struct capture_report *report)
{
	for (size_t i = 0; i < ARRAY_SIZE(report->lacks); i++)
		free(report->lacks[i].first);
	*report = (struct capture_report){};
}

int capture_report_add(struct capture_report *report, const struct capture_report *other)
{
	report->n_joinpoints += other->n_joinpoints;
	for (size_t i = 0; i < ARRAY_SIZE(report->lacks); i++) {
		report->lacks[i].n += other->lacks[i].n;
		if (report->lacks[i].first || !other->lacks[i].first)
			continue;
		report->lacks[i].first = strdup(other->lacks[i].first);
		if (!report->lacks[i].first)
			return -ENOMEM;
	}
	return 0;
}

int capturer_open(const struct binary *binary, const struct symbols *symbols,
		  struct capturer **ret_capturer)
{
	struct capturer *capturer = calloc(1, sizeof(*capturer));

	if (!capturer)
		return -ENOMEM;
	capturer->binary = binary;
	capturer->symbols = symbols;
	*ret_capturer = capturer;
	return 0;
}

void capturer_close(struct capturer *capturer)
{
	if (!capturer)
		return;

	argument_reader_close(capturer->reader);
	free(capturer);
}

static const struct symbol *symbol_at(const struct symbols *symbols, uint64_t address)
{
	size_t low = 0, high = symbols->n_items, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (symbols->items[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < symbols->n_items && symbols->items[low].address == address
		       ? &symbols->items[low]
		       : NULL;
}

static int read_function(struct choice *choice)
{
	struct capturer *capturer = choice->capturer;
	const struct symbol *symbol = symbol_at(capturer->symbols, choice->joinpoint->address);
	int r = -ENOENT;

	if (!capturer->is_asked) {
		capturer->is_asked = true;
		r = argument_reader_open(capturer->binary, &capturer->reader, &capturer->reason);
		if (r == -ENOMEM)
			return r;
	}
	if (!capturer->reader) {
		choice->reason = capturer->reason;
		return 0;
	}
	if (symbol)
		r = arguments_read(capturer->reader, symbol, &choice->arguments);
	if (r == -ENOENT) {
		why_say(&choice->reason, r, "the debug information of '%s' does not have it",
			capturer->binary->path);
		return 0;
	}
	choice->is_known = r == 0;
	return r;
}

static int read_arguments(struct choice *choice)
{
	const struct joinpoint *joinpoint = choice->joinpoint;

	if (joinpoint->kind == JOINPOINT_FUNCTION)
		return read_function(choice);
	choice->is_known = true;
	return operands_read(choice->capturer->binary, joinpoint->address,
			     joinpoint->arguments ? joinpoint->arguments : "", &choice->arguments);
}

/* Of the first one the sentence is kept: "'solve' has no argument 'm'". */
__attribute__((format(printf, 3, 4))) static int lack(struct choice *choice, unsigned int number,
						      const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	char *sentence;
	va_list arguments;
	int r;

	if (choice->lacked & 1U << number)
		return 0;
	choice->lacked |= 1U << number;
	if (choice->report->lacks[number].n++ > 0)
		return 0;
	va_start(arguments, format);
	r = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (r < 0) {
		text = NULL;
		return -ENOMEM;
	}
	if (asprintf(&sentence, "'%s' %s", choice->joinpoint->name, text) < 0)
		return -ENOMEM;
	choice->report->lacks[number].first = sentence;
	return 0;
}

static enum capture_format format_of(enum argument_format format)
{
	switch (format) {
	case ARGUMENT_SIGNED:
		return CAPTURE_SIGNED;
	case ARGUMENT_UNSIGNED:
		return CAPTURE_UNSIGNED;
	case ARGUMENT_FLOAT:
		return CAPTURE_FLOAT;
	case ARGUMENT_BOOL:
		return CAPTURE_BOOL;
	case ARGUMENT_CHAR:
		return CAPTURE_CHAR;
	case ARGUMENT_POINTER:
	case ARGUMENT_NO_FORMAT:
		return CAPTURE_POINTER;
	default:
		return CAPTURE_STRING;
	}
}

static struct argument_value value_of_type(enum aspect_type type)
{
	static const struct argument_value values[ASPECT_N_TYPES] = {
		[ASPECT_TYPE_AUTO] = {ARGUMENT_POINTER, 8},
		[ASPECT_TYPE_I8] = {ARGUMENT_SIGNED, 1},
		[ASPECT_TYPE_I16] = {ARGUMENT_SIGNED, 2},
		[ASPECT_TYPE_I32] = {ARGUMENT_SIGNED, 4},
		[ASPECT_TYPE_I64] = {ARGUMENT_SIGNED, 8},
		[ASPECT_TYPE_U8] = {ARGUMENT_UNSIGNED, 1},
		[ASPECT_TYPE_U16] = {ARGUMENT_UNSIGNED, 2},
		[ASPECT_TYPE_U32] = {ARGUMENT_UNSIGNED, 4},
		[ASPECT_TYPE_U64] = {ARGUMENT_UNSIGNED, 8},
		[ASPECT_TYPE_F32] = {ARGUMENT_FLOAT, 4},
		[ASPECT_TYPE_F64] = {ARGUMENT_FLOAT, 8},
		[ASPECT_TYPE_BOOL] = {ARGUMENT_BOOL, 1},
		[ASPECT_TYPE_CHAR] = {ARGUMENT_CHAR, 1},
		[ASPECT_TYPE_PTR] = {ARGUMENT_POINTER, 8},
		[ASPECT_TYPE_STR] = {ARGUMENT_STRING, 0},
		[ASPECT_TYPE_STRING] = {ARGUMENT_STD_STRING, 0},
	};

	return values[type];
}

/* Whose std::string it is, where the argument does not tell. */
static bool uses_libcxx(const struct binary *binary)
{
	for (size_t i = 0; i < binary->needed.n_items; i++) {
		if (strncmp(binary->needed.items[i], "libc++.so", 9) == 0)
			return true;
	}
	return false;
}

static bool is_std_string(enum argument_format format)
{
	return format == ARGUMENT_STD_STRING || format == ARGUMENT_STD_STRING_LIBCXX ||
	       format == ARGUMENT_STD_STRING_SHARED;
}

/* What the aspect says of the argument replaces what debug information does. */
static void apply_type(const struct choice *choice, const struct aspect_value *asked,
		       struct argument *argument, unsigned int *n_dereferences)
{
	enum argument_format was = argument->value.format;

	if (asked->type == ASPECT_TYPE_AUTO && asked->n_dereferences == 0) {
		*n_dereferences = argument->is_by_reference;
		return;
	}
	*n_dereferences = asked->n_dereferences;
	if (argument->is_by_reference && *n_dereferences == 0 && asked->type != ASPECT_TYPE_PTR)
		*n_dereferences = 1;
	argument->value = asked->type == ASPECT_TYPE_AUTO && argument->target.format
				  ? argument->target
				  : value_of_type(asked->type);
	if (asked->type == ASPECT_TYPE_STRING && is_std_string(was))
		argument->value.format = was;
	else if (asked->type == ASPECT_TYPE_STRING && uses_libcxx(choice->capturer->binary))
		argument->value.format = ARGUMENT_STD_STRING_LIBCXX;
	if (argument->place != PF_PLACE_UNREADABLE)
		argument->problem = NULL; /* of its own type */
}

static void set_value(struct pf_capture *capture, const struct argument_value *value,
		      unsigned int max_bytes)
{
	capture->max_bytes = (uint16_t)(max_bytes ? max_bytes : ASPECT_STRING_BYTES);
	switch (value->format) {
	case ARGUMENT_STD_STRING_SHARED: /* what is at its address is the address of the characters
					  */
		capture->n_dereferences++;
		capture->value = PF_VALUE_STRING;
		break;
	case ARGUMENT_STRING:
		capture->value = PF_VALUE_STRING;
		break;
	case ARGUMENT_STD_STRING:
		capture->value = PF_VALUE_STD_STRING;
		break;
	case ARGUMENT_STD_STRING_LIBCXX:
		capture->value = PF_VALUE_STD_STRING_LIBCXX;
		break;
	case ARGUMENT_TEXT:
		capture->value = PF_VALUE_TEXT;
		break;
	default:
		capture->value = PF_VALUE_BYTES;
		capture->size = (uint8_t)value->size;
		capture->max_bytes = 0;
		break;
	}
}

static void wish_done(struct wish *wish)
{
	free(wish->name);
}

/* Takes the name out of the wish. */
static void add_item(struct choice *choice, struct wish *wish, const struct pf_capture *item,
		     enum argument_format format)
{
	struct captures *captures = choice->captures;
	struct capture_label *label = &captures->labels[captures->n_items];

	label->name = take_ptr(wish->name);
	label->format = format_of(format);
	label->is_return = wish->is_return;
	captures->items[captures->n_items] = *item;
	captures->items[captures->n_items].is_at_return = wish->is_return;
	if (wish->is_id)
		captures->id = (int)captures->n_items;
	captures->n_items++;
}

static int add_missing(struct choice *choice, struct wish *wish)
{
	add_item(choice, wish, &(struct pf_capture){.place = PF_PLACE_UNREADABLE, .size = 8},
		 ARGUMENT_POINTER);
	return 0;
}

static int lack_value(struct choice *choice, struct wish *wish, const char *type,
		      const char *problem)
{
	int r;

	if (wish->is_return)
		r = lack(choice, wish->lack, "returns what cannot be captured%s%s%s: %s",
			 type ? " (" : "", type ? type : "", type ? ")" : "", problem);
	else
		r = lack(choice, wish->lack,
			 "has an argument '%s'%s%s%s that cannot be captured: %s", wish->name,
			 type ? " (" : "", type ? type : "", type ? ")" : "", problem);
	return r < 0 ? r : add_missing(choice, wish);
}

/* The length of a text of Fortran is captured before it, from where the kernel side takes it. */
static int add_length(struct choice *choice, const struct argument *text)
{
	const struct argument *length = &choice->arguments.items[text->length];
	_cleanup_(wish_done) struct wish wish = {};
	struct pf_capture item = {
		.place = length->place, .number = length->number, .offset = length->offset};

	if (asprintf(&wish.name, "len(%s)", text->name) < 0) {
		wish.name = NULL;
		return -ENOMEM;
	}
	set_value(&item, &length->value, 0);
	add_item(choice, &wish, &item, length->value.format);
	return 0;
}

/* Why the value is none for the wish, or NULL. */
static const char *problem_of(const struct choice *choice, const struct wish *wish,
			      const struct argument *argument)
{
	if (argument->problem)
		return argument->problem;
	if (wish->is_id && argument->value.format == ARGUMENT_FLOAT)
		return "an id is a whole number or an address";
	if (argument->value.format != ARGUMENT_TEXT)
		return NULL;
	if (argument->length < 0 || choice->arguments.items[argument->length].problem)
		return "nothing tells how long it is";
	if (choice->captures->n_items + 2 > PF_MAX_CAPTURES)
		return "its length would be one value too many";
	return NULL;
}

static int add_argument(struct choice *choice, struct wish *wish, const struct argument *found)
{
	struct argument argument = *found;
	unsigned int n_dereferences;
	struct pf_capture item = {};
	const char *problem;
	int r;

	apply_type(choice, wish->asked, &argument, &n_dereferences);
	if (wish->is_id && format_of(argument.value.format) == CAPTURE_STRING)
		argument.value = value_of_type(ASPECT_TYPE_PTR);
	problem = problem_of(choice, wish, &argument);
	if (problem)
		return lack_value(choice, wish, found->type, problem);
	if (argument.value.format == ARGUMENT_TEXT) {
		r = add_length(choice, &argument);
		if (r < 0)
			return r;
	}
	item.place = (uint8_t)argument.place;
	item.number = argument.number;
	item.offset = argument.offset;
	item.n_dereferences = (uint8_t)n_dereferences;
	set_value(&item, &argument.value, wish->asked->max_bytes);
	add_item(choice, wish, &item, argument.value.format);
	return 0;
}

static bool is_plain_float(const struct aspect_value *value)
{
	return value->n_dereferences == 0 &&
	       (value->type == ASPECT_TYPE_F32 || value->type == ASPECT_TYPE_F64);
}

/* By the ABI alone: arguments are words, but for those that the aspect says are floats. */
static void place_plain(const struct choice *choice, const struct aspect_value *asked,
			struct argument *argument)
{
	const struct aspect *aspect = choice->aspect;
	unsigned int n_floats = 0;

	for (size_t i = 0; i < aspect->n_args; i++)
		n_floats += is_plain_float(&aspect->args[i]) && aspect->args[i].position &&
			    aspect->args[i].position < asked->position;
	argument_place_plain(choice->capturer->binary->machine, asked->position - 1, n_floats,
			     is_plain_float(asked), argument);
}

/* Behind those that a variadic function names, as if these were all words. */
static bool is_further(const struct choice *choice, const struct aspect_value *asked)
{
	return choice->arguments.is_variadic && asked->position > choice->arguments.n_items;
}

static int add_plain(struct choice *choice, struct wish *wish)
{
	struct argument argument = {.length = -1, .value = {ARGUMENT_POINTER, 8}};

	place_plain(choice, wish->asked, &argument);
	return add_argument(choice, wish, &argument);
}

/* "n, x and y" */
static int list_names(const struct arguments *arguments, struct text *text)
{
	size_t n = 0, n_shown = 0;
	int r = 0;

	for (size_t i = 0; i < arguments->n_items; i++)
		n += !arguments->items[i].is_hidden && arguments->items[i].name[0];
	for (size_t i = 0; r == 0 && i < arguments->n_items && n_shown < MAX_NAMES_SHOWN; i++) {
		if (arguments->items[i].is_hidden || !arguments->items[i].name[0])
			continue;
		r = text_printf(text, "%s'%s'",
				n_shown == 0	   ? ""
				: n_shown + 1 == n ? " and "
						   : ", ",
				arguments->items[i].name);
		n_shown++;
	}
	if (r == 0 && n > n_shown)
		r = text_printf(text, " and %zu more", n - n_shown);
	return r;
}

static size_t count_visible(const struct arguments *arguments)
{
	size_t n = 0;

	for (size_t i = 0; i < arguments->n_items; i++)
		n += !arguments->items[i].is_hidden;
	return n;
}

static int lack_argument(struct choice *choice, struct wish *wish)
{
	_cleanup_(text_done) struct text names = {};
	size_t n = count_visible(&choice->arguments);
	int r;

	if (wish->asked->position) {
		r = lack(choice, wish->lack, "has no argument at position %u, it has %zu",
			 wish->asked->position, n);
		return r < 0 ? r : add_missing(choice, wish);
	}
	r = list_names(&choice->arguments, &names);
	if (r < 0)
		return r;
	r = lack(choice, wish->lack, "has no argument '%s', %s%s", wish->asked->name,
		 n == 0	      ? "it has none at all"
		 : names.size ? "it has "
			      : "its arguments have no names",
		 names.size ? names.data : "");
	return r < 0 ? r : add_missing(choice, wish);
}

/* By position, which counts what the source shows, or else by name. */
static const struct argument *find_argument(const struct choice *choice,
					    const struct aspect_value *asked)
{
	unsigned int position = 0;

	for (size_t i = 0; i < choice->arguments.n_items; i++) {
		const struct argument *argument = &choice->arguments.items[i];

		if (argument->is_hidden)
			continue;
		position++;
		if (asked->position ? position == asked->position
				    : strcmp(argument->name, asked->name) == 0)
			return argument;
	}
	return NULL;
}

/* Of a wish that has none: the argument's own, or its number. */
static int name_wish(struct wish *wish, const struct argument *argument, unsigned int position)
{
	if (wish->asked->name)
		wish->name = strdup(wish->asked->name);
	else if (argument && argument->name[0])
		wish->name = strdup(argument->name);
	else if (asprintf(&wish->name, "arg%u", position) < 0)
		wish->name = NULL;
	return wish->name ? 0 : -ENOMEM;
}

static int choose_argument(struct choice *choice, const struct aspect_value *asked,
			   unsigned int number, bool is_id)
{
	_cleanup_(wish_done) struct wish wish = {.asked = asked, .lack = number, .is_id = is_id};
	const struct argument *found = choice->is_known ? find_argument(choice, asked) : NULL;
	int r;

	r = name_wish(&wish, found, asked->position);
	if (r < 0)
		return r;
	if (found)
		return add_argument(choice, &wish, found);
	if (asked->position && !choice->is_known && choice->capturer->binary->is_go)
		r = lack(choice, number, "is written in Go, whose arguments have places of their own: %s", choice->reason.text);
	else if (asked->position && (!choice->is_known || is_further(choice, asked)))
		return add_plain(choice, &wish);
	else if (choice->is_known)
		return lack_argument(choice, &wish);
	else
		r = lack(choice, number, "cannot be asked for its argument '%s' by name, but by position (@1): %s", asked->name,
			 choice->reason.text);
	return r < 0 ? r : add_missing(choice, &wish);
}

static bool is_same(const struct aspect_value *a, const struct aspect_value *b)
{
	return b->name ? a->name && strcmp(a->name, b->name) == 0 : a->position == b->position;
}

static bool is_id(const struct choice *choice, const struct aspect_value *value)
{
	return choice->aspect->id == ASPECT_ID_ARGUMENT &&
	       is_same(value, &choice->aspect->id_value);
}

static int choose_listed(struct choice *choice)
{
	const struct aspect *aspect = choice->aspect;
	int r = 0;

	for (size_t i = 0; r == 0 && i < aspect->n_args; i++) {
		r = choose_argument(choice, &aspect->args[i], (unsigned int)i,
				    choice->captures->id < 0 && is_id(choice, &aspect->args[i]));
		if ((ssize_t)i == aspect->name_value)
			choice->captures->name = (int)choice->captures->n_items - 1;
	}
	return r;
}

/* args=*: as many as there is room for. */
static int choose_all(struct choice *choice)
{
	static const struct aspect_value any = {.max_bytes = ASPECT_STRING_BYTES};
	const struct aspect *aspect = choice->aspect;
	unsigned int room = PF_MAX_CAPTURES - aspect->has_ret - (aspect->id != ASPECT_ID_TID);
	unsigned int position = 0;
	int r = 0;

	if (!choice->is_known)
		return lack(choice, LACK_ALL, "cannot be asked for all its arguments: %s",
			    choice->reason.text);
	for (size_t i = 0; r == 0 && i < choice->arguments.n_items; i++) {
		const struct argument *argument = &choice->arguments.items[i];
		bool is_text = argument->value.format == ARGUMENT_TEXT;
		_cleanup_(wish_done) struct wish wish = {.asked = &any, .lack = LACK_SOME};

		if (argument->is_hidden)
			continue;
		if (choice->captures->n_items + 1 + is_text > room)
			return lack(choice, LACK_SOME,
				    "has more than the %d arguments that can be captured",
				    PF_MAX_CAPTURES);
		r = name_wish(&wish, argument, ++position);
		if (r == 0)
			r = add_argument(choice, &wish, argument);
	}
	return r;
}

static int choose_return(struct choice *choice, const struct aspect_value *asked,
			 unsigned int number, bool id)
{
	_cleanup_(wish_done) struct wish wish = {
		.asked = asked, .lack = number, .is_return = true, .is_id = id};
	struct argument word = {.length = -1, .value = {ARGUMENT_POINTER, 8}};
	int r;

	if (choice->is_known && choice->joinpoint->kind == JOINPOINT_FUNCTION) {
		if (choice->arguments.returns)
			return add_argument(choice, &wish, &choice->arguments.result);
		r = lack(choice, number, "returns nothing");
		return r < 0 || !id ? r : add_missing(choice, &wish);
	}
	if (is_plain_float(asked))
		return lack_value(choice, &wish, NULL, ARGUMENT_IN_VECTOR);
	return add_argument(choice, &wish, &word); /* in register 0: rax, x0 */
}

static int choose_id(struct choice *choice)
{
	static const struct aspect_value any = {};
	const struct aspect *aspect = choice->aspect;

	if (aspect->id == ASPECT_ID_RETURN)
		return choose_return(choice, &any, LACK_ID, true);
	if (aspect->id != ASPECT_ID_ARGUMENT || choice->captures->id >= 0)
		return 0;
	return choose_argument(choice, &aspect->id_value, LACK_ID, true);
}

static bool needs_arguments(const struct aspect *aspect)
{
	return aspect->all_args || aspect->n_args || aspect->has_ret || aspect->id != ASPECT_ID_TID;
}

static int choose(struct choice *choice)
{
	const struct aspect *aspect = choice->aspect;
	int r;

	r = read_arguments(choice);
	if (r == 0)
		r = aspect->all_args ? choose_all(choice) : choose_listed(choice);
	if (r == 0 && aspect->has_ret)
		r = choose_return(choice, &aspect->ret, LACK_RETURN, false);
	return r == 0 ? choose_id(choice) : r;
}

int captures_choose(struct capturer *capturer, const struct aspect *aspect,
		    const struct joinpoint *joinpoint, struct capture_report *report,
		    struct captures *ret_captures)
{
	_cleanup_(captures_done) struct captures captures = {.id = -1, .name = -1};
	struct choice choice = {.capturer = capturer,
				.aspect = aspect,
				.joinpoint = joinpoint,
				.report = report,
				.captures = &captures};
	int r = 0;

	if (needs_arguments(aspect))
		r = choose(&choice);
	arguments_done(&choice.arguments);
	if (r < 0)
		return r;
	report->n_joinpoints++;
	*ret_captures = captures;
	captures = (struct captures){};
	return 0;
}

/* Of one function the sentence says it all. */
static int warn(const struct capture_report *report, unsigned int number, struct strings *warnings)
{
	if (report->n_joinpoints == 1)
		return strings_add(warnings, report->lacks[number].first);
	return strings_printf(warnings, "%zu of %zu functions lack%s a value that was asked for: %s",
			      report->lacks[number].n, report->n_joinpoints,
			      report->lacks[number].n == 1 ? "s" : "", report->lacks[number].first);
}

/* args=* is content with what it finds. */
int capture_report_judge(const struct capture_report *report, struct strings *warnings,
			 struct why *why)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < ARRAY_SIZE(report->lacks); i++) {
		if (report->lacks[i].n == 0)
			continue;
		if (i != LACK_SOME && report->lacks[i].n == report->n_joinpoints)
			return why_say(why, -ENOENT, "%s", report->lacks[i].first);
		r = warn(report, i, warnings);
	}
	return r;
}
