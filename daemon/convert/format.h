/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * convert/format.h - what a format to convert to is made of
 *
 * A format is a file with a struct format and a line in the table of convert.c.
 */
#ifndef PERFFLOW_CONVERT_FORMAT_H
#define PERFFLOW_CONVERT_FORMAT_H

#include "convert/target.h"
#include "reader/calls.h"
#include "reader/facts.h"
#include "reader/nest.h"

struct format;

/* The head of every format's own struct. */
struct conversion {
	const struct format *format;
	struct target *target;
	struct lanes lanes;
	struct facts facts; /* as far as it was read */
	struct text line;   /* for whatever is put together */
	bool wall_clock;    /* times since 1970 are asked for */
};

struct format {
	const char *name;
	bool has_wall_clock; /* --wall-clock means something to it */
	size_t size;	     /* of its own struct, which is zeroed */
	int (*begin)(struct conversion *conversion, struct why *why);
	int (*call)(struct conversion *conversion, const struct call *call, struct why *why);
	/* Asynchronous work; NULL: there is no place for it, or event() takes its two ends. */
	int (*work)(struct conversion *conversion, const struct call *work, struct why *why);
	/* Other events but metadata: 1 if it was taken, 0 if there is no place for it. */
	int (*event)(struct conversion *conversion, const struct trace_event *event,
		     struct why *why);
	int (*finish)(struct conversion *conversion, struct why *why);
	void (*done)(struct conversion *conversion); /* what it owns beside the head; or NULL */
};

/* One a file. */
extern const struct format format_hatchet, format_dftracer, format_perfflowaspect, format_folded,
	format_csv;

/* Memory for calls that wait to be put in order. */
#define FORMAT_NEST_BYTES (64 * 1024 * 1024)

/* Readers hold times in doubles, which have no place for nanoseconds past this one: 2^43 us. */
#define FORMAT_EXACT_NS ((1LL << 43) * 1000)

bool event_is_mark(const struct trace_event *event);

/* A call for the nest, its own fields void. */
struct nest_item format_item(const struct call *call);

/* What of the args is known of every call: hundredths of a percent, KiB; 0 where it was not
 * measured. */
uint32_t format_cpu_usage(struct json_object *args);
uint64_t format_memory_kib(struct json_object *args);

/* Appends a string with its quotes. */
int format_append_string(struct text *text, const char *string);

/* Appends microseconds with three decimals; whole ones, cut, with ".0" past FORMAT_EXACT_NS. */
int format_append_us(struct text *text, int64_t ns);

#endif
