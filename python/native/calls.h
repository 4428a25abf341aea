/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* calls.h - what the library itself asks of a selected function */
#ifndef PERFFLOW_PYTHON_CALLS_H
#define PERFFLOW_PYTHON_CALLS_H

#include "library.h"

/* Its code runs from its call to its return. */
bool function_is_plain(const struct function *function);

#endif
