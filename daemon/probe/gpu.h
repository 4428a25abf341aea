/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/gpu.h - how busy the GPUs of this machine are, and how full, also by process, as far as
 * NVML tells
 *
 * A thread of its own asks for it, since the driver may take its time to answer.
 */
#ifndef PERFFLOW_PROBE_GPU_H
#define PERFFLOW_PROBE_GPU_H

#include <stdint.h>

#include "util/cleanup.h"
#include "util/text.h"
#include "util/why.h"

struct gpu;

enum gpu_quantity {
	GPU_UTILISATION, /* percent of the time, as the driver has last averaged it */
	GPU_MEMORY,	 /* bytes */
};

struct gpu_sample {
	uint64_t time_ns;   /* CLOCK_BOOTTIME */
	const char *device; /* "GPU 0 (NVIDIA A100)"; lives as long as the struct gpu */
	enum gpu_quantity quantity;
	uint32_t pid; /* 0: of all processes together */
	uint64_t value;
};

/*
 * Begins to sample every interval_ns. -ENOENT, with a sentence, where there is no NVML, or no GPU
 * that it knows. Where it takes long to find that out, gpu_warn() tells.
 */
int gpu_open(uint64_t interval_ns, struct gpu **ret_gpu, struct why *why);

/* Waits until the driver has answered, unless it takes seconds. */
void gpu_close(struct gpu *gpu);
DEFINE_CLEANUP(struct gpu, gpu_close)

/* Hands over what was sampled since the last time and until then. */
void gpu_take(struct gpu *gpu, uint64_t until_ns,
	      void (*sampled)(const struct gpu_sample *sample, void *userdata), void *userdata);

/* Adds a sentence for each thing that is missing. */
int gpu_warn(struct gpu *gpu, struct strings *warnings);

#endif
