// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * callers - code that looks at its own return address: __builtin_return_address, dlsym(RTLD_NEXT) and backtrace()
 *
 * Under a return probe the address is the kernel's trampoline: callers cannot be told and stacks end there.
 */
#include <dlfcn.h>
#include <execinfo.h>
#include <stdlib.h>

#include "harm.h"

/* Its caller's name, which is in the dynamic symbol table. */
CALLED void who_calls(void)
{
	Dl_info info = { 0 };

	dladdr(__builtin_return_address(0), &info);
	say("called by %s", info.dli_sname ? info.dli_sname : "nobody known");
}

CALLED void a_caller(void)
{
	who_calls();
	NO_TAIL_CALL();
}

/* Stands before the library's, and finds that one by where it is called from. */
CALLED long a64l(const char *text)
{
	long (*next)(const char *) = (long (*)(const char *))dlsym(RTLD_NEXT, "a64l");

	if (!next)
		say("no next a64l: %s", dlerror());
	return next ? next(text) : -1;
}

CALLED void depth(void)
{
	void *frames[100];
	int n = backtrace(frames, 100), own = 0;

	for (int i = 0; i < n; i++) {
		Dl_info info = { 0 };

		if (dladdr(frames[i], &info) && info.dli_sname)
			own++;
	}
	say("backtrace: %d frames, %d with a name", n, own);
}

CALLED void nested(int n)
{
	if (n)
		nested(n - 1);
	else
		depth();
	NO_TAIL_CALL();
}

int main(void)
{
	a_caller();
	say("a64l %ld", a64l("42"));
	for (int n = 0; n < 40; n += 13)
		nested(n);
	return 0;
}
