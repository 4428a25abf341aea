/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A file is opened and read by the inspector, in a process without rights; what it found is numbered and attached here. Files
 * with an unwinder are kept until some function's return is seen by exit sites, for then alone its landings matter.
 */
#include "session/weave.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "binary/loader.h"
#include "binary/process.h"
#include "binary/view.h"
#include "probe/attach_probes.h"
#include "probe/features.h"
#include "session/turn.h"
#include "session/woven_labels.h"
#include "util/reach.h"

#define MAX_UNREADABLE 8 /* that are named */

static int bad_aspect(const char *aspect, struct session_failure *failure, int r)
{
	failure->fault = SESSION_FAULT_ASPECT;
	failure->aspect = strdup(aspect);
	return r;
}

static int parse_aspect(struct weave *weave, const char *aspect, struct session_failure *failure)
{
	int r = plan_add_aspect(&weave->plan, aspect, &failure->column, &failure->why);

	return r == -EINVAL || r == -E2BIG ? bad_aspect(aspect, failure, r) : r;
}

static int parse_processes(struct weave *weave, const char *text, struct session_failure *failure)
{
	int r = text ? plan_set_scope(&weave->plan, text, &failure->column, &failure->why) : 0;

	return r == -EINVAL || r == -E2BIG ? bad_aspect(text, failure, r) : r;
}

int weave_init(struct weave *weave, struct labels *labels, const struct strings *aspects, const char *processes,
	       enum site_mode returns, struct session_failure *failure)
{
	int r;

	*weave = (struct weave){ .labels = labels, .plan = { .returns = returns } };
	weave->matched = calloc(aspects->n_items, sizeof(*weave->matched));
	weave->reports = calloc(aspects->n_items, sizeof(*weave->reports));
	if (!weave->matched || !weave->reports)
		return -ENOMEM;
	for (size_t i = 0; i < aspects->n_items; i++) {
		r = parse_aspect(weave, aspects->items[i], failure);
		if (r < 0)
			return r;
	}
	r = plan_python(&weave->plan, &failure->why);
	if (r == -E2BIG)
		failure->fault = SESSION_FAULT_LIMIT;
	return r < 0 ? r : parse_processes(weave, processes, failure);
}

bool weave_has_items(const struct weave *weave)
{
	for (size_t i = 0; i < weave->plan.n_aspects; i++)
		if (advise_has_items(weave->plan.aspects[i]))
			return true;
	return false;
}

bool weave_has_advices(const struct weave *weave)
{
	for (size_t i = 0; i < weave->plan.n_aspects; i++)
		if (!advise_is_plain(weave->plan.aspects[i]) || pointcut_wants_static_probes(weave->plan.aspects[i]->pointcut))
			return true;
	return weave->plan.atoms.n_items > 0;
}

void weave_done(struct weave *weave)
{
	for (size_t i = 0; weave->reports && i < weave->plan.n_aspects; i++)
		capture_report_done(&weave->reports[i]);
	plan_done(&weave->plan);
	free(weave->python_library);
	free(weave->python_labels);
	free(weave->reports);
	free(weave->matched);
	hash_done(&weave->trusted);
	hash_done(&weave->seen);
	strings_done(&weave->paths);
	strings_done(&weave->unreadable);
	strings_done(&weave->unwinders);
}

void weave_restrict(struct weave *weave, const struct rights *rights, struct quota *functions)
{
	weave->rights = rights;
	weave->functions = functions;
}

/* Whether a file that is open may be woven; one that cannot be reached is one that is not there. */
static int check_rights(struct weave *weave, int fd, const char *path, struct why *why)
{
	int r = weave->rights ? rights_check_file(weave->rights, fd, path) : 0;

	if (r == -EACCES && weave->unreadable.n_items < MAX_UNREADABLE && !strings_contain(&weave->unreadable, path))
		strings_add(&weave->unreadable, path);
	return r < 0 ? why_say(why, r, "'%s' is not there, or not yours to read", path) : 0;
}

static uint64_t file_key(dev_t dev, ino_t ino)
{
	uint64_t identity[] = { dev, ino };

	return hash_bytes(identity, sizeof(identity));
}

bool weave_has_seen(const struct weave *weave, dev_t dev, ino_t ino)
{
	return hash_find(&weave->seen, file_key(dev, ino));
}

bool weave_has_return_probes(const struct weave *weave, dev_t dev, ino_t ino)
{
	return hash_find(&weave->trusted, file_key(dev, ino));
}

static bool is_wanted(const struct weave *weave, const struct binary *binary)
{
	for (size_t i = 0; i < weave->plan.n_aspects; i++) {
		const struct pointcut *pointcut = weave->plan.aspects[i]->pointcut;

		if (loader_is_one(binary) && pointcut_wants_all_modules(pointcut))
			continue;
		if (pointcut_wants_module(pointcut, binary_module_path(binary), binary->soname))
			return true;
	}
	return false;
}

static int note_python(struct weave *weave, uint32_t label, size_t aspect)
{
	int r;

	if (weave->plan.python.by_interpreter)
		labels_set_any_call(weave->labels, label);
	r = array_grow(&weave->python_labels, weave->n_python_labels, sizeof(*weave->python_labels));

	if (r >= 0)
		weave->python_labels[weave->n_python_labels++] = (struct python_label){ .label = label, .aspect = aspect };
	return r;
}

/* What its events are about gets its labels with them. An exception may pass that, as it may what has exit sites. */
static int note_woven(struct weave *weave, uint32_t label, struct why *why)
{
	weave->has_exit_sites = true;
	if (!weave->told_numbers)
		weave->told_numbers = labels_reserve(weave->labels, WOVEN_LABELS_NUMBERS);
	if (!weave->told_numbers)
		return why_say(why, -E2BIG, "more than %d functions are selected", LABELS_MAX);
	labels_set_told(weave->labels, label, weave->told_numbers);
	return 0;
}

/* Makes the label and the advice of a join point. */
static int advise_joinpoint(struct weave *weave, const struct found *found, size_t i, uint32_t *ret_label,
			    uint16_t *ret_advice, struct why *why)
{
	const struct joinpoint *joinpoint = &found->joinpoints[i];
	const struct found_advice *advice = &found->advices[i];
	struct sink_label label = found_label(found, i);
	int r;

	r = labels_add(weave->labels, &label, &joinpoint->condition, ret_label);
	if (r == -E2BIG)
		return why_say(why, r, "more than %d functions are selected", LABELS_MAX);
	if (r >= 0 && joinpoint->is_python)
		r = note_python(weave, *ret_label, joinpoint->aspect);
	*ret_advice = 0;
	if (r < 0 || advice->is_plain)
		return r;
	r = attach_add_advice(weave->attach, &advice->advice, ret_advice);
	return r == -E2BIG ? why_say(why, r, "more than %d functions differ in what is recorded of them", UINT16_MAX) : r;
}

static int advise_joinpoints(struct weave *weave, const struct found *found, uint32_t *ret_first, uint16_t *advices,
			     struct why *why)
{
	uint32_t number = 0;
	int r = 0;

	for (size_t i = 0; i < found->n && r >= 0; i++) {
		r = advise_joinpoint(weave, found, i, &number, &advices[i], why);
		if (!i)
			*ret_first = number;
	}
	for (size_t i = 0; i < found->n && r >= 0; i++) /* when all have their numbers, which follow one another */
		if (found->joinpoints[i].woven)
			r = note_woven(weave, *ret_first + i, why);
	return r;
}

static int touch_woven(struct weave *weave, const struct binary *binary, const struct found *found, struct why *why)
{
	int r = 0;

	for (size_t i = 0; i < found->n && r >= 0; i++)
		if (found->joinpoints[i].woven)
			r = attach_touch(weave->attach, binary, found->joinpoints[i].site.entry_offset, why);
	return r;
}

/* What was taken is given back when the session ends, also of functions that could not be probed: they have numbers by then. */
static int take_functions(struct weave *weave, size_t n, struct why *why)
{
	if (!weave->functions)
		return 0;
	if (quota_take(weave->functions, n) < 0)
		return why_say(why, -EDQUOT, "%zu functions are selected: you may trace %llu in all your sessions, and trace %llu",
			       n, (unsigned long long)weave->functions->max, (unsigned long long)weave->functions->taken);
	weave->n_taken += n;
	return 0;
}

/* The kernel may read them from a file system that is slow, and older ones take their time for each. */
static int attach_found(struct weave *weave, const struct binary *binary, const struct found *found, uint32_t first,
			const uint16_t *advices, struct why *why)
{
	int r;

	turn_give();
	r = attach_joinpoints(weave->attach, binary, found->joinpoints, found->n, first, advices, why);
	turn_take();
	return r;
}

static int weave_joinpoints(struct weave *weave, const struct binary *binary, const struct found *found, struct why *why)
{
	_cleanup_free_ uint16_t *advices = calloc(found->n, sizeof(*advices));
	uint32_t first = 0, n_before = labels_count(weave->labels);
	int r;

	if (!advices)
		return -ENOMEM;
	r = take_functions(weave, found->n, why);
	if (r >= 0)
		r = advise_joinpoints(weave, found, &first, advices, why);
	weave->n_under_way = labels_count(weave->labels) - n_before;
	if (r >= 0)
		r = attach_found(weave, binary, found, first, advices, why);
	weave->n_under_way = 0;
	if (r >= 0)
		r = touch_woven(weave, binary, found, why);
	return r < 0 ? r : cost_table_add(weave->costs, found->joinpoints, found->n, first);
}

/* What the binary adds to what the aspects and the cflow() have come to. */
static int add_sums(struct weave *weave, const struct found *found)
{
	int r = 0;

	for (size_t i = 0; i < found->n_aspects && r >= 0; i++) {
		weave->matched[i] += found->matched[i];
		r = capture_report_add(&weave->reports[i], &found->reports[i]);
	}
	for (size_t i = 0; i < found->n_atoms; i++)
		weave->followed[i] += found->followed[i];
	if (!weave->n_rejected && found->rejection)
		why_say(&weave->rejection, 0, "%s", found->rejection);
	weave->n_rejected += found->n_rejected;
	return r;
}

/* What came of its functions. */
static int note_sites(struct weave *weave, const struct binary *binary, const struct found *found)
{
	bool is_trusted = false;

	for (size_t i = 0; i < found->n; i++) {
		weave->n_overruled += found->joinpoints[i].overruled != JOINPOINT_OF_NONE;
		weave->has_exit_sites |= found->joinpoints[i].site.returns == SITE_EXITS;
		is_trusted |= found->joinpoints[i].site.returns == SITE_RETURN_PROBE;
	}
	return is_trusted ? hash_put(&weave->trusted, file_key(binary->dev, binary->ino), weave) : 0;
}

static int weave_binary(struct weave *weave, const struct binary *binary, struct why *why)
{
	_cleanup_(found_done) struct found found = { 0 };
	int r;

	r = found_init(&found, &weave->plan);
	if (r >= 0)
		r = inspector_match(weave->inspector, binary, &found, why);
	if (r >= 0)
		r = add_sums(weave, &found);
	if (r < 0 || !found.n)
		return r;
	r = weave_joinpoints(weave, binary, &found, why);
	if (r < 0)
		return r;
	weave->n_binaries++;
	return note_sites(weave, binary, &found);
}

static int weave_unwinder(struct weave *weave, const char *path, struct why *why)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	uint64_t offsets[MATCH_MAX_LANDINGS];
	struct why ignored = { 0 };
	size_t n = 0;

	if (inspector_open(weave->inspector, path, &binary, &ignored) < 0 ||
	    inspector_landings(weave->inspector, binary, offsets, &n, &ignored) < 0)
		return 0;
	return n ? attach_landings(weave->attach, binary, offsets, n, why) : 0;
}

/* In a library of its own, or in the program where that is static. */
static bool may_have_unwinder(const struct binary *binary)
{
	return binary->soname ? strncmp(binary->soname, "libstdc++", 9) == 0 ||
					strncmp(binary->soname, "libgcc_s", 8) == 0 ||
					strncmp(binary->soname, "libc++abi", 9) == 0 ||
					strncmp(binary->soname, "libunwind", 9) == 0
			      : !binary->interpreter;
}

static int weave_unwinders(struct weave *weave, struct why *why)
{
	int r = 0;

	if (!weave->has_exit_sites)
		return 0;
	for (size_t i = 0; i < weave->unwinders.n_items && r >= 0; i++)
		r = weave_unwinder(weave, weave->unwinders.items[i], why);
	strings_done(&weave->unwinders);
	return r;
}

static int note_seen(struct weave *weave, dev_t dev, ino_t ino)
{
	return hash_put(&weave->seen, file_key(dev, ino), weave);
}

/* Returns 1 if another file that was looked at is the same beneath, and notes that this one was: probes go to what is beneath. */
static int note_identity(struct weave *weave, const struct binary *binary)
{
	struct attach_identity identity;
	int r;

	r = attach_identify(weave->attach, binary, &identity);
	if (r < 0)
		return r;
	if ((identity.mapped.dev != binary->dev || identity.mapped.ino != binary->ino) &&
	    weave_has_seen(weave, identity.mapped.dev, identity.mapped.ino))
		return 1;
	return note_seen(weave, identity.mapped.dev, identity.mapped.ino);
}

int weave_ask_interpreters(struct weave *weave, struct session_failure *failure)
{
	int r = plan_ask_interpreters(&weave->plan, &failure->why);

	if (r < 0)
		failure->fault = SESSION_FAULT_LIMIT;
	return r;
}

int weave_expect_python(struct weave *weave, pid_t pid, const char *path)
{
	_cleanup_(view_done) struct view view;
	char *library;

	view_init(&view, pid);
	if (asprintf(&library, "%s%s", view.context.root, path) < 0)
		return -ENOMEM;
	free(weave->python_library);
	weave->python_library = library;
	return 0;
}

/* As a program, or as a library in whatever embeds it. */
static bool is_python(const struct binary *binary)
{
	return text_glob("python3*", binary->name) || text_glob("libpython3*", binary->name);
}

static int weave_python(struct weave *weave, struct why *why)
{
	_cleanup_free_ char *library = take_ptr(weave->python_library);

	return library ? weave_file(weave, library, why) : 0;
}

/* One that is no ELF file, is gone meanwhile, or that its reader failed on is left out: 0; else 1. */
static int open_file(struct weave *weave, const char *path, struct binary **ret_binary, struct why *why)
{
	int r = inspector_open(weave->inspector, path, ret_binary, &weave->refusal);

	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return why_set(why, r, "cannot open '%s'", path);
	return r >= 0;
}

static int weave_wanted(struct weave *weave, const struct binary *binary, struct why *why)
{
	struct why reason = { 0 };
	int r;

	r = is_wanted(weave, binary) ? weave_binary(weave, binary, &reason) : 0;
	if (r < 0 && r != INSPECTOR_FAILED)
		return reason.text[0] ? why_say(why, r, "%s", reason.text) : r;
	return is_python(binary) ? weave_python(weave, why) : 0;
}

int weave_file(struct weave *weave, const char *path, struct why *why)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct stat status, status_now;
	int r;

	if (reach_stat(path, &status) < 0 || weave_has_seen(weave, status.st_dev, status.st_ino))
		return 0;
	r = note_seen(weave, status.st_dev, status.st_ino);
	if (r < 0)
		return r;
	r = open_file(weave, path, &binary, why);
	if (r == 0 && reach_stat(path, &status_now) < 0) /* gone with its process, it may come again */
		hash_remove(&weave->seen, file_key(status.st_dev, status.st_ino));
	if (r <= 0)
		return r;
	r = note_identity(weave, binary);
	if (r < 0)
		return why_set(why, r, "cannot tell which file '%s' is", path);
	if (r > 0)
		return 0;
	binary->distrust = weave->distrust || binary->is_program ? weave->distrust : weave->library_distrust;
	r = strings_add(&weave->paths, path);
	if (r >= 0 && may_have_unwinder(binary))
		r = strings_add(&weave->unwinders, path);
	return r < 0 ? r : weave_wanted(weave, binary, why);
}

/* Those that are not the user's to read are not even looked at. */
static int keep_readable(struct weave *weave, const struct strings *paths, struct strings *readable)
{
	int r = 0;

	for (size_t i = 0; weave->rights && i < paths->n_items && r >= 0; i++) {
		_cleanup_close_ int fd = reach_open(paths->items[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

		if (fd >= 0 && check_rights(weave, fd, paths->items[i], &weave->refusal) == 0)
			r = strings_add(readable, paths->items[i]);
	}
	return r;
}

int weave_files(struct weave *weave, const struct strings *paths, struct why *why)
{
	_cleanup_(strings_done) struct strings readable = { 0 };
	int r;

	r = keep_readable(weave, paths, &readable);
	if (r < 0)
		return r;
	if (!weave->distrust)
		weave->distrust = inspector_distrust(weave->inspector, weave->rights ? &readable : paths);
	if (!weave->library_distrust)
		weave->library_distrust =
			inspector_distrust_libraries(weave->inspector, weave->rights ? &readable : paths,
						     feature_is_there(FEATURE_UPROBE_SESSION));
	for (size_t i = 0; i < paths->n_items && r >= 0; i++)
		r = weave_file(weave, paths->items[i], why);
	return r < 0 ? r : weave_unwinders(weave, why);
}

int weave_all_processes(struct weave *weave, struct why *why)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t n = 0;
	int r;

	r = process_all(&pids, &n);
	for (size_t i = 0; i < n && r >= 0; i++) {
		_cleanup_(strings_done) struct strings paths = { 0 };
		struct why ignored = { 0 };

		if (process_files(pids[i], &paths, &ignored) == -ENOMEM)
			return -ENOMEM;
		r = weave_files(weave, &paths, why); /* of one that is gone, or a kernel thread, there are none */
	}
	return r;
}
