/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/abi.h - where a call puts what it passes: the System V ABI of x86-64, and AAPCS64; for the
 * rest of binary/
 */
#ifndef PERFFLOW_BINARY_ABI_H
#define PERFFLOW_BINARY_ABI_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

#include "perfflow/event.h"

/* As a call is gone through, argument by argument. */
struct abi_call {
	uint16_t machine;		  /* EM_X86_64, EM_AARCH64 */
	unsigned int n_general, n_vector; /* registers that are taken */
	uint64_t stack;			  /* bytes that are taken of the arguments there */
};

struct abi_place {	     /* of the first part, where it is in several registers */
	enum pf_place place; /* PF_PLACE_UNREADABLE: in a vector register */
	uint8_t number;	     /* of the register, as DWARF counts */
	int64_t offset;	     /* from what is in it, at the function's first instruction */
	bool is_address;     /* the caller passes the address of a copy */
	bool is_nowhere;     /* nothing is passed: an empty class */
};

/* What a caller does with a type. */
enum abi_passing {
	ABI_BY_TYPE,	/* it is found out */
	ABI_BY_VALUE,	/* it is known to go by value */
	ABI_BY_ADDRESS, /* it is known that its address is passed */
};

/*
 * Begins a call of a function that returns such a type (NULL: nothing): the address of where to put
 * it may be passed. -ENODATA: too little is known of the type.
 */
int abi_begin(struct abi_call *call, uint16_t machine, const Dwarf_Die *returned);

/*
 * The next argument. -ENODATA: too little is known of its type, so that nothing is known of those
 * behind it either.
 */
int abi_next(struct abi_call *call, const Dwarf_Die *type, enum abi_passing passing,
	     struct abi_place *ret_place);

/* The next argument is a word in a general register, or on the stack. */
struct abi_place abi_next_word(struct abi_call *call);
/* The next argument is a float or double, as they are passed by value. */
struct abi_place abi_next_float(struct abi_call *call);
/* The call goes on behind a general register that an argument is known to be in. False: arguments
 * are in others. */
bool abi_resume(struct abi_call *call, unsigned int number);

/*
 * Where what is returned is, just behind the return; is_address: the address of it is there.
 * -ENODATA: too little is known of the type. -ENOENT: at no fixed place.
 */
int abi_returned(uint16_t machine, const Dwarf_Die *type, struct abi_place *ret_place);

#endif
