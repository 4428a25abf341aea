/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * util/json.h - what JSON does not have, and json-c takes
 *
 * Its strict mode refuses some of that. In json-c 0.18 it also refuses all text that is not ASCII,
 * so it is not used.
 */
#ifndef PERFFLOW_UTIL_JSON_H
#define PERFFLOW_UTIL_JSON_H

#include <stddef.h>

/* What is wrong in a value that json-c has read, as the end of a sentence; NULL: nothing. */
const char *json_find_nonsense(const char *text, size_t size);

#endif
