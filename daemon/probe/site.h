/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/site.h - where a function is probed, and how its return is seen without harming the program
 *
 * A return probe is cheap and puts a foreign return address on the program's stack, which no exception passes and which
 * the kernel forgets where stacks are switched. So where either may happen the function's exits are probed instead, and
 * where these cannot all be found, its entry alone.
 */
#ifndef PERFFLOW_PROBE_SITE_H
#define PERFFLOW_PROBE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/binary.h"
#include "binary/code.h"
#include "binary/symbol.h"
#include "probe/calibrate.h"
#include "util/cleanup.h"
#include "util/why.h"

enum site_returns {
	SITE_ENTRY_ONLY,   /* not at all */
	SITE_EXITS,	   /* by probes on each instruction that leaves it; none where it never returns */
	SITE_RETURN_PROBE, /* by the kernel's return probe */
};
const char *site_returns_name(enum site_returns returns); /* "entry only", "exit sites", "return probe" */

/* What the user asks for: --returns. Functions that return oddly, and those of Go, get an entry probe alone in any mode. */
enum site_mode {
	SITE_MODE_AUTO,	  /* a return probe where that is safe, else exit sites */
	SITE_MODE_SITES,  /* exit sites */
	SITE_MODE_PROBES, /* a return probe, safe or not */
	SITE_MODE_NEVER,  /* entries only */
};
const char *site_mode_name(enum site_mode mode);
int site_mode_parse(const char *name, enum site_mode *ret_mode); /* -EINVAL */

struct site {
	uint64_t entry_offset; /* in the file: where the entry probe goes */
	char instruction[48];  /* what is there: "push rbp" */
	bool is_emulated;      /* the kernel need not single-step it */
	bool is_optimised;     /* the five-byte nop that kernels from 6.18 turn into a call */
	enum site_returns returns;
	const char *reason;	 /* why so: a static fragment of a sentence, "Rust panics unwind through it" */
	struct code_exit *exits; /* owned; for SITE_EXITS */
	size_t n_exits;
};

void site_done(struct site *site);

/* What a call will cost, as a rule; costs NULL: in a virtual machine of the kind that there are many of. */
unsigned int site_cost_ns(const struct site *site, const struct probe_costs *costs);

static inline bool site_has_return_probe(const struct site *site)
{
	return site->returns == SITE_RETURN_PROBE;
}

/*
 * Why no return probe is safe in a process that is made of these files, or NULL: what each binary->distrust should say. One
 * module that unwinds, switches stacks or looks at them is enough, since others may be called back from it.
 */
const char *site_distrust(const struct strings *paths);

/*
 * The same of the libraries of these processes, which others may use as well: children that execute another program, and where
 * the kernel lays its trampoline for everybody (!spares_others: it has no session links) all processes of the machine.
 */
const char *site_distrust_libraries(const struct strings *paths, bool spares_others);
/* The same of what is known of them all. */
const char *site_distrust_library(bool spares_others, bool starts_programs);
/* The same of one of the files: by its name alone, and by what is in it. */
const char *site_distrust_name(const char *path);
const char *site_distrust_part(const struct binary *binary);
#define SITE_DISTRUST_LIBRARY "any program may use it, and unwind its stack"

/* Chooses for the functions of one binary. */
struct site_chooser;

/* The binary and its symbols stay the caller's, and have to live as long. */
int site_chooser_open(const struct binary *binary, const struct symbols *symbols, struct site_chooser **ret_chooser,
		      struct why *why);
void site_chooser_close(struct site_chooser *chooser);
DEFINE_CLEANUP(struct site_chooser, site_chooser_close)

/* -ENOENT with a sentence: the function cannot be probed. */
int site_choose(struct site_chooser *chooser, const struct symbol *symbol, enum site_mode mode, struct site *ret_site,
		struct why *why);

/* Whether an x86-64 kernel emulates the instruction that begins at code (size bytes are there). */
bool site_is_emulated(const uint8_t *code, size_t size);

#endif
