/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* harm/targets/host.h - what hosts.c, libhost.c and libguest.cpp have in common */
#ifndef HARM_HOST_H
#define HARM_HOST_H

typedef void function(int n);
typedef void callback(function *throws, int n);

/* Loads the library and has it call back; returns what it caught. */
int host(const char *path, callback *call_back, int n);

#endif
