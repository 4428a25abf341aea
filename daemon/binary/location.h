/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/location.h - where DWARF says that a parameter is when its function is entered; for the
 * rest of binary/ */
#ifndef PERFFLOW_BINARY_LOCATION_H
#define PERFFLOW_BINARY_LOCATION_H

#include <elfutils/libdw.h>
#include <stdint.h>

enum location_kind {
	LOCATION_NONE,	/* nothing is said, or that it is nowhere */
	LOCATION_OTHER, /* in the frame, in pieces, ... */
	LOCATION_REGISTER,
	LOCATION_CONSTANT,
	LOCATION_AT_REGISTER, /* its address is in it */
	LOCATION_AT_POINTER,  /* its address is in the frame */
};

struct location {
	enum location_kind kind;
	unsigned int number; /* of the register */
	int64_t constant;
};

/* entry: the address of the function. In code that is not optimised the frame is said, which is not
 * there yet. */
struct location location_read(Dwarf_Die *parameter, uint64_t entry);

#endif
