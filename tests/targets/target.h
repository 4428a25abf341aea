/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* targets/target.h - what keeps a target's functions as they were written: each call is a call */
#ifndef TARGETS_TARGET_H
#define TARGETS_TARGET_H

/* Neither inlined, cloned, merged with another nor left out. */
#ifdef __clang__
#define CALLED __attribute__((noinline, used))
#else
#define CALLED __attribute__((noipa, used))
#endif

/* Keeps a call before it from becoming a tail call. */
#define NO_TAIL_CALL() __asm__ volatile("" ::: "memory")

#endif
