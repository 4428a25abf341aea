// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * bench_links - what it costs that a plain user's probes are links of each process: a call of one process that is probed, while
 * others that run the same program have probes there as well; and opening and closing such links
 *
 *     sudo bench_links
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/features.h"
#include "probe/links.h"
#include "util/now.h"

#define N_CALLS 20000
#define MAX_PROCESSES 256

static __attribute__((noinline)) void called(void)
{
	__asm__ volatile("nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop");
}

static bool all_are_admitted(pid_t pid, void *userdata)
{
	(void)pid, (void)userdata;
	return true;
}

static int load_program(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = LINK_UPROBE_MULTI);
	const struct bpf_insn instructions[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "bench_links", "GPL", instructions, 2, &options);
}

static double ns_per_call(void)
{
	uint64_t began_ns = clock_now_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < N_CALLS; i++)
		called();
	return (double)(clock_now_ns(CLOCK_MONOTONIC) - began_ns) / N_CALLS;
}

static pid_t start_child(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	while (getppid() == parent)
		sleep(1);
	_exit(0);
}

static int add_site(struct links *links, int program, int file)
{
	unsigned long offset;
	struct link_sites sites = {.offsets = &offset, .n = 1};

	if (features_own_offset(called, &offset) < 0)
		return -ENOENT;
	return links_add_sites(links, program, LINK_UPROBE_MULTI, file, &sites);
}

static int measure(struct links *links, pid_t *children, size_t *n_children, size_t n)
{
	uint64_t began_ns = clock_now_ns(CLOCK_MONOTONIC), passed_ns;
	size_t n_new = n - *n_children;
	int r = 0;

	for (; *n_children < n && r >= 0; ++*n_children) {
		children[*n_children] = start_child();
		r = links_add_process(links, children[*n_children]);
	}
	passed_ns = clock_now_ns(CLOCK_MONOTONIC) - began_ns;
	printf("%4zu others: %7.1f ns a call", n, ns_per_call());
	if (n_new)
		printf("; %.2f ms for each to be born and probed", (double)passed_ns / 1e6 / (double)n_new);
	putchar('\n');
	return r;
}

static int run(struct links *links, pid_t *children, size_t *n_children)
{
	static const size_t numbers[] = {0, 1, 4, 16, 64, MAX_PROCESSES};
	int r = links_add_process(links, getpid());

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && r >= 0; i++)
		r = measure(links, children, n_children, numbers[i]);
	return r;
}

int main(void)
{
	struct rlimit files = {4096, 4096};
	pid_t children[MAX_PROCESSES];
	size_t n_children = 0;
	struct links *links;
	uint64_t began_ns;
	int program = load_program(), r;

	setrlimit(RLIMIT_NOFILE, &files);
	if (program < 0 || links_new(all_are_admitted, NULL, &links) < 0) {
		fprintf(stderr, "bench_links: needs root and Linux 6.10\n");
		return EXIT_FAILURE;
	}
	printf("no probe:     %7.1f ns a call\n", ns_per_call());
	fflush(stdout);
	r = add_site(links, program, open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	r = r < 0 ? r : run(links, children, &n_children);
	began_ns = clock_now_ns(CLOCK_MONOTONIC);
	if (n_children)
		links_remove_process(links, children[0]);
	printf("%.2f ms to take the probes from one of them\n", (double)(clock_now_ns(CLOCK_MONOTONIC) - began_ns) / 1e6);
	links_free(links);
	for (size_t i = 0; i < n_children; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	if (r < 0)
		fprintf(stderr, "bench_links: %s\n", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
