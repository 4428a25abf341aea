/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The id of a job is what the batch system calls it, or the first eight digits of a SHA-1: of
 * "JOB.STEP", or of the folder of Flux's socket, which is the same for all in one instance; where
 * there is none of all these, of "1".
 */
#include "sink/pfw_name.h"

#include <errno.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/sha1.h"

#define ID_BYTES 4 /* of the digest */

static int append_part(struct text *text, enum pfw_part part, const struct pfw_options *options,
		       const char *host, const char *instance_path, uint32_t pid)
{
	switch (part) {
	case PFW_PART_NAME:
		return text_printf(text, ".%s", options->name);
	case PFW_PART_INSTANCE_PATH:
		return text_printf(text, ".{%s}", instance_path);
	case PFW_PART_HOSTNAME:
		return text_printf(text, ".%s", host);
	default:
		return text_printf(text, ".%u", pid);
	}
}

int pfw_file_name(const struct pfw_options *options, const char *host, const char *instance_path,
		  uint32_t pid, struct text *ret_name)
{
	int r;

	r = text_printf(ret_name, "perfflow.%s", options->is_object ? "object" : "array");
	for (size_t i = 0; r == 0 && i < options->n_parts; i++)
		r = append_part(ret_name, options->parts[i], options, host, instance_path, pid);
	if (r < 0)
		return r;

	if (ret_name->size > PFW_NAME_BYTES) {
		ret_name->size = PFW_NAME_BYTES;
		ret_name->data[ret_name->size] = '\0';
	}
	for (char *p = ret_name->data; *p; p++) {
		if (*p == '/')
			*p = '_';
	}
	return 0;
}

bool pfw_name_has_pid(const struct pfw_options *options)
{
	for (size_t i = 0; i < options->n_parts; i++) {
		if (options->parts[i] == PFW_PART_PID)
			return true;
	}
	return false;
}

static int append_digest(struct text *text, const char *data, size_t size)
{
	unsigned char digest[SHA1_BYTES];
	int r = 0;

	sha1(data, size, digest);
	for (size_t i = 0; r == 0 && i < ID_BYTES; i++)
		r = text_printf(text, "%02x", digest[i]);
	return r;
}

static int append_step(struct text *text, const char *job, const char *step)
{
	_cleanup_(text_done) struct text name = {0};
	int r;

	r = text_printf(&name, "%s.%s", job, step);
	return r ?: append_digest(text, name.data, name.size);
}

/* Of "local:///run/flux/local" the folder is /run/flux; of "ssh://host/run/flux/local" the host
 * counts too. */
static int append_instance(struct text *text, const char *uri)
{
	const char *path = strstr(uri, "://"), *end;

	path = path ? path + 3 : uri;
	end = strrchr(path, '/');
	return append_digest(text, path, end ? (size_t)(end - path) : 0);
}

static int append_own_id(pfw_variable_fn variable_fn, const void *opaque, struct text *text)
{
	const char *job = variable_fn(opaque, "FLUX_JOB_ID"), *step;
	const char *uri = variable_fn(opaque, "FLUX_URI");

	if (job)
		return text_printf(text, "%s", job);
	job = variable_fn(opaque, "SLURM_JOB_ID");
	step = variable_fn(opaque, job ? "SLURM_STEP_ID" : "LS_JOBPID");
	if (!job)
		job = variable_fn(opaque, "LSB_JOBID");
	if (job && step)
		return append_step(text, job, step);
	return uri ? append_instance(text, uri) : append_digest(text, "1", 1);
}

int pfw_instance_path(pfw_variable_fn variable_fn, const void *opaque, struct text *ret_path)
{
	const char *above = variable_fn(opaque, "PERFFLOW_INSTANCE_PATH");
	int r = 0;

	if (above && *above)
		r = text_printf(ret_path, "%s.", above);
	return r ?: append_own_id(variable_fn, opaque, ret_path);
}
