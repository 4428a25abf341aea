/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/argument.h - the parameters of a function and where a call puts them, by its debug
 * information and the ABI
 */
#ifndef PERFFLOW_BINARY_ARGUMENT_H
#define PERFFLOW_BINARY_ARGUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "binary/binary.h"
#include "binary/symbol.h"
#include "perfflow/event.h"

enum argument_format {
	ARGUMENT_NO_FORMAT, /* it cannot be read, and problem says why */
	ARGUMENT_SIGNED,
	ARGUMENT_UNSIGNED,
	ARGUMENT_FLOAT, /* 4 or 8 bytes */
	ARGUMENT_BOOL,
	ARGUMENT_CHAR,
	ARGUMENT_POINTER,
	ARGUMENT_STRING,	    /* a pointer to a C string */
	ARGUMENT_STD_STRING,	    /* the address of a std::string of libstdc++ */
	ARGUMENT_STD_STRING_LIBCXX, /* the same of libc++ */
	ARGUMENT_STD_STRING_SHARED, /* of libstdc++ before 2015: the address of a pointer to a C
				       string */
	ARGUMENT_TEXT,		    /* the address of characters that no '\0' ends: Fortran's */
};

struct argument_value {
	enum argument_format format;
	unsigned int size; /* bytes, 1 to 8; of what is not a string */
};

struct argument {
	char *name;	/* "" if it has none */
	char *type;	/* in C: "const char *" */
	bool is_hidden; /* the compiler added it: the source does not show it */
	/* what is passed, at the function's first instruction; is_by_reference: it is the address
	 * of the value */
	enum pf_place place;
	uint8_t number; /* of the register, as DWARF counts: of a vector register, too */
	int64_t offset;
	bool is_by_reference;
	struct argument_value value;
	struct argument_value target; /* what a pointer (value) points to, if that is a scalar */
	ssize_t length;	     /* of ARGUMENT_TEXT: which argument tells how long it is, or -1 */
	const char *problem; /* why the value cannot be captured: a static fragment of a sentence,
				or NULL */
};

struct arguments { /* all zero is empty */
	struct argument *items;
	size_t n_items;
	bool is_variadic;	/* a call may pass more */
	bool returns;		/* something */
	struct argument result; /* where it is just behind the return; its name is "" */
};

struct argument_reader;

/*
 * Opens the debug information, which costs little; a unit of it is gone through when a function in
 * it is asked for first. -ENODATA with a sentence: there is none; -EFBIG: more than 4 GB. The
 * binary has to live as long.
 */
int argument_reader_open(const struct binary *binary, struct argument_reader **ret_reader,
			 struct why *why);
void argument_reader_close(struct argument_reader *reader);
DEFINE_CLEANUP(struct argument_reader, argument_reader_close)

/*
 * In the order in which the source has them; `this` is the first. -ENOENT: the debug information
 * says nothing of the function.
 */
int arguments_read(struct argument_reader *reader, const struct symbol *symbol,
		   struct arguments *ret_arguments);
void arguments_done(struct arguments *arguments);

/* Where the word or float number n (from 0) is if n_floats of those before it are floats. */
void argument_place_plain(uint16_t machine, unsigned int n, unsigned int n_floats, bool is_float,
			  struct argument *argument);

#define ARGUMENT_IN_VECTOR "it is in a vector register, which the kernel does not hand out"

#endif
