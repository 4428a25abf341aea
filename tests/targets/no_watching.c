// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * no_watching.so - to be preloaded: whoever wants to watch what processes map by a perf event has no
 * rights, as with kernel.perf_event_paranoid=3 on kernels that know that value
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static long call(long number, const long *a)
{
	register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

long syscall(long number, ...)
{
	const struct perf_event_attr *attr;
	va_list args;
	long a[6], r;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	attr = (const struct perf_event_attr *)a[0];
	r = number == __NR_perf_event_open && attr->mmap2 ? -EACCES : call(number, a);
	if (r >= 0 || r < -4095)
		return r;
	errno = -r;
	return -1;
}
