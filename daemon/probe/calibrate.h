/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/calibrate.h - what a probe costs on this machine, measured on functions of our own */
#ifndef PERFFLOW_PROBE_CALIBRATE_H
#define PERFFLOW_PROBE_CALIBRATE_H

#include "util/cleanup.h"
#include "util/why.h"

/* Nanoseconds for each time that one is hit; its program does nothing. 0: there is no such thing
 * here. */
struct probe_costs {
	unsigned int emulated_ns; /* on an instruction that the kernel imitates */
	unsigned int stepped_ns;  /* on one that the processor has to execute elsewhere, with a
				     second trap */
	unsigned int nop5_ns;	  /* on a 5-byte nop */
	unsigned int return_ns;	  /* a return probe, beside that of its entry */
};

/* Takes some 50 ms, or a second where each probe is a perf event of its own. */
int calibrate(struct probe_costs *ret_costs, struct why *why);

/* The same beside whatever else is done, in a thread of its own. */
struct calibration;
int calibration_start(struct calibration **ret_calibration);
void calibration_free(struct calibration *calibration); /* joins it */
DEFINE_CLEANUP(struct calibration, calibration_free)

/* From any thread. 0, -EAGAIN where it is not ready yet, or why it failed. */
int calibration_read(const struct calibration *calibration, struct probe_costs *ret_costs);

#endif
