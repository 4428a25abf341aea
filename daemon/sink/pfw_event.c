/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The lines, with PerfFlowAspect's keys in its order, and its blanks behind ':' and ','. What is
 * the same for all events of a join point is made once.
 *
 * The counters of a call are two events, with its values at its beginning and zeros at its end,
 * which readers know by their very text.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/args.h"
#include "sink/pfw_internal.h"
#include "sink/put.h"

#define MAX_CACHED  65536 /* join points */
#define FIXED_BYTES 256	  /* of a line, without its prefix and its scope */

void pfw_free_prefixes(struct pfw *pfw)
{
	for (size_t i = 0; i < pfw->n_prefixes; i++)
		free(pfw->prefixes[i].data);
	free(pfw->prefixes);
	pfw->prefixes = NULL;
	pfw->n_prefixes = 0;
}

static const char *name_of(const struct pfw_item *item)
{
	const char *name = item->name ?: item->label->function ?: item->label->name;

	return *name ? name : "?";
}

static const char *category_of(const struct pfw_item *item)
{
	return item->category ?: item->label->module ?: item->label->category;
}

static int append_prefix(struct text *text, const char *name, const char *category)
{
	int r;

	r = text_append(text, "{\"name\": ", 9);
	r = r ?: args_quoted(text, name, strlen(name));
	r = r ?: text_append(text, ", \"cat\": ", 9);
	r = r ?: args_quoted(text, category, strlen(category));
	return r ?: text_append(text, ", \"pid\": ", 9);
}

static int grow_prefixes(struct pfw *pfw, uint32_t joinpoint)
{
	struct pfw_prefix *prefixes;
	size_t n = 64;

	while (n <= joinpoint)
		n *= 2;
	prefixes = reallocarray(pfw->prefixes, n, sizeof(*prefixes));
	if (!prefixes)
		return -ENOMEM;
	memset(prefixes + pfw->n_prefixes, 0, (n - pfw->n_prefixes) * sizeof(*prefixes));
	pfw->prefixes = prefixes;
	pfw->n_prefixes = n;
	return 0;
}

static int keep_prefix(struct pfw *pfw, uint32_t joinpoint, const struct text *text)
{
	struct pfw_prefix prefix = {.size = text->size};
	int r = 0;

	if (joinpoint >= pfw->n_prefixes)
		r = grow_prefixes(pfw, joinpoint);
	if (r < 0)
		return r;
	prefix.data = malloc(text->size);
	if (!prefix.data)
		return -ENOMEM;
	memcpy(prefix.data, text->data, text->size);
	pfw->prefixes[joinpoint] = prefix;
	return 0;
}

/* Begins the line anew. */
static int begin_line(struct pfw *pfw, const struct pfw_item *item)
{
	bool is_own = item->name || item->category || item->joinpoint >= MAX_CACHED;
	struct text *line = &pfw->line;
	int r;

	line->size = 0;
	if (!is_own && item->joinpoint < pfw->n_prefixes && pfw->prefixes[item->joinpoint].data) {
		const struct pfw_prefix *prefix = &pfw->prefixes[item->joinpoint];

		return text_append(line, prefix->data, prefix->size);
	}
	r = append_prefix(line, name_of(item), category_of(item));
	return r < 0 || is_own ? r : keep_prefix(pfw, item->joinpoint, line);
}

static char *put_ids(char *p, const struct pfw_process *process, uint32_t tid)
{
	p = put_number(p, process->pid);
	p = put_literal(p, ", \"tid\": ");
	return put_number(p, tid);
}

static char *put_us(char *p, uint64_t us)
{
	p = put_number(p, us);
	return put_literal(p, ".0");
}

/* All behind the prefix, up to the phase. */
static char *put_head(char *p, const struct pfw_process *process, uint32_t tid, uint64_t us,
		      char phase)
{
	p = put_ids(p, process, tid);
	p = put_literal(p, ", \"ts\": ");
	p = put_us(p, us);
	p = put_literal(p, ", \"ph\": \"");
	*p++ = phase;
	*p++ = '"';
	return p;
}

static int add_line(struct pfw *pfw, struct pfw_process *process, const char *fixed,
		    const char *end)
{
	int r;

	r = text_append(&pfw->line, fixed, (size_t)(end - fixed));
	return r ?: pfw_file_add(process->file, pfw->line.data, pfw->line.size);
}

int pfw_begin(struct pfw *pfw, struct pfw_process *process, uint32_t tid,
	      const struct pfw_item *item, uint64_t us, const struct pfw_room *room)
{
	char fixed[FIXED_BYTES], *p;
	int r;

	if (process->options.is_compact)
		return 0;
	r = begin_line(pfw, item);
	p = put_head(fixed, process, tid, us, 'B');
	*p++ = '}';
	if (r < 0 || !room)
		return r ?: add_line(pfw, process, fixed, p);
	r = text_append(&pfw->line, fixed, (size_t)(p - fixed));
	return r ?: pfw_file_fill(process->file, room, pfw->line.data, pfw->line.size);
}

/* In hundredths of a percent, rounded. */
static unsigned int cpu_usage(const struct pfw_item *item)
{
	uint64_t part = item->oncpu_ns, whole = item->end_ns - item->start_ns;

	if (part >= whole)
		return 10000;
	if (whole >= 1ULL << 50) {
		part >>= 20;
		whole >>= 20;
	}
	return (unsigned int)((part * 10000 + whole / 2) / whole);
}

static char *put_values(char *p, unsigned int usage, uint64_t memory_kib)
{
	p = put_literal(p, ", \"args\": {\"cpu_usage\": ");
	p = put_number(p, usage / 100);
	*p++ = '.';
	if (usage % 100 == 0)
		*p++ = '0';
	else
		p = put_pair(p, usage % 100);
	p = put_literal(p, ", \"memory_usage\": ");
	p = put_number(p, memory_kib);
	return put_literal(p, "}}");
}

static int write_counters(struct pfw *pfw, struct pfw_process *process, uint32_t tid,
			  const struct pfw_item *item, uint64_t us)
{
	char fixed[FIXED_BYTES], *p;
	int r;

	r = begin_line(pfw, item);
	p = put_head(fixed, process, tid, item->begin_us, 'C');
	p = put_values(p, cpu_usage(item), item->memory_kib);
	r = r ?: add_line(pfw, process, fixed, p);
	r = r ?: begin_line(pfw, item);
	p = put_head(fixed, process, tid, us, 'C');
	p = put_values(p, 0, 0);
	return r ?: add_line(pfw, process, fixed, p);
}

static int write_complete(struct pfw *pfw, struct pfw_process *process, uint32_t tid,
			  const struct pfw_item *item, uint64_t us)
{
	char fixed[FIXED_BYTES], *p;
	int r = begin_line(pfw, item);

	p = put_head(fixed, process, tid, item->begin_us, 'X');
	p = put_literal(p, ", \"dur\": ");
	p = put_us(p, us - item->begin_us);
	*p++ = '}';
	return r ?: add_line(pfw, process, fixed, p);
}

static int write_plain(struct pfw *pfw, struct pfw_process *process, uint32_t tid,
		       const struct pfw_item *item, uint64_t us, char phase)
{
	char fixed[FIXED_BYTES], *p;
	int r = begin_line(pfw, item);

	p = put_head(fixed, process, tid, us, phase);
	*p++ = '}';
	return r ?: add_line(pfw, process, fixed, p);
}

/* The counters stand behind the end of a call, or before the whole of it. */
int pfw_end(struct pfw *pfw, struct pfw_process *process, uint32_t tid, const struct pfw_item *item,
	    uint64_t us)
{
	const struct pfw_options *options = &process->options;
	int r = 0;

	if (!options->is_compact)
		r = write_plain(pfw, process, tid, item, us, 'E');
	if (r == 0 && options->with_counters)
		r = write_counters(pfw, process, tid, item, us);
	if (r == 0 && options->is_compact)
		r = write_complete(pfw, process, tid, item, us);
	return r;
}

/* Where there is none, what PerfFlowAspect has of Python, and of C. */
static int append_scope(struct text *line, const struct pfw_item *item)
{
	const char *scope = item->scope ?: item->label->scope ?: "";

	if (*scope)
		return args_quoted(line, scope, strlen(scope));
	return item->label->scope_value >= 0 ? text_append(line, "null", 4)
					     : text_append(line, "\"NA\"", 4);
}

static int write_async(struct pfw *pfw, struct pfw_process *process, uint32_t tid,
		       const struct pfw_item *item, uint64_t us)
{
	char fixed[FIXED_BYTES], *p;
	int r = begin_line(pfw, item);

	p = put_head(fixed, process, tid, us, item->phase);
	p = put_literal(p, ", \"scope\": ");
	r = r ?: text_append(&pfw->line, fixed, (size_t)(p - fixed));
	r = r ?: append_scope(&pfw->line, item);
	p = put_literal(fixed, ", \"id\": ");
	p = put_number(p, item->async_id);
	*p++ = '}';
	return r ?: add_line(pfw, process, fixed, p);
}

int pfw_point(struct pfw *pfw, struct pfw_process *process, uint32_t tid,
	      const struct pfw_item *item, uint64_t us)
{
	if (item->phase == 'B' || item->phase == 'E')
		return write_plain(pfw, process, tid, item, us, item->phase);
	return write_async(pfw, process, tid, item, us);
}

int pfw_flow(struct pfw *pfw, struct pfw_process *process, uint32_t tid,
	     const struct pfw_item *item, enum pfw_side side, uint64_t us)
{
	char fixed[FIXED_BYTES], *p;
	int r;

	pfw->line.size = 0;
	r = append_prefix(&pfw->line, "flow", "flow");
	p = put_head(fixed, process, tid, us, pfw_flow_phase(item, side));
	p = put_literal(p, ", \"bp\": \"e\", \"id\": ");
	p = put_number(p, item->flow_ids[side]);
	*p++ = '}';
	return r ?: add_line(pfw, process, fixed, p);
}
