/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * cmd_run.c - perfflow run: a command is traced from its first instruction on
 *
 * The child is forked first and waits, so that its pid can be the scope; it executes the command
 * when all probes are armed. What perfflow changes for itself (signals ignored and blocked) is
 * undone in the child before that: the command gets what we got. A terminal sends Ctrl-C to the
 * command as well as to us, so we ignore it until the command has ended by itself; what is sent to
 * us alone is passed on.
 *
 * Once the command runs, its exit status is ours, whatever becomes of the trace.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#include "binary/loader.h"
#include "client.h"
#include "command.h"
#include "options.h"
#include "python.h"
#include "report.h"
#include "trace.h"

#define EXIT_PERFFLOW	    125 /* as of env(1), timeout(1), nohup(1) */
#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND	    127
#define EXIT_SIGNAL	    128

#define MAX_COMMAND_BYTES                                                                          \
	(64 * 1024) /* of what the daemon is told: a message of its has a limit                    \
		     */

static const int ignored_signals[] = {SIGINT, SIGQUIT, SIGPIPE};
static const int watched_signals[] = {SIGCHLD, SIGTERM, SIGHUP};

struct run {
	struct trace_options options;
	char **command; /* ends with NULL */
	struct python_environment python; /* of the command */
	struct client *client;
	struct trace trace;
	struct sigaction old_actions[ARRAY_SIZE(ignored_signals)];
	sigset_t old_mask;
	int signal_fd;
	pid_t pid;
	int go_fd;	/* a byte lets the child execute the command, closing ends it */
	int error_fd;	/* where the child writes the errno, if it cannot; closed when it has */
	bool has_ended; /* the command */
	int status;	/* as of waitpid(); then */
};

static void run_done(struct run *run)
{
	trace_done(&run->trace);
	client_free(run->client);
	trace_options_done(&run->options);
	python_environment_done(&run->python);
	closep(&run->signal_fd);
	closep(&run->go_fd);
	closep(&run->error_fd);
}

/* Signals */

static int take_signals(struct run *run)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(watched_signals); i++)
		sigaddset(&mask, watched_signals[i]);
	if (sigprocmask(SIG_BLOCK, &mask, &run->old_mask) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(ignored_signals); i++)
		sigaction(ignored_signals[i], &ignore, &run->old_actions[i]);

	run->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signal_fd < 0 ? -errno : 0;
}

static void give_back_signals(const struct run *run)
{
	for (size_t i = 0; i < ARRAY_SIZE(ignored_signals); i++)
		sigaction(ignored_signals[i], &run->old_actions[i], NULL);
	sigprocmask(SIG_SETMASK, &run->old_mask, NULL);
}

/* The child */

static void __attribute__((noreturn)) become_command(const struct run *run, int go_fd, int error_fd)
{
	bool output_is_trace = run->options.output && strcmp(run->options.output, "-") == 0;
	ssize_t n;
	char go;
	int r;

	give_back_signals(run);
	if (output_is_trace)
		dup2(STDERR_FILENO, STDOUT_FILENO);
	do
		n = read(go_fd, &go, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1 || python_environment_apply(&run->python) < 0)
		_exit(EXIT_PERFFLOW);

	execvp(run->command[0], run->command);
	r = errno;
	if (write(error_fd, &r, sizeof(r)) < 0)
		_exit(EXIT_PERFFLOW);
	_exit(EXIT_NOT_FOUND);
}

static int fork_command(struct run *run)
{
	int go[2], error[2], r;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(error, O_CLOEXEC) < 0) {
		r = -errno;
		close(go[0]);
		close(go[1]);
		return r;
	}

	run->pid = fork();
	r = run->pid < 0 ? -errno : 0;
	if (run->pid == 0) {
		close(go[1]); /* else it would never see that we are gone */
		become_command(run, go[0], error[1]);
	}
	close(go[0]);
	close(error[1]);
	run->go_fd = go[1];
	run->error_fd = error[0];

	return r;
}

/*
 * Returns 0 when the command runs (or was killed before it could), or the errno with which exec()
 * failed.
 */
static int let_go(struct run *run)
{
	int error = 0;
	ssize_t n;

	if (write(run->go_fd, "", 1) < 0 && errno != EPIPE)
		report("cannot wake the command: %s", strerror(errno));
	closep(&run->go_fd);
	run->go_fd = -1;

	do
		n = read(run->error_fd, &error, sizeof(error));
	while (n < 0 && errno == EINTR);

	return n == sizeof(error) ? error : 0;
}

static int report_exec_failure(const struct run *run, int error)
{
	report("cannot execute '%s': %s", run->command[0], strerror(error));

	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}

/* What execvp() would say, before anything is started. Returns 0 or the exit status. */
static int check_command(const struct run *run)
{
	_cleanup_free_ char *directory = getcwd(NULL, 0), *path = NULL;
	const char *path_variable = getenv("PATH");
	struct loader_context context = {
		.root = "",
		.directory = directory ? directory : "/",
		.path = path_variable ? path_variable : "/bin:/usr/bin",
	};
	int r;

	r = loader_find_program(&context, run->command[0], &path);
	if (r == -ENOENT || r == -EACCES)
		return report_exec_failure(run, -r);

	return 0;
}

/* The loop */

static void forward_signals(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signal_fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD && !run->has_ended)
			kill(run->pid, (int)info.ssi_signo);
	if (!run->has_ended && waitpid(run->pid, &run->status, WNOHANG) == run->pid)
		run->has_ended = true;
}

/* From here on the user may end us as well: the trace gets completed without us. */
static void on_command_ended(struct run *run)
{
	give_back_signals(run);
	signal(SIGPIPE, SIG_IGN);
	trace_stop(&run->trace);
}

/* That its output failed has been said already. */
static void report_early_end(const struct run *run)
{
	const char *reason = member_string(run->trace.session, "reason");

	if (run->trace.state != TRACE_ENDED || run->has_ended ||
	    strcmp(reason, "target exited") == 0)
		return;
	if (trace_is_good(&run->trace))
		report("the trace ends here (%s); the command goes on", reason);
}

/* Waits for what comes next. Returns 0 or the errno with which exec() failed. */
static int run_step(struct run *run)
{
	struct pollfd fds[] = {
		{.fd = run->has_ended ? -1 : run->signal_fd, .events = POLLIN},
		{.fd = trace_is_over(&run->trace) ? -1 : client_fd(run->client), .events = POLLIN},
	};
	bool was_running = !run->has_ended;

	if (fds[1].fd >= 0 && client_has_reply(run->client))
		fds[1].revents = POLLIN;
	else if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		return 0;

	if (fds[0].revents)
		forward_signals(run);
	if (was_running && run->has_ended)
		on_command_ended(run);
	if (!fds[1].revents)
		return 0;

	trace_receive(&run->trace);
	report_early_end(run);
	return run->go_fd >= 0 && run->trace.state == TRACE_RUNNING ? let_go(run) : 0;
}

static int exit_status(const struct run *run)
{
	return WIFSIGNALED(run->status) ? EXIT_SIGNAL + WTERMSIG(run->status)
					: WEXITSTATUS(run->status);
}

/* Until the command and its trace have ended. Returns the exit status. */
static int run_loop(struct run *run)
{
	int error = 0;

	while (error == 0 && !(run->has_ended && trace_is_over(&run->trace))) {
		error = run_step(run);
		/* The command still waits, and there is no trace to wait for. */
		if (run->go_fd >= 0 && trace_is_over(&run->trace))
			return EXIT_PERFFLOW;
	}
	if (error) {
		trace_discard(&run->trace);
		return report_exec_failure(run, error);
	}

	trace_report(&run->trace);
	return exit_status(run);
}

static struct json_object *describe_scope(const struct run *run)
{
	struct json_object *scope = json_object_new_object(), *words = json_object_new_array();
	size_t size = 0;

	for (char **word = run->command; *word && (size += strlen(*word)) <= MAX_COMMAND_BYTES;
	     word++)
		json_object_array_add(words, json_text(*word));
	json_object_object_add(scope, "pid", json_object_new_int(run->pid));
	json_object_object_add(scope, "command", words);

	return scope;
}

/* The child that waits is let die, and reaped; one that has executed is the loop's. */
static void reap_command(struct run *run)
{
	closep(&run->go_fd);
	run->go_fd = -1;
	while (!run->has_ended && waitpid(run->pid, &run->status, 0) < 0 && errno == EINTR)
		;
}

static int run_traced(struct run *run)
{
	struct why why = {0};
	int r, status;

	r = python_environment_make(&run->options.aspects, &run->python, &why);
	if (r == 0)
		r = client_connect(run->options.socket_path, true, &run->client, &why);
	if (r == 0)
		r = trace_open(&run->trace, &run->options, &why);
	if (r < 0) {
		report("%s", why_text(&why, r));
		return EXIT_PERFFLOW;
	}
	r = take_signals(run);
	if (r == 0)
		r = fork_command(run);
	if (r < 0) {
		report("cannot make a process: %s", why_text(NULL, r));
		return EXIT_PERFFLOW;
	}

	r = trace_start(&run->trace, run->client, describe_scope(run), run->pid, &why);
	if (r < 0)
		report("%s", why_text(&why, r));
	status = r < 0 ? EXIT_PERFFLOW : run_loop(run);
	reap_command(run);

	return status;
}

static int parse_arguments(struct run *run, int argc, char **argv)
{
	static const struct option options[] = {TRACE_OPTION_LIST, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "+" TRACE_OPTION_LETTERS, options, NULL)) >= 0) {
		if (c == 'h') {
			command_print_help(&command_run);
			return 1;
		}
		if (trace_option_take(&run->options, c, optarg) < 0) {
			option_error(&command_run, c, argv);
			return -EINVAL;
		}
	}

	if (trace_options_check(&run->options, &command_run) < 0)
		return -EINVAL;
	if (optind == argc)
		command_usage_error(&command_run, "the command is missing");
	else
		run->command = argv + optind;

	return run->command ? 0 : -EINVAL;
}

static int run_run(int argc, char **argv)
{
	_cleanup_(run_done) struct run run = {
		.trace = {.fd = -1, .files_fd = -1, .pieces_fd = -1}, .signal_fd = -1, .go_fd = -1, .error_fd = -1};
	int r, status;

	r = parse_arguments(&run, argc, argv);
	if (r != 0)
		return r > 0 ? EXIT_SUCCESS : EXIT_PERFFLOW;
	status = check_command(&run);

	return status != 0 ? status : run_traced(&run);
}

const struct command command_run = {
	.name = "run",
	.usage = "run (-p ASPECT... | -f FILE | --pfw) [-o FILE] [--] COMMAND [ARGUMENT...]",
	.help = "trace a command and all processes that it starts",
	.details = TRACE_OPTION_HELP
	"\n"
	"With -o - what the command prints goes to standard error.\n"
	"The trace ends with the command: what that leaves running goes on untraced.\n"
	"The exit status is the command's, and 128+N if signal N killed it; 127 if there is no\n"
	"such command, 126 if it cannot be executed, 125 if perfflow failed before it ran.\n",
	.run = run_run,
};
