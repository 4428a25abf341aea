/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* harm/targets/harm.h - what a target prints is out at once and in order, whatever becomes of it afterwards */
#ifndef HARM_H
#define HARM_H

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "../../targets/target.h"

__attribute__((format(printf, 1, 2))) CALLED static void say(const char *format, ...)
{
	char line[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	line[n++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(99);
}

#ifdef __cplusplus
/* Says when it comes and when it goes. */
struct Guard {
	const char *name;
	int number;

	CALLED Guard(const char *of, int n) : name(of), number(n) { say("enter %s %d", name, number); }
	CALLED ~Guard() { say("leave %s %d", name, number); }
	Guard(const Guard &) = delete;
	Guard &operator=(const Guard &) = delete;
};
#endif

#endif
