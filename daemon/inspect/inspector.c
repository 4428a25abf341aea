/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * It is handed ELF files for this machine, no core dumps and nothing else: what it may make the daemon open is worth
 * nothing to who takes it over to read secrets. The daemon reads of a file the first bytes alone.
 */
#include "inspect/inspector.h"

#include <elf.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "binary/debugfile.h"
#include "inspect/channel.h"
#include "inspect/message.h"
#include "inspect/process.h"
#include "util/hash.h"
#include "util/now.h"
#include "util/reach.h"

#define OWN_PROGRAM  "/proc/self/exe"
#define NS_PER_S     1000000000ULL
#define MAX_ERRNO    4095
#define MAX_NEEDED   4096
#define MAX_OPENED   1000 /* further files for one answer */

struct inspector {
	struct inspector_config config;
	struct inspector_process process;
	struct channel channel;
	struct wire_writer plan; /* what a new one is told first; empty: nothing */
	struct strings reasons;	 /* that were told of distrust */
	unsigned int n_failures;
	struct why failure; /* the first one */
	struct hash failed; /* files on which one failed: a set, by a hash of dev and ino */
	bool is_stopped;    /* and it was said */
};

/* One request, and where its answer goes. */
struct call {
	uint32_t kind;
	const struct binary *binary; /* the file that it is of, or NULL */
	struct wire_writer writer;
	int (*on_part)(void *userdata, const char *data, size_t size); /* or NULL: there are none */
	void *userdata;
	struct wire_reader done; /* the answer, until the next call */
	uint64_t end_ns;
	bool is_cut_short; /* end_ns is that of the allowance */
	unsigned int n_opened;
};

int inspector_new(const struct inspector_config *config, struct inspector **ret_inspector)
{
	struct inspector *inspector = calloc(1, sizeof(*inspector));

	if (!inspector)
		return -ENOMEM;
	inspector->config = *config;
	inspector->process.fd = -1;
	if (!config->program)
		inspector->config.program = OWN_PROGRAM;
	if (!config->limit_s)
		inspector->config.limit_s = INSPECTOR_LIMIT_S;
	*ret_inspector = inspector;
	return 0;
}

static void end_process(struct inspector *inspector, char *how, size_t size)
{
	inspector_process_end(&inspector->process, how, size);
	channel_done(&inspector->channel);
}

void inspector_free(struct inspector *inspector)
{
	char how[64];

	if (!inspector)
		return;
	end_process(inspector, how, sizeof(how));
	wire_writer_done(&inspector->plan);
	strings_done(&inspector->reasons);
	hash_done(&inspector->failed);
	free(inspector);
}

/* The first bytes tell; a dump of a process may hold what nobody is to see. */
static int check_elf(int fd)
{
	Elf64_Ehdr header;

	if (reach_read(fd, &header, sizeof(header), 0) != sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	return header.e_type == ET_REL || header.e_type == ET_EXEC || header.e_type == ET_DYN ? 0 : -ENOEXEC;
}

/* A user's session has debug files opened with the user's rights, and fetches none from servers. */
static int open_other(const struct inspector *inspector, const char *path, char **ret_location)
{
	const struct rights *rights = inspector->config.rights;
	_cleanup_close_ int fd = -1;
	int r;

	if (path[0] != '/')
		return -ENOENT;
	fd = rights ? rights_open_debug_file((void *)rights, path, ret_location) : debug_file_open_path(path, ret_location);
	if (fd < 0)
		return fd;
	r = check_elf(fd);
	return r < 0 ? r : take_fd(fd);
}

static int download(const struct inspector *inspector, const char *build_id)
{
	size_t size = strlen(build_id);
	int r;

	if (inspector->config.rights || size > 40 || strspn(build_id, "0123456789abcdef") != size)
		return -ENOENT;
	if (inspector->config.pause)
		inspector->config.pause();
	r = debug_file_download(build_id);
	if (inspector->config.resume)
		inspector->config.resume();
	return r;
}

static int answer_open(struct inspector *inspector, struct call *call, const struct message *message)
{
	struct wire_reader reader = { .at = message->data, .left = message->size };
	_cleanup_(wire_writer_done) struct wire_writer writer = { 0 };
	_cleanup_free_ char *location = NULL;
	const char *what = wire_string(&reader);
	_cleanup_close_ int fd = -1;

	if (reader.is_bad || reader.left || ++call->n_opened > MAX_OPENED)
		return -EBADMSG;
	fd = message->kind == MESSAGE_OPEN ? open_other(inspector, what, &location) : download(inspector, what);
	wire_put_u32(&writer, fd < 0 ? -fd : 0);
	wire_put_string(&writer, location ?: "");
	if (writer.error < 0)
		return writer.error;
	return channel_send(&inspector->channel, MESSAGE_OPENED, writer.text.data, writer.text.size, fd, call->end_ns);
}

/* What comes of the file itself: 0, or what is wrong with it. *ret_r is set when the answer is there. */
static int take_done(const struct message *message, struct call *call, int *ret_r, struct why *why)
{
	struct wire_reader reader = { .at = message->data, .left = message->size };
	uint32_t error = wire_u32_below(&reader, MAX_ERRNO + 1);
	const char *sentence = wire_optional(&reader);

	/* the one that is ours to say */
	if (reader.is_bad || (!error && sentence) || error == -INSPECTOR_FAILED)
		return -EBADMSG;
	*ret_r = -(int)error;
	if (sentence)
		why_say(why, *ret_r, "%s", sentence);
	call->done = reader;
	return 0;
}

/* Returns 1 when it was the last one. */
static int take_message(struct inspector *inspector, struct call *call, struct message *message, int *ret_r,
			struct why *why)
{
	int r = -EBADMSG;

	closep(&message->fd); /* it has none to give */
	switch (message->kind) {
	case MESSAGE_OPEN:
	case MESSAGE_DOWNLOAD:
		return answer_open(inspector, call, message);
	case MESSAGE_PART:
		return call->on_part ? call->on_part(call->userdata, message->data, message->size) : r;
	case MESSAGE_DONE:
		r = take_done(message, call, ret_r, why);
		return r < 0 ? r : 1;
	default:
		return r;
	}
}

static void set_end(const struct inspector *inspector, struct call *call, uint64_t now_ns)
{
	const struct allowance *allowance = inspector->config.allowance;
	uint64_t limit_ns = inspector->config.limit_s * NS_PER_S, left_ns = allowance ? allowance_left(allowance, now_ns) : limit_ns;

	call->is_cut_short = left_ns < limit_ns;
	call->end_ns = now_ns + (call->is_cut_short ? left_ns : limit_ns);
}

/* Negative: there is no answer, and it cannot be talked to any more. */
static int exchange(struct inspector *inspector, struct call *call, int *ret_r, struct why *why)
{
	const struct text *text = &call->writer.text;
	uint64_t began_ns = clock_now_ns(CLOCK_MONOTONIC);
	struct message message;
	int r;

	set_end(inspector, call, began_ns);
	r = channel_send(&inspector->channel, call->kind, text->data, text->size, call->binary ? call->binary->fd : -1,
			 call->end_ns);
	while (r == 0) {
		r = channel_receive(&inspector->channel, call->end_ns, &message);
		if (r == 0)
			r = take_message(inspector, call, &message, ret_r, why);
	}
	if (inspector->config.allowance)
		allowance_take(inspector->config.allowance, began_ns, clock_now_ns(CLOCK_MONOTONIC));
	return r == -ETIMEDOUT && call->is_cut_short ? -EDQUOT : r < 0 ? r : 0;
}

static int say_enough(const struct inspector *inspector, const char *path, struct why *why)
{
	return why_say(why, INSPECTOR_FAILED, "'%s' was not read: reading for you has taken %llu s within a minute, and that is the limit",
		       path, (unsigned long long)(inspector->config.allowance->max_ns / NS_PER_S));
}

static void say_failure(const struct inspector *inspector, const char *path, int r, const char *how, struct why *why)
{
	if (r == -EDQUOT)
		say_enough(inspector, path, why);
	else if (r == -ETIMEDOUT)
		why_say(why, r, "'%s' was not read: its reader took more than %u s and was ended", path,
			inspector->config.limit_s);
	else if (r == -EBADMSG)
		why_say(why, r, "'%s' was not read: its reader talked nonsense and was ended", path);
	else if (r == -ENOMEM)
		why_say(why, r, "'%s' was not read: its reader ran out of memory", path);
	else
		why_say(why, r, "'%s' was not read: its reader %s", path, how);
}

/* Whoever stops it does not wait for what is left; the first file of it is named. */
static int say_stopped(struct inspector *inspector, const char *path, struct why *why)
{
	struct why stopped = { 0 };

	why_say(&stopped, -ECANCELED, "'%s' was not read: the session was stopped meanwhile", path);
	if (inspector->config.warnings && !inspector->is_stopped)
		strings_add(inspector->config.warnings, stopped.text);
	inspector->is_stopped = true;
	return why_say(why, -ECANCELED, "%s", stopped.text);
}

/* Ends what cannot be talked to any more, and says why. */
static int give_up(struct inspector *inspector, const char *path, int r, struct why *why)
{
	struct why failure = { 0 };
	char how[64];

	end_process(inspector, how, sizeof(how));
	if (r == -ECANCELED)
		return say_stopped(inspector, path, why);
	if (r != -ETIMEDOUT && r != -EDQUOT && r != -EPIPE && r != -EBADMSG && r != -ENOMEM)
		return r;
	say_failure(inspector, path, r, how, &failure);
	if (!inspector->n_failures++)
		inspector->failure = failure;
	if (inspector->config.warnings)
		strings_add(inspector->config.warnings, failure.text);
	return why_say(why, INSPECTOR_FAILED, "%s", failure.text);
}

const char *inspector_failure(const struct inspector *inspector)
{
	return inspector->n_failures ? inspector->failure.text : NULL;
}

static int tell_plan(struct inspector *inspector, int *ret_r, struct why *why)
{
	struct call call = { .kind = MESSAGE_PLAN, .writer = inspector->plan };

	return inspector->plan.text.size ? exchange(inspector, &call, ret_r, why) : 0;
}

static int make_ready(struct inspector *inspector, const char *path, struct why *why)
{
	int result = 0, r;
	char how[64];

	if (inspector->process.pid && inspector_process_is_idle(&inspector->process))
		return 0;
	end_process(inspector, how, sizeof(how)); /* one that was ended meanwhile: that is nothing to this file */
	if (inspector->n_failures >= INSPECTOR_MAX_FAILURES)
		return why_say(why, INSPECTOR_FAILED, "'%s' was not read: %u readers have failed, and there is no further one",
			       path, inspector->n_failures);
	r = inspector_process_start(inspector->config.program, &inspector->process);
	if (r < 0)
		return why_set(why, r, "cannot start a reader of binaries");
	inspector->channel = (struct channel){ .fd = inspector->process.fd, .stop_fd = inspector->config.stop_fd,
					       .pause = inspector->config.pause, .resume = inspector->config.resume };
	r = tell_plan(inspector, &result, why);
	return r < 0 ? give_up(inspector, path, r, why) : result;
}

static void put_file(struct wire_writer *writer, const struct binary *binary)
{
	wire_put_string(writer, binary->path);
	wire_put_string(writer, binary->name);
	wire_put_string(writer, binary->location);
}

static uint64_t file_key(const struct binary *binary)
{
	uint64_t identity[] = { binary->dev, binary->ino };

	return hash_bytes(identity, sizeof(identity));
}

/* A file has one chance: what failed on it once would again, and each time somebody waits. */
static int note_failed(struct inspector *inspector, const struct call *call, int r)
{
	if (r == INSPECTOR_FAILED && call->binary)
		hash_put(&inspector->failed, file_key(call->binary), inspector);
	return r;
}

static int exchange_and_judge(struct inspector *inspector, struct call *call, const char *path, struct why *why)
{
	int result = 0, r;

	if (inspector->config.allowance && !allowance_left(inspector->config.allowance, clock_now_ns(CLOCK_MONOTONIC)))
		return say_enough(inspector, path, why);
	if (poll(&(struct pollfd){ .fd = inspector->config.stop_fd, .events = POLLIN }, 1, 0) > 0)
		return say_stopped(inspector, path, why);
	r = call->writer.error < 0 ? call->writer.error : make_ready(inspector, path, why);
	if (r < 0)
		return r;
	r = exchange(inspector, call, &result, why);
	if (r < 0)
		return give_up(inspector, path, r, why);
	return result == -ENOMEM ? give_up(inspector, path, result, why) : result;
}

/* A new one is told the plan again. */
static int finish_call(struct inspector *inspector, struct call *call, const char *path, struct why *why)
{
	return note_failed(inspector, call, exchange_and_judge(inspector, call, path, why));
}

/* An answer that is wrong inside: the one who gave it is not asked again. */
static int check_answer(struct inspector *inspector, struct call *call, const char *path, struct why *why)
{
	return call->done.is_bad ? note_failed(inspector, call, give_up(inspector, path, -EBADMSG, why)) : 0;
}

int inspector_plan(struct inspector *inspector, const struct strings *aspects, const char *scope, enum site_mode returns,
		   bool by_interpreter, bool with_units)
{
	wire_writer_done(&inspector->plan);
	wire_put_u32(&inspector->plan, with_units);
	wire_put_u32(&inspector->plan, returns);
	wire_put_u32(&inspector->plan, by_interpreter);
	wire_put_strings(&inspector->plan, aspects);
	wire_put_string(&inspector->plan, scope);
	return inspector->plan.error;
}

static int copy_optional(const char *string, char **ret_copy)
{
	if (!string)
		return 0;
	*ret_copy = strdup(string);
	return *ret_copy ? 0 : -ENOMEM;
}

static int take_facts(struct wire_reader *reader, struct binary *binary)
{
	const char *build_id;
	int r;

	binary->is_program = wire_bool(reader);
	binary->is_go = wire_bool(reader);
	build_id = wire_string(reader);
	if (wire_check(reader, strlen(build_id) < sizeof(binary->build_id)))
		strcpy(binary->build_id, build_id);
	r = copy_optional(wire_optional(reader), &binary->soname);
	r = r ?: copy_optional(wire_optional(reader), &binary->interpreter);
	r = r ?: copy_optional(wire_optional(reader), &binary->runpath);
	r = r ?: copy_optional(wire_optional(reader), &binary->rpath);
	r = r ?: wire_strings(reader, &binary->needed);
	wire_check(reader, binary->needed.n_items <= MAX_NEEDED && !reader->left);
	return r;
}

int inspector_open(void *userdata, const char *path, struct binary **ret_binary, struct why *why)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct inspector *inspector = userdata;
	struct call call = { .kind = MESSAGE_FACTS };
	int r;

	r = binary_glance(path, &binary, why);
	if (r < 0)
		return r;
	r = inspector->config.rights ? rights_check_file(inspector->config.rights, binary->fd, path) : 0;
	if (r < 0)
		return why_say(why, r, "'%s' is not there, or not yours to read", path);
	if (hash_find(&inspector->failed, file_key(binary)))
		return why_say(why, INSPECTOR_FAILED, "'%s' was not read: its reader has failed before", path);
	call.binary = binary;
	put_file(&call.writer, binary);
	if (strncmp(path, "/proc/self/fd/", 14) == 0 && binary->location[0])
		path = binary->location;
	r = finish_call(inspector, &call, path, why);
	wire_writer_done(&call.writer);
	if (r >= 0)
		r = take_facts(&call.done, binary);
	if (r >= 0)
		r = check_answer(inspector, &call, path, why);
	if (r >= 0)
		*ret_binary = take_ptr(binary);
	return r;
}

int inspector_adopt(struct inspector *inspector, int fd, const char *path, struct binary **ret_binary)
{
	(void)inspector;
	return binary_glance_fd(fd, path, ret_binary);
}

void inspector_restrict(struct inspector *inspector, const struct rights *rights)
{
	inspector->config.rights = rights;
}

static const char *keep_reason(struct inspector *inspector, const char *reason)
{
	struct strings *reasons = &inspector->reasons;

	for (size_t i = 0; i < reasons->n_items; i++)
		if (strcmp(reasons->items[i], reason) == 0)
			return reasons->items[i];
	return strings_add(reasons, reason) < 0 ? NULL : reasons->items[reasons->n_items - 1];
}

struct suspicion { /* what one file gives reason to */
	const char *reason; /* or NULL */
	bool starts_programs;
};

static struct suspicion suspect(struct inspector *inspector, const char *path)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct call call = { .kind = MESSAGE_DISTRUST };
	struct suspicion suspicion = { 0 };
	struct why ignored = { 0 };
	const char *reason;
	int r;

	if (inspector_open(inspector, path, &binary, &ignored) < 0)
		return suspicion;
	call.binary = binary;
	put_file(&call.writer, binary);
	r = finish_call(inspector, &call, path, &ignored);
	wire_writer_done(&call.writer);
	if (r < 0)
		return suspicion;
	suspicion.starts_programs = wire_bool(&call.done);
	reason = wire_optional(&call.done);
	suspicion.reason = reason && reason[0] ? keep_reason(inspector, reason) : NULL;
	return suspicion;
}

const char *inspector_distrust(struct inspector *inspector, const struct strings *paths)
{
	const char *reason = NULL;

	for (size_t i = 0; i < paths->n_items && !reason; i++) {
		reason = site_distrust_name(paths->items[i]);
		if (!reason)
			reason = suspect(inspector, paths->items[i]).reason;
	}
	return reason;
}

const char *inspector_distrust_libraries(struct inspector *inspector, const struct strings *paths, bool spares_others)
{
	bool starts_programs = false;

	for (size_t i = 0; spares_others && i < paths->n_items && !starts_programs; i++)
		starts_programs = suspect(inspector, paths->items[i]).starts_programs;
	return site_distrust_library(spares_others, starts_programs);
}

struct finding {
	struct found *found;
	uint64_t file_bytes;
};

static int on_found(void *userdata, const char *data, size_t size)
{
	const struct finding *finding = userdata;

	return found_take_joinpoints(finding->found, finding->file_bytes, data, size);
}

int inspector_match(struct inspector *inspector, const struct binary *binary, struct found *found, struct why *why)
{
	struct finding finding = { found, binary->size };
	struct call call = { .kind = MESSAGE_MATCH, .binary = binary, .on_part = on_found, .userdata = &finding };
	int r;

	put_file(&call.writer, binary);
	wire_put_string(&call.writer, binary->distrust);
	r = finish_call(inspector, &call, binary->path, why);
	wire_writer_done(&call.writer);
	if (r >= 0)
		r = found_take_sums(found, call.done.at, call.done.left);
	return r == -EBADMSG ? note_failed(inspector, &call, give_up(inspector, binary->path, r, why)) : r;
}

int inspector_landings(struct inspector *inspector, const struct binary *binary,
		       uint64_t ret_offsets[MATCH_MAX_LANDINGS], size_t *ret_n, struct why *why)
{
	struct call call = { .kind = MESSAGE_LANDINGS, .binary = binary };
	int r;

	put_file(&call.writer, binary);
	r = finish_call(inspector, &call, binary->path, why);
	wire_writer_done(&call.writer);
	if (r < 0)
		return r;
	*ret_n = wire_u32_below(&call.done, MATCH_MAX_LANDINGS + 1);
	for (size_t i = 0; i < *ret_n; i++)
		ret_offsets[i] = wire_u64_below(&call.done, binary->size);
	return check_answer(inspector, &call, binary->path, why);
}

static int begin_candidates(struct inspector *inspector, const struct pointcut *pointcut)
{
	_cleanup_(text_done) struct text text = { 0 };
	struct call call = { .kind = MESSAGE_CANDIDATES };
	struct why ignored = { 0 };
	int r;

	r = pointcut_print(pointcut, &text);
	if (r < 0)
		return r;
	wire_put_string(&call.writer, text.data);
	r = finish_call(inspector, &call, text.data, &ignored);
	wire_writer_done(&call.writer);
	return r;
}

static int consider_file(struct inspector *inspector, const char *path)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct call call = { .kind = MESSAGE_CANDIDATES_OF };
	struct why ignored = { 0 };
	int r;

	r = inspector_open(inspector, path, &binary, &ignored);
	if (r < 0)
		return r;
	call.binary = binary;
	put_file(&call.writer, binary);
	r = finish_call(inspector, &call, path, &ignored);
	wire_writer_done(&call.writer);
	return r;
}

int inspector_candidates(struct inspector *inspector, const struct pointcut *pointcut, const struct strings *paths,
			 struct strings *list)
{
	struct call call = { .kind = MESSAGE_CANDIDATES_LIST };
	struct why ignored = { 0 };
	int r;

	r = begin_candidates(inspector, pointcut);
	for (size_t i = 0; i < paths->n_items && r >= 0; i++)
		if (consider_file(inspector, paths->items[i]) == INSPECTOR_FAILED)
			r = INSPECTOR_FAILED;
	if (r >= 0)
		r = finish_call(inspector, &call, "", &ignored);
	if (r >= 0)
		r = wire_strings(&call.done, list);
	/* near names are a help, and one can do without */
	return r == -ENOMEM ? r : 0;
}

struct blob {
	struct wire_writer writer;
	size_t max_bytes;
};

static int on_blob(void *userdata, const char *data, size_t size)
{
	struct blob *blob = userdata;

	if (size > blob->max_bytes - blob->writer.text.size)
		return -EBADMSG;
	wire_put_bytes(&blob->writer, data, size);
	return blob->writer.error;
}

int inspector_functions(struct inspector *inspector, const struct binary *binary, size_t max_bytes,
			struct functions *ret_functions, struct why *why)
{
	struct blob blob = { .max_bytes = max_bytes + CHANNEL_MAX_BYTES };
	struct call call = { .kind = MESSAGE_FUNCTIONS, .binary = binary, .on_part = on_blob, .userdata = &blob };
	int r;

	put_file(&call.writer, binary);
	wire_put_u64(&call.writer, max_bytes);
	r = finish_call(inspector, &call, binary->path, why);
	wire_writer_done(&call.writer);
	if (r >= 0)
		r = functions_take(blob.writer.text.data, blob.writer.text.size, ret_functions);
	wire_writer_done(&blob.writer);
	return r == -EBADMSG ? note_failed(inspector, &call, give_up(inspector, binary->path, r, why)) : r;
}
