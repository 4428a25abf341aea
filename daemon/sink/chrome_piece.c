/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A trace in several pieces, each a trace for itself: what is known of processes and threads that
 * live is told again in each, and what was open is shown as two that meet at the cut. Spans are
 * written at their end, so each is in one piece, whole.
 *
 * What is told again is kept as the lines that were written, whose time alone is replaced.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/args.h"
#include "sink/chrome_internal.h"
#include "sink/output.h"
#include "sink/put.h"

struct line {
	char *data; /* or NULL */
	size_t size, time_at, time_end;
};

struct kept_thread {
	struct line line;
	uint64_t ended_ns; /* when that was noticed, or 0: what it did before may still be to come */
};

struct kept {
	struct line lines[KEPT_N_LINES];
	struct hash threads; /* tid -> struct kept_thread, owned */
	uint64_t ended_ns;   /* as that of a thread */
};

void chrome_forget(struct process *process)
{
	struct kept *kept = take_ptr(process->kept);
	struct kept_thread *thread;
	size_t cursor = 0;

	if (!kept)
		return;
	while ((thread = hash_next(&kept->threads, &cursor, NULL))) {
		free(thread->line.data);
		free(thread);
	}
	hash_done(&kept->threads);
	for (size_t i = 0; i < KEPT_N_LINES; i++)
		free(kept->lines[i].data);
	free(kept);
}

static int keep_line(const struct chrome *chrome, struct line *line)
{
	char *data = malloc(chrome->line.size);

	if (!data)
		return -ENOMEM;
	memcpy(data, chrome->line.data, chrome->line.size);
	free(line->data);
	*line = (struct line){data, chrome->line.size, chrome->time_at, chrome->time_end};
	return 0;
}

static int find_thread(struct kept *kept, uint32_t tid, struct line **ret_line)
{
	struct kept_thread *thread = hash_find(&kept->threads, tid);
	int r = 0;

	if (!thread) {
		thread = calloc(1, sizeof(*thread));
		r = thread ? hash_put(&kept->threads, tid, thread) : -ENOMEM;
		if (r < 0) {
			free(thread);
			return r;
		}
	}
	thread->ended_ns = 0;
	*ret_line = &thread->line;
	return 0;
}

int chrome_keep(struct chrome *chrome, enum kept_line which, const struct pf_event *event)
{
	struct process *process = chrome->piece ? hash_find(&chrome->processes, event->pid) : NULL;
	struct line *line;
	int r = 0;

	if (!process)
		return 0;
	if (!process->kept) {
		process->kept = calloc(1, sizeof(*process->kept));
		if (!process->kept)
			return -ENOMEM;
	}
	if (which == KEPT_THREAD)
		r = find_thread(process->kept, event->tid, &line);
	else
		line = &process->kept->lines[which];
	return r ?: keep_line(chrome, line);
}

/* What is shown as a moment says that it happened before. */
static int tell_again(struct chrome *chrome, const struct line *kept, bool is_moment,
		      uint64_t time_ns)
{
	char time[PUT_NUMBER_BYTES], *end = put_thousandths(time, time_ns);
	struct text *line = &chrome->line;
	int r;

	if (!kept->data)
		return 0;
	line->size = 0;
	r = text_append(line, kept->data, kept->time_at);
	r = r ?: text_append(line, time, end - time);
	r = r ?: text_append(line, kept->data + kept->time_end, kept->size - kept->time_end);
	if (r == 0 && is_moment) {
		line->size -= 2; /* the brackets */
		r = args_bool(line, "again", true);
		return r ?: chrome_end_args(chrome);
	}
	return r ?: chrome_write_line(chrome);
}

/* Its end may be known to nobody, where the record of it was lost: then it is noticed here. */
static bool is_over(const struct chrome *chrome, uint64_t *ended_ns, uint32_t pid, uint32_t tid,
		    const struct sink_piece *piece)
{
	if (!*ended_ns && chrome->thread_has_ended(pid, tid))
		*ended_ns = piece->clock.boot_ns;
	return *ended_ns && *ended_ns < piece->time_ns;
}

static int tell_threads_again(struct chrome *chrome, struct kept *kept, uint32_t pid,
			      const struct sink_piece *piece)
{
	struct kept_thread *thread;
	size_t cursor = 0;
	uint64_t tid;
	int r = 0;

	while (r == 0 && (thread = hash_next(&kept->threads, &cursor, &tid))) {
		if (!is_over(chrome, &thread->ended_ns, pid, tid, piece)) {
			r = tell_again(chrome, &thread->line, false, piece->time_ns);
			continue;
		}
		hash_remove(&kept->threads, tid);
		free(thread->line.data);
		free(thread);
	}
	return r;
}

static int tell_processes_again(struct chrome *chrome, const struct sink_piece *piece)
{
	struct process *process;
	size_t cursor = 0;
	uint64_t pid;
	int r = 0;

	while (r == 0 && (process = hash_next(&chrome->processes, &cursor, &pid))) {
		if (!process->kept)
			continue;
		if (is_over(chrome, &process->kept->ended_ns, pid, pid, piece)) {
			chrome_forget(process);
			continue;
		}
		for (size_t i = 0; r == 0 && i < KEPT_N_LINES; i++)
			r = tell_again(chrome, &process->kept->lines[i], i == KEPT_PROGRAM,
				       piece->time_ns);
		r = r ?: tell_threads_again(chrome, process->kept, pid, piece);
	}
	return r;
}

static int end_piece(struct chrome *chrome, const struct sink_summary *summary, uint64_t time_ns)
{
	int r;

	r = chrome_cut_asyncs(chrome, time_ns);
	r = r ?: chrome_cut_sched(chrome, time_ns);
	return r ?: chrome_write_summary(chrome, summary);
}

int chrome_next_piece(struct sink *sink, int fd, const struct sink_summary *summary,
		      const struct sink_piece *piece)
{
	struct chrome *chrome = (struct chrome *)sink;
	_cleanup_close_ int next_fd = fd;
	int r;

	r = end_piece(chrome, summary, piece->time_ns);
	r = r ?: output_next(sink->output, take_fd(next_fd));
	if (r < 0)
		return r;
	memset(&chrome->n_alone, 0, sizeof(chrome->n_alone));
	chrome->n_pauses = 0;
	chrome->n_continued = 0;
	chrome->has_machine = false; /* in this file */
	chrome->piece = piece->number;

	r = chrome_write_head(chrome, &piece->clock);
	r = r ?: tell_processes_again(chrome, piece);
	r = r ?: chrome_resume_asyncs(chrome);
	r = r ?: chrome_resume_sched(chrome, piece->time_ns);
	return r ?: output_flush_some(sink->output);
}
