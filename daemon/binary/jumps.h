/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/jumps.h - which places right behind the entries of functions are jumped to, from anywhere in an x86-64 binary */
#ifndef PERFFLOW_BINARY_JUMPS_H
#define PERFFLOW_BINARY_JUMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/binary.h"
#include "binary/symbol.h"
#include "binary/unwind.h"

#define JUMPS_MAX_BYTES 64 /* behind an entry; further ones are not kept */

struct jumps { /* all zero is none */
	uint64_t *targets; /* sorted */
	size_t n_targets;
};

/* Reads all code that belongs to a symbol or to a range of .eh_frame. */
int jumps_read(const struct binary *binary, const struct symbols *symbols, const struct unwind *unwind,
	       struct jumps *ret_jumps);
void jumps_done(struct jumps *jumps);

/* Whether a direct jump leads behind an entry, up to and with the target. */
bool jumps_lead_behind(const struct jumps *jumps, uint64_t entry, uint64_t target);

#endif
