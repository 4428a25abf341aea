/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * trace.c - one trace as run and attach make it
 *
 * The output is opened here, with the rights of the user, and only its descriptor goes to the
 * daemon.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "pieces.h"
#include "python.h"
#include "report.h"

static int make_name(pid_t pid, char **ret_name)
{
	char host[256];

	if (gethostname(host, sizeof(host)) < 0)
		strcpy(host, "localhost");
	host[sizeof(host) - 1] = '\0';

	return asprintf(ret_name, "perfflow.%s.%d.json", host, (int)pid) < 0 ? -ENOMEM : 0;
}

/* Of the file that is opened here. */
static const char *file_path(const struct trace *trace)
{
	return trace->first_path ? trace->first_path : trace->path;
}

/* name is taken. */
static int open_file(struct trace *trace, char *name, struct why *why)
{
	const char *path;
	int r;

	if (!name)
		return -ENOMEM;
	trace->path = name;
	if (trace_options_rotate(trace->options) &&
	    (r = pieces_name(trace->path, 1, &trace->first_path)) < 0)
		return r;

	path = file_path(trace);
	trace->fd = pieces_open(path, &trace->is_new);
	return trace->fd < 0 ? why_set(why, trace->fd, "cannot open '%s' for writing", path) : 0;
}

int trace_open(struct trace *trace, const struct trace_options *options, struct why *why)
{
	*trace = (struct trace){.options = options,
				.state = TRACE_FAILED,
				.fd = -1,
				.files_fd = -1,
				.pieces_fd = -1};
	if (!options->output)
		return 0;
	if (strcmp(options->output, "-") != 0)
		return open_file(trace, strdup(options->output), why);
	trace->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return trace->fd < 0 ? why_set(why, -errno, "cannot use the standard output") : 0;
}

static int open_unnamed(struct trace *trace, pid_t pid, struct why *why)
{
	char *name;
	int r;

	if (trace->options->output || trace->options->pfw)
		return 0;
	r = make_name(pid, &name);
	return r < 0 ? r : open_file(trace, name, why);
}

static bool is_compressed(const char *path)
{
	size_t size = path ? strlen(path) : 0;

	return size > 3 && strcmp(path + size - 3, ".gz") == 0;
}

static struct json_object *describe_aspects(const struct trace_options *options)
{
	struct json_object *aspects = json_object_new_array();

	for (size_t i = 0; i < options->aspects.n_items; i++)
		json_object_array_add(aspects, json_text(options->aspects.items[i]));
	if (options->aspects.n_items == 0) /* as PerfFlowAspect's users have it */
		json_object_array_add(aspects, json_text("annotated()"));
	return aspects;
}

static void add_python(struct json_object *parameters)
{
	_cleanup_free_ char *library = python_library();

	if (library)
		json_object_object_add(parameters, "python", json_text(library));
}

static void add_limits(struct json_object *parameters, const struct trace_options *options)
{
	if (options->rotate_bytes)
		json_object_object_add(parameters, "rotate_bytes", json_object_new_int64(options->rotate_bytes));
	if (options->rotate_ms)
		json_object_object_add(parameters, "rotate_ms", json_object_new_int64(options->rotate_ms));
}

/* Which descriptors go along is noted in fds. */
static struct json_object *describe_start(const struct trace *trace, struct json_object *scope,
					  int fds[CLIENT_MAX_FDS], size_t *ret_n_fds)
{
	struct json_object *parameters = json_object_new_object();
	size_t n = 0;

	json_object_object_add(parameters, "aspects", describe_aspects(trace->options));
	json_object_object_add(parameters, "scope", scope);
	if (trace->fd >= 0) {
		json_object_object_add(parameters, "output", json_object_new_int64((int64_t)n));
		fds[n++] = trace->fd;
	}
	if (trace->files_fd >= 0) {
		json_object_object_add(parameters, "pfw_files", json_object_new_int64((int64_t)n));
		fds[n++] = trace->files_fd;
	}
	if (trace->pieces_fd >= 0) {
		json_object_object_add(parameters, "pieces", json_object_new_int64((int64_t)n));
		fds[n++] = trace->pieces_fd;
		add_limits(parameters, trace->options);
	}
	*ret_n_fds = n;
	json_object_object_add(parameters, "compress",
			       json_object_new_boolean(is_compressed(trace->path)));
	if (trace->options->returns)
		json_object_object_add(parameters, "returns", json_text(trace->options->returns));
	if (trace->options->metrics)
		json_object_object_add(parameters, "metrics", json_text(trace->options->metrics));
	if (trace->options->scope)
		json_object_object_add(parameters, "processes", json_text(trace->options->scope));
	if (trace->options->interval_ms)
		json_object_object_add(parameters, "interval_ms", json_object_new_int64(trace->options->interval_ms));
	if (trace->options->sched)
		json_object_object_add(parameters, "sched", json_object_new_boolean(true));
	if (trace->options->has_budget)
		json_object_object_add(parameters, "budget_permille", json_object_new_int(trace->options->budget_permille));
	add_python(parameters);
	json_object_object_add(parameters, "allow_empty",
			       json_object_new_boolean(trace->options->allow_empty));

	return parameters;
}

int trace_start(struct trace *trace, struct client *client, struct json_object *scope, pid_t pid,
		struct why *why)
{
	const struct trace_options *options = trace->options;
	int fds[CLIENT_MAX_FDS], r;
	size_t n_fds;

	trace->client = client;
	r = open_unnamed(trace, pid, why);
	if (r == 0 && trace->first_path)
		r = pieces_start(trace->path, trace->fd, (unsigned int)options->keep, &trace->pieces_pid,
				 &trace->pieces_fd, why);
	if (r == 0 && options->pfw)
		r = files_start(options->pfw_folder, &trace->files_pid, &trace->files_fd, why);
	if (r < 0) {
		json_object_put(scope);
		return r;
	}

	scope = describe_start(trace, scope, fds, &n_fds);
	r = client_call(client, "io.perfflow.Start", scope, true, fds, n_fds, why);
	if (r < 0)
		return r;
	/* the daemon has them now: with its last one the process that makes files ends */
	closep(&trace->files_fd);
	closep(&trace->pieces_fd);
	trace->files_fd = trace->pieces_fd = -1;

	trace->state = TRACE_STARTING;
	return 0;
}

/*
 * The words that matter once it goes on without a trace, or with a trace that is shorter than was
 * asked for.
 */
static void report_loss_of_daemon(const struct trace *trace, const char *sentence)
{
	if (trace->state == TRACE_RUNNING)
		report("%s: the trace ends here", sentence);
	else
		report("%s", sentence);
}

/* What is new among them: it may matter while the program runs. */
static void show_notices(struct trace *trace)
{
	struct json_object *notices = member_object(trace->session, "notices", json_type_array);
	size_t n = notices ? json_object_array_length(notices) : 0;

	for (; trace->n_notices < n; trace->n_notices++)
		if (!trace->options->quiet)
			report("%s", json_object_get_string(json_object_array_get_idx(notices, trace->n_notices)));
}

static void trace_take_session(struct trace *trace, const struct reply *reply)
{
	struct json_object *session = member_object(reply->parameters, "session", json_type_object);

	if (!session)
		return;
	json_object_put(trace->session);
	trace->session = json_object_get(session);
	show_notices(trace);
}

static const char *output_name(const struct trace *trace)
{
	return trace->path ? file_path(trace) : "standard output";
}

static void trace_report_error(const struct trace *trace, const struct reply *reply)
{
	if (strcmp(reply->error, "io.perfflow.BadOutput") == 0)
		report("cannot use '%s': %s", output_name(trace),
		       member_string(reply->parameters, "message"));
	else
		report_error(reply);
	if (strcmp(reply->error, "io.perfflow.NoMatch") == 0)
		report("--allow-empty begins all the same, for a program that starts later");
}

static const char *end_reason(const struct trace *trace)
{
	return member_string(trace->session, "reason");
}

static bool output_has_failed(const struct trace *trace)
{
	return strncmp(end_reason(trace), "output failed", strlen("output failed")) == 0;
}

void trace_receive(struct trace *trace)
{
	_cleanup_(reply_done) struct reply reply = {0};
	struct why why = {0};
	int r;

	r = client_receive(trace->client, &reply, &why);
	if (r < 0) {
		report_loss_of_daemon(trace, why_text(&why, r));
		trace->state = TRACE_FAILED;
		return;
	}
	if (reply.error) {
		trace_report_error(trace, &reply);
		trace->state = TRACE_FAILED;
		return;
	}

	trace_take_session(trace, &reply);
	trace->state = reply.continues ? TRACE_RUNNING : TRACE_ENDED;
	if (trace->state == TRACE_ENDED && output_has_failed(trace))
		report("the trace in '%s' is not whole: %s", output_name(trace), end_reason(trace));
}

void trace_stop(struct trace *trace)
{
	client_hang_up(trace->client);
}

bool trace_is_over(const struct trace *trace)
{
	return trace->state == TRACE_ENDED || trace->state == TRACE_FAILED;
}

bool trace_is_good(const struct trace *trace)
{
	return trace->state == TRACE_ENDED && !output_has_failed(trace);
}

void trace_report(const struct trace *trace)
{
	if (trace->state == TRACE_ENDED && !trace->options->quiet)
		report_summary(trace->session, trace->fd >= 0, trace->path ? file_path(trace) : NULL);
}

void trace_discard(struct trace *trace)
{
	json_object_put(trace->session);
	trace->session = NULL;
	trace->state = TRACE_FAILED;
}

static void wait_for(pid_t pid)
{
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void trace_done(struct trace *trace)
{
	if (trace->is_new && !trace->session)
		unlink(file_path(trace));
	closep(&trace->fd);
	closep(&trace->files_fd);
	closep(&trace->pieces_fd);
	wait_for(trace->files_pid);
	wait_for(trace->pieces_pid);
	json_object_put(trace->session);
	free(trace->path);
	free(trace->first_path);
}
