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
	PF_EVENT_SPAN = 1,	  /* struct pf_span and items: a call, at its end */
	PF_EVENT_PROCESS = 2,	  /* struct pf_process_seen: a process was seen first, or runs a new program */
	PF_EVENT_THREAD = 3,	  /* struct pf_thread_seen: a thread was seen first, or has a new name */
	PF_EVENT_PROCESS_END = 4, /* struct pf_process_end: its last thread ended */
	PF_EVENT_MARK = 5,	  /* struct pf_mark and items: a function was entered, or has returned */
	PF_EVENT_PROCESS_TEXT = 6, /* struct pf_process_text: more of a process that was seen */
	PF_EVENT_FORK = 7,	  /* struct pf_fork: a thread or process was born */
	PF_EVENT_SWITCH = 8,	  /* struct pf_switch: another thread has a CPU */
	PF_EVENT_WAKE = 9,	  /* struct pf_wake: a thread was made runnable */
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
	PF_END_PAUSED = 6,	 /* its function was paused meanwhile, so that its return was not seen: ends when that was noticed */
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
	__u16 depth;	   /* open spans of the thread below this one */
	__u8 begin;	   /* enum pf_begin */
	__u8 end;	   /* enum pf_end */
	__u32 atoms;	   /* what held at its entry, where it is left to the daemon to decide: see PF_ATOMS_UNDECIDED */
};

enum pf_moment { PF_MOMENT_ENTRY = 0, PF_MOMENT_RETURN = 1, PF_N_MOMENTS };

struct pf_mark {
	struct pf_event event;
	__u32 atoms; /* as in struct pf_span */
	__u8 moment; /* enum pf_moment */
	__u8 end;    /* enum pf_end: how the call ended; PF_END_RETURN at an entry */
	__u8 reserved[2];
};

/*
 * Spans and marks may go on with items, each in a multiple of 8 bytes, up to the size that their header says: first what was
 * taken at the entry, then what was taken at the return.
 */
enum pf_item_kind {
	PF_ITEM_ARGUMENT = 1, /* index: which of the join point's captures */
	PF_ITEM_RETURN = 2,   /* the same, of the value that was returned */
	PF_ITEM_ID = 3,	      /* a __u64 that tells one asynchronous event from another */
	PF_ITEM_STACK = 4,    /* __u64 return addresses, innermost first */
	PF_ITEM_METRIC = 5,   /* index: enum pf_metric; a __s64, of what the thread added in the span, or as it was at its end */
	PF_N_ITEM_KINDS
};

struct pf_item {
	__u8 kind;	 /* enum pf_item_kind */
	__u8 index;
	__u16 size;	 /* bytes of the value, without what fills it up to a multiple of 8 */
	__u8 is_missing; /* the value could not be read: its memory is not there */
	__u8 is_cut;	 /* a string that went on */
	__u16 reserved;
	/* and the value */
};

enum pf_metric {
	PF_METRIC_RSS = 0,	     /* bytes, at the end */
	PF_METRIC_RSS_DELTA = 1,     /* bytes */
	PF_METRIC_MINOR_FAULTS = 2,
	PF_METRIC_MAJOR_FAULTS = 3,
	PF_METRIC_VOLUNTARY = 4,     /* context switches */
	PF_METRIC_INVOLUNTARY = 5,
	PF_METRIC_READ_BYTES = 6,    /* by system calls */
	PF_METRIC_WRITTEN_BYTES = 7,
	PF_METRIC_HW = 8,	     /* from here on the perf counters of the session, in its order */
	PF_MAX_HW = 6,
	PF_N_METRICS = PF_METRIC_HW + PF_MAX_HW
};

#define PF_COMM_BYTES 16
#define PF_COMMAND_LINE_BYTES 448

struct pf_process_seen {
	struct pf_event event; /* where it has executed its program just now, tid is what the thread that did was called until then */
	__u64 start_ns; /* when the process was made, in whole clock ticks (10 ms): tells it from an earlier one with its pid */
	__u32 ppid;
	__u16 command_line_bytes; /* arguments, each ended by '\0', cut off at the size of the field */
	__u8 has_executed;
	__u8 reserved;
	__u32 uid, gid; /* the real ones */
	char comm[PF_COMM_BYTES];
	char command_line[PF_COMMAND_LINE_BYTES];
};

enum pf_text {
	PF_TEXT_ENVIRONMENT = 1, /* variables, each ended by '\0', in pieces by offset */
	PF_TEXT_EXE = 2,	 /* path of the program: its parts, each ended by '\0', the last one first */
	PF_TEXT_CGROUP = 3,	 /* path of its cgroup (v2, else the first v1 hierarchy with one), the same way */
	PF_TEXT_DIRECTORY = 4,	 /* path of its working directory, the same way */
	PF_N_TEXTS
};

#define PF_TEXT_BYTES 984
#define PF_MAX_ENVIRONMENT_BYTES (256 * PF_TEXT_BYTES) /* what is beyond is left out */

/* Follows a struct pf_process_seen of the same process and time. */
struct pf_process_text {
	struct pf_event event;
	__u16 what; /* enum pf_text */
	__u16 bytes;
	__u32 offset; /* of this piece in the whole */
	__u8 is_last; /* piece */
	__u8 is_cut;  /* the whole goes on where it ends */
	__u8 reserved[6];
	char text[PF_TEXT_BYTES];
};

struct pf_thread_seen {
	struct pf_event event;
	char comm[PF_COMM_BYTES];
};

struct pf_process_end {
	struct pf_event event;
	__u64 oncpu_ns;	   /* CPU time of all its threads since it came into the session's scope */
	__s32 exit_code;   /* as waitpid() gives it */
	__u32 has_left;	   /* 1: it lives, and executes a program that has not shown to be in scope */
};

struct pf_fork { /* of the child */
	struct pf_event event;
	__u32 parent_pid, parent_tid;
};

enum pf_thread_state { PF_THREAD_ONCPU, PF_THREAD_RUNNABLE, PF_THREAD_BLOCKED, PF_THREAD_IO, PF_THREAD_DEAD, PF_N_THREAD_STATES };

struct pf_switch { /* pid and tid: of the thread that comes, 0 if the CPU is idle */
	struct pf_event event;
	__u32 cpu;
	__u32 left_pid, left_tid; /* of the one that goes */
	__u16 left_state;	  /* enum pf_thread_state */
	__u16 priority;		  /* of the one that comes, as the kernel has it inside: 120 is nice 0 */
	char comm[PF_COMM_BYTES]; /* of the one that comes */
};

struct pf_wake { /* pid and tid: of the thread that is woken */
	struct pf_event event;
	__u32 waker_pid, waker_tid; /* 0: an interrupt, or the idle CPU */
	__u32 cpu;		    /* where it is to run */
	__u32 lead_ns;		    /* how long before that the waker did it, on a CPU of its own */
};

_Static_assert(sizeof(struct pf_event) == 24, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_span) == 64, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_process_seen) == 512, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_thread_seen) == 40, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_process_end) == 40, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_mark) == 32, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_item) == 8, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_process_text) == 1024, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_fork) == 32, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_switch) == 56, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_wake) == 40, "layout is shared with bpf/");

/* What the cookie of an attached probe holds: the number of its join point in the low half, and above it these. */
#define PF_COOKIE_ENTRY_ONLY (1ULL << 32) /* at an entry: its return is not seen, it makes a mark and no span */
#define PF_COOKIE_BY_SITES (1ULL << 33)	  /* at an entry: its return is seen by exit sites, not by a return probe */
#define PF_COOKIE_LANDING (1ULL << 34)	  /* at an entry: the stack was unwound down to the caller; no join point */
#define PF_COOKIE_EXIT_JUMP (1ULL << 35)  /* at an exit site: a jump, which leaves only where no frame is open */
#define PF_GENERATION_OF(cookie) ((__u32)((cookie) >> 38) & 3) /* 0, 1, or more: apart */
#define PF_COOKIE_INSIDE (1ULL << 37)	  /* at a static probe, which is somewhere inside of a function */
#define PF_COOKIE_CONDITION (1ULL << 36)  /* at an exit site: it leaves only if the condition holds, which stands in */
#define PF_COOKIE_GENERATION (1ULL << 38) /* tells the newer of two links that have the same functions from the older: see struct pf_relink */
#define PF_COOKIE_APART (1ULL << 39)	  /* of a link that is for one function alone: none replaces it */
#define PF_COOKIE_CONDITION_SHIFT 40	  /* eight bits from here on: see perfflow/branch.h */
#define PF_COOKIE_ADVICE_SHIFT 48	  /* from here on the number of a struct pf_advice; 0: a span, and nothing else */

/*
 * Conditions on what only shows at run time. Each thing that a session asks about (is the thread inside of a function that a
 * cflow() names? does a rank() hold for the process?) is an atom, a bit. A condition holds if one of its alternatives does.
 * What is known of a process arrives a moment after it began: until then the kernel side sends what the process may decide,
 * with the atoms that it knows, and the daemon drops what does not hold.
 */
#define PF_MAX_ATOMS 31
#define PF_ATOMS_UNDECIDED (1U << 31)
#define PF_MAX_ALTERNATIVES 4

struct pf_alternative {
	__u32 mask, wanted; /* holds if (atoms & mask) == wanted */
};

struct pf_condition {
	__u32 process_atoms; /* those that are the process's, in any alternative */
	__u32 n_alternatives; /* 0: it always holds */
	struct pf_alternative alternatives[PF_MAX_ALTERNATIVES];
};

/* Where a value is found. */
enum pf_place {
	PF_PLACE_REGISTER = 0, /* in a general register: `number` as DWARF counts them */
	PF_PLACE_MEMORY = 1,   /* at that register + offset */
	PF_PLACE_CONSTANT = 2, /* offset is the value */
	PF_PLACE_UNREADABLE = 3, /* in a vector register, which the kernel side cannot read */
};

enum pf_value_kind {
	PF_VALUE_BYTES = 0,	 /* size (1 to 8) bytes as they are */
	PF_VALUE_STRING = 1,	 /* the value points to a C string */
	PF_VALUE_STD_STRING = 2, /* the value points to a std::string of libstdc++ */
	PF_VALUE_STD_STRING_LIBCXX = 3,
	PF_VALUE_TEXT = 4, /* the value points to as many characters as the capture before it says: a text of Fortran */
};

/*
 * While a link is replaced by another with the same functions, entries of one of the two are passed over: of the one that has
 * `muted` as its PF_COOKIE_GENERATION. Join points from `first` on, `n` of them; 0: none is replaced.
 */
struct pf_relink {
	__u32 first, n, muted;
};

#define PF_MAX_STRING_BYTES 256
#define PF_MAX_CAPTURES 12

struct pf_capture {
	__u8 place;	   /* enum pf_place */
	__u8 number;	   /* of the register */
	__u8 value;	   /* enum pf_value_kind */
	__u8 size;	   /* bytes, of what is not a string */
	__u16 max_bytes;   /* of a string */
	__u8 n_dereferences; /* how often what is found is an address that has to be followed to the value */
	__u8 is_at_return;
	__s64 offset;
};

enum pf_advice_kind {
	PF_ADVICE_AROUND = 0,	     /* a span */
	PF_ADVICE_BEFORE = 1,	     /* a mark at the entry */
	PF_ADVICE_AFTER = 2,	     /* a mark at the return */
	PF_ADVICE_AROUND_MARKS = 3,  /* a mark at each */
	PF_ADVICE_NOTHING = 4,	     /* it only sets atoms */
	PF_ADVICE_REGION_BEGIN = 5,  /* at a static probe: a span that is no call begins, */
	PF_ADVICE_REGION_END = 6,    /* and the youngest one that is open ends */
	PF_ADVICE_MARK_RETURN = 7,   /* at a static probe that tells of a return: a mark of it */
	PF_ADVICE_WOVEN_BEFORE = 8,  /* at the functions of PerfFlowAspect's runtime: what their arguments say */
	PF_ADVICE_WOVEN_AFTER = 9,
};

#define PF_NO_ID 255 /* the thread is the id: no item is sent */

struct pf_advice {
	__u8 kind;		/* enum pf_advice_kind */
	__u8 with_stack;	/* return addresses at the entry */
	__u8 n_captures;
	__u8 id_capture;	/* the capture that is sent as PF_ITEM_ID, or PF_NO_ID */
	__u32 sample;		/* one call in so many is recorded, by chance; 0 or 1: all */
	__u64 min_ns;		/* shorter spans are not sent */
	__u32 sets_atoms;	/* while it is open */
	__u32 is_paired;	/* of a region: its end is never forgotten, and how deep the stack is tells nothing of it */
	struct pf_condition condition;
	struct pf_capture captures[PF_MAX_CAPTURES];
};
_Static_assert(sizeof(struct pf_condition) == 40, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_capture) == 16, "layout is shared with bpf/");
_Static_assert(sizeof(struct pf_advice) == 24 + 40 + 16 * PF_MAX_CAPTURES, "layout is shared with bpf/");

/* What the kernel side counts, per CPU. The first ones are losses: each is something that a trace lacks. */
enum pf_counter {
	PF_LOST_RING_FULL = 0,	    /* records that found no room in their ring */
	PF_LOST_TOO_DEEP = 1,	    /* calls nested deeper than the span stack, or than the kernel's own limit */
	PF_LOST_NO_THREAD_STATE = 2, /* calls of threads for which the kernel gave no memory */
	PF_LOST_NO_PROCESS = 3,	    /* processes that did not fit into the table */
	PF_LOST_ITEMS = 4,	    /* spans and marks sent without their arguments, metrics or stack: no room in the thread's state */
	PF_LOST_OVER_RATE = 5,	    /* records beyond what the user's sessions may send in a second */
	PF_N_LOSSES = 6,
	PF_COUNT_ENTERED_BEFORE = 6, /* returns from calls that had begun before the session */
	PF_COUNT_SHORT = 7,	    /* spans shorter than min= */
	PF_COUNT_SAMPLED_OUT = 8,   /* calls that sample= left out */
	PF_COUNT_LIMITED = 9,	    /* calls that the overhead budget left out where its function was sampled */
	PF_N_COUNTERS = 10
};

/* The same by function and process, with the first and the last time. 0 stands for one that is not known. */
struct pf_loss_key {
	__u32 counter; /* enum pf_counter */
	__u32 joinpoint, pid;
};

struct pf_loss {
	__u64 n;
	__u64 first_ns, last_ns;
};

/* Each time that a probe is hit is one of these, by what it costs. */
enum pf_hit {
	PF_HIT_ENTRY = 0,
	PF_HIT_RETURN = 1, /* of a return probe */
	PF_HIT_EXIT = 2,   /* at an exit site: a return, */
	PF_HIT_JUMP = 3,   /* or a jump */
	PF_N_HITS = 4
};

struct pf_hits_key {
	__u32 joinpoint, tid;
};

/* Estimates: one hit in many is looked at, and stands for those since the one before. */
struct pf_hits {
	__u32 pid, reserved;
	__u64 n[PF_N_HITS];
	__u64 program_ns[PF_N_HITS]; /* that our programs took in them */
	__u64 oncpu_ns, runnable_ns; /* of the thread so far, as it left its CPU last */
};

/* What is left of a function that costs more than the budget allows, by its join point. */
struct pf_limit {
	__u32 sample;	 /* one call in so many is recorded; 0: none, hits are counted, each of them */
	__u32 reserved;
	__u64 paused_ns; /* when its probes were taken away last, 0: never; calls that were open then do not return to us */
};

#endif
