/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* util/sha1.h - SHA-1, for names that others make with it; it keeps nothing safe */
#ifndef PERFFLOW_UTIL_SHA1_H
#define PERFFLOW_UTIL_SHA1_H

#include <stddef.h>

#define SHA1_BYTES 20

void sha1(const void *data, size_t size, unsigned char ret_digest[SHA1_BYTES]);

#endif
