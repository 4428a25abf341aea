/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/aspect_file.h - aspects that are kept in a file: one a line, lines that begin with white space go on with the one before */
#ifndef PERFFLOW_PROBE_ASPECT_FILE_H
#define PERFFLOW_PROBE_ASPECT_FILE_H

#include <stddef.h>

#include "util/text.h"
#include "util/why.h"

/* Where one is looked for that is asked for by name: FOLDER/name.aspect. */
#define ASPECT_FILE_FOLDER "/etc/perfflow/aspects.d"

/* Adds the aspects of a file's text, which are not looked at. The file is called `name` in sentences. */
int aspect_file_parse(const char *name, const char *text, size_t size, struct strings *aspects, struct why *why);

/* Reads it. A file without a '/' is a name. */
int aspect_file_read(const char *file, struct strings *aspects, struct why *why);

#endif
