/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Records of a few processes in any order, their texts anything: what environments, command lines
 * and cgroups anybody can make. The input is a row of struct step, each followed by its text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trace/identity.h"

#define N_PIDS 8

struct step {
	uint8_t kind, pid, parent, time, what, is_last, size;
	uint8_t offset[2];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name)
{
	if (name && !name[0])
		abort();
	for (; name && *name; name++)
		if ((unsigned char)*name <= ' ' || *name == 0x7f)
			abort();
}

static void check(struct identities *identities, uint32_t pid)
{
	const struct identity *identity = identities_find(identities, pid);
	const char *value;

	if (!identity)
		return;
	check_name(identity->job);
	check_name(identity->step);
	check_name(identity->container);
	if (identity->pid != pid || identity->rank < IDENTITY_UNKNOWN ||
	    identity->n_ranks < IDENTITY_UNKNOWN || identity->local_rank < IDENTITY_UNKNOWN)
		abort();
	if (identity->n_ranks != IDENTITY_UNKNOWN && identity->rank >= identity->n_ranks)
		abort();
	if (!identity->scheduler != !identity->job)
		abort();
	if ((identity->exe && strncmp(identity->exe, "/", 1) &&
	     strncmp(identity->exe, ".../", 4)) ||
	    (identity->cgroup && !strchr(identity->cgroup, '/')))
		abort();
	value = identity_environment(identity, "PMI_RANK");
	if (strlen(identity->command_line) > PF_COMMAND_LINE_BYTES ||
	    (value && strlen(value) > 65536))
		abort();
}

static void take(struct identities *identities, const struct step *step, const uint8_t *text)
{
	const struct pf_event event = {
		.time_ns = 1 + step->time * 50000000ULL,
		.pid = 1 + step->pid % N_PIDS,
		.tid = 1 + step->pid % N_PIDS,
	};
	const uint32_t parent = 1 + step->parent % N_PIDS;
	struct pf_process_seen seen = {.event = event, .ppid = parent, .uid = step->what};
	struct pf_fork fork = {.event = event, .parent_pid = parent};
	struct pf_process_text piece = {
		.event = event,
		.what = step->what,
		.bytes = step->size,
		.offset = step->offset[0] | step->offset[1] << 8,
		.is_last = step->is_last & 1,
		.is_cut = step->is_last & 2,
	};

	switch (step->kind % 5) {
	case 0:
		seen.start_ns = step->is_last;
		seen.command_line_bytes = step->size;
		memcpy(seen.command_line, text, step->size);
		identities_seen(identities, &seen);
		break;
	case 1:
		identities_forked(identities, &fork);
		break;
	case 2:
		identities_forget(identities, event.pid);
		break;
	default:
		memcpy(piece.text, text, step->size);
		identities_text(identities, &piece);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(identities_freep) struct identities *identities = NULL;
	struct step step;

	if (identities_new(&identities) < 0)
		abort();
	while (size >= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		size -= sizeof(step);
		if (step.size > size)
			step.size = size;
		take(identities, &step, data);
		data += step.size;
		size -= step.size;
		for (uint32_t pid = 1; pid <= N_PIDS; pid++)
			check(identities, pid);
	}
	return 0;
}
