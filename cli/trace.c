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
#include <unistd.h>

#include "report.h"

static int make_name(pid_t pid, char **ret_name)
{
	char host[256];

	if (gethostname(host, sizeof(host)) < 0)
		strcpy(host, "localhost");
	host[sizeof(host) - 1] = '\0';

	return asprintf(ret_name, "perfflow.%s.%d.json", host, (int)pid) < 0 ? -ENOMEM : 0;
}

static int open_output(struct trace *trace, pid_t pid, struct why *why)
{
	const char *name = trace->options->output;
	int r;

	if (name && strcmp(name, "-") == 0) {
		trace->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return trace->fd < 0 ? why_set(why, -errno, "cannot use the standard output") : 0;
	}

	if (name)
		trace->path = strdup(name);
	else if ((r = make_name(pid, &trace->path)) < 0)
		return r;
	if (!trace->path)
		return -ENOMEM;

	trace->fd = open(trace->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	trace->is_new = trace->fd >= 0;
	if (trace->fd < 0 && errno == EEXIST)
		trace->fd = open(trace->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (trace->fd < 0)
		return why_set(why, -errno, "cannot open '%s' for writing", trace->path);

	return 0;
}

static bool is_compressed(const char *path)
{
	size_t size = path ? strlen(path) : 0;

	return size > 3 && strcmp(path + size - 3, ".gz") == 0;
}

static struct json_object *describe_start(const struct trace *trace, struct json_object *scope)
{
	struct json_object *parameters = json_object_new_object(),
			   *aspects = json_object_new_array();

	for (size_t i = 0; i < trace->options->aspects.n_items; i++)
		json_object_array_add(aspects, json_text(trace->options->aspects.items[i]));
	json_object_object_add(parameters, "aspects", aspects);
	json_object_object_add(parameters, "scope", scope);
	json_object_object_add(parameters, "output", json_object_new_int(0));
	json_object_object_add(parameters, "compress",
			       json_object_new_boolean(is_compressed(trace->path)));
	if (trace->options->returns)
		json_object_object_add(parameters, "returns", json_text(trace->options->returns));
	json_object_object_add(parameters, "allow_empty",
			       json_object_new_boolean(trace->options->allow_empty));

	return parameters;
}

int trace_start(struct trace *trace, const struct trace_options *options, struct client *client,
		struct json_object *scope, pid_t pid, struct why *why)
{
	int r;

	*trace = (struct trace){
		.options = options, .client = client, .state = TRACE_FAILED, .fd = -1};
	r = open_output(trace, pid, why);
	if (r < 0) {
		json_object_put(scope);
		return r;
	}

	r = client_call(client, "io.perfflow.Start", describe_start(trace, scope), true, trace->fd,
			why);
	if (r < 0)
		return r;

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

static void trace_take_session(struct trace *trace, const struct reply *reply)
{
	struct json_object *session = member_object(reply->parameters, "session", json_type_object);

	if (!session)
		return;
	json_object_put(trace->session);
	trace->session = json_object_get(session);
}

static const char *output_name(const struct trace *trace)
{
	return trace->path ? trace->path : "standard output";
}

static void trace_report_error(const struct trace *trace, const struct reply *reply)
{
	if (strcmp(reply->error, "io.perfflow.BadOutput") == 0)
		report("cannot use '%s': %s", output_name(trace),
		       member_string(reply->parameters, "message"));
	else
		report_error(reply);
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
		report_summary(trace->session, trace->path);
}

void trace_discard(struct trace *trace)
{
	json_object_put(trace->session);
	trace->session = NULL;
	trace->state = TRACE_FAILED;
}

void trace_done(struct trace *trace)
{
	if (trace->is_new && !trace->session)
		unlink(trace->path);
	closep(&trace->fd);
	json_object_put(trace->session);
	free(trace->path);
}
