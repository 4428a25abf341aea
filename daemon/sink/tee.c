/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* It is in no table: what it is made of was made already. */
#include "sink/tee.h"

#include <errno.h>
#include <stdlib.h>

struct tee {
	struct sink sink;
	struct sink *ends[2];
};

/* Calls that function of both; the first error counts. */
#define BOTH(sink, function, ...)                                                                  \
	({                                                                                         \
		struct sink *const *_ends = ((struct tee *)(sink))->ends;                          \
		int _first = _ends[0]->ops->function(_ends[0], __VA_ARGS__);                       \
		int _second = _ends[1]->ops->function(_ends[1], __VA_ARGS__);                      \
                                                                                                   \
		_first < 0 ? _first : _second;                                                     \
	})

static int tee_span(struct sink *sink, const struct event *span, const struct sink_label *label)
{
	return BOTH(sink, span, span, label);
}

static int tee_mark(struct sink *sink, const struct event *mark, const struct sink_label *label)
{
	return BOTH(sink, mark, mark, label);
}

static int tee_process(struct sink *sink, const struct pf_process_seen *process)
{
	return BOTH(sink, process, process);
}

static int tee_identity(struct sink *sink, const struct identity *identity)
{
	return BOTH(sink, identity, identity);
}

static int tee_process_end(struct sink *sink, const struct pf_process_end *process_end)
{
	return BOTH(sink, process_end, process_end);
}

static int tee_thread(struct sink *sink, const struct pf_thread_seen *thread)
{
	return BOTH(sink, thread, thread);
}

static int tee_fork(struct sink *sink, const struct pf_fork *fork)
{
	return BOTH(sink, fork, fork);
}

static int tee_cpu_switch(struct sink *sink, const struct pf_switch *cpu_switch)
{
	return BOTH(sink, cpu_switch, cpu_switch);
}

static int tee_wake(struct sink *sink, const struct pf_wake *wake)
{
	return BOTH(sink, wake, wake);
}

static int tee_counter(struct sink *sink, const struct sink_counter *counter)
{
	return BOTH(sink, counter, counter);
}

static int tee_step(struct sink *sink, const struct sink_step *step)
{
	struct sink *const *ends = ((struct tee *)sink)->ends;
	int r = 0;

	for (int i = 0; i < 2; i++)
		if (ends[i]->ops->step)
			r = r ?: ends[i]->ops->step(ends[i], step);
	return r;
}

static int tee_loss(struct sink *sink, const struct sink_loss *loss)
{
	struct sink *const *ends = ((struct tee *)sink)->ends;
	int r = 0;

	for (int i = 0; i < 2; i++)
		if (ends[i]->ops->loss)
			r = r ?: ends[i]->ops->loss(ends[i], loss);
	return r;
}

static int tee_flush(struct sink *sink, uint64_t now_ns)
{
	struct sink *const *ends = ((struct tee *)sink)->ends;
	int r = 0;

	for (int i = 0; i < 2; i++) {
		if (ends[i]->ops->flush)
			r = r ?: ends[i]->ops->flush(ends[i], now_ns);
	}
	return r;
}

/* There is one file for them: it is for the one that has pieces. */
static int tee_next_piece(struct sink *sink, int fd, const struct sink_summary *summary,
			  const struct sink_piece *piece)
{
	struct sink *const *ends = ((struct tee *)sink)->ends;

	for (int i = 0; i < 2; i++) {
		if (ends[i]->ops->next_piece)
			return ends[i]->ops->next_piece(ends[i], fd, summary, piece);
	}
	close(fd);
	return -EOPNOTSUPP;
}

static int tee_finish(struct sink *sink, const struct sink_summary *summary)
{
	return BOTH(sink, finish, summary);
}

static void tee_free(struct sink *sink)
{
	struct tee *tee = (struct tee *)sink;

	sink_free(tee->ends[0]);
	sink_free(tee->ends[1]);
}

static const struct sink_ops tee_sink_ops = {
	.name = "tee",
	.size = sizeof(struct tee),
	.span = tee_span,
	.mark = tee_mark,
	.process = tee_process,
	.identity = tee_identity,
	.process_end = tee_process_end,
	.thread = tee_thread,
	.fork = tee_fork,
	.cpu_switch = tee_cpu_switch,
	.wake = tee_wake,
	.counter = tee_counter,
	.step = tee_step,
	.loss = tee_loss,
	.flush = tee_flush,
	.next_piece = tee_next_piece,
	.finish = tee_finish,
	.free = tee_free,
};

int tee_new(struct sink *first, struct sink *second, struct sink **ret_tee)
{
	struct tee *tee = calloc(1, sizeof(*tee));

	if (!tee) {
		sink_free(first);
		sink_free(second);
		return -ENOMEM;
	}
	tee->sink.ops = &tee_sink_ops;
	tee->ends[0] = first;
	tee->ends[1] = second;
	*ret_tee = &tee->sink;
	return 0;
}
