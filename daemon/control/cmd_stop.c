/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/cmd_stop.c - io.perfflow.Stop: answers when the session has ended, at once if it had
 * before
 */
#include "control/command.h"
#include "control/daemon.h"

static void fail_no_such_session(struct call *call, int64_t id)
{
	char sentence[64];

	snprintf(sentence, sizeof(sentence), "there is no session %lld", (long long)id);
	call_fail(call, "io.perfflow.NoSuchSession",
		  JSON_OBJECT({"message", json_text(sentence)}, {"id", json_object_new_int64(id)}));
}

static void run_stop(struct daemon *daemon, struct call *call)
{
	static const struct parameter parameters[] = {{"id", PARAMETER_NUMBER, 0, true}};
	struct daemon_session *session;
	int64_t id = 0;

	if (parameters_read(call, call->parameters, "", parameters, ARRAY_SIZE(parameters), &id) <
	    0)
		return;

	session = daemon_find_session(daemon, (uint64_t)id);
	if (session && session->uid != peer_uid(call->peer) && !call_is_trusted(daemon, call))
		session = NULL; /* that it is there is not for everybody to know */
	if (!session) {
		fail_no_such_session(call, id);
	} else if (session->has_ended) {
		call_reply(call, JSON_OBJECT({"session", daemon_describe_session(session)}), false);
	} else if (session->n_stop_calls == ARRAY_SIZE(session->stop_calls)) {
		call_fail_with(call, "io.perfflow.LimitReached",
			       "%zu clients wait for the end of session %lld",
			       session->n_stop_calls, (long long)id);
	} else {
		session->stop_calls[session->n_stop_calls++] = call;
		runner_stop(session->runner, "stopped");
	}
}

const struct command command_stop = {
	.method = "io.perfflow.Stop",
	.is_for_users = true,
	.run = run_stop,
};
