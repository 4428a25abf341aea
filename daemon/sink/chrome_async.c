/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Marks: moments, and what begins with one mark and ends with another.
 *
 * The two events of a pair have the same name, category, pid and id, whoever ends it: by these
 * viewers know that they belong together. The id is a number of our own, which no other pair has
 * (Perfetto would put two that have one on one track, and cut what overlaps there), and local to
 * the process, or Perfetto would show it apart from its process. The id that the user knows is in
 * args.
 *
 * An end without a beginning, and what else cannot be paired, is shown as a moment and counted.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "sink/args.h"
#include "sink/chrome_internal.h"

static const char *moment_name(const struct event *event)
{
	return event->mark.moment == PF_MOMENT_ENTRY ? "entry" : "return";
}

/* With its items, and a member of its own. `end`: how the call of it ended, or NULL. */
static int write_instant(struct chrome *chrome, const struct event *event,
			 const struct sink_label *label, const char *key, const char *value,
			 const char *end)
{
	int r;

	r = chrome_begin_line(chrome, label->name, label->category, "i", &event->header);
	r = r ?: text_append(&chrome->line, ",\"s\":\"t\"", 8);
	r = r ?: chrome_begin_args(chrome);
	r = r ?: args_string(&chrome->line, key, value);
	r = r ?: args_optional(&chrome->line, "end", end);
	r = r ?: chrome_append_items(chrome, event, label);
	return r ?: chrome_end_args(chrome);
}

int chrome_moment(struct chrome *chrome, const struct event *event, const struct sink_label *label)
{
	return write_instant(chrome, event, label, "moment", moment_name(event),
			     event_end_name(event->mark.end));
}

/* Begins an event of a pair, up to its args. */
static int begin_async(struct chrome *chrome, const struct async_open *open, const char *phase,
		       uint64_t time_ns)
{
	const struct pf_event shown = {.time_ns = time_ns, .pid = open->pid, .tid = open->tid};
	int r;

	r = chrome_begin_shown(chrome, open->name, open->category, phase, &shown);
	r = r ?: text_printf(&chrome->line, ",\"id2\":{\"local\":\"0x%" PRIx64 "\"}", open->number);
	return r ?: chrome_begin_args(chrome);
}

/* What follows is later than the beginning, if only by a nanosecond: else readers may take it first. */
static int begin_later(struct chrome *chrome, const struct async_open *open, const char *phase,
		       uint64_t time_ns)
{
	return begin_async(chrome, open, phase,
			   time_ns > open->time_ns ? time_ns : open->time_ns + 1);
}

/* Whether the mark tells what is begun or ended by it. */
static bool find_id(const struct event *event, const struct sink_label *label,
		    struct async_key *key)
{
	const struct pf_item *item = NULL;

	while ((item = event_next_item(event, item))) {
		if (item->kind != PF_ITEM_ID)
			continue;
		if (item->is_missing)
			return false;
		memcpy(&key->id, item_value(item), sizeof(key->id));
		return true;
	}
	key->id = event->header.tid;
	key->is_thread = true;
	return label->id_value < 0 || (unsigned int)label->id_value >= label->n_values;
}

static int write_begin(struct chrome *chrome, const struct event *event,
		       const struct sink_label *label, const struct async_key *key)
{
	const struct pf_event *header = &event->header;
	const struct async_open begin = {
		.time_ns = header->time_ns,
		.pid = chrome_shown_pid(chrome, header->pid),
		.tid = chrome_shown_tid(chrome, header->pid, header->tid),
		.name = label->name,
	};
	const struct async_open *open;
	int r;

	r = async_begin(chrome->async, key, &begin, &open);
	if (r == -E2BIG) {
		chrome->n_alone.unfollowed++;
		return write_instant(chrome, event, label, "end", "unfollowed", NULL);
	}
	r = r ?: begin_async(chrome, open, "b", open->time_ns);
	r = r ?: chrome_append_items(chrome, event, label);
	return r ?: chrome_end_args(chrome);
}

/* Who it was, where that is not who began. */
static int append_who(struct chrome *chrome, const struct async_open *open, const char *key,
		      const struct pf_event *header)
{
	uint32_t pid = chrome_shown_pid(chrome, header->pid);
	uint32_t tid = chrome_shown_tid(chrome, header->pid, header->tid);
	int r;

	if (pid == open->pid && tid == open->tid)
		return 0;
	r = args_key(&chrome->line, key);
	return r ?: text_printf(&chrome->line, "{\"pid\":%u,\"tid\":%u}", pid, tid);
}

static int write_end(struct chrome *chrome, const struct event *event,
		     const struct sink_label *label, const struct async_key *key)
{
	const char *end = event_end_name(event->mark.end);
	const struct async_open *open;
	int r;

	open = async_end(chrome->async, key, chrome_shown_pid(chrome, event->header.pid));
	if (!open) {
		chrome->n_alone.unbegun++;
		return write_instant(chrome, event, label, "begin", "unseen", NULL);
	}
	r = begin_later(chrome, open, "e", event->header.time_ns);
	r = r ?: append_who(chrome, open, "ended_by", &event->header);
	r = r ?: args_optional(&chrome->line, "end", end);
	r = r ?: chrome_append_items(chrome, event, label);
	return r ?: chrome_end_args(chrome);
}

static int write_async_instant(struct chrome *chrome, const struct event *event,
			       const struct sink_label *label, const struct async_key *key)
{
	const struct async_open *open;
	int r;

	open = async_find(chrome->async, key, chrome_shown_pid(chrome, event->header.pid));
	if (!open)
		return write_instant(chrome, event, label, "begin", "unseen", NULL);
	r = begin_later(chrome, open, "n", event->header.time_ns);
	r = r ?: append_who(chrome, open, "by", &event->header);
	r = r ?: chrome_append_items(chrome, event, label);
	return r ?: chrome_end_args(chrome);
}

static bool is_begin(const struct event *event, const struct sink_label *label)
{
	return label->kind == SINK_ASYNC_BEGIN ||
	       (label->kind == SINK_ASYNC_SPAN && event->mark.moment == PF_MOMENT_ENTRY);
}

int chrome_async_mark(struct chrome *chrome, const struct event *event,
		      const struct sink_label *label, const char *key_name)
{
	struct async_key key = {.name = key_name, .category = label->category};

	if (!find_id(event, label, &key)) {
		chrome->n_alone.without_id++;
		return chrome_moment(chrome, event, label);
	}
	if (is_begin(event, label))
		return write_begin(chrome, event, label, &key);
	if (label->kind == SINK_ASYNC_INSTANT)
		return write_async_instant(chrome, event, label, &key);
	return write_end(chrome, event, label, &key);
}

/* Ends one that nothing has ended. */
static int write_forced_end(struct chrome *chrome, const struct async_open *open, uint64_t time_ns,
			    const char *how)
{
	int r;

	r = begin_later(chrome, open, "e", time_ns);
	r = r ?: args_string(&chrome->line, "end", how);
	return r ?: chrome_end_args(chrome);
}

struct ending {
	struct chrome *chrome;
	uint64_t time_ns;
	const char *how;
	int r;
};

static void on_ending(void *opaque, const struct async_open *open)
{
	struct ending *ending = opaque;
	int r;

	r = write_forced_end(ending->chrome, open, ending->time_ns, ending->how);
	if (r < 0)
		ending->r = r;
}

int chrome_abandon_asyncs(struct chrome *chrome, const struct pf_process_end *end)
{
	struct ending ending = {.chrome = chrome,
				.time_ns = end->event.time_ns,
				.how = event_end_name(PF_END_PROCESS_EXIT)};

	async_abandon(chrome->async, chrome_shown_pid(chrome, end->event.pid), on_ending, &ending);
	return ending.r;
}

int chrome_finish_asyncs(struct chrome *chrome, uint64_t time_ns)
{
	const struct async_open *open;
	int r = 0;

	while (r == 0 && (open = async_next(chrome->async))) {
		chrome->n_unfinished++;
		r = write_forced_end(chrome, open, time_ns, "unfinished");
	}
	return r;
}

int chrome_cut_asyncs(struct chrome *chrome, uint64_t time_ns)
{
	struct ending ending = {.chrome = chrome, .time_ns = time_ns, .how = "continued"};

	chrome->n_continued = async_count(chrome->async);
	async_restart(chrome->async, time_ns, on_ending, &ending);
	return ending.r;
}

static void on_resumed(void *opaque, const struct async_open *open)
{
	struct ending *resumed = opaque;
	struct chrome *chrome = resumed->chrome;
	int r;

	r = begin_async(chrome, open, "b", open->time_ns);
	r = r ?: args_string(&chrome->line, "begin", "continued");
	r = r ?: chrome_end_args(chrome);
	if (r < 0)
		resumed->r = r;
}

int chrome_resume_asyncs(struct chrome *chrome)
{
	struct ending resumed = {.chrome = chrome};

	async_restart(chrome->async, 0, on_resumed, &resumed);
	return resumed.r;
}
