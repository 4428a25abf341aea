/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One thread at a time, all of them in the end, and a loop that gives its turn away while it waits. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "session/turn.h"
#include "util/cleanup.h"
#include "util/thread.h"

#define N_THREADS 4
#define N_TURNS 2000

static long n_turns; /* of whoever has the turn */

static void *count_turns(void *userdata)
{
	for (int i = 0; i < N_TURNS; i++) {
		turn_take();
		n_turns++;
		turn_give();
	}
	return userdata;
}

static void one_thread_has_it_at_a_time(void **state)
{
	pthread_t threads[N_THREADS];

	(void)state;
	n_turns = 0;
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(thread_start(&threads[i], "turns", count_turns, NULL), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	turn_take();
	assert_int_equal(n_turns, N_THREADS * N_TURNS);
	turn_give();
}

struct looping {
	sd_event *loop;
	int wake_fd;
	bool is_run;
};

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	eventfd_t ignored;

	(void)source, (void)events, (void)userdata;
	return eventfd_read(fd, &ignored) < 0 ? -errno : 0;
}

static int on_deferred(sd_event_source *source, void *userdata)
{
	struct looping *looping = userdata;

	looping->is_run = true;
	return sd_event_exit(sd_event_source_get_event(source), 7);
}

static void *defer_from_elsewhere(void *userdata)
{
	struct looping *looping = userdata;

	turn_take(); /* which the loop gives away when it waits */
	sd_event_add_defer(looping->loop, NULL, on_deferred, looping);
	eventfd_write(looping->wake_fd, 1);
	turn_give();
	return NULL;
}

static void a_loop_waits_without_the_turn_and_does_what_another_thread_gave_it(void **state)
{
	struct looping looping = { .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	pthread_t thread;
	int code = 0;

	(void)state;
	turn_take();
	assert_int_equal(sd_event_new(&looping.loop), 0);
	assert_true(sd_event_add_io(looping.loop, NULL, looping.wake_fd, EPOLLIN, on_wake, &looping) >= 0);
	assert_int_equal(thread_start(&thread, "elsewhere", defer_from_elsewhere, &looping), 0);
	assert_int_equal(turn_run_shared_loop(looping.loop), 0);
	turn_give();
	pthread_join(thread, NULL);
	assert_true(looping.is_run);
	assert_true(sd_event_get_exit_code(looping.loop, &code) >= 0);
	assert_int_equal(code, 7);
	sd_event_unref(looping.loop);
	closep(&looping.wake_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thread_has_it_at_a_time),
		cmocka_unit_test(a_loop_waits_without_the_turn_and_does_what_another_thread_gave_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
