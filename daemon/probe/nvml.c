/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "probe/nvml.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "util/cleanup.h"

#define LIBRARY "libnvidia-ml.so.1"

/* The second version of the list of processes has not changed since; the third has, within its
 * name. */
static const struct {
	const char *name;
	size_t at;
	bool is_optional;
} functions[] = {
	{"nvmlInit_v2", offsetof(struct nvml, init)},
	{"nvmlShutdown", offsetof(struct nvml, shutdown)},
	{"nvmlErrorString", offsetof(struct nvml, error_string)},
	{"nvmlDeviceGetCount_v2", offsetof(struct nvml, device_count)},
	{"nvmlDeviceGetHandleByIndex_v2", offsetof(struct nvml, device)},
	{"nvmlDeviceGetName", offsetof(struct nvml, name)},
	{"nvmlDeviceGetUtilizationRates", offsetof(struct nvml, utilisation)},
	{"nvmlDeviceGetMemoryInfo", offsetof(struct nvml, memory)},
	{"nvmlDeviceGetComputeRunningProcesses_v2", offsetof(struct nvml, processes), true},
	{"nvmlDeviceGetProcessUtilization", offsetof(struct nvml, process_utilisation), true},
};

int nvml_load(struct nvml *ret_nvml, struct why *why)
{
	struct nvml nvml = {0};
	void *library;

	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!library)
		return why_say(why, -ENOENT, "nothing is known of GPUs: %s", dlerror());
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		void *function = dlsym(library, functions[i].name);

		if (!function && !functions[i].is_optional)
			return why_say(why, -ENOENT,
				       "nothing is known of GPUs: " LIBRARY " has no function %s",
				       functions[i].name);
		memcpy((char *)&nvml + functions[i].at, &function, sizeof(function));
	}
	*ret_nvml = nvml;
	return 0;
}
