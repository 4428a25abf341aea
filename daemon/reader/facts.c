/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A process may get several names, as it executes other programs: the last one stands, as it does
 * for viewers. */
#include "reader/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Times past this are since 1970, not since a boot: 30 years. */
#define LEAST_UNIX_NS (30LL * 365 * 86400 * 1000000000)

static void free_names(struct hash *names)
{
	size_t cursor = 0;
	char *name;

	while ((name = hash_next(names, &cursor, NULL)))
		free(name);
	hash_done(names);
}

void facts_done(struct facts *facts)
{
	json_object_put(facts->trace);
	json_object_put(facts->summary);
	ledger_done(&facts->ledger);
	free_names(&facts->process_names);
	free_names(&facts->thread_names);
	*facts = (struct facts){0};
}

static int set_name(struct hash *names, uint64_t key, struct json_object *args)
{
	_cleanup_free_ char *name = strdup(json_member_text(args, "name"));
	char *old = hash_find(names, key);
	int r;

	if (!name)
		return -ENOMEM;
	r = hash_put(names, key, name);
	if (r < 0)
		return r;
	name = NULL;
	free(old);
	return 0;
}

static void take_clock(struct facts *facts)
{
	struct json_object *clock = json_member(facts->trace, "clock", json_type_object);
	int64_t boot_ns = strtoll(json_member_text(clock, "boot_ns"), NULL, 10);
	int64_t real_ns = strtoll(json_member_text(clock, "real_ns"), NULL, 10);

	facts->has_clock = boot_ns > 0 && real_ns > 0;
	facts->unix_offset_ns = facts->has_clock ? real_ns - boot_ns : 0;
}

static void keep(struct json_object **kept, struct json_object *args)
{
	json_object_put(*kept);
	*kept = json_object_get(args);
}

int facts_take(struct facts *facts, struct lanes *lanes, const struct trace_event *event)
{
	struct lane *lane;

	if (event->phase != 'M')
		return 0;
	if (strcmp(event->name, "process_name") == 0)
		return set_name(&facts->process_names, event->pid, event->args);
	if (strcmp(event->name, "thread_name") == 0) {
		lane = lanes_find(lanes, event->pid, event->tid);
		return lane ? set_name(&facts->thread_names, lane->number, event->args) : -ENOMEM;
	}
	if (event->number == 1 && strcmp(event->name, "perfflow_trace") == 0) {
		facts->is_ours = true;
		keep(&facts->trace, event->args);
		take_clock(facts);
	} else if (strcmp(event->name, "perfflow_ledger") == 0) {
		return ledger_take(&facts->ledger, event->args);
	} else if (strcmp(event->name, "perfflow_summary") == 0) {
		facts->is_ours = true;
		keep(&facts->summary, event->args);
	}
	return 0;
}

const char *facts_host(const struct facts *facts)
{
	return json_member_text(facts->trace, "host");
}

const char *facts_process_name(const struct facts *facts, int64_t pid)
{
	const char *name = hash_find(&facts->process_names, pid);

	return name ? name : "";
}

size_t facts_n_processes(const struct facts *facts)
{
	return facts->process_names.n_values - (hash_find(&facts->process_names, 0) != NULL);
}

const char *facts_thread_name(const struct facts *facts, const struct lane *lane)
{
	const char *name = hash_find(&facts->thread_names, lane->number);

	return name ? name : "";
}

bool facts_unix_ns(const struct facts *facts, int64_t time_ns, int64_t *ret_ns)
{
	if (facts->has_clock)
		return !__builtin_add_overflow(time_ns, facts->unix_offset_ns, ret_ns);
	*ret_ns = time_ns;
	return time_ns >= LEAST_UNIX_NS;
}

static struct json_object *piece_of(const struct facts *facts)
{
	return json_member(facts->trace, "piece", json_type_object);
}

uint64_t facts_piece(const struct facts *facts)
{
	return json_member_count(piece_of(facts), "number");
}

bool facts_belong_together(const struct facts *facts, const struct facts *others)
{
	return strcmp(json_member_text(facts->trace, "host"), json_member_text(others->trace, "host")) == 0 &&
	       strcmp(json_member_text(facts->trace, "boot_id"), json_member_text(others->trace, "boot_id")) == 0 &&
	       strcmp(json_member_text(piece_of(facts), "began_ns"), json_member_text(piece_of(others), "began_ns")) == 0;
}
