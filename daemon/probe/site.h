/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/site.h - where a function is probed, and how its return is seen
 *
 * x86 kernels emulate push, nop, jumps and call at a probe and single-step everything else, which
 * costs many times as much. So behind `endbr64` the probe goes on the next instruction where that
 * is one of those.
 */
#ifndef PERFFLOW_PROBE_SITE_H
#define PERFFLOW_PROBE_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "binary/binary.h"
#include "binary/symbol.h"

struct site {
	uint64_t entry_offset; /* in the file: where the entry probe goes */
	bool has_return_probe; /* else the entry alone is seen */
	bool is_emulated;      /* the kernel need not single-step the instruction there */
};

/* -ENOENT with a sentence: the function cannot be probed. */
int site_choose(const struct binary *binary, const struct symbol *symbol, struct site *ret_site,
		struct why *why);

/* Whether an x86-64 kernel emulates the instruction that begins at code (size bytes are there). */
bool site_is_emulated(const uint8_t *code, size_t size);

#endif
