/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * cmd_attach.c - perfflow attach: trace what runs already
 *
 * It ends by a signal, by its duration, or when the daemon says that the target has ended. The
 * signals are blocked until the trace is to end and take their usual effect from then on: a second
 * Ctrl-C does not wait.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "command.h"
#include "options.h"
#include "report.h"
#include "trace.h"
#include "util/now.h"

struct attach_options {
	struct trace_options trace;
	int64_t pid;	     /* or 0 */
	const char *binary;  /* or NULL */
	int64_t duration_ms; /* or 0: without an end */
};

static void attach_options_done(struct attach_options *options)
{
	trace_options_done(&options->trace);
}

static int take_signals(sigset_t *ret_old_mask)
{
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &mask, ret_old_mask) < 0)
		return -errno;

	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* The pending signal that asked for the end is taken before they are let through again. */
static void give_back_signals(int signal_fd, const sigset_t *old_mask)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof(info)) == sizeof(info))
		;
	sigprocmask(SIG_SETMASK, old_mask, NULL);
}

static int64_t now_ms(void)
{
	return clock_now_ns(CLOCK_BOOTTIME) / 1000000;
}

static void report_start(const struct trace *trace, const struct attach_options *options)
{
	if (options->trace.quiet)
		return;

	report("tracing, functions: %lld, binaries: %lld%s",
	       (long long)member_number(trace->session, "functions"),
	       (long long)member_number(trace->session, "binaries"),
	       options->duration_ms ? "" : "; Ctrl-C ends it");
}

static int time_left(int64_t deadline_ms)
{
	int64_t left = deadline_ms - now_ms();

	if (deadline_ms == 0)
		return -1;
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* Until the trace has ended. */
static void attach_loop(struct trace *trace, const struct attach_options *options, int signal_fd,
			const sigset_t *old_mask)
{
	bool is_stopping = false, has_started = false;
	int64_t deadline_ms = 0; /* counts from when the probes are armed */
	int n;

	while (!trace_is_over(trace)) {
		struct pollfd fds[] = {
			{.fd = client_fd(trace->client), .events = POLLIN},
			{.fd = is_stopping ? -1 : signal_fd, .events = POLLIN},
		};

		if (client_has_reply(trace->client))
			n = fds[0].revents = POLLIN;
		else
			n = poll(fds, ARRAY_SIZE(fds), is_stopping ? -1 : time_left(deadline_ms));

		if (n > 0 && fds[0].revents) {
			trace_receive(trace);
			if (trace->state == TRACE_RUNNING && !has_started) {
				has_started = true;
				report_start(trace, options);
				deadline_ms =
					options->duration_ms ? now_ms() + options->duration_ms : 0;
			}
		}
		if (!is_stopping &&
		    ((n > 0 && fds[1].revents) || (deadline_ms && now_ms() >= deadline_ms))) {
			is_stopping = true;
			give_back_signals(signal_fd, old_mask);
			trace_stop(trace);
		}
	}
}

static struct json_object *describe_scope(const struct attach_options *options, const char *path)
{
	struct json_object *scope = json_object_new_object();

	if (options->pid)
		json_object_object_add(scope, "pid", json_object_new_int64(options->pid));
	else if (path)
		json_object_object_add(scope, "binary", json_text(path));

	return scope;
}

static int attach_traced(const struct attach_options *options, struct client *client)
{
	_cleanup_free_ char *path = options->binary ? realpath(options->binary, NULL) : NULL;
	_cleanup_(trace_done) struct trace trace = {.fd = -1};
	_cleanup_close_ int signal_fd = -1;
	struct why why = {0};
	sigset_t old_mask;
	int r;

	if (options->binary && !path) {
		report("cannot find '%s': %s", options->binary, strerror(errno));
		return EXIT_FAILURE;
	}
	r = trace_open(&trace, &options->trace, &why);
	if (r < 0) {
		report("%s", why_text(&why, r));
		return EXIT_FAILURE;
	}
	signal_fd = take_signals(&old_mask);
	if (signal_fd < 0) {
		report("cannot watch for signals: %s", why_text(NULL, signal_fd));
		return EXIT_FAILURE;
	}

	r = trace_start(&trace, client, describe_scope(options, path),
			options->pid ? (pid_t)options->pid : getpid(), &why);
	if (r < 0) {
		report("%s", why_text(&why, r));
		return EXIT_FAILURE;
	}
	attach_loop(&trace, options, signal_fd, &old_mask);

	trace_report(&trace);

	return trace_is_good(&trace) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Returns 0, 1 if help was printed, or -EINVAL. */
static int parse_option(struct attach_options *options, int c, char **argv)
{
	switch (c) {
	case 'h':
		command_print_help(&command_attach);
		return 1;
	case OPTION_PID:
		if (option_number(optarg, 1, INT_MAX, &options->pid) == 0)
			return 0;
		command_usage_error(&command_attach, "'%s' is no pid", optarg);
		return -EINVAL;
	case OPTION_BINARY:
		options->binary = optarg;
		return 0;
	case OPTION_DURATION:
		if (option_duration(optarg, &options->duration_ms) == 0)
			return 0;
		command_usage_error(&command_attach,
				    "'%s' is no duration such as 500ms, 10s, 2m or 1h", optarg);
		return -EINVAL;
	default:
		if (trace_option_take(&options->trace, c, optarg) == 0)
			return 0;
		option_error(&command_attach, c, argv);
		return -EINVAL;
	}
}

static int parse_arguments(struct attach_options *options, int argc, char **argv)
{
	static const struct option list[] = {
		TRACE_OPTION_LIST,
		{"pid", required_argument, NULL, OPTION_PID},
		{"binary", required_argument, NULL, OPTION_BINARY},
		{"duration", required_argument, NULL, OPTION_DURATION},
		{0},
	};
	int c, r;

	while ((c = getopt_long(argc, argv, TRACE_OPTION_LETTERS, list, NULL)) >= 0) {
		r = parse_option(options, c, argv);
		if (r != 0)
			return r;
	}

	if (optind < argc)
		command_usage_error(&command_attach, "unexpected argument '%s'", argv[optind]);
	else if (options->pid && options->binary)
		command_usage_error(&command_attach, "--pid and --binary exclude each other");
	else
		return trace_options_check(&options->trace, &command_attach);

	return -EINVAL;
}

static int run_attach(int argc, char **argv)
{
	_cleanup_(attach_options_done) struct attach_options options = {0};
	_cleanup_(client_freep) struct client *client = NULL;
	struct why why = {0};
	int r;

	r = parse_arguments(&options, argc, argv);
	if (r != 0)
		return r > 0 ? EXIT_SUCCESS : EXIT_USAGE;
	r = client_connect(options.trace.socket_path, true, &client, &why);
	if (r < 0) {
		report("%s", why_text(&why, r));
		return EXIT_FAILURE;
	}

	return attach_traced(&options, client);
}

const struct command command_attach = {
	.name = "attach",
	.usage = "attach [--pid PID | --binary FILE] (-p ASPECT... | -f FILE | --pfw) [-o FILE] [--duration TIME]",
	.help = "trace running processes",
	.details =
		"  --pid PID            this process and all that it starts\n"
		"  --binary FILE        all processes that run this program or use this library\n"
		"                       without either: every process of the machine\n"
		"  --duration TIME      500ms, 10s, 2m, 1h; else until Ctrl-C or the end of\n"
		"                       the process\n" TRACE_OPTION_HELP
		"\n"
		"The PID in the trace's name is that of --pid, else perfflow's own.\n",
	.run = run_attach,
};
