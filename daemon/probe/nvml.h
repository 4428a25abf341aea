/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/nvml.h - the part of NVIDIA's management library that is used here, found at run time
 *
 * The declarations are those of its documented interface, which it keeps for good; a function whose
 * structs have changed has a new name there.
 */
#ifndef PERFFLOW_PROBE_NVML_H
#define PERFFLOW_PROBE_NVML_H

#include "util/why.h"

enum {
	NVML_SUCCESS = 0,
	NVML_NOT_SUPPORTED = 3,
	NVML_NO_PERMISSION = 4,
	NVML_NOT_FOUND = 6,
	NVML_INSUFFICIENT_SIZE = 7,
};

#define NVML_NAME_BYTES 96
#define NVML_UNKNOWN	(~0ULL) /* a number that it does not tell */

typedef struct nvml_device *nvml_device;

struct nvml_utilisation {    /* percent of the last fraction of a second in which */
	unsigned int gpu;    /* something was computed */
	unsigned int memory; /* its memory was read or written */
};

struct nvml_memory { /* bytes */
	unsigned long long total, free, used;
};

struct nvml_process {
	unsigned int pid;
	unsigned long long used_bytes;
	unsigned int gpu_instance, compute_instance;
};

struct nvml_process_utilisation {
	unsigned int pid;
	unsigned long long time_us;		    /* since 1970 */
	unsigned int gpu, memory, encoder, decoder; /* percent */
};

/* All return one of the above, or another number that error_string() explains. */
struct nvml {
	int (*init)(void);
	int (*shutdown)(void);
	const char *(*error_string)(int r);
	int (*device_count)(unsigned int *ret_n);
	int (*device)(unsigned int index, nvml_device *ret_device);
	int (*name)(nvml_device device, char *name, unsigned int size);
	int (*utilisation)(nvml_device device, struct nvml_utilisation *ret_utilisation);
	int (*memory)(nvml_device device, struct nvml_memory *ret_memory);

	/* n is how many there is room for, and then how many there are. Older libraries do not have
	 * them: NULL. */
	int (*processes)(nvml_device device, unsigned int *n, struct nvml_process *processes);
	int (*process_utilisation)(nvml_device device, struct nvml_process_utilisation *samples,
				   unsigned int *n, unsigned long long since_us);
};

/* -ENOENT: there is none on this machine, or it is none; the sentence says so. It stays loaded. */
int nvml_load(struct nvml *ret_nvml, struct why *why);

#endif
