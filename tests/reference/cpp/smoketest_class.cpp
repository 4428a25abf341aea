/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Members of a class, one of which calls the other. */
#include <unistd.h>

class SmokeTest
{
      public:
	__attribute__((annotate("@critical_path(pointcut='around')"))) void foo()
	{
		usleep(2000);
		bar();
	}

      private:
	__attribute__((annotate("@critical_path(pointcut='around')"))) void bar()
	{
		usleep(2000);
	}
};

int main()
{
	SmokeTest().foo();
	return 0;
}
