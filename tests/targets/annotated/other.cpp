/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Compiles some of the same functions as annotated.cpp, in another order, and some that it does
 * not. */
#include "annotated.h"

int other(int n)
{
	solver::grid<long> longs;
	solver::shape shape(3);

	return static_cast<int>(longs.twice(n) + longs.add(n)) + solver::function_template(n) +
	       static_cast<int>(solver::function_template(3L)) + shape.member_template(n) +
	       shape.member(n) + solver::inline_function(n);
}
