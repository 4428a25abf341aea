/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <stdexcept>
#include <string>
#include <cstdio>
#include <csetjmp>
#include <unistd.h>
#define A __attribute__((annotate("@critical_path()"), noinline))
static jmp_buf jb;
A void thrower()
{
	usleep(100);
	throw std::runtime_error("x");
}
A void passthrough()
{
	thrower();
}
A void with_dtor()
{
	std::string s(100, 'a');
	thrower();
	puts(s.c_str());
}
A void catches()
{
	try {
		thrower();
	} catch (...) {
	}
}
A void ljumper()
{
	longjmp(jb, 1);
}
A void outer_lj()
{
	ljumper();
}
int main()
{
	try {
		passthrough();
	} catch (...) {
	}
	try {
		with_dtor();
	} catch (...) {
	}
	catches();
	if (!setjmp(jb))
		outer_lj();
}
