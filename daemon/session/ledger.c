/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Notes come through a pipe: each is smaller than what a pipe takes as a whole, so neither side needs a lock. */
#include "session/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "probe/table.h"

#define WRITE_NS 1000000000ULL
#define MAX_PIPE_BYTES (1 << 20)

struct note {
	bool is_step;
	union {
		struct sink_step step;
		struct sink_loss loss;
	};
};
_Static_assert(sizeof(struct note) <= PIPE_BUF, "it is written as a whole");

struct ledger {
	struct attach *attach;
	const struct labels *labels;
	struct table losses;
	int read_fd, write_fd;
	uint64_t counted_ns; /* when the counts were read last */
	uint64_t n_missed_runs;	 /* as of then, */
	struct ledger_sums sums; /* and these */
	struct pf_loss dropped;	 /* notes that found no room: atomic, theirs who notes */
	uint64_t n_dropped_told;
};

int ledger_new(struct attach *attach, const struct labels *labels, struct ledger **ret_ledger)
{
	_cleanup_(ledger_freep) struct ledger *ledger = calloc(1, sizeof(*ledger));
	int fds[2];

	if (!ledger)
		return -ENOMEM;
	ledger->read_fd = ledger->write_fd = -1;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	ledger->read_fd = fds[0];
	ledger->write_fd = fds[1];
	ledger->attach = attach;
	ledger->labels = labels;
	ledger->losses = (struct table){
		.fd = attach ? attach_losses_fd(attach) : -1,
		.key_bytes = sizeof(struct pf_loss_key),
		.value_bytes = sizeof(struct pf_loss),
	};
	*ret_ledger = take_ptr(ledger);
	return 0;
}

void ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	closep(&ledger->read_fd);
	closep(&ledger->write_fd);
	table_done(&ledger->losses);
	free(ledger);
}

uint64_t ledger_n_dropped(const struct ledger *ledger)
{
	return __atomic_load_n(&ledger->dropped.n, __ATOMIC_ACQUIRE);
}

/* The number comes last: who reads it finds the times of all that it counts. */
static void count_dropped(struct ledger *ledger, uint64_t begin_ns, uint64_t end_ns)
{
	struct pf_loss *dropped = &ledger->dropped;

	if (!dropped->n || begin_ns < dropped->first_ns)
		__atomic_store_n(&dropped->first_ns, begin_ns, __ATOMIC_RELAXED);
	if (end_ns > dropped->last_ns)
		__atomic_store_n(&dropped->last_ns, end_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&dropped->n, dropped->n + 1, __ATOMIC_RELEASE);
}

static bool try_to_put(struct ledger *ledger, const struct note *note)
{
	return write(ledger->write_fd, note, sizeof(*note)) == sizeof(*note);
}

/* Where many functions are paused at once the pipe has to grow. One that is full even then has thousands: the pipeline stands still. */
static void put(struct ledger *ledger, const struct note *note)
{
	if (try_to_put(ledger, note) ||
	    (errno == EAGAIN && fcntl(ledger->write_fd, F_SETPIPE_SZ, MAX_PIPE_BYTES) >= 0 && try_to_put(ledger, note)))
		return;
	if (note->is_step)
		count_dropped(ledger, note->step.time_ns, note->step.time_ns);
	else
		count_dropped(ledger, note->loss.begin_ns, note->loss.end_ns ?: note->loss.begin_ns);
}

void ledger_note_step(struct ledger *ledger, const struct sink_step *step)
{
	const struct note note = { .is_step = true, .step = *step };

	put(ledger, &note);
}

void ledger_note_loss(struct ledger *ledger, const struct sink_loss *loss)
{
	const struct note note = { .loss = *loss };

	put(ledger, &note);
}

static int write_loss(struct sink *sink, const struct sink_loss *loss)
{
	return sink->ops->loss ? sink->ops->loss(sink, loss) : 0;
}

/* From the first of all on, since the later ones may be about any time after that. */
static int write_dropped(struct ledger *ledger, struct sink *sink)
{
	struct sink_loss loss = { .reason = "notes", .n = ledger_n_dropped(ledger) - ledger->n_dropped_told };

	if (!loss.n)
		return 0;
	loss.begin_ns = __atomic_load_n(&ledger->dropped.first_ns, __ATOMIC_RELAXED);
	loss.end_ns = __atomic_load_n(&ledger->dropped.last_ns, __ATOMIC_RELAXED);
	ledger->n_dropped_told += loss.n;
	return write_loss(sink, &loss);
}

static int write_notes(struct ledger *ledger, struct sink *sink)
{
	struct note note;
	int r = 0;

	while (r >= 0 && read(ledger->read_fd, &note, sizeof(note)) == sizeof(note)) {
		if (!note.is_step)
			r = write_loss(sink, &note.loss);
		else if (sink->ops->step)
			r = sink->ops->step(sink, &note.step);
	}
	return r < 0 ? r : write_dropped(ledger, sink);
}

static int write_count(const struct ledger *ledger, struct sink *sink, const struct pf_loss_key *key, const struct pf_loss *now,
		       const struct pf_loss *before)
{
	const struct sink_label *label = labels_find(ledger->labels, key->joinpoint);
	const struct sink_loss loss = {
		.reason = event_counter_name(key->counter),
		.function = label ? label->name : NULL,
		.module = label ? label->category : NULL,
		.pid = key->pid,
		.n = before ? now->n - before->n : now->n,
		.begin_ns = before && before->n ? before->last_ns : now->first_ns,
		.end_ns = now->last_ns,
	};

	return loss.n && loss.reason ? write_loss(sink, &loss) : 0;
}

/* Of what is only known as a sum. */
static int write_sum(const struct ledger *ledger, struct sink *sink, const char *reason, uint64_t *before, uint64_t now,
		     uint64_t now_ns)
{
	const struct sink_loss loss = {
		.reason = reason,
		.n = now - *before,
		.begin_ns = ledger->counted_ns,
		.end_ns = now_ns,
	};

	if (now == *before)
		return 0;
	*before = now;
	return write_loss(sink, &loss);
}

static int write_counts(struct ledger *ledger, struct sink *sink, uint64_t now_ns, const struct ledger_sums *sums)
{
	const void *key, *now, *before;
	struct table_cursor cursor = { 0 };
	int r;

	r = table_read(&ledger->losses);
	while (r >= 0 && table_next(&ledger->losses, &cursor, &key, &now, &before))
		r = write_count(ledger, sink, key, now, before);
	if (r >= 0)
		r = write_sum(ledger, sink, "missed_runs", &ledger->n_missed_runs, attach_n_missed_runs(ledger->attach), now_ns);
	if (r >= 0)
		r = write_sum(ledger, sink, "bad_records", &ledger->sums.n_bad_records, sums->n_bad_records, now_ns);
	if (r >= 0)
		r = write_sum(ledger, sink, "out_of_order", &ledger->sums.n_out_of_order, sums->n_out_of_order, now_ns);
	ledger->counted_ns = now_ns;
	return r;
}

int ledger_write(struct ledger *ledger, struct sink *sink, uint64_t now_ns, const struct ledger_sums *sums, bool is_last)
{
	int r = write_notes(ledger, sink);

	if (!ledger->counted_ns)
		ledger->counted_ns = now_ns;
	if (r < 0 || !ledger->attach || (!is_last && now_ns < ledger->counted_ns + WRITE_NS))
		return r;
	return write_counts(ledger, sink, now_ns, sums);
}
