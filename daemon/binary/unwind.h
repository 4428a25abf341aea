/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/unwind.h - may an exception pass through the frames of this binary, and where do its functions lie
 *
 * A return probe replaces the return address of a frame, which an unwinder then cannot pass: a C++ exception ends in
 * std::terminate. So it has to be known where one may come, from the file alone, stripped or not.
 */
#ifndef PERFFLOW_BINARY_UNWIND_H
#define PERFFLOW_BINARY_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/binary.h"

/* One contiguous piece of a function, as .eh_frame has it. A function that the compiler split has several. */
struct unwind_range {
	uint64_t start, end;
};

struct unwind {
	bool may_unwind;
	const char *reason; /* why it may, or why not: a static fragment of a sentence, "it has C++ exception tables" */
	/*
	 * Its stack pointer may go to another stack (makecontext, fibers, sigaltstack): the kernel then takes return probes for
	 * left, and the program dies at the return.
	 */
	bool uses_several_stacks;
	struct unwind_range *ranges; /* by start; none for a file without .eh_frame, or with one that makes no sense */
	size_t n_ranges;
};

/* Fails for want of memory only: what is damaged tells nothing, and may unwind. */
int unwind_read(const struct binary *binary, struct unwind *ret_unwind);
void unwind_done(struct unwind *unwind);

/* Whether it may load libraries that nobody knows of before: it calls dlopen(). Faster than unwind_read(). */
bool unwind_loads_libraries(const struct binary *binary);

/* Whether it may execute other programs: it calls execve(), system() and the like, or is static, and nobody can tell. */
bool unwind_starts_programs(const struct binary *binary);

/* The piece that holds the address, or NULL. */
const struct unwind_range *unwind_find_range(const struct unwind *unwind, uint64_t address);

#endif
