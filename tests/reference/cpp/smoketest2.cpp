/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One annotated function, called once. */
#include <cstdio>

__attribute__((annotate("@critical_path()"))) int foo()
{
	return std::puts("foo");
}

int main()
{
	return foo() < 0;
}
