/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Members of a class, one of which calls the other. */
#include <cstdio>
#include <unistd.h>

class solver
{
      public:
	__attribute__((annotate("@critical_path(pointcut='around')"))) void outer()
	{
		usleep(2000);
		inner();
	}

      private:
	__attribute__((annotate("@critical_path(pointcut='around')"))) void inner()
	{
		usleep(2000);
		std::puts("inner");
	}
};

int main()
{
	solver().outer();
	return 0;
}
