/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session/weave_report.h - what weaving has come to: what was asked for and is nowhere, and what the user hears of it */
#ifndef PERFFLOW_SESSION_WEAVE_REPORT_H
#define PERFFLOW_SESSION_WEAVE_REPORT_H

#include "session/weave.h"

/* Whether each aspect has selected something, and something can be captured of all that it wants; else -ENOENT, and says which. */
int weave_check(const struct weave *weave, const struct strings *aspects, struct session_failure *failure);

/* The same at the end of the session, when it is worth a warning; and what was passed over. */
void weave_report(const struct weave *weave, const struct strings *aspects, struct strings *warnings);

/* Says of each py() by which no call was recorded that it was so. Once all events are written. */
int weave_warn_python(const struct weave *weave, struct strings *warnings);

#endif
