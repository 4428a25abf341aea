/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What a span costs the traced program with each metric on, and a call with each kind of advice,
 * against a plain span.
 *
 * All of them take turns in this one process, and the least time of each is taken: other work on
 * the machine only ever adds.
 */
#include <string.h>

#include "bench.h"
#include "probe/counter.h"

#define ROUNDS	7
#define N_CALLS 20000

void fn_text(void);
void calls_with_text(void);

/* clang-format off: the first one's argument is the address of a text */
__asm__(".text\n"
	FUNCTION("fn_text", "push %rbp\n pop %rbp\n")
	FUNCTION("calls_with_text", "lea some_text(%rip), %rdi\n call fn_text\n")
	"some_text: .asciz \"/scratch/project/input/mesh-0042.h5\"\n");
/* clang-format on */

#define BIT(metric) (1U << (metric))
#define MEMORY	    (BIT(PF_METRIC_RSS) | BIT(PF_METRIC_RSS_DELTA))
#define FAULTS	    (BIT(PF_METRIC_MINOR_FAULTS) | BIT(PF_METRIC_MAJOR_FAULTS))
#define SWITCHES    (BIT(PF_METRIC_VOLUNTARY) | BIT(PF_METRIC_INVOLUNTARY))
#define IO	    (BIT(PF_METRIC_READ_BYTES) | BIT(PF_METRIC_WRITTEN_BYTES))
#define RDI	    5 /* as DWARF counts registers */

static const struct variant {
	const char *name;
	uint32_t metrics;
	const char *counters[5]; /* perf counters; NULL-terminated */
	bool has_advice;
	struct pf_advice advice;
} variants[] = {
	{.name = "none"},
	{.name = "`mem`", .metrics = MEMORY},
	{.name = "`faults`", .metrics = FAULTS},
	{.name = "`ctxsw`", .metrics = SWITCHES},
	{.name = "`io`", .metrics = IO},
	{.name = "`mem,faults,ctxsw,io`", .metrics = MEMORY | FAULTS | SWITCHES | IO},
	{.name = "`page-faults`, a counter in software", .counters = {"page-faults"}},
	{.name = "`task-clock`", .counters = {"task-clock"}},
	{.name = "`cycles`", .counters = {"cycles"}},
	{.name = "`hw`", .counters = {"cycles", "instructions", "cache-misses", "branch-misses"}},
	{.name = "`min=` that it does not reach",
	 .has_advice = true,
	 .advice = {.id_capture = PF_NO_ID, .min_ns = 1000000000}},
	{.name = "`sample=1/1000000`",
	 .has_advice = true,
	 .advice = {.id_capture = PF_NO_ID, .sample = 1000000}},
	{.name = "`cflow()` that holds",
	 .has_advice = true,
	 .advice = {.id_capture = PF_NO_ID,
		    .sets_atoms = 1,
		    .condition = {.n_alternatives = 1,
				  .alternatives = {{.mask = 1, .wanted = 1}}}}},
	{.name = "`cflow()` that does not",
	 .has_advice = true,
	 .advice = {.id_capture = PF_NO_ID,
		    .condition = {.n_alternatives = 1,
				  .alternatives = {{.mask = 1, .wanted = 1}}}}},
	{.name = "`args=` of a number",
	 .has_advice = true,
	 .advice = {.id_capture = PF_NO_ID,
		    .n_captures = 1,
		    .captures = {{.number = RDI, .size = 8}}}},
	{.name = "`args=` of a string",
	 .has_advice = true,
	 .advice = {.id_capture = PF_NO_ID,
		    .n_captures = 1,
		    .captures = {{.number = RDI, .value = PF_VALUE_STRING, .max_bytes = 64}}}},
	{.name = "`stack`",
	 .has_advice = true,
	 .advice = {.id_capture = PF_NO_ID, .with_stack = 1}},
	{.name = "`before`",
	 .has_advice = true,
	 .advice = {.kind = PF_ADVICE_BEFORE, .id_capture = PF_NO_ID}},
	{.name = "`around_async`",
	 .has_advice = true,
	 .advice = {.kind = PF_ADVICE_AROUND_MARKS, .id_capture = PF_NO_ID}},
};

/* Returns how many counters the variant wants, or -1 where the machine lacks one. */
static int find_counters(const struct variant *variant, const struct counter_kind **kinds)
{
	struct why why = {0};
	int n = 0;

	for (; variant->counters[n]; n++) {
		_cleanup_close_ int fd = -1;

		kinds[n] = counter_find(variant->counters[n]);
		if (kinds[n])
			fd = counter_try(kinds[n], &why);
		if (fd < 0)
			return -1;
	}
	return n;
}

static double measure(const struct binary *binary, const struct variant *variant)
{
	const struct counter_kind *kinds[PF_MAX_HW];
	int n_hw = find_counters(variant, kinds);
	struct attach_config config = {
		.has_advices = variant->has_advice,
		.metrics = variant->metrics | (BIT(n_hw) - 1) << PF_METRIC_HW,
		.hw = kinds,
		.n_hw = n_hw,
	};
	struct joinpoint joinpoint = {
		.site = {.entry_offset = offset_of(binary, fn_text), .returns = SITE_RETURN_PROBE},
	};
	struct consumer consumer;
	struct attach *attach = open_session(&config, &consumer);
	struct why why = {0};
	uint16_t advice = 0;
	double ns = -1;
	int r = 0;

	if (!attach)
		return -1;
	if (variant->has_advice)
		r = attach_add_advice(attach, &variant->advice, &advice);
	if (r >= 0)
		r = attach_joinpoints(attach, binary, &joinpoint, 1, 1, &advice, &why);
	if (r >= 0)
		ns = ns_per_call(calls_with_text, N_CALLS);
	else
		fprintf(stderr, "bench_metrics: %s\n", why_text(&why, r));
	close_session(attach, &consumer);
	return ns;
}

static bool is_there(const struct variant *variant)
{
	const struct counter_kind *kinds[PF_MAX_HW];

	return find_counters(variant, kinds) >= 0;
}

static void print(const struct variant *variant, double ns, double plain)
{
	if (!is_there(variant))
		printf("| %s | this machine has no such counter | |\n", variant->name);
	else
		printf("| %s | %.0f ns | %+.0f ns |\n", variant->name, ns, ns - plain);
}

int main(void)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	double times[ARRAY_SIZE(variants)];
	struct why why = {0};
	int r;

	r = binary_open("/proc/self/exe", &binary, &why);
	if (r < 0) {
		fprintf(stderr, "bench_metrics: %s\n", why_text(&why, r));
		return 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
		times[i] = -1;
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
			double ns = is_there(&variants[i]) ? measure(binary, &variants[i]) : 0;

			if (ns < 0)
				return 1;
			times[i] = least(times[i], ns);
		}
	}
	printf("| a call with | takes | against a plain span |\n|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
		print(&variants[i], times[i], times[0]);
	return 0;
}
