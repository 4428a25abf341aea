/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/code.h - what the machine code of a function tells: where it is entered cheaply, and every place where it is left
 *
 * By disassembly, x86-64 and AArch64, of the function and of the pieces that the compiler put elsewhere. Nothing here needs
 * the file to be for this machine.
 */
#ifndef PERFFLOW_BINARY_CODE_H
#define PERFFLOW_BINARY_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/binary.h"
#include "binary/instruction.h"
#include "binary/symbol.h"
#include "binary/unwind.h"

/* A disassembler of one binary; not to be shared between threads. */
struct code;

/* What it is given stays the caller's, and has to live as long. -EOPNOTSUPP: neither x86-64 nor AArch64. */
int code_open(const struct binary *binary, const struct symbols *symbols, const struct unwind *unwind,
	      struct code **ret_code);
void code_close(struct code *code);
DEFINE_CLEANUP(struct code, code_close)

enum code_exit_kind {
	CODE_EXIT_RETURN, /* ret, or a jump to one: the stack pointer is as at the entry */
	CODE_EXIT_JUMP,	  /* a jump out of the function: a tail call, if the stack pointer is as at the entry */
	CODE_EXIT_BRANCH, /* the same, if its condition holds: a probe there is hit in either case */
	CODE_EXIT_BRANCH_TO_RETURN, /* a return, if its condition holds */
	CODE_EXIT_KINDS,
};

/* Whether the function returns there, and leaves its result. */
static inline bool code_exit_is_return(enum code_exit_kind kind)
{
	return kind == CODE_EXIT_RETURN || kind == CODE_EXIT_BRANCH_TO_RETURN;
}

static inline bool code_exit_has_condition(enum code_exit_kind kind)
{
	return kind == CODE_EXIT_BRANCH || kind == CODE_EXIT_BRANCH_TO_RETURN;
}

struct code_exit {
	uint64_t file_offset;
	enum code_exit_kind kind;
	bool is_emulated; /* the kernel need not single-step the instruction */
	struct branch condition; /* of a branch */
};

struct code_exits {
	struct code_exit *items; /* by offset */
	size_t n_items;
	bool is_complete;   /* proven: the function cannot be left by returning or jumping anywhere else */
	const char *reason; /* why not: a static fragment of a sentence, "it has a jump to an address that is computed" */
	bool loops_to_entry; /* a jump of its own leads to its entry: a probe there is hit once a turn */
	bool calls_nobody;   /* neither calls nor jumps elsewhere: no frame of another function is ever above its own */
};
void code_exits_done(struct code_exits *exits);

/*
 * Finds all exits of a function, its pieces included: what its jumps lead to that is no function with a name. 0 also where
 * they are not complete, with those that were found. A symbol without a size gets that of its unwind range.
 */
int code_find_exits(struct code *code, const struct symbol *symbol, struct code_exits *ret_exits);

struct code_entry {
	uint64_t file_offset; /* where the probe goes */
	char instruction[48]; /* its text: "push rbp"; empty if Capstone does not know it */
	bool is_emulated;     /* the kernel need not single-step it */
	bool is_optimised;    /* the five-byte nop that kernels from 6.18 turn into a call */
};

/*
 * Chooses the cheapest place for an entry probe: the entry itself, or the first emulated instruction of the entry block
 * where nothing before it branches, touches the stack pointer or overwrites a general register that carries an argument, and
 * where no jump of the function lands between (or on it, for then it would be hit more than once a call). Never on a nop5
 * inside of a function, where the red zone may be in use, but behind endbr64 alone. Where the kernel refuses a probe on the
 * entry, and none behind it is emulated, the same way the first that it allows; if there is none either, it stays the
 * entry. -EBADMSG: its bytes are no code.
 */
int code_find_entry(struct code *code, const struct symbol *symbol, struct code_entry *ret_entry);

#endif
