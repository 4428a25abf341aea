/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The sentences are those of PerfFlowAspect's Python module: its C++ runtime has but one for all
 * faults, about an errno that has nothing to do with them. Where the two read an option
 * differently, what both take is taken.
 */
#include "sink/pfw_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define MAX_SHOWN_BYTES 200

enum key { KEY_ENABLE, KEY_COUNTERS, KEY_EVENT, KEY_FORMAT, KEY_CALIPER, N_CHOICES };

/* Each is one of two words, spelt in one of three ways. */
static const struct {
	const char *name;
	const char *yes[3], *no[3];
	const char *words; /* as its sentence has them */
} choices[N_CHOICES] = {
	[KEY_ENABLE] = {"log-enable",
			{"True", "true", "TRUE"},
			{"False", "false", "FALSE"},
			"True|False"},
	[KEY_COUNTERS] = {"cpu-mem-usage",
			  {"True", "true", "TRUE"},
			  {"False", "false", "FALSE"},
			  "True|False"},
	[KEY_EVENT] = {"log-event",
		       {"Compact", "compact", "COMPACT"},
		       {"Verbose", "verbose", "VERBOSE"},
		       "Verbose|Compact"},
	[KEY_FORMAT] = {"log-format",
			{"Object", "object", "OBJECT"},
			{"Array", "array", "ARRAY"},
			"Array|Object"},
	[KEY_CALIPER] = {"caliper-enable",
			 {"True", "true", "TRUE"},
			 {"False", "false", "FALSE"},
			 "True|False"},
};

static const char *const parts[PFW_N_PARTS] = {
	[PFW_PART_NAME] = "name",
	[PFW_PART_INSTANCE_PATH] = "instance-path",
	[PFW_PART_HOSTNAME] = "hostname",
	[PFW_PART_PID] = "pid",
};

void pfw_options_done(struct pfw_options *options)
{
	free(options->name);
	free(options->log_dir);
	*options = (struct pfw_options){0};
}

static int add_fault(struct strings *faults, const char *sentence, const char *what,
		     const char *end)
{
	_cleanup_(text_done) struct text fault = {0};
	int r;

	r = text_printf(&fault, "%s%.*s%s%s", sentence, MAX_SHOWN_BYTES, what,
			strlen(what) > MAX_SHOWN_BYTES ? "..." : "", end);
	return r ?: strings_add(faults, fault.data);
}

static bool is_among(const char *const words[3], const char *word)
{
	for (size_t i = 0; i < 3; i++) {
		if (strcmp(words[i], word) == 0)
			return true;
	}
	return false;
}

static bool *choice(struct pfw_options *options, enum key key)
{
	switch (key) {
	case KEY_ENABLE:
		return &options->is_enabled;
	case KEY_COUNTERS:
		return &options->with_counters;
	case KEY_EVENT:
		return &options->is_compact;
	case KEY_FORMAT:
		return &options->is_object;
	default:
		return NULL; /* Caliper: there is none here, and the events are the same without */
	}
}

static int take_choice(struct pfw_options *options, enum key key, const char *value,
		       struct strings *faults)
{
	bool is_yes = is_among(choices[key].yes, value), *field = choice(options, key);
	_cleanup_(text_done) struct text end = {0};
	int r;

	if (is_yes || is_among(choices[key].no, value)) {
		if (field)
			*field = is_yes;
		return 0;
	}
	r = text_printf(&end, "=[%s]", choices[key].words);
	return r ?: add_fault(faults, "perfflow invalid option: ", choices[key].name, end.data);
}

static int take_part(struct pfw_options *options, const char *word, struct strings *faults)
{
	for (size_t i = 0; i < PFW_N_PARTS; i++) {
		if (strcmp(parts[i], word) != 0)
			continue;
		if (options->n_parts < PFW_MAX_PARTS)
			options->parts[options->n_parts++] = (enum pfw_part)i;
		return 0;
	}
	return add_fault(faults, "perfflow warning: unknown option param=", word, "");
}

static void take_usual_parts(struct pfw_options *options)
{
	options->parts[0] = PFW_PART_HOSTNAME;
	options->parts[1] = PFW_PART_PID;
	options->n_parts = 2;
}

static int take_parts(struct pfw_options *options, char *list, struct strings *faults)
{
	char *word;
	int r = 0;

	options->n_parts = 0;
	while (r == 0 && (word = strsep(&list, ",")))
		r = take_part(options, word, faults);
	if (options->n_parts == 0)
		take_usual_parts(options);
	return r;
}

static int take_text(char **field, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

/* Keys that mean nothing are passed over, as PerfFlowAspect does: they may be another program's. */
static int take_pair(struct pfw_options *options, const char *key, char *value,
		     struct strings *faults)
{
	if (strcmp(key, "name") == 0)
		return take_text(&options->name, value);
	if (strcmp(key, "log-filename-include") == 0)
		return take_parts(options, value, faults);
	if (strcmp(key, "log-dir") == 0)
		return *value ? take_text(&options->log_dir, value)
			      : add_fault(faults, "Ill-formed option: ", "log-dir=", "");
	for (size_t i = 0; i < N_CHOICES; i++) {
		if (strcmp(key, choices[i].name) == 0)
			return take_choice(options, (enum key)i, value, faults);
	}
	return 0;
}

static int take_pairs(struct pfw_options *options, char *list, struct strings *faults)
{
	char *pair, *value;
	int r = 0;

	while (r == 0 && (pair = strsep(&list, ":"))) {
		value = strchr(pair, '=');
		if (!value) {
			r = add_fault(faults, "Ill-formed option: ", pair, "");
			continue;
		}
		*value++ = '\0';
		r = take_pair(options, pair, value, faults);
	}
	return r;
}

int pfw_options_parse(const char *text, struct pfw_options *ret_options, struct strings *faults)
{
	_cleanup_(pfw_options_done) struct pfw_options options = {.is_enabled = true};
	_cleanup_free_ char *list = strdup(text ?: "");
	int r;

	take_usual_parts(&options);
	r = take_text(&options.name, "generic");
	r = r ?: take_text(&options.log_dir, "./");
	if (r == 0 && !list)
		r = -ENOMEM;
	if (r == 0 && *list)
		r = take_pairs(&options, list, faults);
	if (r < 0)
		return r;

	*ret_options = options;
	options = (struct pfw_options){0};
	return 0;
}
