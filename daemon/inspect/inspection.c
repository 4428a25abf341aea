/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * All that it knows came through its socket: the aspects, and of each file a descriptor. Where it needs another file, which is
 * debug information, it asks for it.
 */
#include "inspect/inspection.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "binary/unit.h"
#include "binary/unwind.h"
#include "inspect/channel.h"
#include "inspect/critical_path.h"
#include "inspect/found.h"
#include "inspect/functions.h"
#include "inspect/match.h"
#include "inspect/message.h"
#include "inspect/sandbox.h"
#include "probe/candidates.h"

#define PART_BYTES (256 << 10)

struct inspection {
	struct channel channel;
	struct plan plan;
	bool with_units;
	struct pointcut *missed; /* to which near names are looked for */
	struct candidates *candidates;
	struct binary_opener opener;
};

/* One request, and what is said in answer to it. */
struct request {
	struct inspection *inspection;
	uint32_t kind;
	int fd;
	struct wire_reader reader;
	struct binary *binary;	/* the file that it is of, or NULL */
	struct wire_writer done;
};

static int ask(struct inspection *inspection, uint32_t kind, const char *what, struct message *ret_answer)
{
	_cleanup_(wire_writer_done) struct wire_writer writer = { 0 };
	int r;

	wire_put_string(&writer, what);
	r = writer.error;
	if (r >= 0)
		r = channel_send(&inspection->channel, kind, writer.text.data, writer.text.size, -1, CHANNEL_FOREVER);
	if (r >= 0)
		r = channel_receive(&inspection->channel, CHANNEL_FOREVER, ret_answer);
	return r;
}

static int open_by(struct inspection *inspection, uint32_t kind, const char *what, char **ret_location)
{
	struct message answer = { .fd = -1 };
	struct wire_reader reader;
	const char *location;
	int r;

	r = ask(inspection, kind, what, &answer);
	if (r < 0)
		return r;
	reader = (struct wire_reader){ .at = answer.data, .left = answer.size };
	r = -(int)wire_u32(&reader);
	location = wire_string(&reader);
	if (r >= 0 && ret_location) {
		*ret_location = strdup(location);
		r = *ret_location ? 0 : -ENOMEM;
	}
	if (r >= 0 && answer.fd >= 0)
		return answer.fd;
	closep(&answer.fd);
	return r < 0 ? r : -ENOENT;
}

static int open_other(void *userdata, const char *path, char **ret_location)
{
	return open_by(userdata, MESSAGE_OPEN, path, ret_location);
}

static int download(void *userdata, const char *build_id)
{
	return open_by(userdata, MESSAGE_DOWNLOAD, build_id, NULL);
}

static int take_plan(struct request *request, struct why *why)
{
	struct inspection *inspection = request->inspection;
	_cleanup_(strings_done) struct strings aspects = { 0 };
	struct plan *plan = &inspection->plan;
	bool by_interpreter;
	const char *scope;
	int r;

	inspection->with_units = wire_bool(&request->reader);
	plan->returns = wire_u32(&request->reader);
	by_interpreter = wire_bool(&request->reader);
	r = wire_strings(&request->reader, &aspects);
	scope = wire_optional(&request->reader);
	for (size_t i = 0; i < aspects.n_items && r >= 0; i++)
		r = plan_add_aspect(plan, aspects.items[i], NULL, why);
	if (r >= 0)
		r = plan_python(plan, why);
	if (r >= 0 && scope)
		r = plan_set_scope(plan, scope, NULL, why);
	return r >= 0 && by_interpreter ? plan_ask_interpreters(plan, why) : r;
}

static int tell_facts(struct request *request, struct why *why)
{
	const struct binary *binary = request->binary;
	struct wire_writer *done = &request->done;

	(void)why;
	wire_put_u32(done, binary->is_program);
	wire_put_u32(done, binary->is_go);
	wire_put_string(done, binary->build_id);
	wire_put_string(done, binary->soname);
	wire_put_string(done, binary->interpreter);
	wire_put_string(done, binary->runpath);
	wire_put_string(done, binary->rpath);
	wire_put_strings(done, &binary->needed);
	return 0;
}

static int tell_distrust(struct request *request, struct why *why)
{
	(void)why;
	wire_put_u32(&request->done, unwind_starts_programs(request->binary));
	wire_put_string(&request->done, site_distrust_part(request->binary));
	return 0;
}

static int send_part(void *userdata, const char *data, size_t size)
{
	struct inspection *inspection = userdata;

	return channel_send(&inspection->channel, MESSAGE_PART, data, size, -1, CHANNEL_FOREVER);
}

static int tell_match(struct request *request, struct why *why)
{
	struct inspection *inspection = request->inspection;
	const struct match match = {
		.plan = &inspection->plan,
		.with_units = inspection->with_units,
		.send_fn = send_part,
		.userdata = inspection,
	};
	_cleanup_(found_done) struct found found = { 0 };
	int r;

	request->binary->distrust = wire_optional(&request->reader);
	r = found_init(&found, &inspection->plan);
	if (r >= 0)
		r = match_binary(&match, request->binary, &found, why);
	if (r >= 0)
		found_put_sums(&request->done, &found);
	return r;
}

static int tell_landings(struct request *request, struct why *why)
{
	_cleanup_(symbols_done) struct symbols symbols = { 0 };
	uint64_t offsets[MATCH_MAX_LANDINGS];
	size_t n;
	int r;

	r = symbols_read(request->binary, &symbols, why);
	if (r < 0)
		return r;
	n = match_landings(&symbols, offsets);
	wire_put_u32(&request->done, n);
	for (size_t i = 0; i < n; i++)
		wire_put_u64(&request->done, offsets[i]);
	return 0;
}

static int begin_candidates(struct request *request, struct why *why)
{
	struct inspection *inspection = request->inspection;
	int r;

	candidates_free(take_ptr(inspection->candidates));
	pointcut_free(take_ptr(inspection->missed));
	r = pointcut_parse(wire_string(&request->reader), &inspection->missed, NULL, why);
	return r < 0 ? r : candidates_new(inspection->missed, &inspection->candidates);
}

static int consider_candidates(struct request *request, struct why *why)
{
	_cleanup_(symbols_done) struct symbols symbols = { 0 };
	int r;

	if (!request->inspection->candidates)
		return -ENOENT;
	r = symbols_read(request->binary, &symbols, why);
	return r < 0 ? r : candidates_consider(request->inspection->candidates, request->binary, &symbols);
}

static int list_candidates(struct request *request, struct why *why)
{
	_cleanup_(strings_done) struct strings list = { 0 };
	int r = -ENOENT;

	(void)why;
	if (request->inspection->candidates)
		r = candidates_list(request->inspection->candidates, &list);
	if (r >= 0)
		wire_put_strings(&request->done, &list);
	return r;
}

static int tell_functions(struct request *request, struct why *why)
{
	_cleanup_(wire_writer_done) struct wire_writer writer = { 0 };
	_cleanup_(functions_done) struct functions functions = { 0 };
	int r;

	(void)why;
	r = functions_read(request->binary, wire_u64(&request->reader), &functions);
	if (r < 0)
		return r;
	functions_put(&writer, &functions);
	r = writer.error;
	for (size_t at = 0; at < writer.text.size && r >= 0; at += PART_BYTES) {
		size_t left = writer.text.size - at;

		r = send_part(request->inspection, writer.text.data + at, left < PART_BYTES ? left : PART_BYTES);
	}
	return r;
}

static const struct handler {
	int (*handle)(struct request *request, struct why *why);
	bool has_file;
} handlers[] = {
	[MESSAGE_PLAN] = { take_plan, false },
	[MESSAGE_FACTS] = { tell_facts, true },
	[MESSAGE_DISTRUST] = { tell_distrust, true },
	[MESSAGE_MATCH] = { tell_match, true },
	[MESSAGE_LANDINGS] = { tell_landings, true },
	[MESSAGE_CANDIDATES] = { begin_candidates, false },
	[MESSAGE_CANDIDATES_OF] = { consider_candidates, true },
	[MESSAGE_CANDIDATES_LIST] = { list_candidates, false },
	[MESSAGE_FUNCTIONS] = { tell_functions, true },
};

static int open_file(struct request *request, struct why *why)
{
	const struct binary_source source = {
		.fd = request->fd,
		.path = wire_string(&request->reader),
		.name = wire_string(&request->reader),
		.location = wire_string(&request->reader),
		.opener = &request->inspection->opener,
	};

	return binary_open_source(&source, &request->binary, why);
}

static int handle(struct request *request, struct why *why)
{
	const struct handler *handler = request->kind < ARRAY_SIZE(handlers) ? &handlers[request->kind] : NULL;
	int r = 0;

	if (!handler || !handler->handle)
		return -EBADMSG;
	if (handler->has_file)
		r = open_file(request, why);
	if (r >= 0)
		r = handler->handle(request, why);
	return r >= 0 && request->reader.is_bad ? -EBADMSG : r;
}

static int send_done(struct request *request, int r, const struct why *why)
{
	_cleanup_(wire_writer_done) struct wire_writer writer = { 0 };

	wire_put_u32(&writer, -r);
	wire_put_string(&writer, r < 0 && why->text[0] ? why->text : NULL);
	if (r >= 0)
		wire_put_bytes(&writer, request->done.text.data, request->done.text.size);
	if (writer.error < 0)
		return writer.error;
	return channel_send(&request->inspection->channel, MESSAGE_DONE, writer.text.data, writer.text.size, -1,
			    CHANNEL_FOREVER);
}

/* What a request points to is the channel's, which questions in between write over. */
static int serve(struct inspection *inspection, struct message *message)
{
	struct request request = { .inspection = inspection, .kind = message->kind, .fd = message->fd };
	_cleanup_free_ char *data = malloc(message->size + 1);
	struct why why = { 0 };
	int r;

	if (!data)
		return -ENOMEM;
	if (message->size)
		memcpy(data, message->data, message->size);
	request.reader = (struct wire_reader){ .at = data, .left = message->size };
	r = handle(&request, &why);
	if (r >= 0 && request.done.error < 0)
		r = request.done.error;
	r = send_done(&request, r < 0 ? r : 0, &why);
	binary_free(request.binary);
	wire_writer_done(&request.done);
	closep(&request.fd);
	return r;
}

static int serve_next(struct inspection *inspection, bool *is_open)
{
	struct message message;
	int r;

	r = channel_receive(&inspection->channel, CHANNEL_FOREVER, &message);
	if (r >= 0 && *is_open && message.kind != MESSAGE_PLAN) {
		r = sandbox_close();
		*is_open = false;
	}
	return r < 0 ? r : serve(inspection, &message);
}

/* The plan is the user's words, which the daemon parses too; they may have users' names in them, which have to be looked up. */
_Noreturn void inspection_run(void)
{
	struct inspection inspection = { .channel = { .fd = INSPECTION_FD, .stop_fd = -1 } };
	bool is_open = true;

	inspection.opener = (struct binary_opener){ open_other, download, &inspection };
	prctl(PR_SET_NAME, "pf-inspector");
	if (sandbox_drop_rights(INSPECTION_FD) < 0)
		_exit(EXIT_FAILURE);
	while (serve_next(&inspection, &is_open) >= 0)
		;
	_exit(EXIT_SUCCESS); /* what it holds goes with it */
}
