/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/usdt.h - static probes: places that the authors of a program have marked with <sys/sdt.h>
 * or DTrace
 *
 * The mark is a nop in the code and a note in .note.stapsdt. One probe may be marked in many
 * places.
 */
#ifndef PERFFLOW_BINARY_USDT_H
#define PERFFLOW_BINARY_USDT_H

#include <stddef.h>
#include <stdint.h>

#include "binary/binary.h"

struct usdt_probe {
	const char *provider, *name;
	const char *arguments; /* where they are: "-4@%eax 8@-16(%rbp)", may be empty */
	uint64_t address;      /* in the binary's own address space */
	uint64_t file_offset;
	uint64_t semaphore_offset; /* in the file: the counter that the kernel raises while someone
				      looks; 0 if none */
};

struct usdt_probes {		  /* all zero is empty */
	struct usdt_probe *items; /* by address, then by name */
	size_t n_items;
	char *text; /* what they point into */
};

/*
 * 0 also where there are none. A note that makes no sense is passed over. -ENOEXEC with a sentence:
 * there are absurdly many of them.
 */
int usdt_read(const struct binary *binary, struct usdt_probes *ret_probes, struct why *why);
void usdt_done(struct usdt_probes *probes);

#endif
