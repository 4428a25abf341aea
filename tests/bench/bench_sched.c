/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What the scheduler hooks cost alone, in a storm of context switches, with no function probed.
 *
 * The storm is `perf bench sched pipe` (package linux-perf), or where that is not installed the
 * same in this file: two processes on one CPU that wake each other through pipes and do nothing
 * else. It is measured without a session; with a program at the same event that does nothing,
 * which is what the kernel asks for being asked; with a session that it is out of the scope of, as
 * all that a machine runs is beside what is traced; with one that it is in the scope of, at default
 * settings and with --sched.
 *
 * What counts is CPU time by the kernel's own accounts: the hooks run on the account of whoever
 * leaves the CPU or wakes another, and the time by the clock is at the mercy of what else runs. All
 * take turns, a ratio is one of two neighbours in time, and the median of these counts. Exit status
 * 1 if it is above its goal.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "bench.h"

#define ROUNDS	   15
#define TRIPS	   60000 /* of two switches each */
#define TRIPS_TEXT "60000"
#define GOAL	   1.05

/* The second of two processes. */
static void answer(int from, int to)
{
	char c;

	while (read(from, &c, 1) == 1 && write(to, &c, 1) == 1)
		;
	_exit(0);
}

static void pingpong(void)
{
	int there[2], back[2];
	char c = 'x';

	if (pipe(there) < 0 || pipe(back) < 0)
		_exit(1);
	if (fork() == 0) {
		close(there[1]);
		answer(there[0], back[1]);
	}
	for (int i = 0; i < TRIPS; i++)
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			_exit(1);
	close(there[1]);
	_exit(wait(NULL) < 0);
}

static bool has_perf(void)
{
	return system("command -v perf >/dev/null 2>&1") == 0;
}

/* The storm, once `go` has a byte. */
static void storm(int go)
{
	cpu_set_t one;
	char c;
	int nothing;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	setpriority(PRIO_PROCESS, 0, -20); /* or caches are cold after each who comes between */
	if (sched_setaffinity(0, sizeof(one), &one) < 0 || read(go, &c, 1) != 1)
		_exit(1);
	if (!has_perf())
		pingpong();
	nothing = open("/dev/null", O_WRONLY);
	dup2(nothing, STDOUT_FILENO);
	dup2(nothing, STDERR_FILENO);
	execlp("perf", "perf", "bench", "sched", "pipe", "-l", TRIPS_TEXT, NULL);
	_exit(1);
}

static double seconds(struct timeval time)
{
	return time.tv_sec + time.tv_usec / 1e6;
}

struct waiting { /* a storm that has not begun */
	pid_t pid;
	int go;
};

static int start_waiting(struct waiting *waiting)
{
	int go[2];

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	waiting->pid = fork();
	if (waiting->pid == 0) {
		close(go[1]);
		storm(go[0]);
	}
	close(go[0]);
	waiting->go = go[1];
	return 0;
}

/* Nanoseconds of CPU time of a round trip. */
static double run_storm(const struct waiting *waiting)
{
	struct rusage usage;
	int status;

	if (write(waiting->go, "x", 1) != 1 || close(waiting->go) < 0 ||
	    wait4(waiting->pid, &status, 0, &usage) != waiting->pid || status)
		return -1;
	return (seconds(usage.ru_utime) + seconds(usage.ru_stime)) * 1e9 / TRIPS;
}

static double without_session(void)
{
	struct waiting waiting;

	return start_waiting(&waiting) < 0 ? -1 : run_storm(&waiting);
}

/* A program that does nothing, at an event; negative: it cannot be. */
static int attach_nothing(const char *event)
{
	static const struct bpf_insn instructions[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_RAW_TP,
		    .attach_btf_id = libbpf_find_vmlinux_btf_id(event, BPF_TRACE_RAW_TP));
	int program =
		bpf_prog_load(BPF_PROG_TYPE_TRACING, "nothing", "GPL", instructions, 2, &options);
	int link = program < 0 ? program : bpf_raw_tracepoint_open(NULL, program);

	if (program >= 0)
		close(program);
	return link;
}

static double with_nothing(void)
{
	_cleanup_close_ int link = attach_nothing("sched_switch");

	return link < 0 ? -1 : without_session();
}

static double with_session(const struct attach_config *config, bool is_in_scope)
{
	struct consumer consumer;
	struct waiting waiting;
	struct attach *attach;
	double ns;

	/* before the session: its own process is in the scope, and what that forks from then on */
	if (start_waiting(&waiting) < 0)
		return -1;
	attach = open_session(config, &consumer);
	if (!attach)
		return -1;
	if (is_in_scope)
		attach_add_process(attach, waiting.pid, 0);
	ns = run_storm(&waiting);
	close_session(attach, &consumer);
	return ns;
}

static double out_of_scope(void)
{
	return with_session(&(struct attach_config){0}, false);
}

static double in_scope(void)
{
	return with_session(&(struct attach_config){0}, true);
}

static double with_sched(void)
{
	return with_session(&(struct attach_config){.with_sched = true}, true);
}

static const struct kind {
	const char *name;
	double (*measure)(void);
	bool has_goal;
} kinds[] = {
	{"no session", without_session, false},
	{"a program that does nothing", with_nothing, false},
	{"session, out of its scope", out_of_scope, true},
	{"session, in its scope", in_scope, true},
	{"session, in its scope, `--sched`", with_sched, false},
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

int main(void)
{
	static double times[ARRAY_SIZE(kinds)][ROUNDS], ratios[ARRAY_SIZE(kinds)][ROUNDS];
	int missed = 0;

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			times[i][round] = kinds[i].measure();
			if (times[i][round] <= 0) {
				fprintf(stderr, "bench_sched: cannot measure: %s\n", kinds[i].name);
				return 1;
			}
			ratios[i][round] = times[i][round] / times[0][round];
		}
	}
	printf("| a round trip (two switches, one or two wake-ups) with | CPU time | ratio | goal "
	       "|\n|---|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		double time = median(times[i]), ratio = median(ratios[i]);

		printf("| %s | %.0f ns (%.0f to %.0f) | %.2f | %s |\n", kinds[i].name,
		       time, times[i][0], times[i][ROUNDS - 1], ratio,
		       kinds[i].has_goal ? "1.05" : "");
		missed += kinds[i].has_goal && ratio > GOAL;
	}
	return missed;
}
