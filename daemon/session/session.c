/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Starting goes from the expression to armed probes; whatever fails on the way undoes what came before it.
 *
 * Ending goes the other way round: disarm, let the kernel side send the spans that are still open, let the pipeline write
 * all that the rings hold, and only then detach, so that the user waits for the trace and not for the kernel.
 */
#include "session/session.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>

#include "binary/process.h"
#include "probe/mappings.h"
#include "session/gate.h"
#include "session/pipeline.h"
#include "session/weave.h"
#include "sink/output.h"

#define RING_BYTES (4 << 20)
#define MAX_RINGS 16
#define MAX_PROCESSES 16384
#define MAX_WARNINGS 32
#define SAMPLE_NS 100000000ULL

struct session {
	uint64_t id;
	enum session_state state;
	sd_event *loop; /* borrowed */
	session_ended_fn ended_fn;
	void *userdata;

	struct strings aspects, command, warnings;
	char *binary;
	pid_t pid;
	uid_t uid;
	pid_t client_pid;
	bool allow_empty;
	uint64_t started_us;
	char *reason;
	bool output_failed;

	struct labels *labels;
	struct attach *attach;
	struct weave weave;
	struct hash searched; /* files whose libraries were looked for: a set, by a hash of dev and ino */
	struct mappings *mappings;
	struct gate *gate;
	struct pipeline *pipeline;
	int stop_fd, target_fd;
	sd_event_source *mappings_source, *target_source, *pipeline_source, *gate_source;
	struct session_info final; /* the counts, once it has ended */
};

void session_failure_done(struct session_failure *failure)
{
	free(failure->aspect);
	strings_done(&failure->candidates);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* The narrowest of a few readings of one clock between two of the other. */
static struct clock_snapshot take_snapshot(void)
{
	struct clock_snapshot best = { .width_ns = UINT64_MAX };

	for (int i = 0; i < 5; i++) {
		uint64_t before_ns = clock_ns(CLOCK_BOOTTIME), real_ns = clock_ns(CLOCK_REALTIME);
		uint64_t width_ns = clock_ns(CLOCK_BOOTTIME) - before_ns;
		struct clock_snapshot snapshot = { before_ns + width_ns / 2, real_ns, width_ns };

		clock_snapshot_better(&best, &snapshot);
	}
	return best;
}

static int warn(struct session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int warn(struct session *session, const char *format, ...)
{
	char text[1024];
	va_list args;

	if (session->warnings.n_items == MAX_WARNINGS)
		return 0;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return strings_add(&session->warnings, text);
}

static int copy_strings(struct strings *to, const struct strings *from)
{
	int r = 0;

	for (size_t i = 0; from && i < from->n_items && r >= 0; i++)
		r = strings_add(to, from->items[i]);
	return r;
}

static int copy_config(struct session *session, const struct session_config *config)
{
	int r;

	session->pid = config->pid;
	session->uid = config->uid;
	session->client_pid = config->client_pid;
	session->allow_empty = config->allow_empty;
	session->started_us = clock_ns(CLOCK_REALTIME) / 1000;
	if (config->binary) {
		session->binary = strdup(config->binary);
		if (!session->binary)
			return -ENOMEM;
	}
	r = copy_strings(&session->aspects, config->aspects);
	return r < 0 ? r : copy_strings(&session->command, config->command);
}

static int fail(struct session_failure *failure, enum session_fault fault, int r)
{
	failure->fault = fault;
	return r;
}

static int open_attach(struct session *session, const struct binary *program, struct session_failure *failure)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct attach_config config = {
		.n_rings = n_cpus > 0 && n_cpus < MAX_RINGS ? n_cpus : MAX_RINGS,
		.ring_bytes = RING_BYTES,
		.max_processes = MAX_PROCESSES,
		.scope_is_all = !session->pid,
	};

	if (program && program->is_program) {
		config.exe_dev = program->dev;
		config.exe_ino = program->ino;
	}
	return attach_open(&config, &session->attach, &failure->why);
}

/* Tells the pipeline of a process that was there before the session. */
static int introduce(struct session *session, pid_t pid)
{
	struct pf_process_seen seen;
	int r;

	r = attach_add_process(session->attach, pid);
	if (r < 0)
		return r;
	if (session->command.n_items && pid == session->pid)
		return 0; /* it is named when it executes the command */
	if (process_seen(pid, &seen) >= 0)
		pipeline_feed(session->pipeline, 0, &seen, sizeof(seen));
	return 0;
}

/* The hooks are attached: children that are born from now on come into scope by themselves, so looking twice is enough. */
static int introduce_descendants(struct session *session)
{
	for (int look = 0; look < 2; look++) {
		_cleanup_free_ pid_t *descendants = NULL;
		size_t n = 0;
		int r = process_descendants(session->pid, &descendants, &n);

		for (size_t i = 0; i < n && r >= 0; i++)
			if (!attach_has_process(session->attach, descendants[i]))
				r = introduce(session, descendants[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_matches(struct session *session, struct session_failure *failure)
{
	const struct weave *weave = &session->weave;
	int r;

	for (size_t i = 0; i < weave->n_aspects; i++) {
		if (weave->matched[i])
			continue;
		if (!weave->paths.n_items && weave->refusal.text[0])
			return fail(failure, SESSION_FAULT_SCOPE, why_say(&failure->why, -ENOEXEC, "%s", weave->refusal.text));
		failure->fault = SESSION_FAULT_MATCH;
		failure->aspect = strdup(session->aspects.items[i]);
		r = weave_candidates(weave, i, &failure->candidates);
		if (r < 0)
			return r;
		return why_say(&failure->why, -ENOENT, "'%s' matches no function in %zu %s", session->aspects.items[i],
			       weave->paths.n_items, weave->paths.n_items == 1 ? "binary" : "binaries");
	}
	return 0;
}

/* Where it is not known which programs there will be, or they may be any. */
static void distrust_the_unknown(struct session *session, const struct binary *binary, bool may_run_others)
{
	if (may_run_others)
		session->weave.distrust = "the script may start programs that unwind their stacks";
	else if (!session->pid && !(binary && binary->is_program))
		session->weave.distrust = SITE_DISTRUST_LIBRARY;
}

static int weave_initially(struct session *session, const struct binary *program, struct session_failure *failure)
{
	_cleanup_(strings_done) struct strings paths = { 0 };
	bool may_run_others = false;
	int r = 0;

	if (session->pid)
		r = weave_search_process(session->pid, session->command.n_items ? &session->command : NULL, &paths,
					 &may_run_others, &failure->why);
	else if (program)
		r = weave_search_program(0, program->path, &paths, &failure->why);
	if (r < 0)
		return fail(failure, SESSION_FAULT_SCOPE, r);
	distrust_the_unknown(session, program, may_run_others);
	if (!session->pid && !program)
		r = weave_all_processes(&session->weave, &failure->why);
	if (r < 0)
		return fail(failure, SESSION_FAULT_SYSTEM, r);
	if (!program)
		r = weave_search_named(&session->weave, session->pid, &paths);
	if (r >= 0)
		r = weave_files(&session->weave, &paths, &failure->why);
	if (r == -E2BIG)
		return fail(failure, SESSION_FAULT_LIMIT, r);
	if (r < 0 || session->allow_empty || may_run_others)
		return r;
	return check_matches(session, failure);
}

static void free_array(void *array)
{
	free(*(void **)array);
}

static int open_sink(struct session *session, int *output_fd, bool compress, struct sink **ret_sink,
		     struct output **ret_output, struct session_failure *failure)
{
	_cleanup_(free_array) const char **aspects = NULL;
	char host[256] = "", boot_id[64] = "";
	struct sink_start start = { .version = PERFFLOW_VERSION, .host = host, .boot_id = boot_id };
	_cleanup_(fclosep) FILE *file = NULL;
	struct output *output;
	int r;

	if (*output_fd < 0)
		return 0;
	aspects = calloc(session->aspects.n_items + 1, sizeof(*aspects));
	if (!aspects)
		return -ENOMEM;
	memcpy(aspects, session->aspects.items, session->aspects.n_items * sizeof(*aspects));
	start.aspects = aspects;
	start.clock = take_snapshot();
	gethostname(host, sizeof(host) - 1);
	file = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (file && fgets(boot_id, sizeof(boot_id), file))
		boot_id[strcspn(boot_id, "\n")] = '\0';
	r = output_open(take_fd(*output_fd), compress, session->stop_fd, &output);
	if (r >= 0)
		r = sink_new("chrome", output, &start, ret_sink);
	if (r < 0) {
		why_set(&failure->why, r, "cannot write the trace");
		return fail(failure, SESSION_FAULT_OUTPUT, r);
	}
	*ret_output = output;
	return 0;
}

static int open_pipeline(struct session *session, const struct session_config *config, int *output_fd,
			 struct session_failure *failure)
{
	struct pipeline_config pipeline = {
		.attach = session->attach,
		.labels = session->labels,
		.interval_ns = SAMPLE_NS,
	};
	int r;

	session->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (session->stop_fd < 0)
		return -errno;
	pipeline.stop_fd = session->stop_fd;
	r = open_sink(session, output_fd, config->compress, &pipeline.sink, &pipeline.output, failure);
	if (r < 0)
		return r;
	r = pipeline_new(&pipeline, &session->pipeline);
	return r < 0 ? why_set(&failure->why, r, "cannot read the ring buffers") : 0;
}

/* Returns 1 if the libraries of the file were looked for before, and notes that they are. */
static int note_search(struct session *session, const char *file)
{
	uint64_t identity[2], key;
	struct stat status;

	if (stat(file, &status) < 0)
		return -errno;
	identity[0] = status.st_dev;
	identity[1] = status.st_ino;
	key = hash_bytes(identity, sizeof(identity));
	return hash_find(&session->searched, key) ? 1 : hash_put(&session->searched, key, session);
}

/*
 * A file that was not known before: with all that it would load, before that is loaded. file is what it can be opened by,
 * path what the process calls it; since_ns is when the process mapped it, or 0 if none has yet.
 */
static void weave_late(struct session *session, pid_t pid, const char *file, const char *path, uint64_t since_ns)
{
	_cleanup_(strings_done) struct strings paths = { 0 };
	uint32_t n_before = labels_count(session->labels), n_woven;
	struct why why = { 0 };
	int r;

	r = weave_file(&session->weave, file, &why); /* first, and then what takes longer to find */
	if (r >= 0)
		r = note_search(session, file);
	if (r == 1)
		return;
	if (r >= 0)
		r = weave_search_program(pid, path, &paths, &why);
	if (r >= 0)
		r = weave_files(&session->weave, &paths, &why);
	if (r < 0 && r != -ENOENT && r != -ENOEXEC && r != -ESRCH)
		warn(session, "'%s' was not woven: %s", path, why_text(&why, r));
	n_woven = labels_count(session->labels) - n_before;
	if (n_woven && since_ns)
		warn(session, "%u functions of '%s' were woven after process %d had begun to use it: calls of %.1f ms are missing",
		     n_woven, text_file_name(path), pid, (clock_ns(CLOCK_BOOTTIME) - since_ns) / 1e6);
}

/* A file that we see under the same path is opened there: the process may be gone already. */
static bool is_in_our_root(const struct mapping *mapping)
{
	struct stat status;

	return stat(mapping->path, &status) == 0 && status.st_dev == mapping->dev && status.st_ino == mapping->ino;
}

/* One that has ended meanwhile is nobody's any more: then it may have been in scope, and weaving too much does no harm. */
static bool is_foreign(const struct session *session, pid_t pid)
{
	return session->pid && !attach_has_process(session->attach, pid) && (kill(pid, 0) == 0 || errno != ESRCH);
}

static void on_mapping(const struct mapping *mapping, void *userdata)
{
	struct session *session = userdata;
	char file[PATH_MAX + 32];

	if (weave_has_seen(&session->weave, mapping->dev, mapping->ino) || is_foreign(session, mapping->pid))
		return;
	if (is_in_our_root(mapping))
		snprintf(file, sizeof(file), "%s", mapping->path);
	else
		snprintf(file, sizeof(file), "/proc/%d/root%s", mapping->pid, mapping->path);
	weave_late(session, mapping->pid, file, mapping->path, mapping->time_ns);
}

static int on_mappings(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct session *session = userdata;

	(void)source, (void)fd, (void)events;
	mappings_read(session->mappings, on_mapping, session);
	return 0;
}

static int on_gate(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct session *session = userdata;
	const char *path;
	pid_t pid;
	int r;

	(void)fd, (void)events;
	while ((r = gate_next(session->gate, &pid, &path)) == 1) {
		weave_late(session, pid, path, path, 0);
		gate_pass(session->gate);
	}
	if (r < 0)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static int on_target_exit(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)fd, (void)events;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	session_stop(userdata, "target exited");
	return 0;
}

static void close_sources(struct session *session)
{
	session->mappings_source = sd_event_source_disable_unref(session->mappings_source);
	session->target_source = sd_event_source_disable_unref(session->target_source);
	session->gate_source = sd_event_source_disable_unref(session->gate_source);
}

static void warn_of_unmatched(struct session *session)
{
	for (size_t i = 0; i < session->weave.n_aspects; i++)
		if (!session->weave.matched[i])
			warn(session, "'%s' matched no function of any program that ran", session->aspects.items[i]);
	if (session->weave.has_unfiltered)
		warn(session, "exe() chose among programs only: functions of libraries were traced in every program of the session");
	if (session->mappings && mappings_n_lost(session->mappings))
		warn(session, "the kernel had no room to tell of %llu mappings: libraries among them were not woven",
		     (unsigned long long)mappings_n_lost(session->mappings));
}

/* The trace is complete: join the thread, then let the kernel side go. */
static void finish(struct session *session)
{
	session_describe(session, &session->final);
	close_sources(session);
	session->pipeline_source = sd_event_source_disable_unref(session->pipeline_source);
	pipeline_free(take_ptr(session->pipeline));
	attach_close(take_ptr(session->attach));
	closep(&session->target_fd);
	closep(&session->stop_fd);
	session->target_fd = session->stop_fd = -1;
	session->state = SESSION_ENDED;
}

static void set_reason(struct session *session, const char *reason)
{
	free(session->reason);
	session->reason = strdup(reason);
}

static int on_pipeline(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct session *session = userdata;
	struct pipeline_counts counts;
	char reason[256];
	eventfd_t ignored;

	(void)source, (void)events;
	eventfd_read(fd, &ignored);
	pipeline_count(session->pipeline, &counts);
	if (counts.output_error && !session->output_failed) {
		session->output_failed = true;
		snprintf(reason, sizeof(reason), "output failed: %s", strerror(-counts.output_error));
		session_stop(session, reason);
		set_reason(session, reason); /* also where it failed when the session ended already */
	}
	if (pipeline_has_ended(session->pipeline)) {
		finish(session);
		session->ended_fn(session, session->userdata);
	}
	return 0;
}

static int open_target(struct session *session, struct session_failure *failure)
{
	int r;

	if (!session->pid)
		return 0;
	session->target_fd = pidfd_open(session->pid, 0);
	if (session->target_fd < 0) {
		why_set(&failure->why, -errno, "cannot watch process %d", session->pid);
		return fail(failure, SESSION_FAULT_SCOPE, -errno);
	}
	r = introduce(session, session->pid);
	if (r >= 0)
		r = introduce_descendants(session);
	if (r == -E2BIG)
		return fail(failure, SESSION_FAULT_LIMIT,
			    why_say(&failure->why, r, "more than %d processes are in scope", MAX_PROCESSES));
	return r;
}

/* What processes map and execute from now on. A library or program of one binary's scope is woven already. */
static int open_watch(struct session *session)
{
	int r;

	if (session->binary)
		return 0;
	r = mappings_open(&session->mappings);
	if (r < 0)
		return r;
	r = sd_event_add_io(session->loop, &session->mappings_source, mappings_fd(session->mappings), EPOLLIN,
			    on_mappings, session);
	if (r < 0 || !session->pid)
		return r;
	if (gate_open(attach_processes_fd(session->attach), &session->gate) < 0)
		return 0; /* then what is executed is woven as soon as it is mapped */
	return sd_event_add_io(session->loop, &session->gate_source, gate_fd(session->gate), EPOLLIN, on_gate, session);
}

static int open_sources(struct session *session)
{
	int r;

	r = sd_event_add_io(session->loop, &session->pipeline_source, pipeline_event_fd(session->pipeline), EPOLLIN,
			    on_pipeline, session);
	if (r < 0 || !session->pid)
		return r;
	return sd_event_add_io(session->loop, &session->target_source, session->target_fd, EPOLLIN, on_target_exit,
			       session);
}

static int check_scope(const struct session_config *config, struct binary **ret_program, struct session_failure *failure)
{
	int r;

	if (config->pid)
		r = process_check(config->pid, &failure->why);
	else if (!config->binary)
		return 0;
	else
		r = binary_open(config->binary, ret_program, &failure->why);
	return r < 0 ? fail(failure, SESSION_FAULT_SCOPE, r) : 0;
}

static int start(struct session *session, const struct session_config *config, int *output_fd,
		 struct session_failure *failure)
{
	_cleanup_(binary_freep) struct binary *program = NULL;
	int r;

	r = process_check_namespace(&failure->why);
	if (r < 0)
		return r;
	r = labels_new(&session->labels);
	if (r < 0)
		return r;
	r = weave_init(&session->weave, session->labels, config->aspects, config->returns, failure);
	if (r < 0)
		return r;
	r = check_scope(config, &program, failure);
	if (r < 0)
		return r;
	r = open_attach(session, program, failure);
	if (r < 0)
		return r;
	session->weave.attach = session->attach;
	r = open_pipeline(session, config, output_fd, failure);
	if (r < 0)
		return r;
	r = open_target(session, failure);
	if (r < 0)
		return r;
	r = open_watch(session); /* before the first look, so that nothing comes between */
	if (r < 0)
		return why_set(&failure->why, r, "cannot watch what processes execute and map");
	r = weave_initially(session, program, failure);
	if (r < 0)
		return r;
	r = open_sources(session);
	if (r < 0)
		return why_set(&failure->why, r, "cannot watch the session's files");
	attach_arm(session->attach);
	r = pipeline_start(session->pipeline);
	return r < 0 ? why_set(&failure->why, r, "cannot start the session's thread") : 0;
}

int session_start(sd_event *loop, uint64_t id, const struct session_config *config, session_ended_fn ended_fn,
		  void *userdata, struct session **ret_session, struct session_failure *failure)
{
	_cleanup_(session_freep) struct session *session = NULL;
	_cleanup_close_ int output_fd = config->output_fd;
	int r;

	*failure = (struct session_failure){ .fault = SESSION_FAULT_SYSTEM };
	session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->id = id;
	session->loop = loop;
	session->ended_fn = ended_fn;
	session->userdata = userdata;
	session->stop_fd = session->target_fd = -1;
	r = copy_config(session, config);
	if (r < 0)
		return r;
	r = start(session, config, &output_fd, failure);
	if (r < 0)
		return r;
	*ret_session = take_ptr(session);
	return 0;
}

void session_stop(struct session *session, const char *reason)
{
	if (session->reason || session->state == SESSION_ENDED)
		return;
	session->reason = strdup(reason);
	close_sources(session);
	gate_close(take_ptr(session->gate));
	warn_of_unmatched(session);
	mappings_close(take_ptr(session->mappings));
	attach_stop(session->attach);
	pipeline_stop(session->pipeline, reason, &session->warnings);
}

void session_free(struct session *session)
{
	if (!session)
		return;
	if (session->state == SESSION_RUNNING && session->attach && session->pipeline)
		session_stop(session, "daemon stopped");
	close_sources(session);
	gate_close(session->gate);
	mappings_close(session->mappings);
	sd_event_source_disable_unref(session->pipeline_source);
	pipeline_free(session->pipeline);
	attach_close(session->attach);
	weave_done(&session->weave);
	labels_free(session->labels);
	hash_done(&session->searched);
	closep(&session->target_fd);
	closep(&session->stop_fd);
	strings_done(&session->aspects);
	strings_done(&session->command);
	strings_done(&session->warnings);
	free(session->binary);
	free(session->reason);
	free(session);
}

static void describe_counts(const struct session *session, struct session_info *info)
{
	struct pipeline_counts counts;
	uint64_t counters[PF_N_COUNTERS];

	pipeline_count(session->pipeline, &counts);
	attach_counters(session->attach, counters);
	memcpy(info->losses, counters, sizeof(info->losses));
	info->n_spans = counts.n_spans;
	info->n_processes = counts.n_processes;
	info->n_bytes = counts.n_bytes;
	info->n_bad_records = counts.n_bad_records;
	info->n_not_written = counts.n_not_written;
	info->n_missed_runs = attach_n_missed_runs(session->attach);
}

void session_describe(const struct session *session, struct session_info *ret_info)
{
	*ret_info = session->final;
	if (session->state == SESSION_RUNNING)
		describe_counts(session, ret_info);
	ret_info->id = session->id;
	ret_info->state = session->state;
	ret_info->reason = session->reason;
	ret_info->aspects = &session->aspects;
	ret_info->warnings = &session->warnings;
	ret_info->pid = session->pid;
	ret_info->binary = session->binary;
	ret_info->command = session->command.n_items ? &session->command : NULL;
	ret_info->uid = session->uid;
	ret_info->client_pid = session->client_pid;
	ret_info->started_us = session->started_us;
	ret_info->n_functions = labels_count(session->labels);
	ret_info->n_binaries = session->weave.n_binaries;
}

uint64_t session_info_lost(const struct session_info *info)
{
	uint64_t lost = info->n_bad_records + info->n_not_written + info->n_missed_runs;

	for (size_t i = 0; i < PF_N_LOSSES; i++)
		lost += info->losses[i];
	return lost;
}
