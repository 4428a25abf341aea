/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Static probes that perfflow/aspect.h puts into a program say themselves what they mean: a region begins or ends, something
 * happened. So `around` of them is what they say, and the texts that they carry are the name and the category.
 */
#include "inspect/advise.h"

#include <string.h>

#include "inspect/critical_path.h"
#include "inspect/region.h"
#include "probe/woven.h"

void advised_done(struct advised *advised)
{
	captures_done(&advised->captures);
	annotation_done(&advised->annotation);
	free(advised->source);
	free(advised->function);
}

bool advise_is_plain(const struct aspect *aspect)
{
	return aspect->advice == ASPECT_AROUND && !aspect_follows_annotations(aspect) && !aspect->min_ns && aspect->sample <= 1 && !aspect->with_stack &&
	       !aspect->all_args && !aspect->n_args && !aspect->has_ret;
}

bool advise_has_items(const struct aspect *aspect)
{
	return aspect->with_stack || aspect->all_args || aspect->n_args || aspect->has_ret || aspect->id != ASPECT_ID_TID ||
	       pointcut_wants_static_probes(aspect->pointcut);
}

static const struct {
	enum pf_advice_kind kind;
	enum sink_kind sink_kind;
} kinds[ASPECT_N_ADVICES] = {
	[ASPECT_AROUND] = { PF_ADVICE_AROUND, SINK_SPAN },
	[ASPECT_BEFORE] = { PF_ADVICE_BEFORE, SINK_MARK },
	[ASPECT_AFTER] = { PF_ADVICE_AFTER, SINK_MARK },
	[ASPECT_AROUND_ASYNC] = { PF_ADVICE_AROUND_MARKS, SINK_ASYNC_SPAN },
	[ASPECT_BEFORE_ASYNC] = { PF_ADVICE_BEFORE, SINK_ASYNC_BEGIN },
	[ASPECT_AFTER_ASYNC] = { PF_ADVICE_AFTER, SINK_ASYNC_END },
};

static const enum sink_format formats[] = {
	[CAPTURE_SIGNED] = SINK_SIGNED, [CAPTURE_UNSIGNED] = SINK_UNSIGNED, [CAPTURE_FLOAT] = SINK_FLOAT,
	[CAPTURE_POINTER] = SINK_POINTER, [CAPTURE_BOOL] = SINK_BOOL,	  [CAPTURE_CHAR] = SINK_CHAR,
	[CAPTURE_STRING] = SINK_STRING,
};

static void advise_captures(struct advised *advised)
{
	const struct captures *captures = &advised->captures;

	for (unsigned int i = 0; i < captures->n_items; i++) {
		advised->advice.captures[i] = captures->items[i];
		advised->values[i] = (struct sink_value){
			.name = captures->labels[i].name,
			.format = formats[captures->labels[i].format],
			.size = captures->items[i].value == PF_VALUE_BYTES ? captures->items[i].size : 0,
		};
	}
	advised->advice.n_captures = captures->n_items;
	advised->label.n_values = captures->n_items;
	advised->label.name_value = captures->name;
	advised->label.id_value = captures->id;
	if (captures->id >= 0)
		advised->advice.id_capture = captures->id;
}

static void advise_aspect(const struct aspect *aspect, const struct joinpoint *joinpoint, struct advised *advised)
{
	struct pf_advice *advice = &advised->advice;

	/* the id comes with the return, and a span has the entry as well */
	advice->kind = aspect_begins_late(aspect) ? PF_ADVICE_AROUND : kinds[aspect->advice].kind;
	/* a static probe is hit once: there is nothing between before and after */
	if (joinpoint->kind == JOINPOINT_STATIC_PROBE && advice->kind == PF_ADVICE_AFTER)
		advice->kind = PF_ADVICE_BEFORE;
	advice->with_stack = aspect->with_stack;
	advice->sample = aspect->sample;
	advice->min_ns = aspect->min_ns;
	advised->label.kind = aspect->is_instant ? SINK_ASYNC_INSTANT : kinds[aspect->advice].sink_kind;
	if (aspect->name)
		advised->label.name = aspect->name;
	if (aspect->category)
		advised->label.category = aspect->category;
}

/* As the program means it. The texts that it gives are no arguments, but the name and the category. */
static int advise_region(struct capturer *capturer, const struct region_kind *kind, const struct aspect *aspect,
			 const struct joinpoint *joinpoint, struct capture_report *report, struct advised *advised)
{
	_cleanup_(aspect_freep) struct aspect *of_region = NULL;
	int r;

	r = region_aspect(kind, aspect, &of_region);
	if (r < 0)
		return r;
	advise_aspect(of_region, joinpoint, advised);
	advised->advice.kind = kind->kind;
	advised->advice.is_paired = kind->is_paired;
	advised->label.kind = kind->sink_kind;
	if (kind->kind == PF_ADVICE_REGION_END) /* it ends whatever has begun */
		advised->advice.condition = (struct pf_condition){ 0 };
	r = captures_choose(capturer, of_region, joinpoint, report, &advised->captures);
	if (r < 0)
		return r;
	advise_captures(advised);
	if (kind->has_names) {
		advised->values[0].is_hidden = advised->values[1].is_hidden = true;
		advised->label.category_value = 1;
	}
	if (kind->has_scope) {
		advised->values[2].is_hidden = true;
		advised->label.scope_value = 2;
	}
	if (aspect->name) {
		advised->label.name = aspect->name;
		advised->label.name_value = -1;
	}
	if (aspect->category) {
		advised->label.category = aspect->category;
		advised->label.category_value = -1;
	}
	return 0;
}

int advise(const struct binary *binary, struct capturer *capturer, const struct aspect *aspect,
	   const struct joinpoint *joinpoint, struct capture_report *report, struct advised *ret_advised)
{
	struct advised *advised = ret_advised;
	struct region_kind region;
	int r;

	*advised = (struct advised){
		.advice = { .kind = PF_ADVICE_NOTHING, .id_capture = PF_NO_ID, .sets_atoms = joinpoint->sets_atoms,
			    .condition = joinpoint->condition },
		.label = { .name = joinpoint->name, .category = binary->name, .values = advised->values,
			   .name_value = -1, .category_value = -1, .id_value = -1, .scope_value = -1 },
		.captures = { .id = -1, .name = -1 },
	};
	if (!aspect)
		return 0;
	if (joinpoint->woven) {
		woven_advise(joinpoint->woven, binary->machine, aspect, &advised->advice);
		return 0;
	}
	if (region_find(joinpoint, aspect, &region))
		return advise_region(capturer, &region, aspect, joinpoint, report, advised);
	advise_aspect(aspect, joinpoint, advised);
	if (joinpoint->annotation && aspect_follows_annotations(aspect)) {
		r = critical_path_advise(joinpoint, advised);
		if (r < 0)
			return r;
	}
	r = captures_choose(capturer, aspect, joinpoint, report, &advised->captures);
	if (r < 0)
		return r;
	advise_captures(advised);
	advised->is_plain = advise_is_plain(aspect) && !joinpoint->sets_atoms && !joinpoint->condition.n_alternatives;
	return 0;
}
