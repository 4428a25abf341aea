/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session/watch.h - what processes map while a session runs, on CPUs that come and go */
#ifndef PERFFLOW_SESSION_WATCH_H
#define PERFFLOW_SESSION_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "probe/mappings.h"
#include "util/cleanup.h"

struct attach;
struct watch;

typedef void (*watch_mapped_fn)(const struct mapping *mapping, void *userdata);

struct watch_config {
	sd_event *loop;
	struct attach *attach; /* whose perf counters go on, too, where a CPU came; lives longer */
	watch_mapped_fn mapped; /* NULL: nobody wants to know of mappings */
	void *userdata;
};

/*
 * Tells of each file that is mapped executable from now on. Where a CPU came, it tells of all that processes have mapped by
 * then, since it did not hear of what they did there.
 */
int watch_open(const struct watch_config *config, struct watch **ret_watch);
void watch_close(struct watch *watch);
DEFINE_CLEANUP(struct watch, watch_close)

/* Mappings that the kernel had no room to tell of; how often CPUs came. */
uint64_t watch_n_lost(const struct watch *watch);
unsigned int watch_n_came(const struct watch *watch);

#endif
