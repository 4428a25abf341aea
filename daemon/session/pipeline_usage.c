/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Samples are taken when they are due and written once all records of before are: by then it is known which processes there
 * were. The value of a counter holds from its time on.
 */
#include "session/pipeline_internal.h"

#include <stdio.h>

/* pid 0: of the machine, the session or a CPU, as the name says. */
static void write_usage(struct pipeline *pipeline, const char *name, uint32_t pid, uint64_t from_ns, uint64_t to_ns,
			uint64_t used_ns)
{
	struct sink_counter counter = {
		.category = "cpu",
		.name = name,
		.value_name = "%",
		.pid = pid,
		.time_ns = from_ns,
	};
	struct sink *sink = pipeline->config.sink;

	if (!sink || to_ns <= from_ns)
		return;
	counter.thousandths = (unsigned __int128)used_ns * 100000 / (to_ns - from_ns);
	pipeline_note_written(pipeline, sink->ops->counter(sink, &counter));
}

static void write_process_usage(struct pipeline *pipeline, const struct process *process, uint64_t to_ns, uint64_t used_ns)
{
	if (process->is_shown)
		write_usage(pipeline, "CPU utilisation", process->pid, process->since_ns, to_ns, used_ns);
}

/*
 * What the CPUs can have given. Where the kernel does not tell of a switch, time is found only at the next one to have been a
 * process's, and is more than that now and then: the rest is the next interval's.
 */
static uint64_t at_most_all_cpus(const struct pipeline *pipeline, uint64_t used_ns, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t most_ns = to_ns > from_ns ? (to_ns - from_ns) * pipeline->n_cpus : 0;

	return pipeline->n_cpus && used_ns > most_ns ? most_ns : used_ns;
}

/* The value of a counter holds from its time on: so each interval's is written at the interval's start. */
static void sample_process(struct pipeline *pipeline, struct process *process, uint64_t now_ns, uint64_t oncpu_ns)
{
	uint64_t used_ns = oncpu_ns > process->oncpu_ns ? oncpu_ns - process->oncpu_ns : 0;

	used_ns = at_most_all_cpus(pipeline, used_ns, process->since_ns, now_ns);
	write_process_usage(pipeline, process, now_ns, used_ns);
	process->since_ns = now_ns;
	process->oncpu_ns += used_ns;
	if (process->is_shown)
		pipeline->used_ns += used_ns;
}

static void sample_cpus(struct pipeline *pipeline, const struct usage_sample *sample, uint64_t now_ns)
{
	uint64_t from_ns = pipeline->sampled_ns, machine_ns = 0, session_ns;
	char name[64];

	for (size_t i = 0; i < sample->n_cpus; i++) {
		uint64_t now_busy_ns = sample->cpu_busy_ns[i];
		uint64_t used_ns = now_busy_ns > pipeline->busy_ns[i] ? now_busy_ns - pipeline->busy_ns[i] : 0;

		pipeline->busy_ns[i] += used_ns;
		machine_ns += used_ns;
		if (!from_ns || !pipeline->config.with_cpus)
			continue;
		snprintf(name, sizeof(name), "CPU utilisation of CPU %zu", i);
		write_usage(pipeline, name, 0, from_ns, now_ns, used_ns);
	}
	if (!from_ns) {
		pipeline->shown_used_ns = pipeline->used_ns;
		return;
	}
	write_usage(pipeline, "CPU utilisation of the machine", 0, from_ns, now_ns, machine_ns);
	session_ns = at_most_all_cpus(pipeline, pipeline->used_ns - pipeline->shown_used_ns, from_ns, now_ns);
	write_usage(pipeline, "CPU utilisation of the session", 0, from_ns, now_ns, session_ns);
	pipeline->shown_used_ns += session_ns;
}

static void write_sample(struct pipeline *pipeline, const struct usage_sample *sample)
{
	pipeline->n_cpus = sample->n_cpus_seen;
	for (size_t i = 0; i < sample->n_processes; i++) {
		struct process *process = hash_find(&pipeline->processes, sample->processes[i].pid);

		if (process)
			sample_process(pipeline, process, sample->time_ns, sample->processes[i].oncpu_ns);
	}
	sample_cpus(pipeline, sample, sample->time_ns);
	pipeline->sampled_ns = sample->time_ns;
}

/* Once all records of before are written: so each process is known, and what one used that has ended since is still to come. */
void pipeline_write_samples(struct pipeline *pipeline, uint64_t before_ns)
{
	const struct usage_sample *sample;

	while (pipeline->usage && (sample = usage_next(pipeline->usage, before_ns)))
		write_sample(pipeline, sample);
}

static void write_gpu(struct pipeline *pipeline, const struct gpu_track *track, uint32_t pid, uint64_t time_ns,
		      uint64_t value)
{
	bool is_memory = track->quantity == GPU_MEMORY;
	struct sink_counter counter = {
		.category = "gpu",
		.value_name = is_memory ? "bytes" : "%",
		.pid = pid,
		.time_ns = time_ns,
		.thousandths = value * 1000,
	};
	struct sink *sink = pipeline->config.sink;
	char name[256];

	if (!sink)
		return;
	snprintf(name, sizeof(name), "%s %s", track->device, is_memory ? "memory" : "utilisation");
	counter.name = name;
	pipeline_note_written(pipeline, sink->ops->counter(sink, &counter));
}

static void note_gpu_track(struct process *process, const struct gpu_track *track)
{
	for (size_t i = 0; i < process->n_gpu_tracks; i++)
		if (process->gpu_tracks[i].device == track->device && process->gpu_tracks[i].quantity == track->quantity)
			return;
	if (array_grow(&process->gpu_tracks, process->n_gpu_tracks, sizeof(*track)) >= 0)
		process->gpu_tracks[process->n_gpu_tracks++] = *track;
}

/* Of the processes that use a GPU, those that are in the trace. */
static void on_gpu_sample(const struct gpu_sample *sample, void *userdata)
{
	const struct gpu_track track = { sample->device, sample->quantity };
	struct pipeline *pipeline = userdata;
	struct process *process = sample->pid ? hash_find(&pipeline->processes, sample->pid) : NULL;

	if (sample->pid && !(process && process->is_shown))
		return;
	if (process)
		note_gpu_track(process, &track);
	write_gpu(pipeline, &track, sample->pid, sample->time_ns, sample->value);
}

void pipeline_sample_gpu(struct pipeline *pipeline, uint64_t until_ns)
{
	if (pipeline->config.gpu)
		gpu_take(pipeline->config.gpu, until_ns, on_gpu_sample, pipeline);
}


void pipeline_write_last_sample(struct pipeline *pipeline, struct process *process, const struct pf_process_end *end)
{
	sample_process(pipeline, process, end->event.time_ns, end->oncpu_ns);
	write_process_usage(pipeline, process, process->since_ns + 1, 0);
	for (size_t i = 0; i < process->n_gpu_tracks; i++)
		write_gpu(pipeline, &process->gpu_tracks[i], process->pid, process->since_ns, 0);
}
