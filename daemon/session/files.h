/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/files.h - files that a client makes for a session while it runs
 *
 * Where a traced process wants its file is for that process's user to say, so the daemon opens
 * none: it asks the client, which makes it with rights that are not the daemon's, and sends a
 * descriptor back. include/perfflow/io.perfflow.varlink has the messages.
 */
#ifndef PERFFLOW_SESSION_FILES_H
#define PERFFLOW_SESSION_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "sink/pfw.h"
#include "util/cleanup.h"
#include "util/text.h"

struct files;

/* A connected socket of Unix, of type SEQPACKET, at whose other end files are made; owned from then
 * on, also on failure. */
int files_new(int fd, struct files **ret_files);
void files_free(struct files *files);
DEFINE_CLEANUP(struct files, files_free)

/* What the sink is to call: opaque is the struct files. They are the pipeline's thread's. */
int files_open(void *opaque, const struct pfw_request *request, struct why *why);
void files_warn(void *opaque, const char *sentence);

/* How many were made; may be called from any thread. */
uint64_t files_count(const struct files *files);

/* What was said of them, once the pipeline's thread has ended. */
const struct strings *files_warnings(const struct files *files);

#endif
