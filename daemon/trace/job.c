/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The environment is walked along once, and what is of interest in it is kept by number. An
 * environment of 60 kB is nothing unusual where modules are loaded, so asking for one variable
 * after the other would not do.
 */
#include "trace/job.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CONTAINER_ID_DIGITS 64 /* of what docker, podman, cri-o and containerd call a container */

/* clang-format off */
#define VARIABLES(_) \
	_(APPTAINER_NAME) _(COBALT_JOBID) _(FLUX_JOB_ID) _(FLUX_JOB_SIZE) \
	_(FLUX_TASK_LOCAL_ID) _(FLUX_TASK_RANK) _(JOB_ID) _(JSM_NAMESPACE_LOCAL_RANK) \
	_(JSM_NAMESPACE_RANK) _(JSM_NAMESPACE_SIZE) _(LSB_JOBID) _(LSB_JOBINDEX) _(MPI_LOCALRANKID) \
	_(MV2_COMM_WORLD_LOCAL_RANK) _(MV2_COMM_WORLD_RANK) _(MV2_COMM_WORLD_SIZE) \
	_(OMPI_COMM_WORLD_LOCAL_RANK) _(OMPI_COMM_WORLD_RANK) _(OMPI_COMM_WORLD_SIZE) \
	_(PALS_LOCAL_RANKID) _(PALS_RANKID) _(PBS_JOBID) _(PMIX_RANK) _(PMI_LOCAL_RANK) \
	_(PMI_RANK) _(PMI_SIZE) _(SGE_ROOT) _(SGE_TASK_ID) _(SINGULARITY_NAME) _(SLURM_JOB_ID) \
	_(SLURM_LOCALID) _(SLURM_PROCID) _(SLURM_STEP_ID) _(SLURM_STEP_NUM_TASKS)
/* clang-format on */

#define AS_NUMBER(name) name,
#define AS_TEXT(name)	#name,

enum variable { VARIABLES(AS_NUMBER) N_VARIABLES };
#define NOT_SAID N_VARIABLES

static const char *const variable_names[N_VARIABLES] = {VARIABLES(AS_TEXT)};

struct environment {			     /* what is of interest in it; NULL if unset */
	const char *values[N_VARIABLES + 1]; /* and NULL for NOT_SAID */
};

/* How those that start tasks tell them who they are, in the order in which they count. */
static const struct launcher {
	enum variable rank, n_ranks, local_rank;
} launchers[] = {
	{OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE, OMPI_COMM_WORLD_LOCAL_RANK},
	{MV2_COMM_WORLD_RANK, MV2_COMM_WORLD_SIZE, MV2_COMM_WORLD_LOCAL_RANK},
	{PMI_RANK, PMI_SIZE, MPI_LOCALRANKID}, /* Hydra's name for it */
	{PMI_RANK, PMI_SIZE, PMI_LOCAL_RANK},  /* Cray's */
	{PALS_RANKID, NOT_SAID, PALS_LOCAL_RANKID},
	{JSM_NAMESPACE_RANK, JSM_NAMESPACE_SIZE, JSM_NAMESPACE_LOCAL_RANK},
	{PMIX_RANK, NOT_SAID, NOT_SAID},
	{FLUX_TASK_RANK, FLUX_JOB_SIZE, FLUX_TASK_LOCAL_ID},
	{SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID},
};

static void note_variable(struct environment *environment, const char *variable)
{
	size_t length = strcspn(variable, "=");

	for (int i = 0; i < N_VARIABLES; i++) {
		const char *name = variable_names[i];

		if (name[0] == variable[0] && strncmp(name, variable, length) == 0 &&
		    !name[length]) {
			if (!environment->values[i]) /* the first one counts, as for getenv() */
				environment->values[i] = variable + length + 1;
			return;
		}
	}
}

static void read_environment(const struct pieces *pieces, struct environment *ret_environment)
{
	const char *variable;
	size_t cursor = 0;

	*ret_environment = (struct environment){0};
	while (pieces && (variable = pieces_next_variable(pieces, &cursor)))
		note_variable(ret_environment, variable);
}

/* Digits and nothing else, below 2^31; JOB_UNKNOWN if not. */
static int32_t parse_number(const char *text)
{
	int64_t number = 0;

	if (!text || !*text)
		return JOB_UNKNOWN;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return JOB_UNKNOWN;
		number = number * 10 + (*text - '0');
		if (number > INT32_MAX)
			return JOB_UNKNOWN;
	}
	return number;
}

/* A name of this length fits and has no blank or control character; it is copied. */
static bool copy_name(char *to, size_t size, const char *from, size_t length)
{
	if (length == 0 || length >= size)
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)from[i] <= ' ' || from[i] == 0x7f)
			return false;
	memcpy(to, from, length);
	to[length] = '\0';
	return true;
}

static bool is_number(const char *text)
{
	return parse_number(text) != JOB_UNKNOWN;
}

/* ---- containers, by their cgroups ---- */

struct part { /* of a path */
	const char *name;
	size_t length;
};

/* The last part of what lies before *end, which is moved there. */
static bool part_before(const char *path, const char **end, struct part *ret_part)
{
	const char *begin = *end;

	while (begin > path && begin[-1] != '/')
		begin--;
	*ret_part = (struct part){begin, *end - begin};
	*end = begin > path ? begin - 1 : path;
	return begin > path;
}

static bool part_is(const struct part *part, const char *name)
{
	return part->length == strlen(name) && memcmp(part->name, name, part->length) == 0;
}

static bool part_begins(const struct part *part, const char *prefix)
{
	return part->length > strlen(prefix) && memcmp(part->name, prefix, strlen(prefix)) == 0;
}

static void drop_suffix(struct part *part, const char *suffix)
{
	size_t length = strlen(suffix);

	if (part->length > length &&
	    memcmp(part->name + part->length - length, suffix, length) == 0)
		part->length -= length;
}

static bool is_hex(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!isdigit((unsigned char)text[i]) && (text[i] < 'a' || text[i] > 'f'))
			return false;
	return true;
}

/* "docker-ID.scope", "cri-containerd-ID.scope", "...:cri-containerd:ID", "ID"; not the monitors
 * beside: "crio-conmon-ID" */
static bool read_long_id(struct part part, char *container, size_t size)
{
	struct part before;

	drop_suffix(&part, ".scope");
	if (part.length < CONTAINER_ID_DIGITS)
		return false;
	before = (struct part){part.name, part.length - CONTAINER_ID_DIGITS};
	if (!is_hex(part.name + before.length, CONTAINER_ID_DIGITS))
		return false;
	if (before.length && !strchr("-:", part.name[before.length - 1]))
		return false;
	if (memmem(before.name, before.length, "conmon", strlen("conmon")))
		return false;
	return copy_name(container, size, part.name + before.length, CONTAINER_ID_DIGITS);
}

/* "lxc.payload.NAME", "lxc.payload/NAME", "lxc/NAME" */
static bool read_lxc(struct part part, const struct part *parent, char *container, size_t size)
{
	static const char prefix[] = "lxc.payload.";

	if (part_begins(&part, prefix))
		return copy_name(container, size, part.name + strlen(prefix),
				 part.length - strlen(prefix));
	if (part_is(parent, "lxc") || part_is(parent, "lxc.payload"))
		return copy_name(container, size, part.name, part.length);
	return false;
}

/* "apptainer-PID.scope", "apptainer/PID", and the same of Singularity */
static bool read_apptainer(struct part part, const struct part *parent, char *container,
			   size_t size)
{
	if (part_is(parent, "apptainer") || part_is(parent, "singularity"))
		return copy_name(container, size, part.name, part.length);
	drop_suffix(&part, ".scope");
	if (part_begins(&part, "apptainer-") || part_begins(&part, "singularity-"))
		return copy_name(container, size, part.name, part.length);
	return false;
}

/* From the leaf up: a container may hold containers, and cgroups of its own. */
static bool read_container_of(const char *cgroup, char *container, size_t size)
{
	const char *end = cgroup + strlen(cgroup), *parent_end;
	struct part part, parent;

	while (part_before(cgroup, &end, &part)) {
		parent_end = end;
		part_before(cgroup, &parent_end, &parent);
		if (read_long_id(part, container, size) ||
		    read_lxc(part, &parent, container, size) ||
		    read_apptainer(part, &parent, container, size))
			return true;
	}
	return false;
}

/* Apptainer and Singularity need no cgroup: then the name of their image is all there is. */
static void read_container(const struct environment *environment, const char *cgroup,
			   struct job *job)
{
	static const enum variable names[] = {APPTAINER_NAME, SINGULARITY_NAME};

	if (cgroup && read_container_of(cgroup, job->container, sizeof(job->container)))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *name = environment->values[names[i]];

		if (name && copy_name(job->container, sizeof(job->container), name, strlen(name)))
			return;
	}
}

/* ---- jobs ---- */

/* Above the numbers of steps; 2^32 - 1 and down. */
static const struct {
	const char *number, *name;
} slurm_steps[] = {
	{"4294967290", "interactive"},
	{"4294967291", "batch"},
	{"4294967292", "extern"},
};

static void set_slurm_step(const char *step, size_t length, struct job *job)
{
	char name[sizeof(job->step)];

	if (!copy_name(name, sizeof(name), step, length))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(slurm_steps); i++) {
		if (strcmp(name, slurm_steps[i].number) == 0 ||
		    strcmp(name, slurm_steps[i].name) == 0) {
			snprintf(job->step, sizeof(job->step), "%s", slurm_steps[i].name);
			return;
		}
	}
	if (is_number(name))
		memcpy(job->step, name, sizeof(job->step));
}

/* "/slurm/uid_0/job_6/step_0/...", "/system.slice/n1_slurmstepd.scope/job_1/step_batch/..." */
static bool read_slurm_cgroup(const char *cgroup, struct job *job)
{
	static const char before_job[] = "/job_", before_step[] = "/step_";
	const char *slurm = strstr(cgroup, "slurm"), *id = slurm ? strstr(slurm, before_job) : NULL,
		   *step;

	if (!id)
		return false;
	id += strlen(before_job);
	step = id + strcspn(id, "/");
	if (!copy_name(job->id, sizeof(job->id), id, step - id))
		return false;
	if (!is_number(job->id)) {
		job->id[0] = '\0';
		return false;
	}
	if (strncmp(step, before_step, strlen(before_step)) == 0) {
		step += strlen(before_step);
		set_slurm_step(step, strcspn(step, "/"), job);
	}
	return true;
}

static bool copy_id(const char *id, struct job *job)
{
	return id && copy_name(job->id, sizeof(job->id), id, strlen(id));
}

static bool copy_number(const char *id, struct job *job)
{
	return id && is_number(id) && copy_id(id, job);
}

/* A step that the cgroup does not tell is believed the environment if it is of the same job. */
static bool read_slurm(const struct environment *environment, const char *cgroup, struct job *job)
{
	const char *id = environment->values[SLURM_JOB_ID],
		   *step = environment->values[SLURM_STEP_ID];
	bool is_found = cgroup && read_slurm_cgroup(cgroup, job);

	if (!is_found)
		is_found = copy_number(id, job);
	if (is_found && !job->step[0] && step && id && strcmp(id, job->id) == 0)
		set_slurm_step(step, strlen(step), job);
	return is_found;
}

static const struct scheduler {
	const char *name;
	enum variable id;
	bool (*copy)(const char *id, struct job *job);
	enum variable needs; /* to be there as well */
	enum variable index; /* of a job of an array, above 0; the id of the others has it in it */
	const char *format;  /* of id and index, as the scheduler's own commands write it */
} schedulers[] = {
	{"pbs", PBS_JOBID, copy_id, PBS_JOBID, NOT_SAID, NULL},
	{"lsf", LSB_JOBID, copy_number, LSB_JOBID, LSB_JOBINDEX, "%s[%d]"},
	{"cobalt", COBALT_JOBID, copy_number, COBALT_JOBID, NOT_SAID, NULL},
	/* anybody might use that name */
	{"sge", JOB_ID, copy_number, SGE_ROOT, SGE_TASK_ID, "%s.%d"},
};

static void add_index(const struct environment *environment, const struct scheduler *scheduler,
		      struct job *job)
{
	int32_t index = parse_number(environment->values[scheduler->index]);
	char id[sizeof(job->id)];

	if (index <= 0)
		return;
	memcpy(id, job->id, sizeof(id));
	snprintf(job->id, sizeof(job->id), scheduler->format, id, (int)index);
}

static const char *read_scheduler(const struct environment *environment, const char *cgroup,
				  struct job *job)
{
	if (copy_id(environment->values[FLUX_JOB_ID], job))
		return "flux";
	if (read_slurm(environment, cgroup, job))
		return "slurm";
	for (size_t i = 0; i < ARRAY_SIZE(schedulers); i++) {
		const struct scheduler *scheduler = &schedulers[i];

		if (!environment->values[scheduler->needs] ||
		    !scheduler->copy(environment->values[scheduler->id], job))
			continue;
		add_index(environment, scheduler, job);
		return scheduler->name;
	}
	return NULL;
}

/* ---- ranks ---- */

/* The script of a batch job has the variables of a task too, but is none. */
static bool says_rank(const struct environment *environment, const struct launcher *launcher)
{
	return launcher->rank != SLURM_PROCID || is_number(environment->values[SLURM_STEP_ID]);
}

static void read_launcher(const struct environment *environment, const struct launcher *launcher,
			  struct job *job)
{
	int32_t rank = parse_number(environment->values[launcher->rank]);
	int32_t n_ranks = parse_number(environment->values[launcher->n_ranks]);
	int32_t local_rank = parse_number(environment->values[launcher->local_rank]);

	if (rank == JOB_UNKNOWN || (n_ranks != JOB_UNKNOWN && rank >= n_ranks) ||
	    !says_rank(environment, launcher))
		return;
	if (job->rank != JOB_UNKNOWN && rank != job->rank)
		return;
	if (job->n_ranks != JOB_UNKNOWN && n_ranks != JOB_UNKNOWN && n_ranks != job->n_ranks)
		return;
	job->rank = rank;
	if (job->n_ranks == JOB_UNKNOWN)
		job->n_ranks = n_ranks;
	if (job->local_rank == JOB_UNKNOWN)
		job->local_rank = local_rank;
}

void job_read(const struct pieces *environment, const char *cgroup, struct job *ret_job)
{
	struct job job = {.rank = JOB_UNKNOWN, .n_ranks = JOB_UNKNOWN, .local_rank = JOB_UNKNOWN};
	struct environment variables;

	read_environment(environment, &variables);
	read_container(&variables, cgroup, &job);
	job.scheduler = read_scheduler(&variables, cgroup, &job);
	for (size_t i = 0; i < ARRAY_SIZE(launchers); i++)
		read_launcher(&variables, &launchers[i], &job);
	*ret_job = job;
}
