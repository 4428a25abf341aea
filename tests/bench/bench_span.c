/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What a span costs the traced program, against the floor that the kernel sets: the same probes with BPF programs that do
 * nothing. Then: how long 20,000 functions take to attach and to detach.
 *
 * Both kinds of run alternate in this one process, and the least time of each is taken: other work on the machine only ever
 * adds. Functions are written in assembly since their first instruction decides: the kernel emulates push and nop, and
 * single-steps sub and endbr64. Exit status 1 if a ratio is above its goal.
 */
#include <bpf/bpf.h>
#include <string.h>
#include <sys/syscall.h>

#include "bench.h"
#include "probe/features.h"
#include "probe/link.h"

#define N_MANY 20000
#define ROUNDS 25

void fn_push(void);
void fn_nop(void);
void fn_nop5(void);
void fn_endbr_push(void);
void fn_sub(void);
extern const char many_start[], many_end[];

__asm__(".text\n"
	FUNCTION("fn_push", "push %rbp\n pop %rbp\n")
	FUNCTION("fn_nop", "nop\n")
	FUNCTION("fn_nop5", ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n push %rbp\n pop %rbp\n")
	FUNCTION("fn_endbr_push", "endbr64\n push %rbp\n pop %rbp\n")
	FUNCTION("fn_sub", "sub $8, %rsp\n add $8, %rsp\n")
	".globl many_start\nmany_start:\n.rept " "20000" "\n.p2align 4\npush %rbp\npop %rbp\nret\n.endr\n"
	".globl many_end\nmany_end:\n");

static const struct bench {
	const char *name;
	void (*function)(void);
	unsigned int n_calls;
	unsigned int probe_at; /* bytes behind the entry, as site.c chooses */
} benches[] = {
	{ "push", fn_push, 30000, 0 },		 { "nop", fn_nop, 30000, 0 },
	{ "nop5", fn_nop5, 30000, 0 },		 { "endbr64; push", fn_endbr_push, 30000, 4 },
	{ "sub", fn_sub, 10000, 0 },
};

/* The kind of link that perfflow uses on this kernel, with a program that does nothing. */
static enum bpf_attach_type link_type(void)
{
	return feature_is_there(FEATURE_UPROBE_SESSION) ? LINK_UPROBE_SESSION : LINK_UPROBE_MULTI;
}

static int load_empty_program(void)
{
	static const struct bpf_insn instructions[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = link_type());

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "empty", "GPL", instructions, 2, &options);
}

static int link_empty(int program, uint64_t offset, bool is_return)
{
	const struct link_sites site = { .path = "/proc/self/exe", .offsets = &offset, .n = 1, .are_returns = is_return };

	return link_open(program, link_type(), &site);
}

static double measure_floor(int program, const struct binary *binary, const struct bench *bench)
{
	uint64_t offset = offset_of(binary, (const char *)bench->function + bench->probe_at);
	_cleanup_close_ int entry = link_empty(program, offset, false), exit = -1;

	if (link_type() == LINK_UPROBE_MULTI) {
		exit = link_empty(program, offset, true);
		if (exit < 0)
			return -1;
	}
	return entry < 0 ? -1 : ns_per_call(bench->function, bench->n_calls);
}

static double measure_joinpoint(const struct binary *binary, const struct bench *bench, const struct joinpoint *joinpoint)
{
	struct consumer consumer;
	struct attach *attach = open_session(&(struct attach_config){ 0 }, &consumer);
	uint64_t n_expected = bench->n_calls + 1000;
	struct why why = { 0 };
	double ns = -1;

	if (!attach)
		return -1;
	if (attach_joinpoints(attach, binary, joinpoint, 1, 1, NULL, &why) == 0)
		ns = ns_per_call(bench->function, bench->n_calls);
	close_session(attach, &consumer);
	if (consumer.n_records < n_expected)
		fprintf(stderr, "bench_span: %lu records of %lu calls\n", consumer.n_records, n_expected);
	return ns;
}

static double measure_span(const struct binary *binary, const struct bench *bench)
{
	struct joinpoint joinpoint = {
		.site = { .entry_offset = offset_of(binary, (const char *)bench->function + bench->probe_at),
			  .returns = SITE_RETURN_PROBE },
	};

	return measure_joinpoint(binary, bench, &joinpoint);
}

/* The same function, its return seen by a probe on its `ret`, which is single-stepped. */
static double measure_exit_site(const struct binary *binary, const struct bench *bench, unsigned int ret_at)
{
	struct code_exit exit = { .file_offset = offset_of(binary, (const char *)bench->function + ret_at) };
	struct joinpoint joinpoint = {
		.site = { .entry_offset = offset_of(binary, bench->function),
			  .returns = SITE_EXITS,
			  .exits = &exit,
			  .n_exits = 1 },
	};

	return measure_joinpoint(binary, bench, &joinpoint);
}

static int bench_spans(const struct binary *binary)
{
	int program = load_empty_program(), missed = 0;
	double push = 0;

	printf("| function begins with | call | floor | span | span / floor | goal |\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(benches); i++) {
		double bare = ns_per_call(benches[i].function, benches[i].n_calls), floor = -1, span = -1;

		for (int round = 0; round < ROUNDS; round++) {
			floor = least(floor, measure_floor(program, binary, &benches[i]));
			span = least(span, measure_span(binary, &benches[i]));
		}
		if (floor <= 0 || span <= 0)
			return -1;
		printf("| `%s` | %.0f ns | %.0f ns | %.0f ns | %.2f | 1.3 |\n", benches[i].name, bare, floor, span,
		       span / floor);
		missed += span / floor > 1.3;
		if (i == 0)
			push = span;
		if (benches[i].probe_at) {
			printf("| `%s` against `push` | | | | %.2f | 1.3 |\n", benches[i].name, span / push);
			missed += span / push > 1.3;
		}
	}
	close(program);
	return missed;
}

#define RET_OF_PUSH 2 /* bytes behind the entry of fn_push */

static int bench_returns(const struct binary *binary)
{
	double probe = -1, site = -1;

	for (int round = 0; round < 5; round++) {
		probe = least(probe, measure_span(binary, &benches[0]));
		site = least(site, measure_exit_site(binary, &benches[0], RET_OF_PUSH));
	}
	if (probe <= 0 || site <= 0)
		return -1;
	printf("\n| return of `push ...; ret` seen by | span | ratio |\n|---|---|---|\n| return probe | %.0f ns | 1 |\n"
	       "| exit site | %.0f ns | %.1f |\n",
	       probe, site, site / probe);
	return 0;
}

static int bench_many(const struct binary *binary)
{
	struct joinpoint *joinpoints = calloc(N_MANY, sizeof(*joinpoints));
	double attach_s = -1, detach_s = -1, start;
	struct why why = { 0 };

	for (size_t i = 0; i < N_MANY; i++)
		joinpoints[i].site = (struct site){ .entry_offset = offset_of(binary, many_start + 16 * i),
						    .returns = SITE_RETURN_PROBE };
	for (int round = 0; round < 5; round++) {
		struct consumer consumer;
		struct attach *attach = open_session(&(struct attach_config){ 0 }, &consumer);
		int r;

		if (!attach)
			return -1;
		start = now_s(CLOCK_MONOTONIC);
		r = attach_joinpoints(attach, binary, joinpoints, N_MANY, 1, NULL, &why);
		attach_s = least(attach_s, now_s(CLOCK_MONOTONIC) - start);
		if (r < 0) {
			fprintf(stderr, "bench_span: %s\n", why_text(&why, r));
			return -1;
		}
		start = now_s(CLOCK_MONOTONIC);
		close_session(attach, &consumer);
		detach_s = least(detach_s, now_s(CLOCK_MONOTONIC) - start);
	}
	free(joinpoints);
	printf("\n| 20,000 functions | time | goal |\n|---|---|---|\n| attach | %.3f s | 0.2 s |\n"
	       "| detach, with all of the session | %.3f s | 0.2 s |\n",
	       attach_s, detach_s);
	return (attach_s > 0.2) + (detach_s > 0.2);
}

int main(void)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct why why = { 0 };
	int spans, returns, many, r;

	r = binary_open("/proc/self/exe", &binary, &why);
	if (r < 0) {
		fprintf(stderr, "bench_span: %s\n", why_text(&why, r));
		return 1;
	}
	spans = bench_spans(binary);
	returns = bench_returns(binary);
	many = bench_many(binary);
	return spans || returns || many;
}
