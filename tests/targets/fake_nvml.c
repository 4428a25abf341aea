// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * A libnvidia-ml.so.1 with two GPUs that tell known numbers: of the call with number k, from 1 on,
 * of each function and GPU
 *
 * Utilisation: GPU 0 has 7 * k % 101 percent, GPU 1 does not tell. Memory: k MiB and 1 GiB for each
 * GPU before. Processes, of GPU 0 alone: 99 that nobody knows, and that of FAKE_NVML_PID, with 1000
 * * k bytes in one part of the GPU and 1 in another, until call 8; from then on it is gone. It has
 * used 3 * k % 101 percent by its newest sample (and 99 by an older one that comes later); where k
 * is odd there is no sample.
 *
 * FAKE_NVML_INIT is what the library answers when it is opened, FAKE_NVML_INIT_MS how long that
 * takes, FAKE_NVML_MS how long GPU 0 takes for its utilisation.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct memory {
	unsigned long long total, free, used;
};

struct process {
	unsigned int pid;
	unsigned long long used;
	unsigned int gpu_instance, compute_instance;
};

struct sample {
	unsigned int pid;
	unsigned long long time_us;
	unsigned int sm, memory, encoder, decoder;
};

enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7 };

static struct gpu {
	unsigned int number, n_utilisations, n_memories, n_processes, n_samples;
} gpus[] = {{.number = 0}, {.number = 1}};

static unsigned int setting(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : 0;
}

int nvmlInit_v2(void);
int nvmlInit_v2(void)
{
	usleep(1000 * setting("FAKE_NVML_INIT_MS"));
	return setting("FAKE_NVML_INIT");
}

int nvmlShutdown(void);
int nvmlShutdown(void)
{
	return OK;
}

const char *nvmlErrorString(int r);
const char *nvmlErrorString(int r)
{
	return r == 9		    ? "Driver Not Loaded"
	       : r == NOT_SUPPORTED ? "Not Supported"
				    : "Unknown Error";
}

int nvmlDeviceGetCount_v2(unsigned int *n);
int nvmlDeviceGetCount_v2(unsigned int *n)
{
	*n = 2;
	return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, struct gpu **gpu);
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, struct gpu **gpu)
{
	*gpu = &gpus[index];
	return OK;
}

int nvmlDeviceGetName(struct gpu *gpu, char *name, unsigned int size);
int nvmlDeviceGetName(struct gpu *gpu, char *name, unsigned int size)
{
	snprintf(name, size, "Fake %c", 'A' + (char)gpu->number);
	return OK;
}

int nvmlDeviceGetUtilizationRates(struct gpu *gpu, unsigned int rates[2]);
int nvmlDeviceGetUtilizationRates(struct gpu *gpu, unsigned int rates[2])
{
	if (gpu->number)
		return NOT_SUPPORTED;
	usleep(1000 * setting("FAKE_NVML_MS"));
	rates[0] = 7 * ++gpu->n_utilisations % 101;
	rates[1] = 55;
	return OK;
}

int nvmlDeviceGetMemoryInfo(struct gpu *gpu, struct memory *memory);
int nvmlDeviceGetMemoryInfo(struct gpu *gpu, struct memory *memory)
{
	*memory = (struct memory){.total = 80ULL << 30,
				  .free = 1,
				  .used = (++gpu->n_memories << 20) +
					  ((unsigned long long)gpu->number << 30)};
	return OK;
}

int nvmlDeviceGetComputeRunningProcesses_v2(struct gpu *gpu, unsigned int *n,
					    struct process *processes);
int nvmlDeviceGetComputeRunningProcesses_v2(struct gpu *gpu, unsigned int *n,
					    struct process *processes)
{
	unsigned int room = *n, k, own = setting("FAKE_NVML_PID");

	*n = 0;
	if (gpu->number || !own)
		return OK;
	*n = 99;
	if (room < 101)
		return TOO_SMALL;
	for (unsigned int i = 0; i < 99; i++)
		processes[i] = (struct process){.pid = 2000000000 + i, .used = 12345};
	k = ++gpu->n_processes;
	if (k >= 8)
		return OK;
	processes[(*n)++] = (struct process){.pid = own, .used = 1000 * k, .gpu_instance = 1};
	processes[(*n)++] = (struct process){.pid = own, .used = 1, .gpu_instance = 2};
	return OK;
}

int nvmlDeviceGetProcessUtilization(struct gpu *gpu, struct sample *samples, unsigned int *n,
				    unsigned long long since_us);
int nvmlDeviceGetProcessUtilization(struct gpu *gpu, struct sample *samples, unsigned int *n,
				    unsigned long long since_us)
{
	unsigned int k = ++gpu->n_samples;

	if (gpu->number || k % 2 || k >= 8 || *n < 2)
		return NOT_FOUND;
	*n = 2;
	samples[0] = (struct sample){
		.pid = setting("FAKE_NVML_PID"), .time_us = since_us + 500000, .sm = 3 * k % 101};
	samples[1] = (struct sample){.pid = samples[0].pid, .time_us = since_us + 100000, .sm = 99};
	return OK;
}
