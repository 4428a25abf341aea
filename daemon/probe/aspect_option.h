/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/aspect_option.h - the options behind the pointcut of an aspect: for aspect*.c alone */
#ifndef PERFFLOW_PROBE_ASPECT_OPTION_H
#define PERFFLOW_PROBE_ASPECT_OPTION_H

#include "probe/aspect.h"
#include "probe/pattern.h"

#define ASPECT_MAX_POSITION 64

struct aspect_unit {
	const char *name;
	uint64_t ns;
};
extern const struct aspect_unit aspect_units[4]; /* largest first, down to ns */

/* Reads them up to the end, from parser->at, into an aspect that has its advice and knows nothing
 * of options. */
int aspect_parse_options(struct parser *parser, struct aspect *aspect);

/* What the options do with their values: each has a parser of its own. */
int aspect_parse_args(struct parser *value, struct aspect *aspect);
int aspect_parse_ret(struct parser *value, struct aspect *aspect);
int aspect_parse_id(struct parser *value, struct aspect *aspect);
/* Returns 1 if there is a number that is not above `most`, else 0. */
int aspect_parse_number(struct parser *value, uint64_t most, uint64_t *ret_number);

#endif
