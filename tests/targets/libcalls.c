// SPDX-License-Identifier: LGPL-3.0-or-later
/* libcalls - a library of several programs: library_call(), and once at its start library_loaded()
 */
#include "target.h"

CALLED void library_call(void);
CALLED void library_loaded(void);

void library_call(void)
{
	NO_TAIL_CALL();
}

void library_loaded(void)
{
	NO_TAIL_CALL();
}

static __attribute__((constructor)) void load(void)
{
	library_loaded();
}
