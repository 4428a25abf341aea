/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/audit.h - who traced what, and how it ended: for whoever reads the journal later
 *
 * One entry where a session starts, one where it has ended or is found to have been cut, one for each
 * call that is refused. In the journal they have the fields PERFFLOW_EVENT (start, end, cut, refused), PERFFLOW_UID, PERFFLOW_PID
 * (the client's), PERFFLOW_SESSION, PERFFLOW_SCOPE, PERFFLOW_ASPECT (one for each),
 * PERFFLOW_RIGHTS (own: of a plain user's session, which sees that user's processes alone; else all), PERFFLOW_REASON, PERFFLOW_SPANS, PERFFLOW_LOST; where the log is no journal the sentence alone is
 * logged.
 */
#ifndef PERFFLOW_CONTROL_AUDIT_H
#define PERFFLOW_CONTROL_AUDIT_H

#include <json-c/json.h>

#include "session/session.h"

void audit_start(const struct session_info *info);
void audit_end(const struct session_info *info);
void audit_cut(struct json_object *session); /* as the interface describes it */
void audit_refusal(uid_t uid, pid_t pid, const char *method, const char *sentence);

#endif
