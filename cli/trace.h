/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trace.h - one trace as run and attach make it: its output, its session, its end */
#ifndef PERFFLOW_CLI_TRACE_H
#define PERFFLOW_CLI_TRACE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <sys/types.h>

#include "client.h"
#include "options.h"
#include "util/why.h"

enum trace_state {
	TRACE_STARTING,
	TRACE_RUNNING,
	TRACE_ENDED,  /* complete */
	TRACE_FAILED, /* the reason was printed */
};

struct trace {
	const struct trace_options *options;
	struct client *client;
	enum trace_state state;
	char *path;  /* of the output, or NULL: standard output */
	char *first_path; /* of its first piece, or NULL: it is one file */
	bool is_new; /* the file is of our making */
	int fd; /* or -1: there are PerfFlowAspect's files alone */
	pid_t files_pid; /* of the process that makes them, or 0 */
	int files_fd;	 /* to it, for the daemon; or -1 */
	pid_t pieces_pid; /* the same with the trace's next files */
	int pieces_fd;
	struct json_object *session; /* as the daemon told last */
	size_t n_notices;	     /* of its, that were shown */
};

/*
 * Opens the output if the options, which are borrowed, name one: a pipe that nobody reads is waited for, so the signals that end
 * a program are not to be blocked yet. On failure the reason is in why. trace_done() is due in any case.
 */
int trace_open(struct trace *trace, const struct trace_options *options, struct why *why);

/*
 * Asks for the session, after the output was opened that the options do not name: it is named after pid, and with
 * PerfFlowAspect's files there is none. scope is taken. On failure the reason is in why.
 */
int trace_start(struct trace *trace, struct client *client, struct json_object *scope, pid_t pid,
		struct why *why);

/* Takes the next reply, for which it waits, and sets the state. What went wrong is printed. */
void trace_receive(struct trace *trace);

/* Lets the session end. */
void trace_stop(struct trace *trace);

/* Whether there is nothing to wait for any more. */
bool trace_is_over(const struct trace *trace);

/* Whether there is a trace, and all of it could be written. */
bool trace_is_good(const struct trace *trace);

/* Prints the summary of a trace that has ended. */
void trace_report(const struct trace *trace);

/* Takes it that nothing was traced after all. */
void trace_discard(struct trace *trace);

/* An output that we made and that holds no trace is removed. */
void trace_done(struct trace *trace);

#endif
