/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session/warnings.h - what a session's user is told of it, a sentence each; there is a limit to how many */
#ifndef PERFFLOW_SESSION_WARNINGS_H
#define PERFFLOW_SESSION_WARNINGS_H

#include "util/text.h"

/* Beyond the limit: 0, and it is left out. */
int warnings_add(struct strings *warnings, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
