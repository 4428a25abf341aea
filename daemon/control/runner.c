/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/runner.c - a session on a thread and a loop of its own
 *
 * The descriptor by which the thread is told to stop stays readable: also who waits for a reader of binaries sees it, now or
 * later. The loop hears of each time that it is written to.
 */
#include "control/runner.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "session/turn.h"
#include "util/reach.h"
#include "util/thread.h"

struct runner {
	uint64_t id;
	struct session_config config; /* until it has started */
	const struct runner_ops *ops;
	void *userdata;

	pthread_t thread;
	bool has_thread;
	sd_event *loop;
	sd_event_source *stop_source;
	int stop_fd;
	char *reason; /* or NULL: nobody has stopped it */
	bool is_abandoned; /* the loop is to end, whatever the session does */
	struct session *session;
};

static int on_stop(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct runner *runner = userdata;

	(void)source, (void)fd, (void)events;
	if (runner->is_abandoned)
		return sd_event_exit(runner->loop, 0);
	session_stop(runner->session, runner->reason ?: "stopped");
	return 0;
}

static void on_notice(struct session *session, void *userdata)
{
	struct runner *runner = userdata;

	runner->ops->notice(session, runner->userdata);
}

/* Its thread does not give the turn away any more, but to end. */
static void on_ended(struct session *session, void *userdata)
{
	struct runner *runner = userdata;

	sd_event_exit(runner->loop, 0);
	runner->ops->ended(session, runner->userdata);
}

static int start(struct runner *runner)
{
	struct session_failure failure = {0};
	int r;

	r = session_start(runner->loop, runner->id, &runner->config, on_ended, on_notice, runner, &runner->session, &failure);
	if (r < 0 && runner->reason) {
		session_failure_done(&failure);
		failure = (struct session_failure){.fault = SESSION_FAULT_SYSTEM};
		why_say(&failure.why, r, "the session was not started: %s", runner->reason);
	}
	runner->ops->started(runner->session, r, &failure, runner->userdata);
	session_failure_done(&failure);
	return r;
}

static void *run(void *userdata)
{
	struct runner *runner = userdata;
	int r;

	turn_take();
	if (start(runner) >= 0) {
		r = turn_run_loop(runner->loop);
		if (r < 0)
			runner->ops->failed(r, runner->userdata);
	}
	reach_set_limit(NULL); /* its session's */
	turn_give();
	return NULL;
}

/* After what tells that the target is gone: whoever waited for that has the session stopped, too. */
static int watch_stop(struct runner *runner)
{
	int r;

	runner->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (runner->stop_fd < 0)
		return -errno;
	r = sd_event_add_io(runner->loop, &runner->stop_source, runner->stop_fd, EPOLLIN | EPOLLET, on_stop, runner);
	return r < 0 ? r : sd_event_source_set_priority(runner->stop_source, SD_EVENT_PRIORITY_NORMAL + 1);
}

static int prepare(struct runner *runner)
{
	int r;

	r = sd_event_new(&runner->loop);
	if (r >= 0)
		r = watch_stop(runner);
	if (r < 0)
		return r;
	runner->config.stop_fd = runner->stop_fd;
	r = thread_start(&runner->thread, "pf-session", run, runner);
	runner->has_thread = r >= 0;
	return r;
}

int runner_new(uint64_t id, const struct session_config *config, const struct runner_ops *ops, void *userdata,
	       struct runner **ret_runner)
{
	struct runner *runner = calloc(1, sizeof(*runner));
	int r;

	if (!runner) {
		session_config_close(config);
		return -ENOMEM;
	}
	*runner = (struct runner){.id = id, .config = *config, .ops = ops, .userdata = userdata, .stop_fd = -1};
	r = prepare(runner);
	if (r < 0) {
		session_config_close(config);
		runner_free(runner);
		return r;
	}
	*ret_runner = runner;
	return 0;
}

void runner_stop(struct runner *runner, const char *reason)
{
	if (runner->reason)
		return;
	runner->reason = strdup(reason);
	eventfd_write(runner->stop_fd, 1);
}

static void join(struct runner *runner)
{
	runner->is_abandoned = true;
	runner_stop(runner, "daemon stopped");
	eventfd_write(runner->stop_fd, 1); /* once more, where it was stopped already */
	turn_give();
	pthread_join(runner->thread, NULL);
	turn_take();
	runner->has_thread = false;
	malloc_trim(0); /* what it freed lies among what others have */
}

void runner_join(struct runner *runner)
{
	if (runner->has_thread)
		join(runner);
	runner->stop_source = sd_event_source_disable_unref(runner->stop_source);
	runner->loop = sd_event_unref(runner->loop);
	closep(&runner->stop_fd);
	runner->stop_fd = -1;
}

void runner_free(struct runner *runner)
{
	if (!runner)
		return;
	runner_join(runner);
	session_free(runner->session); /* which completes its trace */
	free(runner->reason);
	free(runner);
}
