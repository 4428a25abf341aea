/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The thread asks one device after the other and puts what it was told into a list, which the
 * pipeline takes. A driver that hangs keeps its thread: what is shared with that is given up then,
 * and not freed.
 *
 * The driver has utilisation by process only for those that were busy of late, in samples of its
 * own rhythm: of the last second the newest one counts, and no sample means that the process was
 * idle.
 */
#include "probe/gpu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "probe/nvml.h"
#include "util/now.h"
#include "util/thread.h"

#define MAX_DEVICES   64
#define MAX_PROCESSES 4096  /* of a device */
#define MAX_SAMPLES   65536 /* that wait to be taken */
#define MAX_WARNINGS  16
#define START_NS      300000000ULL  /* how long gpu_open() waits for the driver */
#define END_NS	      2000000000ULL /* and gpu_close() */
#define WINDOW_US     1000000	    /* in which a process that was busy has a sample */

/* What a device may refuse to tell. */
enum question { ASK_UTILISATION, ASK_MEMORY, ASK_PROCESSES, ASK_PROCESS_UTILISATION };

struct tenant { /* a process that uses the device */
	uint32_t pid;
	uint64_t memory_bytes;
	unsigned int utilisation;
	unsigned long long busy_us; /* when that was */
	bool is_there;
};

struct device {
	nvml_device handle;
	char name[NVML_NAME_BYTES + 16];
	unsigned int warned, refused; /* bits by enum question */
	struct tenant *tenants;
	size_t n_tenants;
};

struct gpu {
	struct nvml nvml;
	uint64_t interval_ns;
	pthread_t thread;

	struct device *devices; /* the thread's */
	size_t n_devices;
	void *room; /* for lists of processes */
	size_t room_bytes;

	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t changed;
	bool stop, is_started;
	struct why why; /* why it did not start */
	struct gpu_sample *samples;
	size_t n_samples;
	uint64_t n_dropped, n_rounds, n_slow, slowest_ns;
	struct strings warnings;
};

static struct timespec to_timespec(uint64_t time_ns)
{
	return (struct timespec){.tv_sec = time_ns / 1000000000, .tv_nsec = time_ns % 1000000000};
}

static void warn(struct gpu *gpu, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(struct gpu *gpu, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pthread_mutex_lock(&gpu->lock);
	if (gpu->warnings.n_items < MAX_WARNINGS)
		strings_add(&gpu->warnings, text);
	pthread_mutex_unlock(&gpu->lock);
}

/* Whether the device has told; if not, that is said once, and it is not asked again for what it
 * never will tell. */
static bool has_told(struct gpu *gpu, struct device *device, enum question question, int r)
{
	static const char *const what[] = {
		[ASK_UTILISATION] = "its utilisation",
		[ASK_MEMORY] = "how much of its memory is used",
		[ASK_PROCESSES] = "which processes use it",
		[ASK_PROCESS_UTILISATION] = "how much each process uses it",
	};

	if (r == NVML_SUCCESS)
		return true;
	if (r == NVML_NOT_SUPPORTED || r == NVML_NO_PERMISSION)
		device->refused |= 1U << question;
	if (!(device->warned & 1U << question))
		warn(gpu, "%s does not tell %s: %s", device->name, what[question],
		     gpu->nvml.error_string(r));
	device->warned |= 1U << question;
	return false;
}

static bool may_ask(const struct device *device, enum question question)
{
	return !(device->refused & 1U << question);
}

static void add_sample(struct gpu *gpu, const struct gpu_sample *sample)
{
	pthread_mutex_lock(&gpu->lock);
	if (gpu->n_samples == MAX_SAMPLES ||
	    array_grow(&gpu->samples, gpu->n_samples, sizeof(*sample)) < 0)
		gpu->n_dropped++;
	else
		gpu->samples[gpu->n_samples++] = *sample;
	pthread_mutex_unlock(&gpu->lock);
}

static void sample_device(struct gpu *gpu, struct device *device, uint64_t now_ns)
{
	struct gpu_sample sample = {.time_ns = now_ns, .device = device->name};
	struct nvml_utilisation utilisation;
	struct nvml_memory memory;

	if (may_ask(device, ASK_UTILISATION) &&
	    has_told(gpu, device, ASK_UTILISATION,
		     gpu->nvml.utilisation(device->handle, &utilisation))) {
		sample.quantity = GPU_UTILISATION;
		sample.value = utilisation.gpu;
		add_sample(gpu, &sample);
	}
	if (may_ask(device, ASK_MEMORY) &&
	    has_told(gpu, device, ASK_MEMORY, gpu->nvml.memory(device->handle, &memory))) {
		sample.quantity = GPU_MEMORY;
		sample.value = memory.used;
		add_sample(gpu, &sample);
	}
}

static struct tenant *find_tenant(struct device *device, uint32_t pid)
{
	for (size_t i = 0; i < device->n_tenants; i++)
		if (device->tenants[i].pid == pid)
			return &device->tenants[i];
	if (device->n_tenants == MAX_PROCESSES ||
	    array_grow(&device->tenants, device->n_tenants, sizeof(struct tenant)) < 0)
		return NULL;
	device->tenants[device->n_tenants] = (struct tenant){.pid = pid};
	return &device->tenants[device->n_tenants++];
}

static void *room_for(struct gpu *gpu, size_t n_bytes)
{
	void *room = n_bytes > gpu->room_bytes ? realloc(gpu->room, n_bytes) : gpu->room;

	if (!room)
		return NULL;
	gpu->room = room;
	if (n_bytes > gpu->room_bytes)
		gpu->room_bytes = n_bytes;
	return room;
}

/* Asks with as much room as it turns out to take. Returns how many there are. */
static unsigned int list_processes(struct gpu *gpu, struct device *device,
				   struct nvml_process **ret_processes)
{
	unsigned int n, room = 64;
	int r = NVML_INSUFFICIENT_SIZE;

	while (r == NVML_INSUFFICIENT_SIZE && room <= MAX_PROCESSES) {
		n = room;
		*ret_processes = room_for(gpu, n * sizeof(**ret_processes));
		if (!*ret_processes)
			return 0;
		r = gpu->nvml.processes(device->handle, &n, *ret_processes);
		room *= 2;
	}
	return has_told(gpu, device, ASK_PROCESSES, r) ? n : 0;
}

static unsigned int list_utilisations(struct gpu *gpu, struct device *device,
				      struct nvml_process_utilisation **ret_samples)
{
	unsigned long long since_us = clock_now_ns(CLOCK_REALTIME) / 1000 - WINDOW_US;
	unsigned int n, room = 64;
	int r = NVML_INSUFFICIENT_SIZE;

	while (r == NVML_INSUFFICIENT_SIZE && room <= MAX_PROCESSES) {
		n = room;
		*ret_samples = room_for(gpu, n * sizeof(**ret_samples));
		if (!*ret_samples)
			return 0;
		r = gpu->nvml.process_utilisation(device->handle, *ret_samples, &n, since_us);
		room *= 2;
	}
	if (r == NVML_NOT_FOUND)
		return 0; /* all were idle */
	return has_told(gpu, device, ASK_PROCESS_UTILISATION, r) ? n : 0;
}

/* One process may be there several times, with memory in several parts of a device. */
static void note_memory(struct gpu *gpu, struct device *device)
{
	struct nvml_process *processes;
	unsigned int n = list_processes(gpu, device, &processes);

	for (unsigned int i = 0; i < n; i++) {
		struct tenant *tenant = find_tenant(device, processes[i].pid);

		if (!tenant)
			return;
		tenant->is_there = true;
		if (processes[i].used_bytes != NVML_UNKNOWN)
			tenant->memory_bytes += processes[i].used_bytes;
	}
}

static void note_utilisation(struct gpu *gpu, struct device *device)
{
	struct nvml_process_utilisation *samples;
	unsigned int n = list_utilisations(gpu, device, &samples);

	for (unsigned int i = 0; i < n; i++) {
		struct tenant *tenant = find_tenant(device, samples[i].pid);

		if (!tenant)
			return;
		tenant->is_there = true;
		if (samples[i].time_us < tenant->busy_us)
			continue;
		tenant->busy_us = samples[i].time_us;
		tenant->utilisation = samples[i].gpu;
	}
}

/* One that has gone has a last sample, which says 0. */
static void add_tenants(struct gpu *gpu, struct device *device, uint64_t now_ns)
{
	size_t n = 0;

	for (size_t i = 0; i < device->n_tenants; i++) {
		const struct tenant *tenant = &device->tenants[i];
		struct gpu_sample sample = {
			.time_ns = now_ns, .device = device->name, .pid = tenant->pid};

		sample.quantity = GPU_MEMORY;
		sample.value = tenant->memory_bytes;
		if (gpu->nvml.processes && may_ask(device, ASK_PROCESSES))
			add_sample(gpu, &sample);
		sample.quantity = GPU_UTILISATION;
		sample.value = tenant->utilisation;
		if (gpu->nvml.process_utilisation && may_ask(device, ASK_PROCESS_UTILISATION))
			add_sample(gpu, &sample);
		if (tenant->is_there)
			device->tenants[n++] = *tenant;
	}
	device->n_tenants = n;
}

static void sample_processes(struct gpu *gpu, struct device *device, uint64_t now_ns)
{
	for (size_t i = 0; i < device->n_tenants; i++)
		device->tenants[i] = (struct tenant){.pid = device->tenants[i].pid};
	if (gpu->nvml.processes && may_ask(device, ASK_PROCESSES))
		note_memory(gpu, device);
	if (gpu->nvml.process_utilisation && may_ask(device, ASK_PROCESS_UTILISATION))
		note_utilisation(gpu, device);
	add_tenants(gpu, device, now_ns);
}

static void open_device(struct gpu *gpu, unsigned int index)
{
	struct device *device = &gpu->devices[gpu->n_devices];
	char name[NVML_NAME_BYTES] = "";
	int r;

	r = gpu->nvml.device(index, &device->handle);
	if (r == NVML_SUCCESS)
		r = gpu->nvml.name(device->handle, name, sizeof(name));
	if (r != NVML_SUCCESS) {
		warn(gpu, "nothing is known of GPU %u: %s", index, gpu->nvml.error_string(r));
		return;
	}
	snprintf(device->name, sizeof(device->name), "GPU %u (%.*s)", index, NVML_NAME_BYTES - 1,
		 name);
	gpu->n_devices++;
}

static int open_devices(struct gpu *gpu, struct why *why)
{
	unsigned int n;
	int r;

	r = gpu->nvml.device_count(&n);
	if (r != NVML_SUCCESS)
		return why_say(why, -ENOENT, "nothing is known of GPUs: %s",
			       gpu->nvml.error_string(r));
	if (!n)
		return why_say(why, -ENOENT,
			       "nothing is known of GPUs: this machine has none that NVML knows");
	gpu->devices = calloc(n, sizeof(*gpu->devices));
	if (!gpu->devices)
		return -ENOMEM;
	for (unsigned int i = 0; i < n && i < MAX_DEVICES; i++)
		open_device(gpu, i);
	return 0;
}

static int start(struct gpu *gpu, struct why *why)
{
	int r;

	r = gpu->nvml.init();
	if (r != NVML_SUCCESS)
		return why_say(why, -ENOENT, "nothing is known of GPUs: %s",
			       gpu->nvml.error_string(r));
	r = open_devices(gpu, why);
	if (r < 0)
		gpu->nvml.shutdown();
	return r;
}

static void sample_all(struct gpu *gpu)
{
	uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME), took_ns;

	for (size_t i = 0; i < gpu->n_devices; i++) {
		sample_device(gpu, &gpu->devices[i], now_ns);
		sample_processes(gpu, &gpu->devices[i], now_ns);
	}
	took_ns = clock_now_ns(CLOCK_BOOTTIME) - now_ns;
	pthread_mutex_lock(&gpu->lock);
	gpu->n_rounds++;
	gpu->n_slow += took_ns > gpu->interval_ns;
	if (took_ns > gpu->slowest_ns)
		gpu->slowest_ns = took_ns;
	pthread_mutex_unlock(&gpu->lock);
}

/* Returns whether it is to go on. */
static bool wait_until(struct gpu *gpu, uint64_t time_ns)
{
	const struct timespec end = to_timespec(time_ns);
	bool stop;

	pthread_mutex_lock(&gpu->lock);
	while (!gpu->stop &&
	       pthread_cond_clockwait(&gpu->changed, &gpu->lock, CLOCK_MONOTONIC, &end) == 0)
		;
	stop = gpu->stop;
	pthread_mutex_unlock(&gpu->lock);
	return !stop;
}

static void report_start(struct gpu *gpu, const struct why *why, int r)
{
	pthread_mutex_lock(&gpu->lock);
	gpu->is_started = true;
	if (r < 0)
		why_say(&gpu->why, r, "%s", why_text(why, r));
	pthread_cond_broadcast(&gpu->changed);
	pthread_mutex_unlock(&gpu->lock);
}

static void *run(void *userdata)
{
	struct gpu *gpu = userdata;
	struct why why = {0};
	uint64_t next_ns;
	int r;

	r = start(gpu, &why);
	report_start(gpu, &why, r);
	if (r < 0)
		return NULL;
	next_ns = clock_now_ns(CLOCK_MONOTONIC);
	do {
		uint64_t now_ns;

		sample_all(gpu);
		now_ns = clock_now_ns(CLOCK_MONOTONIC);
		next_ns += gpu->interval_ns;
		if (next_ns < now_ns)
			next_ns = now_ns;
	} while (wait_until(gpu, next_ns));
	gpu->nvml.shutdown();
	return NULL;
}

static void gpu_free(struct gpu *gpu)
{
	for (size_t i = 0; i < gpu->n_devices; i++)
		free(gpu->devices[i].tenants);
	free(gpu->devices);
	free(gpu->room);
	free(gpu->samples);
	strings_done(&gpu->warnings);
	pthread_cond_destroy(&gpu->changed);
	pthread_mutex_destroy(&gpu->lock);
	free(gpu);
}

/* Returns 1 if it has started, 0 if it still does, else why it has not. */
static int await_start(struct gpu *gpu, struct why *why)
{
	const struct timespec end = to_timespec(clock_now_ns(CLOCK_MONOTONIC) + START_NS);
	int r = 0;

	pthread_mutex_lock(&gpu->lock);
	while (!gpu->is_started && r == 0)
		r = pthread_cond_clockwait(&gpu->changed, &gpu->lock, CLOCK_MONOTONIC, &end);
	r = gpu->is_started;
	if (gpu->why.text[0])
		r = why_say(why, -ENOENT, "%s", gpu->why.text);
	pthread_mutex_unlock(&gpu->lock);
	return r;
}

int gpu_open(uint64_t interval_ns, struct gpu **ret_gpu, struct why *why)
{
	struct gpu *gpu;
	int r;

	gpu = calloc(1, sizeof(*gpu));
	if (!gpu)
		return -ENOMEM;
	gpu->interval_ns = interval_ns;
	pthread_mutex_init(&gpu->lock, NULL);
	pthread_cond_init(&gpu->changed, NULL);
	r = nvml_load(&gpu->nvml, why);
	if (r >= 0)
		r = thread_start(&gpu->thread, "pf-gpu", run, gpu);
	if (r < 0) {
		gpu_free(gpu);
		return r;
	}
	r = await_start(gpu, why);
	if (r < 0) {
		gpu_close(gpu);
		return r;
	}
	*ret_gpu = gpu;
	return 0;
}

void gpu_close(struct gpu *gpu)
{
	if (!gpu)
		return;
	pthread_mutex_lock(&gpu->lock);
	gpu->stop = true;
	pthread_cond_broadcast(&gpu->changed);
	pthread_mutex_unlock(&gpu->lock);
	if (thread_join(gpu->thread, END_NS / 1000000) == 0)
		gpu_free(gpu);
}

static bool take_sample(struct gpu *gpu, size_t at, uint64_t until_ns,
			struct gpu_sample *ret_sample)
{
	bool is_there;

	pthread_mutex_lock(&gpu->lock);
	is_there = at < gpu->n_samples && gpu->samples[at].time_ns <= until_ns;
	if (is_there)
		*ret_sample = gpu->samples[at];
	pthread_mutex_unlock(&gpu->lock);
	return is_there;
}

static void drop_samples(struct gpu *gpu, size_t n)
{
	pthread_mutex_lock(&gpu->lock);
	gpu->n_samples -= n;
	if (n)
		memmove(gpu->samples, gpu->samples + n, gpu->n_samples * sizeof(*gpu->samples));
	pthread_mutex_unlock(&gpu->lock);
}

/* The thread only appends, so what has been looked at stays where it is. */
void gpu_take(struct gpu *gpu, uint64_t until_ns,
	      void (*sampled)(const struct gpu_sample *sample, void *userdata), void *userdata)
{
	struct gpu_sample sample;
	size_t n = 0;

	for (; take_sample(gpu, n, until_ns, &sample); n++)
		sampled(&sample, userdata);
	drop_samples(gpu, n);
}

static int add_sentences(const struct gpu *gpu, struct strings *warnings)
{
	char text[200];
	int r = 0;

	if (gpu->why.text[0])
		return strings_add(warnings, gpu->why.text);
	if (!gpu->is_started)
		return strings_add(warnings,
				   "nothing is known of GPUs: their driver does not answer");
	for (size_t i = 0; i < gpu->warnings.n_items && r >= 0; i++)
		r = strings_add(warnings, gpu->warnings.items[i]);
	if (r >= 0 && gpu->n_slow > gpu->n_rounds / 2) {
		snprintf(text, sizeof(text),
			 "the GPUs took up to %.1f ms to answer: their values are further apart "
			 "than %.0f ms",
			 gpu->slowest_ns / 1e6, gpu->interval_ns / 1e6);
		r = strings_add(warnings, text);
	}
	if (r >= 0 && gpu->n_dropped) {
		snprintf(text, sizeof(text), "%llu values of GPUs found no room",
			 (unsigned long long)gpu->n_dropped);
		r = strings_add(warnings, text);
	}
	return r;
}

int gpu_warn(struct gpu *gpu, struct strings *warnings)
{
	int r;

	pthread_mutex_lock(&gpu->lock);
	r = add_sentences(gpu, warnings);
	pthread_mutex_unlock(&gpu->lock);
	return r;
}
