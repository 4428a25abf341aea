/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* reader/names.h - texts by number: each is kept once */
#ifndef PERFFLOW_READER_NAMES_H
#define PERFFLOW_READER_NAMES_H

#include <stdint.h>

#include "util/hash.h"

struct name;

struct names {		     /* all zero is empty */
	struct hash by_hash; /* -> the name that came first */
	struct name **items;
	size_t n_items;
};

void names_done(struct names *names);

/* The number of a text, from 0 on in the order in which they came. */
int names_number(struct names *names, const char *text, uint32_t *ret_number);

const char *names_text(const struct names *names, uint32_t number);

#endif
