/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* main.c - arguments -> struct daemon_config -> daemon_run(); the exit status */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/capability.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control/daemon.h"
#include "inspect/inspection.h"
#include "util/log.h"

#define DEFAULT_SOCKET_PATH "/run/perfflow/io.perfflow"
#define EXIT_USAGE	    2
#define LARGE_BYTES	    (128 << 10)

static const char help[] =
	"usage: perfflowd [OPTION...]\n"
	"Traces the function calls of running programs, as its clients ask for.\n"
	"\n"
	"  --socket PATH      listen there ($PERFFLOW_SOCKET, " DEFAULT_SOCKET_PATH ")\n"
	"  --config FILE      who may do what (" POLICY_DEFAULT_PATH ", if there is one)\n"
	"  --check-config     say whether that is right, and end\n"
	"  --connection FD    serve this connected socket alone and end with it\n"
	"  --log-level LEVEL  error, warning, info or debug (info)\n"
	"  --version          print the version\n"
	"  --help             print this\n";

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "perfflowd: %s '%s'\n", what, value);
	return -EINVAL;
}

static int parse_connection(const char *text, struct daemon_config *config)
{
	char *end;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || *end || end == text || fd < 0 || fd > INT_MAX)
		return usage_error("no file descriptor:", text);
	if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return usage_error("not an open file descriptor:", text);

	config->connection_fd = (int)fd;
	return 0;
}

static int parse_log_level(const char *text, enum log_level *ret_level)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{"error", LOG_LEVEL_ERROR},
		{"warning", LOG_LEVEL_WARNING},
		{"info", LOG_LEVEL_INFO},
		{"debug", LOG_LEVEL_DEBUG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcmp(levels[i].name, text) == 0) {
			*ret_level = levels[i].level;
			return 0;
		}
	}

	return usage_error("no log level:", text);
}

/* Returns 0, 1 if all is said and done, or -EINVAL. */
static int parse_arguments(int argc, char **argv, struct daemon_config *config,
			   enum log_level *ret_level, bool *ret_only_check)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"config", required_argument, NULL, 'f'},
		{"check-config", no_argument, NULL, 'k'},
		{"connection", required_argument, NULL, 'c'},
		{"log-level", required_argument, NULL, 'l'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			config->socket_path = optarg;
			break;
		case 'f':
			config->policy_path = optarg;
			break;
		case 'k':
			*ret_only_check = true;
			break;
		case 'c':
			r = parse_connection(optarg, config);
			break;
		case 'l':
			r = parse_log_level(optarg, ret_level);
			break;
		case 'v':
			puts("perfflowd " PERFFLOW_VERSION);
			return 1;
		case 'h':
			fputs(help, stdout);
			return 1;
		default:
			return -EINVAL;
		}
	}
	if (r == 0 && optind < argc)
		return usage_error("unexpected argument", argv[optind]);

	return r;
}

static int check_config(const struct daemon_config *config)
{
	struct why why = {0};
	struct policy policy;
	int r;

	r = daemon_load_policy(config, &policy, &why);
	if (r < 0) {
		fprintf(stderr, "perfflowd: %s\n", why_text(&why, r));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

/* As root, or as a user to whom the service manager gave what is needed. */
static bool has_rights(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (geteuid() == 0)
		return true;

	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[CAP_TO_INDEX(CAP_BPF)].effective & CAP_TO_MASK(CAP_BPF));
}

int main(int argc, char **argv)
{
	const char *environment_path = getenv("PERFFLOW_SOCKET");
	struct daemon_config config = {
		.socket_path = environment_path && *environment_path ? environment_path
								     : DEFAULT_SOCKET_PATH,
		.state_folder = getenv("STATE_DIRECTORY"),
		.connection_fd = -1,
	};
	enum log_level level = LOG_LEVEL_INFO;
	bool only_check = false;
	int r;

	/* what a session frees goes back, whichever thread had it: no arena for each, nothing large among what stays */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	if (argc == 2 && strcmp(argv[1], INSPECTION_ARGUMENT) == 0)
		inspection_run();
	r = parse_arguments(argc, argv, &config, &level, &only_check);
	if (r < 0) {
		fputs("Try 'perfflowd --help'.\n", stderr);
		return EXIT_USAGE;
	}
	if (r > 0)
		return EXIT_SUCCESS;

	if (only_check)
		return check_config(&config);
	log_init(level);
	if (!has_rights()) {
		log_error("perfflowd has to be run as root, or with CAP_BPF");
		return EXIT_FAILURE;
	}
	/* Ctrl-C is meant for the command that is traced; its trace is to be completed. */
	if (config.connection_fd >= 0)
		setsid();

	return daemon_run(&config);
}
