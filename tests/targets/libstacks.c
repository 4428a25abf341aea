// SPDX-License-Identifier: LGPL-3.0-or-later
/* What the target stacks calls: alloc() is traced, apply() stands between two of its functions. */
#include "target.h"

CALLED int alloc(int n)
{
	return n;
}

CALLED int apply(int (*function)(int), int n)
{
	int r = function(n);

	NO_TAIL_CALL();
	return r;
}
