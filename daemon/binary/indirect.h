/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/indirect.h - what a jump through a register or through memory is: part of a switch, or a tail call */
#ifndef PERFFLOW_BINARY_INDIRECT_H
#define PERFFLOW_BINARY_INDIRECT_H

#include <capstone/capstone.h>

#include "binary/function.h"

enum indirect_kind {
	INDIRECT_UNKNOWN,
	INDIRECT_SWITCH,    /* its targets are in the function, or were followed */
	INDIRECT_TAIL_CALL, /* leaves the function where the stack pointer is as at the entry, else stays in it */
};

/* insn is one to decode into. May add pieces to the function. */
int indirect_find_kind(csh capstone, cs_insn *insn, struct function *function, uint64_t address,
		       enum indirect_kind *ret_kind);

#endif
