/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * inspect/found.h - what an inspector finds in a binary, as the daemon takes it
 *
 * The inspector may have been taken over by what it read: each value is checked before anything is done with it.
 */
#ifndef PERFFLOW_INSPECT_FOUND_H
#define PERFFLOW_INSPECT_FOUND_H

#include "inspect/advise.h"
#include "inspect/plan.h"
#include "inspect/wire.h"
#include "probe/capture.h"
#include "probe/joinpoint.h"

#define FOUND_MAX_BYTES (512U << 20) /* of one binary */

struct found_advice {
	bool is_plain; /* a span and nothing else: there is no advice */
	struct pf_advice advice;
	struct sink_label label; /* without its values, see found_label() */
	struct sink_value *values; /* owned */
};

struct found { /* all zero is empty */
	struct joinpoint *joinpoints; /* as attach_joinpoints() wants them: without names */
	struct found_advice *advices; /* of each */
	size_t n;
	char **blocks; /* what was received, where all strings are */
	size_t n_blocks, n_bytes;

	size_t *matched;		/* of each aspect: what it alone would give */
	size_t *followed;		/* of each atom, if it is a cflow(): functions that set it */
	struct capture_report *reports; /* of each aspect */
	size_t n_aspects, n_atoms;	/* how many there are of these */
	size_t n_rejected;
	const char *rejection; /* the first one, or NULL */
};

/* For the aspects and atoms of a plan. */
int found_init(struct found *found, const struct plan *plan);
void found_done(struct found *found);

/* The inspector's side. */
void found_put_joinpoint(struct wire_writer *writer, const struct joinpoint *joinpoint, const struct advised *advised);
void found_put_sums(struct wire_writer *writer, const struct found *found);

/*
 * The daemon's: any number of join points, in a file of that size; and what they come to. The bytes are copied. -EBADMSG: no
 * inspector of ours would say that.
 */
int found_take_joinpoints(struct found *found, uint64_t file_bytes, const char *data, size_t size);
int found_take_sums(struct found *found, const char *data, size_t size);

/* The label of a join point, with its values. */
struct sink_label found_label(const struct found *found, size_t i);

#endif
