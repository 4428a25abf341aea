/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * reader/nest.h - the calls of each thread as they lie in each other, whatever order they came in
 *
 * They are put in order first, so nothing comes out before all went in. Processes and threads come
 * one after another, in the order of their numbers.
 */
#ifndef PERFFLOW_READER_NEST_H
#define PERFFLOW_READER_NEST_H

#include <stdbool.h>
#include <stdint.h>

#include "util/cleanup.h"
#include "util/why.h"

struct nest_item {
	int64_t start_ns, end_ns; /* the same for a point */
	uint64_t number; /* of its event; of two that are alike the later one is the outer one */
	uint64_t end_number; /* of the event that ends it and no other call, 0: there is none */
	uint64_t line;
	uint32_t process, lane; /* numbers: see struct lane */
	uint32_t is_point;
	/* whatever the caller wants to know of it again */
	uint32_t name, category, scope;
	uint32_t phase;
	uint32_t cpu_usage; /* hundredths of a percent */
	uint64_t id, memory_kib;
};

enum nest_what {
	NEST_ENTER, /* a call begins */
	NEST_LEAVE, /* it ends; all that lie in it have ended */
	NEST_POINT,
};

enum nest_fault {
	NEST_SOUND,
	NEST_SAME_START, /* begins when another of its thread does: .other */
	NEST_STICKS_OUT, /* ends after the call that it lies in: .other; its end is put to that
			    one's */

};

struct nest_step {
	enum nest_what what;
	enum nest_fault fault; /* of what is entered, or of a point */
	uint64_t other_line;
	struct nest_item item;
	size_t depth;	 /* calls that it lies in */
	int64_t self_ns; /* of what is left: its time without that of calls in it */
};

struct nest;

int nest_new(size_t max_bytes, struct nest **ret_nest);
void nest_free(struct nest *nest);
DEFINE_CLEANUP(struct nest, nest_free)

int nest_add(struct nest *nest, const struct nest_item *item, struct why *why);

/* Returns 1 and the next step, or 0 at the end. Nothing may be added any more. */
int nest_next(struct nest *nest, struct nest_step *ret_step, struct why *why);

#endif
