/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/code.h - what the machine code of a function tells: where it is entered cheaply, and every place where it is left
 *
 * By disassembly with Capstone, x86-64 and AArch64, of the function and the pieces that the compiler put elsewhere
 * (f.cold, f.part.N). Nothing here needs the file to be for this machine.
 */
#ifndef PERFFLOW_BINARY_CODE_H
#define PERFFLOW_BINARY_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/binary.h"
#include "binary/symbol.h"

/* A disassembler for one machine; not to be shared between threads. */
struct code;

int code_open(uint16_t machine, struct code **ret_code); /* -EOPNOTSUPP: neither x86-64 nor AArch64 */
void code_close(struct code *code);
DEFINE_CLEANUP(struct code, code_close)

enum code_exit_kind {
	CODE_EXIT_RETURN, /* ret: the stack pointer is as at the entry */
	CODE_EXIT_JUMP,	  /* a jump out of the function: a tail call, if the stack pointer is as at the entry */
};

struct code_exit {
	uint64_t file_offset;
	enum code_exit_kind kind;
};

struct code_exits {
	struct code_exit *items; /* by offset */
	size_t n_items;
	bool is_complete; /* proven: the function cannot be left by returning or jumping anywhere else */
	const char *reason; /* why not: a static string ("an indirect jump at +0x40 could not be followed"-like, without numbers) */
};
void code_exits_done(struct code_exits *exits);

/* Finds all exits of a function. 0 also where they are not complete. -EBADMSG: its bytes are no code. */
int code_find_exits(struct code *code, const struct binary *binary, const struct symbols *symbols,
		    const struct symbol *symbol, struct code_exits *ret_exits);

struct code_entry {
	uint64_t file_offset; /* where the probe goes */
	char instruction[48]; /* its text: "push rbp" */
	bool is_emulated;     /* the kernel need not single-step it */
	bool is_optimised;    /* the five-byte nop that kernels from 6.18 turn into a call */
};

/*
 * Chooses the cheapest place for an entry probe: the entry itself, or the first emulated instruction of the entry block
 * where nothing before it branches, touches the stack pointer or overwrites a register that carries an argument, and where
 * no jump of the function lands between (or on it, for then it would be hit more than once a call). Never on a nop5 inside
 * a leaf function that uses the red zone, unless it is the entry.
 */
int code_find_entry(struct code *code, const struct binary *binary, const struct symbols *symbols,
		    const struct symbol *symbol, struct code_entry *ret_entry);

#endif
