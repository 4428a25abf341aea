/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A program's own probes say what they are, so only `around` of them is that; Python's tell of calls, whatever is recorded
 * of those. There the number of a call tells the ends of `around_async` apart, as they are of one call; the others are ends of
 * different ones, which have their thread in common.
 */
#include "inspect/region.h"

#include <string.h>

#include "probe/python.h"

#define NAMES "name:str[128]@1, category:str@2"
#define NAMED "before(x) args=(" NAMES ") name={name}"
#define BY_INTERPRETER "before(x) args=(name:str[128]@2, category:str[256]@1) name={name}"
#define ASYNC "before_async(x) args=(" NAMES ") name={name}"
#define ASYNC_BY_NUMBER "before_async(x) args=(" NAMES ") id=arg3 name={name}"
#define ASYNC_IN_SCOPE	"before_async(x) args=(" NAMES ", scope:str@4) id=arg3 name={name}"

static const struct {
	const char *probe; /* provider:name */
	struct region_kind kind;
} own_kinds[] = {
	{ "perfflow:begin", { PF_ADVICE_REGION_BEGIN, SINK_SPAN, NAMED, true } },
	{ "perfflow:end", { PF_ADVICE_REGION_END, SINK_SPAN } },
	{ "perfflow:mark", { PF_ADVICE_BEFORE, SINK_MARK, NAMED, true } },
	{ "perfflow:mark_return", { PF_ADVICE_MARK_RETURN, SINK_MARK, NAMED, true } },
	{ "perfflow:async_begin", { PF_ADVICE_BEFORE, SINK_ASYNC_BEGIN, ASYNC_BY_NUMBER, true } },
	{ "perfflow:async_instant", { PF_ADVICE_BEFORE, SINK_ASYNC_INSTANT, ASYNC_BY_NUMBER, true } },
	{ "perfflow:async_end", { PF_ADVICE_BEFORE, SINK_ASYNC_END, ASYNC_BY_NUMBER, true } },
};

static unsigned int count_arguments(const char *arguments)
{
	unsigned int n = 0;

	while (arguments && *(arguments += strspn(arguments, " "))) {
		arguments += strcspn(arguments, " ");
		n++;
	}
	return n;
}

static bool find_own(const struct joinpoint *joinpoint, struct region_kind *ret_kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_kinds); i++) {
		if (strcmp(own_kinds[i].probe, joinpoint->name) != 0)
			continue;
		*ret_kind = own_kinds[i].kind;
		if (ret_kind->sink_kind >= SINK_ASYNC_SPAN && count_arguments(joinpoint->arguments) == 4) {
			ret_kind->captures = ASYNC_IN_SCOPE;
			ret_kind->has_scope = true;
		}
		ret_kind->is_paired = ret_kind->kind == PF_ADVICE_REGION_BEGIN && count_arguments(joinpoint->arguments) == 3;
		return true;
	}
	return false;
}

/* At the beginning and at the end of a call. */
static const struct region_kind python_kinds[ASPECT_N_ADVICES] = {
	[ASPECT_AROUND] = { PF_ADVICE_BEFORE, SINK_ASYNC_SPAN, ASYNC_BY_NUMBER, true }, /* of a coroutine */
	[ASPECT_BEFORE] = { PF_ADVICE_BEFORE, SINK_MARK, NAMED, true },
	[ASPECT_AFTER] = { PF_ADVICE_MARK_RETURN, SINK_MARK, NAMED, true },
	[ASPECT_AROUND_ASYNC] = { PF_ADVICE_BEFORE, SINK_ASYNC_SPAN, ASYNC_BY_NUMBER, true },
	[ASPECT_BEFORE_ASYNC] = { PF_ADVICE_BEFORE, SINK_ASYNC_BEGIN, ASYNC, true },
	[ASPECT_AFTER_ASYNC] = { PF_ADVICE_BEFORE, SINK_ASYNC_END, ASYNC, true },
};

static bool find_python(const struct joinpoint *joinpoint, enum aspect_advice advice, struct region_kind *ret_kind)
{
	const char *colon = strchr(joinpoint->name, ':');
	_cleanup_free_ char *provider = colon ? strndup(joinpoint->name, colon - joinpoint->name) : NULL;
	struct python_probe probe;

	if (!provider || !python_find_probe(provider, colon + 1, &probe))
		return false;
	if (advice != ASPECT_AROUND || (probe.which != PF_PYTHON_ENTER && probe.which != PF_PYTHON_LEAVE))
		*ret_kind = python_kinds[advice];
	else if (probe.which == PF_PYTHON_ENTER)
		*ret_kind = (struct region_kind){ PF_ADVICE_REGION_BEGIN, SINK_SPAN, NAMED, .has_names = true, .is_paired = true };
	else
		*ret_kind = (struct region_kind){ PF_ADVICE_REGION_END, SINK_SPAN };
	if (ret_kind->sink_kind == SINK_ASYNC_SPAN)
		ret_kind->sink_kind = probe.which == PF_PYTHON_START || probe.which == PF_PYTHON_TASK_START ? SINK_ASYNC_BEGIN :
													      SINK_ASYNC_END;
	if (probe.by_interpreter && ret_kind->captures)
		ret_kind->captures = BY_INTERPRETER;
	return true;
}

bool region_find(const struct joinpoint *joinpoint, const struct aspect *aspect, struct region_kind *ret_kind)
{
	if (joinpoint->kind != JOINPOINT_STATIC_PROBE)
		return false;
	if (aspect->advice == ASPECT_AROUND && find_own(joinpoint, ret_kind))
		return true;
	return pointcut_wants_python(aspect->pointcut) && find_python(joinpoint, aspect->advice, ret_kind);
}

int region_aspect(const struct region_kind *kind, const struct aspect *aspect, struct aspect **ret_aspect)
{
	struct why why = { 0 };
	int r;

	r = aspect_parse(kind->captures ?: "before(x)", ret_aspect, NULL, &why);
	if (r < 0)
		return r;
	(*ret_aspect)->with_stack = aspect->with_stack;
	if (kind->sink_kind == SINK_SPAN || kind->sink_kind == SINK_MARK) /* else beginnings and ends would be left out apart */
		(*ret_aspect)->sample = aspect->sample;
	(*ret_aspect)->min_ns = aspect->min_ns;
	return 0;
}
