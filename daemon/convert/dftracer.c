/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * DFAnalyzer reads line by line: each is one object, without a comma; times are whole microseconds
 * since 1970, as DFTracer has them. I/O is what has the category POSIX or STDIO and the name of the
 * libc's function; what that returned, its size, is "ret". Hosts and files are told by hashes, each
 * of which one line of metadata names.
 */
#include "convert/format.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct dftracer {
	struct conversion conversion;
	uint64_t n_lines;
	char host_hash[17]; /* or "" */
	struct hash files;  /* hashes of files that were named */
};

static const char *const posix_names[] = {
	"access",     "close",	 "closedir",  "creat",	  "creat64",   "fallocate",  "fcntl",
	"fdatasync",  "fstat",	 "fstat64",   "fstatat",  "fstatat64", "fsync",	     "ftruncate",
	"link",	      "lseek",	 "lseek64",   "lstat",	  "lstat64",   "mkdir",	     "mmap",
	"open",	      "open64",	 "openat",    "openat64", "opendir",   "pread",	     "pread64",
	"preadv",     "pwrite",	 "pwrite64",  "pwritev",  "read",      "readdir",    "readdir64",
	"readlink",   "readv",	 "rename",    "rmdir",	  "stat",      "stat64",     "sync",
	"truncate",   "unlink",	 "write",     "writev",	  "__fxstat",  "__fxstat64", "__lxstat",
	"__lxstat64", "__xstat", "__xstat64",
};

static const char *const stdio_names[] = {
	"fclose", "fdopen", "fflush", "fgets",	"fopen", "fopen64", "fprintf", "fputs",
	"fread",  "fscanf", "fseek",  "fseeko", "ftell", "ftello",  "fwrite",  "remove",
};

static const char *find_name(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return names[i];
	return NULL;
}

/* Sets category and name to what DFAnalyzer knows them by, if it is a function of the libc for I/O.
 */
static void find_io(const char *category, const char *name, const char **ret_category,
		    const char **ret_name)
{
	static const char *const prefixes[] = {"", "__libc_", "__"};
	const char *plain, *found;

	if (strncmp(category, "libc.so", 7) != 0 && strncmp(category, "libc-", 5) != 0 &&
	    strncmp(category, "libpthread", 10) != 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) != 0)
			continue;
		plain = name + strlen(prefixes[i]);
		found = find_name(posix_names, ARRAY_SIZE(posix_names), plain);
		if (found)
			*ret_category = "POSIX";
		else if ((found = find_name(stdio_names, ARRAY_SIZE(stdio_names), plain)))
			*ret_category = "STDIO";
		if (found) {
			*ret_name = found;
			return;
		}
	}
}

static int begin_line(struct dftracer *dftracer, const char *name, const char *category, char phase,
		      const struct lane *lane)
{
	struct text *line = &dftracer->conversion.line;
	int r;

	line->size = 0;
	r = text_printf(line, "{\"id\":%" PRIu64 ",\"name\":", dftracer->n_lines++);
	r = r ?: format_append_string(line, name);
	r = r ?: text_printf(line, ",\"cat\":");
	r = r ?: format_append_string(line, category);
	if (r < 0)
		return r;
	return text_printf(line, ",\"ph\":\"%c\",\"pid\":%" PRId64 ",\"tid\":%" PRId64, phase,
			   lane->pid, lane->tid);
}

/* Says what a hash stands for: "HH" a host, "FH" a file. */
static int write_hash(struct dftracer *dftracer, const char *kind, const struct lane *lane,
		      const char *name, const char *hash, struct why *why)
{
	struct text *line = &dftracer->conversion.line;
	int r;

	r = begin_line(dftracer, kind, "dftracer", 'M', lane);
	r = r ?: text_printf(line, ",\"args\":{\"hhash\":\"%s\",\"name\":", dftracer->host_hash);
	r = r ?: format_append_string(line, name);
	r = r ?: text_printf(line, ",\"value\":\"%s\"}}\n", hash);
	return r ?: target_write(dftracer->conversion.target, line, why);
}

static void make_hash(const char *text, char hash[17])
{
	snprintf(hash, 17, "%016" PRIx64, hash_bytes(text, strlen(text)));
}

static int name_host(struct dftracer *dftracer, const struct lane *lane, struct why *why)
{
	const char *host = facts_host(&dftracer->conversion.facts);

	if (dftracer->host_hash[0] || !*host)
		return 0;
	make_hash(host, dftracer->host_hash);
	return write_hash(dftracer, "HH", lane, host, dftracer->host_hash, why);
}

/* The file that an event is about, if its args tell. */
static const char *file_of(struct json_object *args)
{
	static const char *const names[] = {"path", "pathname", "filename", "file"};
	const char *file;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		file = json_member_text(args, names[i]);
		if (*file)
			return file;
	}
	return NULL;
}

static int name_file(struct dftracer *dftracer, const struct lane *lane, const char *file,
		     const char *hash, struct why *why)
{
	uint64_t key = hash_bytes(file, strlen(file));
	int r;

	if (hash_find(&dftracer->files, key))
		return 0;
	r = hash_put(&dftracer->files, key, dftracer);
	return r ?: write_hash(dftracer, "FH", lane, file, hash, why);
}

static int append_args(struct dftracer *dftracer, struct json_object *args, const char *file_hash)
{
	struct text *line = &dftracer->conversion.line;
	const char *text;
	int r;

	r = text_printf(line, ",\"args\":{\"hhash\":\"%s\"", dftracer->host_hash);
	if (*file_hash)
		r = r ?: text_printf(line, ",\"fhash\":\"%s\"", file_hash);
	if (args) {
		json_object_object_foreach (args, key, value) {
			text = json_object_to_json_string_ext(
				value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
			r = r ?: text_append(line, ",", 1);
			if (r == 0)
				r = format_append_string(line,
							 strcmp(key, "return") == 0 ? "ret" : key);
			r = r ?: text_printf(line, ":");
			r = r ?: text_append(line, text, strlen(text));
		}
	}
	return r ?: text_append(line, "}}\n", 3);
}

/* Whole microseconds, since 1970 where that is known. */
static int64_t whole_us(const struct dftracer *dftracer, int64_t time_ns)
{
	int64_t ns;

	if (!facts_unix_ns(&dftracer->conversion.facts, time_ns, &ns))
		ns = time_ns;
	return ns / 1000;
}

static int write_event(struct dftracer *dftracer, const struct call *call, struct why *why)
{
	int64_t start_us = whole_us(dftracer, call->start_ns),
		end_us = whole_us(dftracer, call->end_ns);
	const char *name = call->name, *category = call->category;
	const char *file = file_of(call->args);
	char file_hash[17] = "";
	int r;

	find_io(call->category, call->name, &category, &name);
	r = name_host(dftracer, call->lane, why);
	if (file) {
		make_hash(file, file_hash);
		r = r ?: name_file(dftracer, call->lane, file, file_hash, why);
	}
	r = r ?: begin_line(dftracer, name, category, 'X', call->lane);
	if (r == 0)
		r = text_printf(&dftracer->conversion.line, ",\"ts\":%" PRId64 ",\"dur\":%" PRId64,
				start_us, end_us - start_us);
	r = r ?: append_args(dftracer, call->args, file_hash);
	return r ?: target_write(dftracer->conversion.target, &dftracer->conversion.line, why);
}

static int write_bracket(struct conversion *conversion, const char *bracket, struct why *why)
{
	int r;

	conversion->line.size = 0;
	r = text_printf(&conversion->line, "%s\n", bracket);
	return r ?: target_write(conversion->target, &conversion->line, why);
}

static int dftracer_begin(struct conversion *conversion, struct why *why)
{
	int r = target_begin(conversion->target, "perfflow.pfw", why);

	return r ?: write_bracket(conversion, "[", why);
}

static int dftracer_call(struct conversion *conversion, const struct call *call, struct why *why)
{
	return write_event((struct dftracer *)conversion, call, why);
}

/* A mark is a call that takes no time. */
static int dftracer_event(struct conversion *conversion, const struct trace_event *event,
			  struct why *why)
{
	struct call call = {
		.start_ns = event->time_ns,
		.end_ns = event->time_ns,
		.name = event->name,
		.category = event->category,
		.args = event->args,
	};
	int r;

	if (!event_is_mark(event) || !(event->has & EVENT_TIME) ||
	    strcmp(json_member_text(event->json, "s"), "p") == 0)
		return 0;
	call.lane = lanes_find(&conversion->lanes, event->pid, event->tid);
	if (!call.lane)
		return -ENOMEM;
	r = write_event((struct dftracer *)conversion, &call, why);
	return r < 0 ? r : 1;
}

static int dftracer_finish(struct conversion *conversion, struct why *why)
{
	return write_bracket(conversion, "]", why);
}

static void dftracer_done(struct conversion *conversion)
{
	hash_done(&((struct dftracer *)conversion)->files);
}

const struct format format_dftracer = {
	.name = "dftracer",
	.size = sizeof(struct dftracer),
	.begin = dftracer_begin,
	.call = dftracer_call,
	.work = dftracer_call,
	.event = dftracer_event,
	.finish = dftracer_finish,
	.done = dftracer_done,
};
