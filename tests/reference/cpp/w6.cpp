/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <pthread.h>
#include <cstdlib>
static void inner_exit()
{
	pthread_exit(nullptr);
}
__attribute__((annotate("@critical_path()"), noinline)) void *thr(void *)
{
	inner_exit();
	return nullptr;
}
__attribute__((annotate("@critical_path()"), noinline)) void *thr2(void *p)
{
	if (p)
		pthread_exit(nullptr);
	return nullptr;
}
int main()
{
	pthread_t t;
	pthread_create(&t, 0, thr, 0);
	pthread_join(t, 0);
	pthread_create(&t, 0, thr2, &t);
	pthread_join(t, 0);
}
