/* SPDX-License-Identifier: GPL-2.0-only */
/* Is this call to be recorded? What its advice, and where the thread and the process are, say to that */
#ifndef PERFFLOW_ADVICE_BPF_H
#define PERFFLOW_ADVICE_BPF_H

#include "filter.bpf.h"

static __always_inline const struct pf_advice *advice_find(__u32 number)
{
	return bpf_map_lookup_elem(&advices, &number);
}

/* What the daemon found of the process, or NULL: it has not yet. */
static __always_inline const struct pf_verdict *verdict_find(__u32 tgid)
{
	const struct pf_verdict *verdict = bpf_map_lookup_elem(&verdicts, &tgid);
	const struct pf_process *process = process_in_scope(tgid);

	return verdict && process && verdict->generation == process->generation ? verdict : NULL;
}

/* Until the daemon knows what a process wants, its calls carry them. */
__weak __noinline int metrics_decide(struct pf_thread *thread)
{
	const struct pf_verdict *verdict = verdict_find(bpf_get_current_pid_tgid() >> 32);

	if (thread && verdict)
		thread->metrics = verdict->without_metrics ? PF_METRICS_LEFT_OUT : PF_METRICS_WANTED;
	return 0;
}

static __always_inline bool takes_metrics(struct pf_thread *thread)
{
	if (!metrics_mask)
		return false;
	if (metrics_by_process && thread->metrics == PF_METRICS_UNDECIDED)
		metrics_decide(thread);
	return thread->metrics != PF_METRICS_LEFT_OUT;
}

/* Whether an alternative holds, as far as the atoms that are not known leave that open. */
static __always_inline bool condition_may_hold(const struct pf_condition *condition, __u32 atoms, __u32 unknown)
{
	for (__u32 i = 0; i < PF_MAX_ALTERNATIVES; i++) {
		__u32 mask = condition->alternatives[i].mask & ~unknown;

		if (i >= condition->n_alternatives)
			break;
		if ((atoms & mask) == (condition->alternatives[i].wanted & mask))
			return true;
	}
	return false;
}

/* Leaves in thread->entering_... what the frame will have. Returns false where the call is nothing to us. */
__weak __noinline int advice_admit(struct pf_thread *thread, __u32 number, __u32 joinpoint, __u32 tgid)
{
	const struct pf_advice *advice = advice_find(number);
	bool is_silent = false;

	if (!thread || !advice)
		return false;
	thread->entering_kind = advice->kind;
	thread->entering_sets = advice->sets_atoms;
	thread->entering_atoms = 0;
	if (advice->condition.n_alternatives) {
		__u32 unknown = advice->condition.process_atoms, atoms = thread->atoms | advice->sets_atoms;
		const struct pf_verdict *verdict = unknown ? verdict_find(tgid) : NULL;

		if (verdict) {
			atoms |= verdict->atoms;
			unknown = 0;
		}
		is_silent = !condition_may_hold(&advice->condition, atoms, unknown);
		if (unknown)
			thread->entering_atoms = atoms | PF_ATOMS_UNDECIDED;
	}
	if (!is_silent && advice->sample > 1 && bpf_get_prandom_u32() % advice->sample) {
		is_silent = true;
		lose(PF_COUNT_SAMPLED_OUT, joinpoint, tgid);
	}
	if (advice->kind == PF_ADVICE_NOTHING)
		is_silent = true;
	thread->entering_flags = is_silent ? PF_FRAME_SILENT : 0;
	return !is_silent || advice->sets_atoms;
}

#endif
