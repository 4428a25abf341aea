/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * perfflow/annotate.h - makes the annotations of a source visible in its binary: compile it with
 * `-include perfflow/annotate.h`
 *
 * For sources that are annotated for PerfFlowAspect's weaver, by
 * __attribute__((annotate("@critical_path(...)"))): no line of them changes. `annotate` is replaced
 * inside of __attribute__((...)) alone, anything else may have that name; of a list of attributes
 * the first eight are looked at.
 */
#ifndef PERFFLOW_ANNOTATE_H
#define PERFFLOW_ANNOTATE_H

#ifndef __ASSEMBLER__
#include "annotation.h"

#pragma GCC system_header

/* What gcc says of functions that are inline and out of line, and of texts that are not ours. */
#if !defined(__clang__) && !defined(PERFFLOW_ANNOTATES_NOTHING)
#pragma GCC diagnostic ignored "-Wattributes"
#endif

#define __attribute__(list)                                                                        \
	__attribute__((PERFFLOW_CALL_(PERFFLOW_EACH_, (PERFFLOW_OPEN_ list, , , , , , , , , ))))

/* Empty ones between the commas of a list mean nothing, so that the list need not be counted. */
#define PERFFLOW_EACH_(a, b, c, d, e, f, g, h, ...)                                                \
	PERFFLOW_ONE_(a), PERFFLOW_ONE_(b), PERFFLOW_ONE_(c), PERFFLOW_ONE_(d), PERFFLOW_ONE_(e),  \
		PERFFLOW_ONE_(f), PERFFLOW_ONE_(g), PERFFLOW_ONE_(h), __VA_ARGS__
#define PERFFLOW_ONE_(attribute)                                                                   \
	PERFFLOW_CALL2_(PERFFLOW_OPEN_, PERFFLOW_SECOND_(PERFFLOW_IS_##attribute, (attribute), ))
#ifdef __clang__ /* has it too, for tools of its own */
#define PERFFLOW_IS_annotate(...) , (annotate(__VA_ARGS__), PERFFLOW_ANNOTATION_OF_(__VA_ARGS__, ))
#else
#define PERFFLOW_IS_annotate(...) , (PERFFLOW_ANNOTATION_OF_(__VA_ARGS__, ))
#endif
#define PERFFLOW_ANNOTATION_OF_(text, ...) PERFFLOW_ANNOTATION(text)
#define PERFFLOW_IS___annotate__(...)	   PERFFLOW_IS_annotate(__VA_ARGS__)

#define PERFFLOW_CALL_(macro, arguments)      macro arguments
#define PERFFLOW_CALL2_(macro, arguments)     macro arguments
#define PERFFLOW_OPEN_(...)		      __VA_ARGS__
#define PERFFLOW_SECOND_(...)		      PERFFLOW_SECOND2_(__VA_ARGS__)
#define PERFFLOW_SECOND2_(first, second, ...) second
#endif

#endif
