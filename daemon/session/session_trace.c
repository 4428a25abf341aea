/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The sinks are told all that they may ask for later: they know nothing of sessions. */
#include "session/session_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "binary/process.h"
#include "sink/output.h"
#include "sink/tee.h"

static void free_array(void *array)
{
	free(*(void **)array);
}

/* Before the first process runs, to hear of all that it maps. */
static int open_symbolizer(struct session *session, unsigned int read_s)
{
	bool is_wanted = false;
	int r;

	for (size_t i = 0; i < session->weave.plan.n_aspects; i++)
		is_wanted |= session->weave.plan.aspects[i]->with_stack;
	if (!is_wanted)
		return 0;
	r = symbolizer_new(session->is_restricted ? &session->privilege.rights : NULL, read_s, &session->symbolizer);
	return r < 0 || session->pid ? r : symbolizer_add_all(session->symbolizer);
}

static const char *user_name(void *opaque, uint32_t uid)
{
	return users_name(opaque, uid);
}

static bool is_woven(const void *labels, const char *file_name)
{
	return labels_are_in(labels, file_name);
}

/* PerfFlowAspect's files, beside the trace or alone. */
static int add_pfw_sink(struct session *session, struct sink_start *start, struct sink **sink)
{
	const struct pfw_start pfw = {
		.open_fn = files_open,
		.warn_fn = files_warn,
		.opaque = session->files,
		.is_woven_fn = is_woven,
		.woven = session->labels,
	};
	struct sink *added;
	int r;

	if (!session->files)
		return 0;
	start->pfw = &pfw;
	r = sink_new("pfw", NULL, start, &added);
	if (r < 0)
		return r;
	if (*sink)
		return tee_new(take_ptr(*sink), added, sink);
	*sink = added;
	return 0;
}

static int open_sink(struct session *session, int *output_fd, bool compress, struct sink **ret_sink,
		     struct output **ret_output, struct session_failure *failure)
{
	_cleanup_(free_array) const char **aspects = NULL;
	char host[256] = "", boot_id[64] = "";
	struct sink_start start = {
		.version = PERFFLOW_VERSION,
		.host = host,
		.boot_id = boot_id,
		.hw_names = session->hw_names,
		.symbolize = session->symbolizer ? symbolizer_symbolize : NULL,
		.symbolize_opaque = session->symbolizer,
		.user_name = user_name,
		.user_opaque = &session->users,
		.thread_has_ended = session->rotation ? process_thread_has_ended : NULL,
	};
	_cleanup_(fclosep) FILE *file = NULL;
	struct output *output = NULL;
	int r = 0;

	if (*output_fd < 0 && !session->files)
		return 0;
	aspects = calloc(session->aspects.n_items + 1, sizeof(*aspects));
	if (!aspects)
		return -ENOMEM;
	memcpy(aspects, session->aspects.items, session->aspects.n_items * sizeof(*aspects));
	start.aspects = aspects;
	start.clock = rotation_take_snapshot();
	gethostname(host, sizeof(host) - 1);
	file = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (file && fgets(boot_id, sizeof(boot_id), file))
		boot_id[strcspn(boot_id, "\n")] = '\0';
	if (*output_fd >= 0) {
		r = output_open(take_fd(*output_fd), compress, session->stop_fd, &output);
		r = r ?: sink_new("chrome", output, &start, ret_sink);
	}
	r = r ?: add_pfw_sink(session, &start, ret_sink);
	if (r < 0) {
		why_set(&failure->why, r, "cannot write the trace");
		return session_fail(failure, SESSION_FAULT_OUTPUT, r);
	}
	*ret_output = output;
	return 0;
}

int session_open_pipeline(struct session *session, const struct session_config *config, int *output_fd,
			  struct session_failure *failure)
{
	struct pipeline_config pipeline = {
		.attach = session->attach,
		.labels = session->labels,
		.interval_ns = session->interval_ms * 1000000ULL,
		.with_cpus = session->with_sched,
		.metrics_by_process = session->metrics_by_process,
		.atoms = &session->weave.plan.atoms,
		.scope = session->weave.plan.scope ? &session->weave.plan.scope_condition : NULL,
		.python = session->weave.plan.python.by_interpreter ? &session->weave.plan.python : NULL,
	};
	int r;

	session->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (session->stop_fd < 0)
		return -errno;
	pipeline.stop_fd = session->stop_fd;
	r = open_symbolizer(session, config->read_s);
	if (r < 0)
		return session_cannot_watch(r, &failure->why);
	pipeline.symbolizer = session->symbolizer;
	pipeline.gpu = session->gpu;
	pipeline.rotation = session->rotation;
	r = open_sink(session, output_fd, config->compress, &pipeline.sink, &pipeline.output, failure);
	if (r < 0)
		return r;
	r = pipeline_new(&pipeline, &session->pipeline);
	if (r < 0)
		return why_set(&failure->why, r, "cannot read the ring buffers");
	session->late = (struct late){ .ledger = pipeline_ledger(session->pipeline), .labels = session->labels };
	return 0;
}
