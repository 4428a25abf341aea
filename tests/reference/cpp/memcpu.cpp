/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* what cpu_usage / memory_usage really report: 2 busy threads around one idle annotated function,
 * then allocate+free 200 MB */
#include <thread>
#include <cstdlib>
#include <cstring>
#include <unistd.h>
#include <atomic>
#define A __attribute__((annotate("@critical_path()"), noinline))
std::atomic<bool> stop{false};
A void idle_while_others_burn()
{
	usleep(50000);
}
A void sys_heavy()
{
	for (int i = 0; i < 30000; i++)
		getppid();
}
A void user_heavy()
{
	volatile long s = 0;
	for (long i = 0; i < 30000000; i++)
		s = s + i;
}
A void big_alloc_freed()
{
	char *p = (char *)malloc(200 << 20);
	for (long i = 0; i < (200 << 20); i += 4096)
		((volatile char *)p)[i] = 1;
	free(p);
}
A void after_free_small()
{
	usleep(1000);
}
int main()
{
	std::thread a([] {
		while (!stop)
			;
	}),
		b([] {
			while (!stop)
				;
		});
	idle_while_others_burn();
	stop = true;
	a.join();
	b.join();
	sys_heavy();
	user_heavy();
	big_alloc_freed();
	after_free_small();
}
