/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "session/warnings.h"

#include <stdarg.h>

#define MAX_WARNINGS 32

int warnings_add(struct strings *warnings, const char *format, ...)
{
	va_list arguments;
	int r;

	if (warnings->n_items >= MAX_WARNINGS)
		return 0;
	va_start(arguments, format);
	r = strings_vprintf(warnings, format, arguments);
	va_end(arguments);
	return r;
}
