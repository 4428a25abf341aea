/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* harm/targets/across.h - what across and its library both know */
#ifndef ACROSS_H
#define ACROSS_H

#include "harm.h"

struct Problem {
	int number;

	explicit Problem(int n) : number(n) {}
	virtual ~Problem() {}
};

void across_throw(int n);
void across_call(void (*callback)(int), int n);
bool across_catch(void (*callback)(int), int n);

#endif
