/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What a program is after PerfFlowAspect's compiler pass where the compiler has inlined one woven
 * function into another: all of their calls of the runtime come from one place of the stack. N
 * rounds (3), every other one of which leaves both by longjmp. The innermost has a name that is
 * longer than what is read of names.
 */
#include <setjmp.h>
#include <stdlib.h>

void perfflow_weave_before(int async, const char *module, const char *function, const char *scope,
			   const char *flow, const char *pcut);
void perfflow_weave_after(int async, const char *module, const char *function, const char *scope,
			  const char *flow, const char *pcut);

#define BEFORE(name) perfflow_weave_before(0, "inlined.cpp", name, "NA", "NA", "around")
#define AFTER(name)  perfflow_weave_after(0, "inlined.cpp", name, "NA", "NA", "around")

#define X10  "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define LONG "_Z300" X100 X100 X100 "v"

static jmp_buf target;

__attribute__((noinline)) static void outer(int is_left)
{
	BEFORE("_Z5outerv");
	BEFORE("_Z5innerv");
	BEFORE(LONG);
	if (is_left)
		longjmp(target, 1);
	AFTER(LONG);
	AFTER("_Z5innerv");
	BEFORE("_Z6secondv");
	AFTER("_Z6secondv");
	AFTER("_Z5outerv");
}

int main(int argc, char **argv)
{
	volatile int n = argc > 1 ? atoi(argv[1]) : 3;

	for (volatile int i = 0; i < n; i++) {
		if (setjmp(target) == 0)
			outer(i % 2);
	}
	return 0;
}
