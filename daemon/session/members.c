/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The kernel side says who is in the scope, and at once when one is born, executes, ends or is not the user's own any more. The
 * last means: it takes the process out of the scope in the same moment, so that nothing of it is recorded, and what we do a
 * moment later is to take the breakpoints out of its memory. Where programs are held before they are executed, they are gone
 * before a program with other rights runs.
 *
 * Links of processes that have ended are closed many at a time: it takes the kernel long.
 */
#include "session/members.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "probe/attach_scope.h"
#include "util/now.h"
#include "util/text.h"

#define SWEEP_US 1000000
#define MAX_FORGOTTEN 256
#define MAX_NAMED 8 /* of processes that came late, each by itself */

struct suspended {
	pid_t pid;
	uint64_t since_ns;
};

struct members {
	struct attach *attach;
	const struct privilege *privilege;
	uint64_t n_bytes; /* taken for probes */
	members_say_fn say_fn;
	members_late_fn late_fn;
	void *userdata;
	sd_event_source *changes, *timer;
	uint64_t n_changes_lost; /* so far */
	uint64_t heard_ns;	 /* no change before then was lost */
	struct suspended *suspended; /* without probes while they execute a program */
	size_t n_suspended;
	size_t n_late, n_refused;
	uint64_t late_ns, max_late_ns; /* the sum, and the most */
};

static void say(struct members *members, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct members *members, const char *format, ...)
{
	char sentence[512];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	members->say_fn(members->userdata, sentence);
}

/* At least 1 is allowed, since 0 would be any number. */
void members_account(struct members *members)
{
	struct quota *quota = members->privilege->bytes;
	uint64_t n_bytes = attach_linked_bytes(members->attach);

	if (!quota)
		return;
	quota->taken = quota->taken - members->n_bytes + n_bytes;
	members->n_bytes = n_bytes;
	attach_allow_linked_bytes(members->attach, quota->max > quota->taken ? quota->max - quota->taken + n_bytes : n_bytes ?: 1);
}

/* Who is waited for already is not put off. */
static void wake_later(struct members *members)
{
	int is_on = SD_EVENT_OFF;

	if (sd_event_source_get_enabled(members->timer, &is_on) >= 0 && is_on != SD_EVENT_OFF)
		return;
	sd_event_source_set_time_relative(members->timer, SWEEP_US);
	sd_event_source_set_enabled(members->timer, SD_EVENT_ONESHOT);
}

/* Returns whether it has probes now. */
static bool link_process(struct members *members, pid_t pid)
{
	int r = attach_link_process(members->attach, pid);

	if (r == -EDQUOT || r == -EMFILE || r == -ENFILE || r == -ENOMEM)
		members->n_refused++;
	else if (r < 0 && r != -ESRCH)
		say(members, "process %d was not woven: %s", (int)pid, strerror(-r));
	return r >= 0;
}

/* since: what it did at that time. */
static void note_late(struct members *members, pid_t pid, uint64_t since_ns, const char *since)
{
	uint64_t late_ns = clock_now_ns(CLOCK_BOOTTIME) - since_ns;

	if (members->n_late++ < MAX_NAMED)
		say(members, "process %d was woven %.1f ms after it %s: its calls of that time are missing", (int)pid,
		    late_ns / 1e6, since);
	members->late_fn(members->userdata, pid, since_ns);
	members->late_ns += late_ns;
	if (late_ns > members->max_late_ns)
		members->max_late_ns = late_ns;
}

static void on_born(struct members *members, const struct pf_change *change)
{
	if (attach_has_linked(members->attach, change->pid))
		attach_unlink_process(members->attach, change->pid); /* of another that had its pid */
	if (attach_has_process(members->attach, change->pid) && link_process(members, change->pid))
		note_late(members, change->pid, change->time_ns, "was born");
}

/* Most have the links that they had before. */
static void on_exec(struct members *members, const struct pf_change *change)
{
	if (!attach_has_linked(members->attach, change->pid) && link_process(members, change->pid))
		note_late(members, change->pid, change->time_ns, "executed a program");
}

static void on_end(struct members *members, pid_t pid)
{
	attach_forget_process(members->attach, pid);
	if (attach_n_forgotten(members->attach) >= MAX_FORGOTTEN)
		attach_sweep(members->attach);
	else
		wake_later(members);
}

static void on_change(const struct pf_change *change, void *userdata)
{
	struct members *members = userdata;

	switch (change->kind) {
	case PF_CHANGE_BORN:
		on_born(members, change);
		break;
	case PF_CHANGE_EXEC_BY_THREAD: /* the links were those of the thread that is gone */
		attach_unlink_process(members->attach, change->pid);
		on_exec(members, change);
		break;
	case PF_CHANGE_EXEC:
		on_exec(members, change);
		break;
	case PF_CHANGE_LEFT:
		attach_unlink_process(members->attach, change->pid);
		say(members,
		    "process %d is not traced from %.6f s on: it executed a program with other rights than its user's, or one that the "
		    "user may not read, or changed its user",
		    (int)change->pid, change->time_ns / 1e9);
		break;
	case PF_CHANGE_END:
		on_end(members, change->pid);
		break;
	}
}

/* Where we were not told of all changes, those in the scope are looked through. */
static void look_again(struct members *members)
{
	_cleanup_free_ pid_t *linked = NULL, *in_scope = NULL;
	size_t n_linked = 0, n_in_scope = 0;

	if (attach_linked(members->attach, &linked, &n_linked) < 0 ||
	    attach_processes(members->attach, &in_scope, &n_in_scope) < 0)
		return;
	for (size_t i = 0; i < n_linked; i++)
		if (!attach_has_process(members->attach, linked[i]))
			attach_unlink_process(members->attach, linked[i]);
	for (size_t i = 0; i < n_in_scope; i++)
		if (!attach_has_linked(members->attach, in_scope[i]) && link_process(members, in_scope[i]))
			note_late(members, in_scope[i], members->heard_ns, "may have been born");
}

void members_update(struct members *members)
{
	uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME), n_lost;

	members_account(members);
	attach_read_changes(members->attach, on_change, members);
	members_account(members);
	n_lost = attach_n_changes_lost(members->attach);
	if (n_lost != members->n_changes_lost)
		look_again(members);
	members->n_changes_lost = n_lost;
	members->heard_ns = now_ns;
	members_account(members);
}

static int on_changes(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source, (void)fd, (void)events;
	members_update(userdata);
	return 0;
}

/* It could not execute the program, or got no rights by it, if it has no probes yet. */
static void resume(struct members *members, const struct suspended *suspended)
{
	if (attach_has_process(members->attach, suspended->pid) && !attach_has_linked(members->attach, suspended->pid) &&
	    link_process(members, suspended->pid))
		note_late(members, suspended->pid, suspended->since_ns, "was to execute a program");
}

/* A younger one may be about to execute it still. */
static void resume_old(struct members *members)
{
	uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME);
	size_t n_kept = 0;

	for (size_t i = 0; i < members->n_suspended; i++) {
		struct suspended *suspended = &members->suspended[i];

		if (now_ns - suspended->since_ns < SWEEP_US * 1000ULL)
			members->suspended[n_kept++] = *suspended;
		else
			resume(members, suspended);
	}
	members->n_suspended = n_kept;
	if (n_kept)
		wake_later(members);
}

static int on_timer(sd_event_source *source, uint64_t time_us, void *userdata)
{
	struct members *members = userdata;

	(void)source, (void)time_us;
	attach_sweep(members->attach);
	resume_old(members);
	members_account(members);
	return 0;
}

int members_open(sd_event *loop, struct attach *attach, const struct privilege *privilege, members_say_fn say_fn,
		 members_late_fn late_fn, void *userdata, struct members **ret_members)
{
	_cleanup_(members_closep) struct members *members = calloc(1, sizeof(*members));
	int r;

	if (!members)
		return -ENOMEM;
	members->attach = attach;
	members->privilege = privilege;
	members->say_fn = say_fn;
	members->late_fn = late_fn;
	members->userdata = userdata;
	members->heard_ns = clock_now_ns(CLOCK_BOOTTIME);
	r = sd_event_add_io(loop, &members->changes, attach_changes_fd(attach), EPOLLIN, on_changes, members);
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &members->timer, CLOCK_MONOTONIC, SWEEP_US, 0, on_timer, members);
	if (r >= 0)
		r = sd_event_source_set_enabled(members->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret_members = take_ptr(members);
	return 0;
}

void members_close(struct members *members)
{
	if (!members)
		return;
	if (members->privilege->bytes)
		quota_give_back(members->privilege->bytes, members->n_bytes);
	sd_event_source_disable_unref(members->changes);
	sd_event_source_disable_unref(members->timer);
	free(members->suspended);
	free(members);
}

static int collect(const void *record, size_t size, void *userdata)
{
	return text_append(userdata, record, size);
}

static int hand_over(const struct text *records, process_record_fn record_fn, void *userdata)
{
	const struct pf_event *event;
	int r = 0;

	for (size_t at = 0; at < records->size && r >= 0; at += event->size) {
		event = (const void *)(records->data + at);
		r = record_fn(event, event->size, userdata);
	}
	return r;
}

/* It is in the scope from before its records are made, so that the kernel side takes it out if it executes anything else. */
static int describe(struct members *members, pid_t pid, struct text *records)
{
	const struct pf_event *first;
	int r = process_describe(pid, collect, records);

	if (r < 0)
		return r;
	first = (const void *)records->data;
	return attach_name_process(members->attach, pid, first->time_ns) == -ENOENT ? -ESRCH : 0;
}

int members_add(struct members *members, pid_t pid, bool is_new, process_record_fn record_fn, void *record_userdata,
		struct why *why)
{
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);
	_cleanup_(text_done) struct text records = { 0 };
	int r;

	if (pidfd < 0)
		return -ESRCH;
	r = privilege_check_process(&members->privilege->rights, pid, pidfd, why);
	if (r < 0)
		return r;
	r = attach_add_process(members->attach, pid, 0);
	if (r == -EEXIST)
		r = 0;
	if (r >= 0 && !is_new)
		r = describe(members, pid, &records);
	if (r >= 0)
		r = privilege_check_process(&members->privilege->rights, pid, pidfd, why);
	members_account(members);
	if (r >= 0)
		r = attach_link_process(members->attach, pid);
	members_account(members);
	if (r < 0) {
		attach_remove_process(members->attach, pid);
		return r;
	}
	return hand_over(&records, record_fn, record_userdata);
}

void members_expect_exec(struct members *members, pid_t pid, int program_fd)
{
	members_update(members);
	if (!attach_has_linked(members->attach, pid) || rights_check_program(&members->privilege->rights, program_fd) == 0 ||
	    array_grow(&members->suspended, members->n_suspended, sizeof(*members->suspended)) < 0)
		return;
	members->suspended[members->n_suspended++] = (struct suspended){ .pid = pid, .since_ns = clock_now_ns(CLOCK_BOOTTIME) };
	attach_unlink_process(members->attach, pid);
	wake_later(members);
}

void members_conclude(struct members *members)
{
	members_update(members);
	if (members->n_late > MAX_NAMED)
		say(members,
		    "%zu processes were born, or executed a program, and were woven a moment later, %.1f ms on average and %.1f ms at "
		    "most: their calls of that time are missing",
		    members->n_late, members->late_ns / 1e6 / members->n_late, members->max_late_ns / 1e6);
	if (members->n_refused)
		say(members, "%zu processes were not woven: your sessions may not take more memory, or files, than they have",
		    members->n_refused);
}
