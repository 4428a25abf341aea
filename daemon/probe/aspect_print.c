/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "probe/aspect.h"
#include "probe/aspect_option.h"

const struct aspect_unit aspect_units[4] = {
	{"s", 1000000000},
	{"ms", 1000000},
	{"us", 1000},
	{"ns", 1},
};

static const char *const types[ASPECT_N_TYPES] = {
	[ASPECT_TYPE_AUTO] = "*",	 [ASPECT_TYPE_I8] = "i8",   [ASPECT_TYPE_I16] = "i16",
	[ASPECT_TYPE_I32] = "i32",	 [ASPECT_TYPE_I64] = "i64", [ASPECT_TYPE_U8] = "u8",
	[ASPECT_TYPE_U16] = "u16",	 [ASPECT_TYPE_U32] = "u32", [ASPECT_TYPE_U64] = "u64",
	[ASPECT_TYPE_F32] = "f32",	 [ASPECT_TYPE_F64] = "f64", [ASPECT_TYPE_BOOL] = "bool",
	[ASPECT_TYPE_CHAR] = "char",	 [ASPECT_TYPE_PTR] = "ptr", [ASPECT_TYPE_STR] = "str",
	[ASPECT_TYPE_STRING] = "string",
};

const char *aspect_type_name(enum aspect_type type)
{
	return types[type];
}

static int print_type(const struct aspect_value *value, struct text *text)
{
	int r;

	r = text_printf(text, "%.*s%s", (int)value->n_dereferences, "****", types[value->type]);
	if (r == 0 && (value->type == ASPECT_TYPE_STR || value->type == ASPECT_TYPE_STRING) &&
	    value->max_bytes != ASPECT_STRING_BYTES)
		r = text_printf(text, "[%u]", value->max_bytes);
	return r;
}

static int print_argument(const struct aspect_value *argument, struct text *text)
{
	int r = 0;

	if (argument->name)
		r = text_printf(text, "%s", argument->name);
	if (r == 0 && argument->type != ASPECT_TYPE_AUTO) {
		r = text_printf(text, ":");
		if (r == 0)
			r = print_type(argument, text);
	}
	if (r == 0 && argument->position)
		r = text_printf(text, "@%u", argument->position);
	return r;
}

static int print_args(const struct aspect *aspect, struct text *text)
{
	int r;

	if (aspect->all_args)
		return text_printf(text, " args=*");
	if (!aspect->n_args)
		return 0;
	r = text_printf(text, " args=(");
	for (size_t i = 0; r == 0 && i < aspect->n_args; i++) {
		if (i > 0)
			r = text_printf(text, ", ");
		if (r == 0)
			r = print_argument(&aspect->args[i], text);
	}
	return r < 0 ? r : text_printf(text, ")");
}

static int print_ret(const struct aspect *aspect, struct text *text)
{
	int r;

	if (!aspect->has_ret)
		return 0;
	r = text_printf(text, " ret=");
	return r < 0 ? r : print_type(&aspect->ret, text);
}

static int print_id(const struct aspect *aspect, struct text *text)
{
	switch (aspect->id) {
	case ASPECT_ID_TID:
		return aspect->is_instant ? text_printf(text, " id=tid") : 0;
	case ASPECT_ID_RETURN:
		return text_printf(text, " id=ret");
	case ASPECT_ID_ARGUMENT:
		return aspect->id_value.name
			       ? text_printf(text, " id=%s", aspect->id_value.name)
			       : text_printf(text, " id=arg%u", aspect->id_value.position);
	}
	return -EINVAL;
}

/* In quotes, with a backslash before what would end them, or begin the name of an argument. */
static int print_text(const char *option, const char *value, struct text *text)
{
	int r;

	if (!value)
		return 0;
	r = text_printf(text, " %s=\"", option);
	for (size_t i = 0; r == 0 && value[i]; i++)
		r = text_printf(text, "%s%c",
				strchr("\"\\{", value[i]) ? "\\" : "",
				value[i]);
	return r < 0 ? r : text_printf(text, "\"");
}

static int print_name(const struct aspect *aspect, struct text *text)
{
	const struct aspect_value *argument;

	if (aspect->name_value < 0)
		return print_text("name", aspect->name, text);
	argument = &aspect->args[aspect->name_value];
	return argument->name ? text_printf(text, " name={%s}", argument->name)
			      : text_printf(text, " name={%u}", argument->position);
}

static int print_min(const struct aspect *aspect, struct text *text)
{
	size_t i = 0;

	if (!aspect->min_ns)
		return 0;
	while (aspect->min_ns % aspect_units[i].ns)
		i++;
	return text_printf(text, " min=%" PRIu64 "%s", aspect->min_ns / aspect_units[i].ns,
			   aspect_units[i].name);
}

int aspect_print(const struct aspect *aspect, struct text *text)
{
	int r;

	r = text_printf(text, "%s(", aspect_advice_name(aspect->advice));
	if (r == 0)
		r = pointcut_print(aspect->pointcut, text);
	if (r == 0)
		r = text_printf(text, ")");
	if (r == 0 && aspect->says_returns)
		r = text_printf(text, " returns=%s", site_mode_name(aspect->returns));
	if (r == 0)
		r = print_min(aspect, text);
	if (r == 0 && aspect->sample)
		r = text_printf(text, " sample=1/%" PRIu32, aspect->sample);
	if (r == 0)
		r = print_args(aspect, text);
	if (r == 0)
		r = print_ret(aspect, text);
	if (r == 0)
		r = print_id(aspect, text);
	if (r == 0)
		r = print_name(aspect, text);
	if (r == 0)
		r = print_text("cat", aspect->category, text);
	return r == 0 && aspect->with_stack ? text_printf(text, " stack") : r;
}
