/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <unistd.h>
__attribute__((annotate("@critical_path()"), noinline)) int fact(int n)
{
	usleep(1000);
	return n <= 1 ? 1 : n * fact(n - 1);
}
int main()
{
	return fact(3) == 6 ? 0 : 1;
}
