/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Few functions are told of one by one, many by their file: a library may have thousands, for each process that uses it. */
#include "session/late.h"

#include <stdlib.h>

#include "util/now.h"

#define MAX_NAMED 64 /* functions */

struct file {
	uint32_t after, last; /* its functions */
	uint64_t woven_ns;
};

void late_done(struct late *late)
{
	struct file *file;
	size_t cursor = 0;

	while ((file = hash_next(&late->files, &cursor, NULL)))
		free(file);
	hash_done(&late->files);
	hash_done(&late->told);
}

static uint64_t key_of(const struct mapping *mapping, pid_t pid)
{
	const uint64_t parts[] = { mapping->dev, mapping->ino, pid };

	return hash_bytes(parts, sizeof(parts));
}

/* What was noted of functions so far goes out before another one that is not to be told of with them. */
static void note_function(struct late *late, struct sink_loss *loss, const struct sink_label *label, bool is_named)
{
	if (loss->n && (is_named || loss->module != label->category)) {
		ledger_note_loss(late->ledger, loss);
		loss->n = 0;
	}
	loss->function = is_named ? label->name : NULL;
	loss->module = label->category;
	loss->n++;
}

static void note(struct late *late, const struct file *file, pid_t pid, uint64_t since_ns)
{
	struct sink_loss loss = {
		.reason = "late_weaving",
		.pid = pid,
		.begin_ns = since_ns,
		.end_ns = file->woven_ns,
	};

	for (uint32_t number = file->after + 1; number <= file->last; number++) {
		const struct sink_label *label = labels_find(late->labels, number);

		if (label) /* some numbers are nobody's */
			note_function(late, &loss, label, file->last - file->after <= MAX_NAMED);
	}
	if (loss.n)
		ledger_note_loss(late->ledger, &loss);
}

void late_note_file(struct late *late, const struct mapping *mapping, uint32_t after, uint32_t last)
{
	const struct file woven = { .after = after, .last = last, .woven_ns = clock_now_ns(CLOCK_BOOTTIME) };
	struct file *file;

	note(late, &woven, mapping->pid, mapping->time_ns);
	file = malloc(sizeof(*file));
	if (!file)
		return; /* then others that have it are not told of */
	*file = woven;
	free(hash_remove(&late->files, key_of(mapping, 0)));
	if (hash_put(&late->files, key_of(mapping, 0), file) < 0)
		free(file);
	else
		hash_put(&late->told, key_of(mapping, mapping->pid), late);
}

bool late_has_mapping(const struct late *late, const struct mapping *mapping)
{
	const struct file *file = hash_find(&late->files, key_of(mapping, 0));

	return file && mapping->time_ns < file->woven_ns && !hash_find(&late->told, key_of(mapping, mapping->pid));
}

void late_note_mapping(struct late *late, const struct mapping *mapping)
{
	if (hash_put(&late->told, key_of(mapping, mapping->pid), late) >= 0)
		note(late, hash_find(&late->files, key_of(mapping, 0)), mapping->pid, mapping->time_ns);
}

void late_note_process(struct late *late, pid_t pid, uint64_t born_ns)
{
	const struct sink_loss loss = {
		.reason = "late_weaving",
		.pid = pid,
		.n = labels_count(late->labels),
		.begin_ns = born_ns,
		.end_ns = clock_now_ns(CLOCK_BOOTTIME),
	};

	ledger_note_loss(late->ledger, &loss);
}
