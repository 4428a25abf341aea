/* SPDX-License-Identifier: LGPL-3.0-or-later OR GPL-2.0-only */
/*
 * perfflow/event.h - the records that bpf/ puts into the rings and the daemon reads, and what else both must agree on
 *
 * Fixed sizes, no hole, no pointer, numbers in the machine's own byte order. Kinds and ways of ending are written to
 * files, so their numbers never change. The types come from kernel_types.bpf.h on one side, from linux/types.h on the
 * other.
 */
#ifndef PERFFLOW_EVENT_H
#define PERFFLOW_EVENT_H

#ifndef __bpf__
#include <linux/types.h>
#endif

enum pf_event_kind {
	PF_EVENT_SPAN = 1,	  /* struct pf_span: a call, at its end */
	PF_EVENT_PROCESS = 2,	  /* struct pf_process_seen: a process was seen first, or runs a new program */
	PF_EVENT_THREAD = 3,	  /* struct pf_thread_seen: a thread was seen first, or has a new name */
	PF_EVENT_PROCESS_END = 4, /* struct pf_process_end: its last thread ended */
	PF_EVENT_MARK = 5,	  /* struct pf_event alone: a function was entered whose return is not seen */
};

struct pf_event {
	__u16 size;	 /* bytes, this header and its payload */
	__u16 kind;	 /* enum pf_event_kind */
	__u32 joinpoint; /* the number given when its probe was attached (the cookie); 0 if none */
	__u64 time_ns;	 /* CLOCK_BOOTTIME; of the entry, for a span */
	__u32 pid, tid;	 /* as the initial pid namespace sees them */
};

/* How a span ended. */
enum pf_end {
	PF_END_RETURN = 0,
	PF_END_UNWOUND = 1,	 /* an exception or longjmp went past it: ends when that was noticed */
	PF_END_THREAD_EXIT = 2,	 /* its thread ended inside */
	PF_END_PROCESS_EXIT = 3, /* its process ended inside: exit(), or a signal */
	PF_END_EXEC = 4,	 /* its process executed another program inside */
	PF_END_SESSION_STOP = 5, /* still open when the session was stopped */
	PF_N_ENDS
};

/* How a span began. */
enum pf_begin {
	PF_BEGIN_CALL = 0,
	PF_BEGIN_FORK = 1, /* its process was born inside of this function, called by its parent */
	PF_N_BEGINS
};

struct pf_span {
	struct pf_event event;
	__u64 duration_ns;
	__u64 oncpu_ns;	   /* of it, the thread ran */
	__u64 runnable_ns; /* of it, the thread waited for a CPU; the rest it was blocked */
	__u64 io_ns;	   /* of the rest, in uninterruptible sleep */
	__u32 depth;	   /* open spans of the thread below this one */
	__u8 begin;	   /* enum pf_begin */
	__u8 end;	   /* enum pf_end */
	__u16 reserved;
};

#define PF_COMM_BYTES 16
#define PF_COMMAND_LINE_BYTES 448

struct pf_process_seen {
	struct pf_event event;
	__u64 start_ns; /* when the process was made, in whole clock ticks (10 ms): tells it from an earlier one with its pid */
	__u32 ppid;
	__u32 command_line_bytes; /* arguments, each ended by '\0', cut off at the size of the field */
	char comm[PF_COMM_BYTES];
	char command_line[PF_COMMAND_LINE_BYTES];
};

struct pf_thread_seen {
	struct pf_event event;
	char comm[PF_COMM_BYTES];
};

struct pf_process_end {
	struct pf_event event;
	__u64 oncpu_ns;	   /* CPU time of all its threads since it came into the session's scope */
	__s32 exit_code;   /* as waitpid() gives it */
	__u32 reserved;
};

_Static_assert(sizeof(struct pf_event) == 24, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_span) == 64, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_process_seen) == 504, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_thread_seen) == 40, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_process_end) == 40, "layout is shared with bpf/");

/* What the cookie of an attached probe holds: the number of its join point in the low half, and above it these. */
#define PF_COOKIE_ENTRY_ONLY (1ULL << 32) /* at an entry: its return is not seen, it makes a mark and no span */
#define PF_COOKIE_BY_SITES (1ULL << 33)	  /* at an entry: its return is seen by exit sites, not by a return probe */
#define PF_COOKIE_LANDING (1ULL << 34)	  /* at an entry: the stack was unwound down to the caller; no join point */
#define PF_COOKIE_EXIT_JUMP (1ULL << 35)  /* at an exit site: a jump, which leaves only where no frame is open */
#define PF_COOKIE_CONDITION (1ULL << 36)  /* at an exit site: it leaves only if the condition holds, which stands in */
#define PF_COOKIE_CONDITION_SHIFT 40	  /* four bits from here on, as x86 encodes it in jcc */

/* What the kernel side counts, per CPU. The first ones are losses: each is something that a trace lacks. */
enum pf_counter {
	PF_LOST_RING_FULL = 0,	    /* records that found no room in their ring */
	PF_LOST_TOO_DEEP = 1,	    /* calls nested deeper than the span stack, or than the kernel's own limit */
	PF_LOST_NO_THREAD_STATE = 2, /* calls of threads for which the kernel gave no memory */
	PF_LOST_NO_PROCESS = 3,	    /* processes that did not fit into the table */
	PF_N_LOSSES = 4,
	PF_COUNT_ENTERED_BEFORE = 4, /* returns from calls that had begun before the session */
	PF_N_COUNTERS = 5
};

#endif
