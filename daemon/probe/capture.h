/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/capture.h - what an aspect wants to know of a call, as the kernel side reads it and as it
 * is shown
 *
 * An aspect may select thousands of functions. What cannot be captured in one of them comes as a
 * missing value; the reasons are gathered, and judged when all join points are known.
 */
#ifndef PERFFLOW_PROBE_CAPTURE_H
#define PERFFLOW_PROBE_CAPTURE_H

#include "binary/binary.h"
#include "binary/symbol.h"
#include "perfflow/event.h"
#include "probe/aspect.h"
#include "probe/joinpoint.h"

enum capture_format {
	CAPTURE_SIGNED,
	CAPTURE_UNSIGNED,
	CAPTURE_FLOAT,
	CAPTURE_POINTER,
	CAPTURE_BOOL,
	CAPTURE_CHAR,
	CAPTURE_STRING,
};

struct capture_label {
	char *name; /* as it is called in the trace; NULL: what is returned */
	enum capture_format format;
	bool is_return;
};

struct captures { /* of a join point */
	struct pf_capture items[PF_MAX_CAPTURES];
	struct capture_label labels[PF_MAX_CAPTURES];
	unsigned int n_items;
	int id;	  /* the one that tells asynchronous events apart; -1: the thread does */
	int name; /* the one whose text is the name of the event; -1: none */
};
void captures_done(struct captures *captures);

/* For the join points of a binary, which, with its symbols, stays the caller's and has to live as
 * long. */
struct capturer;
int capturer_open(const struct binary *binary, const struct symbols *symbols,
		  struct capturer **ret_capturer);
void capturer_close(struct capturer *capturer);
DEFINE_CLEANUP(struct capturer, capturer_close)

/* What an aspect's join points lack, in all binaries; all zero is empty. */
#define CAPTURE_N_LACKS (PF_MAX_CAPTURES + 4)
struct capture_report {
	size_t n_joinpoints;
	struct {
		size_t n;
		char *first;	  /* a sentence */
	} lacks[CAPTURE_N_LACKS]; /* one for each value of the aspect: see capture.c */
};
void capture_report_done(struct capture_report *report);
/* What another one of the same aspect has, of other binaries. */
int capture_report_add(struct capture_report *report, const struct capture_report *other);

/*
 * What is to be captured at a join point, as its aspect has it. Debug information is opened when it
 * is needed first. Fails for want of memory alone.
 */
int captures_choose(struct capturer *capturer, const struct aspect *aspect,
		    const struct joinpoint *joinpoint, struct capture_report *report,
		    struct captures *ret_captures);

/*
 * After all join points of the aspect: -ENOENT with a sentence if a value that was asked for can be
 * captured at none of them; otherwise a sentence is added to warnings for each that is missing at
 * some.
 */
int capture_report_judge(const struct capture_report *report, struct strings *warnings,
			 struct why *why);

#endif
