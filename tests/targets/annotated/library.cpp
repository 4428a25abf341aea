/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A shared library with annotated functions of its own, and with copies of some that the program
 * has too. */
#include "annotated.h"

namespace
{

CRITICAL_PATH int hidden_in_library(int n)
{
	return calls++ + n;
}

} /* namespace */

__attribute__((annotate("@critical_path(pointcut='before_async', scope='library')"))) int
library(int n)
{
	return hidden_in_library(n) + solver::function_template(n);
}
