/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "probe/run_context.h"

#include <pthread.h>

#include "perfflow/event.h"
#include "perfflow.skel.h"
#include "probe/features.h"
#include "probe/link.h"
#include "util/cleanup.h"

#define COOKIE 0x5a17c0de12345678ULL

/* To be probed. Neither inlined nor thought to be without effect. */
static __attribute__((noinline)) void be_called(void)
{
	asm volatile("nop");
}

static bool try_once(struct perfflow_bpf *bpf)
{
	uint64_t cookie = COOKIE;
	unsigned long offset;
	struct link_sites site = { .path = "/proc/self/exe", .offsets = &offset, .cookies = &cookie, .n = 1, .pid = getpid() };
	int link;

	if (feature_is_disabled(FEATURE_RUN_CONTEXT) || features_own_offset(be_called, &offset) < 0)
		return false;
	link = link_open(bpf_program__fd(bpf->progs.on_check), LINK_UPROBE_SESSION, &site);
	if (link < 0)
		return false;
	be_called();
	link_close(&link, 1);
	/* at the entry and at the return */
	return bpf->bss->n_contexts_right == 2 && bpf->bss->n_contexts_wrong == 0;
}

/* One at a time: each would see the call of the other. */
bool run_context_is_right(struct perfflow_bpf *bpf)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static enum { UNKNOWN, RIGHT, WRONG } found;
	bool is_right;

	pthread_mutex_lock(&lock);
	if (found == UNKNOWN)
		found = try_once(bpf) ? RIGHT : WRONG;
	is_right = found == RIGHT;
	pthread_mutex_unlock(&lock);
	return is_right;
}
