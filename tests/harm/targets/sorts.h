/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* harm/targets/sorts.h - sorting in C, with a comparison from elsewhere */
#ifndef SORTS_H
#define SORTS_H

#ifdef __cplusplus
extern "C" {
#endif

void sort_tidily(int *values, int n, int (*compare)(const void *, const void *));
void sort_plainly(int *values, int n, int (*compare)(const void *, const void *));

#ifdef __cplusplus
}
#endif

#endif
