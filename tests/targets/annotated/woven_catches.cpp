/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * As woven.c, in C++: an exception leaves a function before its second call of the runtime. What is called behind it has its
 * frame further down on the stack than that function had, so that the stack alone does not tell that it is gone.
 */
extern "C" void perfflow_weave_before(int async, const char *module, const char *function, const char *scope,
				      const char *flow, const char *pcut);
extern "C" void perfflow_weave_after(int async, const char *module, const char *function, const char *scope,
				     const char *flow, const char *pcut);

#define CALL(when, function) perfflow_weave_##when(0, "catches.cpp", function, "NA", "NA", "around")

__attribute__((noinline)) static void throws()
{
	CALL(before, "_Z6throwsv");
	throw 1;
}

__attribute__((noinline)) static void follows()
{
	volatile char room[4096];

	room[0] = 0;
	CALL(before, "_Z7followsv");
	room[1] = room[0];
	CALL(after, "_Z7followsv");
}

__attribute__((noinline)) static void catches()
{
	CALL(before, "_Z7catchesv");
	try {
		throws();
	} catch (int) {
	}
	follows();
	CALL(after, "_Z7catchesv");
}

int main()
{
	for (volatile int i = 0; i < 3; i++)
		catches();
	return 0;
}
