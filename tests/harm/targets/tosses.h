/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef TOSSES_H
#define TOSSES_H

#ifdef __cplusplus
extern "C" {
#endif

void toss(int n);
int toss_through(void (*callback)(int), int n);

#ifdef __cplusplus
}
#endif

#endif
