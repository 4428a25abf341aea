/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/annotation.h - what an annotation in a source says:
 * "@critical_path(pointcut='around_async', scope='io', flow='in')"
 *
 * The grammar is PerfFlowAspect's: the head is @critical_path or
 * @perfflowaspect.aspect.critical_path; in the parentheses stand pointcut=, scope= and flow= in any
 * order, with commas between them and values in single quotes; blanks do not matter; of several the
 * last one counts. Characters that mean nothing are passed over. A scope keeps its backslashes; any
 * text may be one.
 */
#ifndef PERFFLOW_BINARY_ANNOTATION_H
#define PERFFLOW_BINARY_ANNOTATION_H

#include <stdbool.h>
#include <stddef.h>

#include "util/why.h"

#define ANNOTATION_MAX_BYTES 4096 /* with the '\0' at the end */

/* Their numbers stand in binaries: see include/perfflow/annotation.h. */
enum annotation_pointcut {
	ANNOTATION_AROUND = 0,
	ANNOTATION_BEFORE = 1,
	ANNOTATION_AFTER = 2,
	ANNOTATION_AROUND_ASYNC = 3,
	ANNOTATION_BEFORE_ASYNC = 4,
	ANNOTATION_AFTER_ASYNC = 5,
	ANNOTATION_N_POINTCUTS
};

enum annotation_flow {
	ANNOTATION_FLOW_NONE = 0,
	ANNOTATION_FLOW_IN = 1,
	ANNOTATION_FLOW_OUT = 2,
	ANNOTATION_FLOW_INOUT = 3,
	ANNOTATION_FLOW_OUTIN = 4,
	ANNOTATION_N_FLOWS
};

struct annotation { /* all zero is that of "@critical_path()" */
	enum annotation_pointcut pointcut;
	enum annotation_flow flow;
	char *scope; /* NULL: it has none */
};

/* Whether a text is an annotation of ours, well-formed or not. */
bool annotation_is_ours(const char *text);

/*
 * Takes the text as it stands in the source, or as `gcc -Dannotate=section` and the assembler
 * garble it
 * ("@critical_path(pointcut=97round41"). -EINVAL and a sentence that begins with "Ignoring" and the
 * annotation: it is malformed.
 */
int annotation_parse(const char *text, struct annotation *ret_annotation, struct why *why);
void annotation_done(struct annotation *annotation);

const char *annotation_pointcut_name(enum annotation_pointcut pointcut);
const char *annotation_flow_name(enum annotation_flow flow); /* NULL: none */

#endif
