/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The functions are written in assembly, since their first instruction decides what a probe there
 * costs. Each is called some thousand times without and with a probe, and the least of a few rounds
 * counts: other work on the machine only ever adds.
 */
#include "probe/calibrate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "probe/features.h"
#include "probe/link.h"
#include "util/cleanup.h"
#include "util/now.h"
#include "util/thread.h"

#define N_ROUNDS 5
#define N_CALLS	 1000

void calibrate_emulated(void);
void calibrate_stepped(void);
void calibrate_nop5(void);

#define FUNCTION(name, body)                                                                       \
	".globl " name "\n.hidden " name "\n.type " name ", %function\n.p2align 5\n" name          \
	":\n" body "ret\n.size " name ", . - " name "\n"

#if defined(__x86_64__)
#define HAS_NOP5 true
__asm__(".pushsection .text\n" FUNCTION("calibrate_emulated", "push %rbp\n pop %rbp\n")
		FUNCTION("calibrate_stepped", "mov %rdi, %rax\n")
			FUNCTION("calibrate_nop5",
				 ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n") ".popsection\n");
#else
#define HAS_NOP5 false
__asm__(".pushsection .text\n" FUNCTION("calibrate_emulated", "b 1f\n1:\n")
		FUNCTION("calibrate_stepped", "mov x1, x0\n")
			FUNCTION("calibrate_nop5", "nop\n") ".popsection\n");
#endif

/* Of N_CALLS calls. */
static uint64_t measure(void (*function)(void))
{
	uint64_t least = UINT64_MAX;

	for (int round = 0; round < N_ROUNDS; round++) {
		uint64_t start_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID), passed_ns;

		for (int i = 0; i < N_CALLS; i++)
			function();
		passed_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
		if (passed_ns < least)
			least = passed_ns;
	}
	return least;
}

static int load_empty_program(bool has_multi)
{
	static const struct bpf_insn instructions[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options,
		    .expected_attach_type = has_multi ? LINK_UPROBE_MULTI : 0);

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "pf_empty", "GPL", instructions, 2, &options);
}

/* One probe, of the kind that this kernel has. */
struct probe {
	int program;
	bool has_multi;
};

static int probe_open(const struct probe *probe, void (*function)(void), bool is_return)
{
	struct link_sites site = {.path = "/proc/self/exe", .n = 1, .are_returns = is_return};
	unsigned long offset;
	int r;

	r = features_own_offset(function, &offset);
	if (r < 0)
		return r;
	site.offsets = &offset;
	return probe->has_multi ? link_open(probe->program, LINK_UPROBE_MULTI, &site)
				: link_open_event(probe->program, site.path, offset, is_return);
}

static int measure_probe(const struct probe *probe, void (*function)(void), bool is_return,
			 unsigned int *ret_ns)
{
	uint64_t bare_ns = measure(function), probed_ns;
	int fd = probe_open(probe, function, is_return);

	if (fd < 0)
		return fd;
	probed_ns = measure(function);
	link_close(&fd, 1);
	*ret_ns = probed_ns > bare_ns ? (probed_ns - bare_ns) / N_CALLS : 0;
	return 0;
}

int calibrate(struct probe_costs *ret_costs, struct why *why)
{
	struct probe probe = {.has_multi = feature_is_there(FEATURE_UPROBE_MULTI)};
	_cleanup_close_ int program = load_empty_program(probe.has_multi);
	struct probe_costs costs = {0};
	unsigned int both_ns;
	int r;

	if (program < 0)
		return why_set(why, -errno, "cannot load a program to measure with");
	probe.program = program;
	r = measure_probe(&probe, calibrate_emulated, false, &costs.emulated_ns);
	if (r >= 0)
		r = measure_probe(&probe, calibrate_stepped, false, &costs.stepped_ns);
	if (r >= 0 && HAS_NOP5)
		r = measure_probe(&probe, calibrate_nop5, false, &costs.nop5_ns);
	if (r >= 0)
		r = measure_probe(&probe, calibrate_emulated, true, &both_ns);
	if (r < 0)
		return why_set(why, r, "cannot probe a function of our own");
	/* a return probe has one of the kernel's own at the entry */
	costs.return_ns = both_ns > costs.emulated_ns ? both_ns - costs.emulated_ns : 0;
	*ret_costs = costs;
	return 0;
}

struct calibration {
	pthread_t thread;
	struct probe_costs costs;
	int result; /* an atomic: 1 once they are there, 0 before, or a negative errno */
};

static void *run(void *userdata)
{
	struct calibration *calibration = userdata;
	struct why ignored = {0};
	int r = calibrate(&calibration->costs, &ignored);

	__atomic_store_n(&calibration->result, r < 0 ? r : 1, __ATOMIC_RELEASE);
	return NULL;
}

int calibration_start(struct calibration **ret_calibration)
{
	struct calibration *calibration = calloc(1, sizeof(*calibration));
	int r;

	if (!calibration)
		return -ENOMEM;
	r = thread_start(&calibration->thread, "pf-calibrate", run, calibration);
	if (r < 0) {
		free(calibration);
		return r;
	}
	*ret_calibration = calibration;
	return 0;
}

void calibration_free(struct calibration *calibration)
{
	if (!calibration)
		return;
	pthread_join(calibration->thread, NULL);
	free(calibration);
}

int calibration_read(const struct calibration *calibration, struct probe_costs *ret_costs)
{
	int r = __atomic_load_n(&calibration->result, __ATOMIC_ACQUIRE);

	if (r > 0)
		*ret_costs = calibration->costs;
	return r > 0 ? 0 : r ?: -EAGAIN;
}
