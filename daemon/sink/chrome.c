/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * One array, one event a line, and the comma before each event but the first: whatever cuts the
 * file off between two lines leaves one that every viewer opens. Times are boot nanoseconds,
 * printed as microseconds with three decimals by integer division.
 *
 * Spans are formatted by hand, straight into the output's buffer: a library that builds a tree per
 * event costs twenty times as much. What is the same for all spans of a join point is escaped once
 * and kept, by its number. Records that are rare are put together in a text first.
 *
 * Readers take two processes with one pid for one process. So a process whose pid was seen with an
 * earlier one is shown with a number that no process has. Nobody looks a pid up while no pid came
 * twice, which is nearly always.
 */
#include "sink/chrome.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sink/output.h"
#include "util/hash.h"
#include "util/text.h"

#define FIRST_SHOWN_PID (1U << 30) /* pids end at 2^22 */
#define CLOCK_TICK_NS	10000000   /* the unit of process start times in /proc */
#define MAX_NAME_BYTES                                                                             \
	4096 /* escaped, two of them fit into what output_reserve() gives, six bytes for one */
#define MAX_SPAN_BYTES	  512	     /* of a span's line without its prefix */
#define MAX_CACHED	  (1U << 22) /* join points; those above are escaped each time */
#define METADATA_CATEGORY "__metadata"

struct prefix { /* ,\n{"name":"...","cat":"...","ph":" */
	char *data;
	size_t size;
};

struct process { /* the newest one that had a pid */
	uint64_t start_ns;
	uint32_t shown_pid;
	bool ended;
};

struct chrome {
	struct sink sink;
	struct prefix *prefixes; /* by the number of the join point */
	size_t n_prefixes;
	struct text uncached;  /* the prefix of one above MAX_CACHED */
	struct hash processes; /* pid -> struct process, owned */
	uint32_t n_renumbered;
	struct text line;
};

static const char digit_pairs[200] = "00010203040506070809101112131415161718192021222324"
				     "25262728293031323334353637383940414243444546474849"
				     "50515253545556575859606162636465666768697071727374"
				     "75767778798081828384858687888990919293949596979899";

/* Each of these writes at p and returns what is behind it. */
#define put_literal(p, literal)                                                                    \
	((char *)memcpy((p), (literal), sizeof(literal) - 1) + sizeof(literal) - 1)

static inline char *put_pair(char *p, unsigned int value)
{
	memcpy(p, &digit_pairs[2 * value], 2);
	return p + 2;
}

static inline unsigned int count_digits(uint64_t value)
{
	unsigned int n = 1;

	for (; value >= 10000; value /= 10000)
		n += 4;
	return n + (value >= 10) + (value >= 100) + (value >= 1000);
}

static inline char *put_number(char *p, uint64_t value)
{
	char *end = p + count_digits(value);

	for (p = end; value >= 100; value /= 100)
		put_pair(p -= 2, value % 100);
	if (value >= 10)
		put_pair(p - 2, value);
	else
		p[-1] = '0' + value;
	return end;
}

/* A number of thousandths, with its three decimals. */
static inline char *put_thousandths(char *p, uint64_t value)
{
	unsigned int rest = value % 1000;

	p = put_number(p, value / 1000);
	*p++ = '.';
	*p++ = '0' + rest / 100;
	return put_pair(p, rest % 100);
}

static char *put_string(char *p, const char *string)
{
	size_t size = strlen(string);

	memcpy(p, string, size);
	return p + size;
}

/*
 * The part of the duration on a CPU in hundredths of a percent, rounded. A span shorter than the
 * clock can tell was on a CPU for all of it: its thread entered and left the function.
 */
static uint64_t cpu_usage(const struct pf_span *span)
{
	uint64_t part = span->oncpu_ns, whole = span->duration_ns;

	if (whole == 0)
		return 10000;
	if (whole >= 1ULL << 50) { /* 13 days: a millisecond is not seen in the result */
		part >>= 20;
		whole >>= 20;
	}
	return (part * 10000 + whole / 2) / whole;
}

static inline char *put_cpu_usage(char *p, const struct pf_span *span)
{
	unsigned int usage = cpu_usage(span);

	p = put_number(p, usage / 100);
	*p++ = '.';
	return put_pair(p, usage % 100);
}

/* What of a name is shown: if it is cut off, then between two characters of UTF-8. */
static size_t name_size(const char *name)
{
	size_t size = strnlen(name, MAX_NAME_BYTES + 1);

	if (size <= MAX_NAME_BYTES)
		return size;
	for (size = MAX_NAME_BYTES; size > MAX_NAME_BYTES - 4 && (name[size] & 0xc0) == 0x80;)
		size--;
	return size;
}

static int append_prefix(struct text *text, const char *name, const char *category)
{
	int r;

	if (!*name)
		name = "?"; /* readers drop events without a name */
	r = text_append(text, ",\n{\"name\":\"", 11);
	if (r == 0)
		r = text_append_json(text, name, name_size(name));
	if (r == 0)
		r = text_append(text, "\",\"cat\":\"", 9);
	if (r == 0)
		r = text_append_json(text, category, name_size(category));
	if (r == 0)
		r = text_append(text, "\",\"ph\":\"", 8);
	return r;
}

static int grow_prefixes(struct chrome *chrome, uint32_t joinpoint)
{
	size_t n = 64;
	struct prefix *prefixes;

	while (n <= joinpoint)
		n *= 2;
	prefixes = reallocarray(chrome->prefixes, n, sizeof(*prefixes));
	if (!prefixes)
		return -ENOMEM;
	memset(prefixes + chrome->n_prefixes, 0, (n - chrome->n_prefixes) * sizeof(*prefixes));
	chrome->prefixes = prefixes;
	chrome->n_prefixes = n;
	return 0;
}

static int make_prefix(struct chrome *chrome, uint32_t joinpoint, const struct sink_label *label,
		       struct prefix *ret_prefix)
{
	struct text *text = &chrome->uncached;
	struct prefix prefix;
	int r;

	text->size = 0;
	r = append_prefix(text, label->name, label->category);
	if (r < 0)
		return r;

	prefix = (struct prefix){.data = text->data, .size = text->size};
	if (joinpoint < MAX_CACHED) {
		if (joinpoint >= chrome->n_prefixes) {
			r = grow_prefixes(chrome, joinpoint);
			if (r < 0)
				return r;
		}
		prefix.data = malloc(prefix.size);
		if (!prefix.data)
			return -ENOMEM;
		memcpy(prefix.data, text->data, prefix.size);
		chrome->prefixes[joinpoint] = prefix;
	}
	*ret_prefix = prefix;
	return 0;
}

static inline int find_prefix(struct chrome *chrome, uint32_t joinpoint,
			      const struct sink_label *label, struct prefix *ret_prefix)
{
	if (joinpoint < chrome->n_prefixes && chrome->prefixes[joinpoint].data) {
		*ret_prefix = chrome->prefixes[joinpoint];
		return 0;
	}
	return make_prefix(chrome, joinpoint, label, ret_prefix);
}

static uint32_t shown_pid(const struct chrome *chrome, uint32_t pid)
{
	const struct process *process;

	if (!chrome->n_renumbered)
		return pid;
	process = hash_find(&chrome->processes, pid);
	return process ? process->shown_pid : pid;
}

/* The main thread has its process's number, which is how readers know it. */
static inline char *put_pid_tid(char *p, const struct chrome *chrome, uint32_t pid, uint32_t tid)
{
	uint32_t shown = shown_pid(chrome, pid);

	p = put_literal(p, ",\"pid\":");
	p = put_number(p, shown);
	p = put_literal(p, ",\"tid\":");
	return put_number(p, tid == pid ? shown : tid);
}

static char *put_span_args(char *p, const struct pf_span *span)
{
	const char *end = event_end_name(span->end);

	p = put_literal(p, ",\"args\":{\"cpu_usage\":");
	p = put_cpu_usage(p, span);
	p = put_literal(p, ",\"oncpu_us\":");
	p = put_thousandths(p, span->oncpu_ns);
	p = put_literal(p, ",\"runnable_us\":");
	p = put_thousandths(p, span->runnable_ns);
	p = put_literal(p, ",\"blocked_us\":");
	p = put_thousandths(p, span->duration_ns - span->oncpu_ns - span->runnable_ns);
	if (span->io_ns) {
		p = put_literal(p, ",\"io_us\":");
		p = put_thousandths(p, span->io_ns);
	}
	if (end) {
		p = put_literal(p, ",\"end\":\"");
		p = put_string(p, end);
		*p++ = '"';
	}
	if (span->begin == PF_BEGIN_FORK)
		p = put_literal(p, ",\"begin\":\"fork\"");
	return put_literal(p, "}}");
}

static int chrome_span(struct sink *sink, const struct pf_span *span,
		       const struct sink_label *label)
{
	struct chrome *chrome = (struct chrome *)sink;
	struct prefix prefix;
	char *line, *p;
	int r;

	r = find_prefix(chrome, span->event.joinpoint, label, &prefix);
	if (r < 0)
		return r;

	line = output_reserve(sink->output, prefix.size + MAX_SPAN_BYTES);
	p = (char *)memcpy(line, prefix.data, prefix.size) + prefix.size;
	p = put_literal(p, "X\",\"ts\":");
	p = put_thousandths(p, span->event.time_ns);
	p = put_literal(p, ",\"dur\":");
	p = put_thousandths(p, span->duration_ns);
	p = put_pid_tid(p, chrome, span->event.pid, span->event.tid);
	p = put_span_args(p, span);
	output_commit(sink->output, p - line);
	return output_error(sink->output);
}

static int chrome_mark(struct sink *sink, const struct pf_event *mark,
		       const struct sink_label *label)
{
	struct chrome *chrome = (struct chrome *)sink;
	struct prefix prefix;
	char *line, *p;
	int r;

	r = find_prefix(chrome, mark->joinpoint, label, &prefix);
	if (r < 0)
		return r;

	line = output_reserve(sink->output, prefix.size + MAX_SPAN_BYTES);
	p = (char *)memcpy(line, prefix.data, prefix.size) + prefix.size;
	p = put_literal(p, "i\",\"s\":\"t\",\"ts\":");
	p = put_thousandths(p, mark->time_ns);
	p = put_pid_tid(p, chrome, mark->pid, mark->tid);
	*p++ = '}';
	output_commit(sink->output, p - line);
	return output_error(sink->output);
}

/* Writes chrome->line, which may be longer than what can be reserved. */
static int write_line(struct chrome *chrome)
{
	struct output *output = chrome->sink.output;
	const struct text *line = &chrome->line;
	size_t n;

	for (size_t i = 0; i < line->size; i += n) {
		n = line->size - i < OUTPUT_RESERVE_MAX ? line->size - i : OUTPUT_RESERVE_MAX;
		memcpy(output_reserve(output, n), line->data + i, n);
		output_commit(output, n);
	}
	return output_error(output);
}

static int append_quoted(struct text *text, const char *string)
{
	int r;

	r = text_append(text, "\"", 1);
	if (r == 0)
		r = text_append_json(text, string ? string : "", string ? strlen(string) : 0);
	if (r == 0)
		r = text_append(text, "\"", 1);
	return r;
}

/* Begins chrome->line anew, up to the time; "," and the rest follow. */
static int begin_line(struct chrome *chrome, const char *name, const char *category,
		      const char *phase, uint64_t time_ns)
{
	char end[64], *p;
	int r;

	chrome->line.size = 0;
	r = append_prefix(&chrome->line, name, category);
	if (r < 0)
		return r;
	p = put_string(end, phase);
	p = put_literal(p, "\",\"ts\":");
	p = put_thousandths(p, time_ns);
	return text_append(&chrome->line, end, p - end);
}

static int append_pid_tid(struct chrome *chrome, uint32_t pid, uint32_t tid)
{
	char data[64];

	return text_append(&chrome->line, data, put_pid_tid(data, chrome, pid, tid) - data);
}

static int write_name(struct chrome *chrome, const char *what, const struct pf_event *event,
		      uint32_t tid, const char *name)
{
	int r;

	r = begin_line(chrome, what, METADATA_CATEGORY, "M", event->time_ns);
	if (r == 0)
		r = append_pid_tid(chrome, event->pid, tid);
	if (r == 0)
		r = text_printf(&chrome->line, ",\"args\":{\"name\":");
	if (r == 0)
		r = append_quoted(&chrome->line, name);
	if (r == 0)
		r = text_append(&chrome->line, "}}", 2);
	return r < 0 ? r : write_line(chrome);
}

/*
 * Whether it is the process that was seen before, maybe with a new program. What /proc tells of the
 * start of a process is cut to a clock tick, where the kernel side knows the nanosecond; a pid does
 * not come round within a tick.
 */
static bool is_same_process(const struct process *process, uint64_t start_ns)
{
	if (process->start_ns == start_ns)
		return true;
	return !process->ended && process->start_ns / CLOCK_TICK_NS == start_ns / CLOCK_TICK_NS;
}

static int note_process(struct chrome *chrome, uint32_t pid, uint64_t start_ns)
{
	struct process *process = hash_find(&chrome->processes, pid);
	_cleanup_free_ struct process *made = NULL;
	int r;

	if (process) {
		if (!is_same_process(process, start_ns))
			process->shown_pid = FIRST_SHOWN_PID + chrome->n_renumbered++;
		process->start_ns = start_ns;
		process->ended = false;
		return 0;
	}

	made = malloc(sizeof(*made));
	if (!made)
		return -ENOMEM;
	*made = (struct process){.start_ns = start_ns, .shown_pid = pid};
	r = hash_put(&chrome->processes, pid, made);
	if (r == 0)
		made = NULL;
	return r;
}

/* The arguments with spaces between; the kernel's short name where a process has none. */
static void describe_process(const struct pf_process_seen *process,
			     char name[PF_COMMAND_LINE_BYTES + 1])
{
	size_t size = process->command_line_bytes;

	while (size > 0 && process->command_line[size - 1] == '\0')
		size--;
	for (size_t i = 0; i < size; i++)
		name[i] = process->command_line[i] ? process->command_line[i] : ' ';
	name[size] = '\0';
	if (size == 0)
		memcpy(name, process->comm, sizeof(process->comm));
}

static int chrome_process(struct sink *sink, const struct pf_process_seen *process)
{
	struct chrome *chrome = (struct chrome *)sink;
	char name[PF_COMMAND_LINE_BYTES + 1];
	int r;

	r = note_process(chrome, process->event.pid, process->start_ns);
	if (r < 0)
		return r;
	describe_process(process, name);
	return write_name(chrome, "process_name", &process->event, process->event.pid, name);
}

static int chrome_process_end(struct sink *sink, const struct pf_process_end *process_end)
{
	struct chrome *chrome = (struct chrome *)sink;
	struct process *process = hash_find(&chrome->processes, process_end->event.pid);

	if (process)
		process->ended = true;
	return output_error(sink->output);
}

static int chrome_thread(struct sink *sink, const struct pf_thread_seen *thread)
{
	return write_name((struct chrome *)sink, "thread_name", &thread->event, thread->event.tid,
			  thread->comm);
}

static int chrome_counter(struct sink *sink, const struct sink_counter *counter)
{
	struct chrome *chrome = (struct chrome *)sink;
	char value[32], *end = put_thousandths(value, counter->thousandths);
	int r;

	r = begin_line(chrome, counter->name, "cpu", "C", counter->time_ns);
	if (r == 0)
		r = append_pid_tid(chrome, counter->pid, counter->pid);
	if (r == 0)
		r = text_printf(&chrome->line, ",\"args\":{");
	if (r == 0)
		r = append_quoted(&chrome->line, counter->value_name);
	if (r == 0)
		r = text_printf(&chrome->line, ":%.*s}}", (int)(end - value), value);
	return r < 0 ? r : write_line(chrome);
}

/*
 * Begins a record of our own, up to its args. Viewers ignore metadata whose name they do not know;
 * chrome://tracing warns of it unless "argsStripped" is set, with which it looks no further.
 */
static int begin_own(struct chrome *chrome, const char *name, uint64_t time_ns)
{
	int r;

	r = begin_line(chrome, name, METADATA_CATEGORY, "M", time_ns);
	if (r == 0)
		r = append_pid_tid(chrome, 0, 0);
	if (r == 0)
		r = text_printf(&chrome->line, ",\"argsStripped\":true,\"args\":{");
	return r;
}

static int append_member(struct text *text, const char *name, const char *value)
{
	int r;

	r = text_printf(text, "\"%s\":", name);
	if (r == 0)
		r = append_quoted(text, value);
	if (r == 0)
		r = text_append(text, ",", 1);
	return r;
}

static int append_start(struct text *text, const struct sink_start *start)
{
	int r;

	r = append_member(text, "version", start->version);
	if (r == 0)
		r = append_member(text, "host", start->host);
	if (r == 0)
		r = append_member(text, "boot_id", start->boot_id);
	if (r == 0)
		r = text_printf(text, "\"aspects\":[");
	for (size_t i = 0; r == 0 && start->aspects && start->aspects[i]; i++) {
		r = i ? text_append(text, ",", 1) : 0;
		if (r == 0)
			r = append_quoted(text, start->aspects[i]);
	}
	if (r == 0) /* strings: a number past 2^53 loses its end in a browser */
		r = text_printf(text,
				"],\"clock\":{\"boot_ns\":\"%" PRIu64 "\",\"real_ns\":\"%" PRIu64
				"\",\"width_ns\":\"%" PRIu64 "\"}}}",
				start->clock.boot_ns, start->clock.real_ns, start->clock.width_ns);
	return r;
}

static int chrome_open(struct sink *sink, const struct sink_start *start)
{
	struct chrome *chrome = (struct chrome *)sink;
	int r;

	r = begin_own(chrome, "perfflow_trace", start->clock.boot_ns);
	if (r == 0)
		r = append_start(&chrome->line, start);
	if (r < 0)
		return r;

	chrome->line.data[0] = '['; /* instead of the comma that stands before every other event */
	r = write_line(chrome);
	return r < 0 ? r : output_flush_some(sink->output);
}

static bool is_complete(const struct sink_summary *summary)
{
	uint64_t n = summary->n_bad_records | summary->n_missed_runs;

	for (unsigned int i = 0; i < PF_N_LOSSES; i++)
		n |= summary->losses[i];
	return n == 0 && (!summary->warnings || summary->warnings->n_items == 0);
}

static int append_warnings(struct text *text, const struct strings *warnings)
{
	int r = text_printf(text, ",\"warnings\":[");

	for (size_t i = 0; r == 0 && warnings && i < warnings->n_items; i++) {
		r = text_printf(text, i ? ",\"" : "\"");
		if (r == 0)
			r = text_append_json(text, warnings->items[i], strlen(warnings->items[i]));
		if (r == 0)
			r = text_printf(text, "\"");
	}
	return r < 0 ? r : text_printf(text, "]");
}

static int append_summary(struct text *text, const struct sink_summary *summary)
{
	int r;

	r = append_member(text, "reason", summary->reason);
	if (r == 0)
		r = text_printf(text,
				"\"spans\":%" PRIu64 ",\"processes\":%" PRIu64 ",\"losses\":{",
				summary->n_spans, summary->n_processes);
	for (unsigned int i = 0; r == 0 && i < PF_N_LOSSES; i++)
		r = text_printf(text, "%s\"%s\":%" PRIu64, i ? "," : "", event_loss_name(i),
				summary->losses[i]);
	if (r == 0)
		r = text_printf(text,
				"},\"bad_records\":%" PRIu64 ",\"missed_runs\":%" PRIu64 ",\"ends\":{",
				summary->n_bad_records, summary->n_missed_runs);
	for (unsigned int i = 0; r == 0 && i < PF_N_ENDS; i++)
		r = text_printf(text, "%s\"%s\":%" PRIu64, i ? "," : "",
				event_end_name(i) ? event_end_name(i) : "return",
				summary->n_ends[i]);
	if (r == 0)
		r = text_printf(text, "}");
	if (r == 0)
		r = append_warnings(text, summary->warnings);
	if (r == 0)
		r = text_printf(text, ",\"complete\":%s}}\n]\n",
				is_complete(summary) ? "true" : "false");
	return r;
}

static int chrome_finish(struct sink *sink, const struct sink_summary *summary)
{
	struct chrome *chrome = (struct chrome *)sink;
	int r;

	r = begin_own(chrome, "perfflow_summary", summary->time_ns);
	if (r == 0)
		r = append_summary(&chrome->line, summary);
	if (r == 0)
		r = write_line(chrome);
	/* ended even without its summary: what there is can be read */
	return output_finish(sink->output) < 0 ? output_error(sink->output) : r;
}

static void chrome_free(struct sink *sink)
{
	struct chrome *chrome = (struct chrome *)sink;
	struct process *process;
	size_t cursor = 0;

	while ((process = hash_next(&chrome->processes, &cursor, NULL)))
		free(process);
	hash_done(&chrome->processes);
	for (size_t i = 0; i < chrome->n_prefixes; i++)
		free(chrome->prefixes[i].data);
	free(chrome->prefixes);
	text_done(&chrome->uncached);
	text_done(&chrome->line);
}

const struct sink_ops chrome_sink_ops = {
	.name = "chrome",
	.size = sizeof(struct chrome),
	.open = chrome_open,
	.span = chrome_span,
	.mark = chrome_mark,
	.process = chrome_process,
	.process_end = chrome_process_end,
	.thread = chrome_thread,
	.counter = chrome_counter,
	.finish = chrome_finish,
	.free = chrome_free,
};
