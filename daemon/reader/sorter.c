/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A merge sort: what fits into memory is sorted and written as a run, and at the end the runs are
 * merged, each through a window of its own. What fits as a whole never sees a file.
 *
 * The file has no name, so nothing is left behind however the process ends. It lies in $TMPDIR or
 * /var/tmp, for /tmp is memory on many machines.
 */
#include "reader/sorter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "util/text.h"

#define FIRST_RECORDS	 64
#define MAX_WINDOW_BYTES (1024 * 1024)

struct run {
	off_t offset;  /* in the file, of what is not yet in the window */
	size_t n_left; /* records there */
	char *window;
	size_t n_window, next; /* records in the window, the one that comes next */
};

struct sorter {
	size_t record_size;
	sorter_compare compare;
	size_t max_records; /* in memory */
	char *records;
	size_t n_records, room;
	const char **order; /* the records in order, once they are sorted */
	size_t n_given;	    /* of them */
	int fd;		    /* of the file, or -1 */
	off_t file_bytes;
	struct run *runs;
	size_t n_runs;
	struct run **heap; /* those with records left, the one with the least first */
	size_t n_heap;
	size_t window_records;
	bool is_merging, is_given; /* the first run's record was given out */
};

int sorter_new(size_t record_size, sorter_compare compare, size_t max_bytes,
	       struct sorter **ret_sorter)
{
	struct sorter *sorter = calloc(1, sizeof(*sorter));

	if (!sorter)
		return -ENOMEM;
	sorter->record_size = record_size;
	sorter->compare = compare;
	sorter->max_records = max_bytes / record_size > 2 ? max_bytes / record_size : 2;
	sorter->fd = -1;
	*ret_sorter = sorter;
	return 0;
}

void sorter_free(struct sorter *sorter)
{
	if (!sorter)
		return;
	for (size_t i = 0; i < sorter->n_runs; i++)
		free(sorter->runs[i].window);
	free(sorter->runs);
	free(sorter->heap);
	free(sorter->order);
	free(sorter->records);
	if (sorter->fd >= 0)
		close(sorter->fd);
	free(sorter);
}

static int open_file(struct sorter *sorter, struct why *why)
{
	const char *folder = getenv("TMPDIR");
	_cleanup_free_ char *path = NULL;

	if (!folder || !*folder)
		folder = "/var/tmp";
	sorter->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (sorter->fd >= 0)
		return 0;

	/* not every file system can have files without a name from the start */
	if (asprintf(&path, "%s/perfflow-XXXXXX", folder) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	sorter->fd = mkostemp(path, O_CLOEXEC);
	if (sorter->fd < 0)
		return why_set(why, -errno, "cannot make a temporary file in '%s' ($TMPDIR)",
			       folder);
	unlink(path);
	return 0;
}

static int compare_pointers(const void *a, const void *b, void *userdata)
{
	struct sorter *sorter = userdata;

	return sorter->compare(*(const void *const *)a, *(const void *const *)b);
}

/* Puts the records that are in memory in order. */
static int sort_records(struct sorter *sorter)
{
	free(sorter->order);
	sorter->order =
		malloc((sorter->n_records ? sorter->n_records : 1) * sizeof(*sorter->order));
	if (!sorter->order)
		return -ENOMEM;
	for (size_t i = 0; i < sorter->n_records; i++)
		sorter->order[i] = sorter->records + i * sorter->record_size;
	qsort_r(sorter->order, sorter->n_records, sizeof(*sorter->order), compare_pointers, sorter);
	return 0;
}

static int write_file(struct sorter *sorter, const char *data, size_t size, struct why *why)
{
	ssize_t n;

	while (size > 0) {
		n = pwrite(sorter->fd, data, size, sorter->file_bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return why_set(why, -errno, "cannot write a temporary file ($TMPDIR)");
		data += n;
		size -= n;
		sorter->file_bytes += n;
	}
	return 0;
}

/* Writes what order[] lists, gathered in pieces. */
static int write_order(struct sorter *sorter, struct why *why)
{
	size_t piece = MAX_WINDOW_BYTES / sorter->record_size + 1, n = 0;
	_cleanup_free_ char *buffer = malloc(piece * sorter->record_size);
	int r;

	if (!buffer)
		return -ENOMEM;
	for (size_t i = 0; i < sorter->n_records; i++) {
		memcpy(buffer + n++ * sorter->record_size, sorter->order[i], sorter->record_size);
		if (n < piece && i + 1 < sorter->n_records)
			continue;
		r = write_file(sorter, buffer, n * sorter->record_size, why);
		if (r < 0)
			return r;
		n = 0;
	}
	return 0;
}

/* Makes a run of what is in memory. */
static int spill(struct sorter *sorter, struct why *why)
{
	struct run run = {.offset = sorter->file_bytes, .n_left = sorter->n_records};
	int r;

	r = sorter->fd < 0 ? open_file(sorter, why) : 0;
	if (r == 0)
		r = sort_records(sorter);
	if (r == 0)
		r = write_order(sorter, why);
	if (r == 0)
		r = array_grow(&sorter->runs, sorter->n_runs, sizeof(*sorter->runs));
	if (r < 0)
		return r;
	sorter->runs[sorter->n_runs++] = run;
	sorter->n_records = 0;
	return 0;
}

static int make_room(struct sorter *sorter)
{
	size_t room = sorter->room ? sorter->room * 2 : FIRST_RECORDS;
	char *grown;

	if (room > sorter->max_records)
		room = sorter->max_records;
	grown = reallocarray(sorter->records, room, sorter->record_size);
	if (!grown)
		return -ENOMEM;
	sorter->records = grown;
	sorter->room = room;
	return 0;
}

int sorter_add(struct sorter *sorter, const void *record, struct why *why)
{
	int r = 0;

	if (sorter->n_records == sorter->max_records)
		r = spill(sorter, why);
	else if (sorter->n_records == sorter->room)
		r = make_room(sorter);
	if (r < 0)
		return r;
	memcpy(sorter->records + sorter->n_records++ * sorter->record_size, record,
	       sorter->record_size);
	return 0;
}

static const char *first_record(const struct sorter *sorter, const struct run *run)
{
	return run->window + run->next * sorter->record_size;
}

/* Reads the next records of the run into its window. */
static int fill_window(struct sorter *sorter, struct run *run, struct why *why)
{
	size_t n = run->n_left < sorter->window_records ? run->n_left : sorter->window_records;
	size_t size = n * sorter->record_size, done = 0;
	ssize_t got;

	while (done < size) {
		got = pread(sorter->fd, run->window + done, size - done, run->offset + done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return why_set(why, got ? -errno : -EIO,
				       "cannot read a temporary file ($TMPDIR)");
		done += got;
	}
	run->offset += size;
	run->n_left -= n;
	run->n_window = n;
	run->next = 0;
	return 0;
}

/* Lets the run at i sink to where it belongs. */
static void sift_down(struct sorter *sorter, size_t i)
{
	struct run **heap = sorter->heap, *run = heap[i];
	size_t child;

	while ((child = 2 * i + 1) < sorter->n_heap) {
		if (child + 1 < sorter->n_heap &&
		    sorter->compare(first_record(sorter, heap[child + 1]),
				    first_record(sorter, heap[child])) < 0)
			child++;
		if (sorter->compare(first_record(sorter, run), first_record(sorter, heap[child])) <=
		    0)
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = run;
}

static int begin_merging(struct sorter *sorter, struct why *why)
{
	size_t bytes;
	int r;

	r = spill(sorter, why);
	if (r < 0)
		return r;
	free(take_ptr(sorter->records));
	free(take_ptr(sorter->order));

	bytes = sorter->max_records * sorter->record_size / sorter->n_runs;
	if (bytes > MAX_WINDOW_BYTES)
		bytes = MAX_WINDOW_BYTES;
	sorter->window_records = bytes / sorter->record_size ? bytes / sorter->record_size : 1;
	sorter->heap = calloc(sorter->n_runs, sizeof(*sorter->heap));
	if (!sorter->heap)
		return -ENOMEM;

	for (size_t i = 0; i < sorter->n_runs; i++) {
		sorter->runs[i].window = malloc(sorter->window_records * sorter->record_size);
		if (!sorter->runs[i].window)
			return -ENOMEM;
		r = fill_window(sorter, &sorter->runs[i], why);
		if (r < 0)
			return r;
		sorter->heap[sorter->n_heap++] = &sorter->runs[i];
	}
	for (size_t i = sorter->n_heap / 2; i-- > 0;)
		sift_down(sorter, i);
	return 0;
}

/* Passes over the record that was given out. */
static int advance(struct sorter *sorter, struct why *why)
{
	struct run *run = sorter->heap[0];
	int r;

	if (++run->next == run->n_window) {
		if (run->n_left == 0) {
			free(take_ptr(run->window));
			sorter->heap[0] = sorter->heap[--sorter->n_heap];
		} else {
			r = fill_window(sorter, run, why);
			if (r < 0)
				return r;
		}
	}
	if (sorter->n_heap)
		sift_down(sorter, 0);
	return 0;
}

static int next_of_runs(struct sorter *sorter, const void **ret_record, struct why *why)
{
	int r = 0;

	if (!sorter->is_merging)
		r = begin_merging(sorter, why);
	else if (sorter->is_given)
		r = advance(sorter, why);
	if (r < 0)
		return r;
	sorter->is_merging = true;
	sorter->is_given = sorter->n_heap > 0;
	if (sorter->n_heap == 0)
		return 0;
	*ret_record = first_record(sorter, sorter->heap[0]);
	return 1;
}

int sorter_next(struct sorter *sorter, const void **ret_record, struct why *why)
{
	int r;

	if (sorter->n_runs)
		return next_of_runs(sorter, ret_record, why);
	if (!sorter->order) {
		r = sort_records(sorter);
		if (r < 0)
			return r;
	}
	if (sorter->n_given == sorter->n_records)
		return 0;
	*ret_record = sorter->order[sorter->n_given++];
	return 1;
}
