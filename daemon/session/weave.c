/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A library that a pointcut names is woven wherever the loader would find it, even if nothing is known to load it: a launcher
 * starts programs that nobody named, and a uprobe belongs to the file, not to a process. Words of the command that are
 * programs (`mpirun -n 2 lmp`) are looked into as well, for the same reason.
 */
#include "session/weave.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "binary/loader.h"
#include "binary/process.h"

#define MAX_WORDS 256

/* How a process finds files: what loader_* wants to know, and who owns it. */
struct view {
	struct loader_context context;
	char root[64];
	char *directory, *path, *library_path, *preload;
};

static void view_done(struct view *view)
{
	free(view->directory);
	free(view->path);
	free(view->library_path);
	free(view->preload);
}

static bool has_our_root(pid_t pid)
{
	struct stat ours, its;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	return stat("/", &ours) == 0 && stat(path, &its) == 0 && ours.st_dev == its.st_dev && ours.st_ino == its.st_ino;
}

/* What cannot be read is as if unset. */
static void view_init(struct view *view, pid_t pid)
{
	*view = (struct view){ 0 };
	if (pid && !has_our_root(pid))
		snprintf(view->root, sizeof(view->root), "/proc/%d/root", pid);
	if (pid) {
		process_directory(pid, &view->directory);
		process_environment(pid, "PATH", &view->path);
		process_environment(pid, "LD_LIBRARY_PATH", &view->library_path);
		process_environment(pid, "LD_PRELOAD", &view->preload);
	}
	view->context = (struct loader_context){
		.root = view->root,
		.directory = view->directory ?: "/",
		.path = view->path,
		.library_path = view->library_path,
		.preload = view->preload,
	};
}

static int parse_aspect(struct weave *weave, const char *aspect, struct session_failure *failure)
{
	int r = aspect_parse(aspect, &weave->aspects[weave->n_aspects], &failure->column, &failure->why);

	if (r == -EINVAL) {
		failure->fault = SESSION_FAULT_ASPECT;
		failure->aspect = strdup(aspect);
	}
	if (r < 0)
		return r;
	if (!weave->aspects[weave->n_aspects]->says_returns)
		weave->aspects[weave->n_aspects]->returns = weave->returns;
	weave->n_aspects++;
	return 0;
}

int weave_init(struct weave *weave, struct labels *labels, const struct strings *aspects, enum site_mode returns,
	       struct session_failure *failure)
{
	int r;

	*weave = (struct weave){ .labels = labels, .returns = returns };
	weave->aspects = calloc(aspects->n_items, sizeof(struct aspect *));
	weave->matched = calloc(aspects->n_items, sizeof(*weave->matched));
	if (!weave->aspects || !weave->matched)
		return -ENOMEM;
	for (size_t i = 0; i < aspects->n_items; i++) {
		r = parse_aspect(weave, aspects->items[i], failure);
		if (r < 0)
			return r;
	}
	return 0;
}

void weave_done(struct weave *weave)
{
	for (size_t i = 0; i < weave->n_aspects; i++)
		aspect_free(weave->aspects[i]);
	free(weave->aspects);
	free(weave->matched);
	hash_done(&weave->seen);
	strings_done(&weave->paths);
	strings_done(&weave->unwinders);
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

/* The loader has no functions that a pattern without a module should stumble on: it sets up the program's own stack. */
static bool is_loader(const struct binary *binary)
{
	return binary->soname && strncmp(binary->soname, "ld-", 3) == 0;
}

static bool is_wanted(const struct weave *weave, const struct binary *binary)
{
	for (size_t i = 0; i < weave->n_aspects; i++) {
		const struct pointcut *pointcut = weave->aspects[i]->pointcut;

		if (is_loader(binary) && pointcut_wants_all_modules(pointcut))
			continue;
		if (pointcut_wants_module(pointcut, binary_module_path(binary), binary->soname))
			return true;
	}
	return false;
}

static int label_joinpoints(struct weave *weave, const struct binary *binary, const struct joinpoints *joinpoints,
			    uint32_t *ret_first, struct why *why)
{
	uint32_t number;

	for (size_t i = 0; i < joinpoints->n_items; i++) {
		int r = labels_add(weave->labels, joinpoints->items[i].name, binary->name, &number);

		if (r == -E2BIG)
			return why_say(why, r, "more than %d functions are selected", LABELS_MAX);
		if (r < 0)
			return r;
		if (!i)
			*ret_first = number;
	}
	return 0;
}

static bool asks_for_program(const struct aspect *aspect)
{
	_cleanup_(strings_done) struct strings globs = { 0 };

	return pointcut_exe_globs(aspect->pointcut, &globs) >= 0 && globs.n_items > 0;
}

static int weave_binary(struct weave *weave, struct binary *binary, struct why *why)
{
	_cleanup_(joinpoints_done) struct joinpoints joinpoints = { 0 };
	_cleanup_(symbols_done) struct symbols symbols = { 0 };
	uint32_t first = 0;
	int r;

	r = symbols_read(binary, &symbols, why);
	if (r < 0)
		return r;
	r = joinpoints_find(binary, &symbols, (const struct aspect *const *)weave->aspects, weave->n_aspects, &joinpoints,
			    weave->matched, why);
	if (r < 0 || !joinpoints.n_items)
		return r;
	r = label_joinpoints(weave, binary, &joinpoints, &first, why);
	if (r < 0)
		return r;
	r = attach_joinpoints(weave->attach, binary, joinpoints.items, joinpoints.n_items, first, why);
	if (r < 0)
		return r;
	weave->n_binaries++;
	for (size_t i = 0; i < joinpoints.n_items && !binary->is_program && !weave->has_unfiltered; i++)
		weave->has_unfiltered = asks_for_program(weave->aspects[joinpoints.items[i].aspect]);
	for (size_t i = 0; i < joinpoints.n_items && !weave->has_exit_sites; i++)
		weave->has_exit_sites = joinpoints.items[i].site.returns == SITE_EXITS;
	return 0;
}

/* What an unwinder calls where it has arrived: to catch, or to clean up and go on. */
static bool is_landing(const struct symbol *symbol)
{
	return symbol->is_global && (strcmp(symbol->linker_name, "__cxa_begin_catch") == 0 ||
				     strcmp(symbol->linker_name, "_Unwind_Resume") == 0);
}

static int weave_unwinder(struct weave *weave, const char *path, struct why *why)
{
	_cleanup_(symbols_done) struct symbols symbols = { 0 };
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct why ignored = { 0 };
	uint64_t offsets[4];
	size_t n = 0;

	if (binary_open(path, &binary, &ignored) < 0 || symbols_read(binary, &symbols, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < symbols.n_items && n < ARRAY_SIZE(offsets); i++)
		if (is_landing(&symbols.items[i]))
			offsets[n++] = symbols.items[i].file_offset;
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

int weave_file(struct weave *weave, const char *path, struct why *why)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct stat status;
	int r;

	if (stat(path, &status) < 0 || weave_has_seen(weave, status.st_dev, status.st_ino))
		return 0;
	r = hash_put(&weave->seen, file_key(status.st_dev, status.st_ino), weave);
	if (r < 0)
		return r;
	r = binary_open(path, &binary, &weave->refusal);
	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return why_set(why, r, "cannot open '%s'", path);
	if (r < 0)
		return 0; /* no ELF file, or gone meanwhile */
	binary->distrust = weave->distrust;
	r = strings_add(&weave->paths, path);
	if (r >= 0 && may_have_unwinder(binary))
		r = strings_add(&weave->unwinders, path);
	if (r < 0)
		return r;
	return is_wanted(weave, binary) ? weave_binary(weave, binary, why) : 0;
}

int weave_files(struct weave *weave, const struct strings *paths, struct why *why)
{
	int r = 0;

	if (!weave->distrust)
		weave->distrust = site_distrust(paths);
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

static bool is_among(const char *glob, const struct strings *paths)
{
	for (size_t i = 0; i < paths->n_items; i++)
		if (binary_is_named(glob, paths->items[i], NULL))
			return true;
	return false;
}

int weave_search_named(const struct weave *weave, pid_t pid, struct strings *paths)
{
	_cleanup_(strings_done) struct strings globs = { 0 };
	_cleanup_(view_done) struct view view;
	int r = 0;

	view_init(&view, pid);
	for (size_t i = 0; i < weave->n_aspects && r >= 0; i++)
		r = pointcut_modules(weave->aspects[i]->pointcut, &globs);
	for (size_t i = 0; i < globs.n_items && r >= 0; i++) {
		if (is_among(globs.items[i], paths))
			continue; /* what the program uses itself, and not its namesake elsewhere */
		r = loader_find_libraries(&view.context, globs.items[i], paths);
		if (r >= 0)
			r = loader_find_programs(&view.context, globs.items[i], paths);
	}
	return r;
}

/* A word that is no program is nothing to us. */
static int search_word(const struct loader_context *context, const char *word, struct strings *paths)
{
	_cleanup_free_ char *program = NULL;
	struct why ignored = { 0 };
	int r;

	if (loader_find_program(context, word, &program) < 0)
		return 0;
	r = loader_closure(context, program, paths, &ignored);
	return r == -ENOMEM ? r : 0;
}

/* The words of an argument: `sh -c "./solver input"` names a program too. */
static int search_words(const struct loader_context *context, const char *argument, struct strings *paths)
{
	_cleanup_free_ char *words = strdup(argument);
	char *word, *rest = words;
	int r = 0;

	if (!words)
		return -ENOMEM;
	for (int i = 0; i < MAX_WORDS && r >= 0 && (word = strsep(&rest, " \t\n;&|()")); i++)
		if (*word && *word != '-')
			r = search_word(context, word, paths);
	return r;
}

static int search_command(const struct loader_context *context, const struct strings *command, struct strings *paths,
			  bool *ret_may_run_others, struct why *why)
{
	_cleanup_free_ char *program = NULL;
	int r;

	r = loader_find_program(context, command->items[0], &program);
	if (r < 0)
		return why_set(why, r, "cannot find the command '%s'", command->items[0]);
	*ret_may_run_others = loader_is_script(context, program) == 1;
	r = loader_closure(context, program, paths, why);
	if (r >= 0 && !paths->n_items) { /* what is wrong with it will be said when it is opened */
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s%s", context->root, program);
		r = strings_add(paths, path);
	}
	for (size_t i = 1; i < command->n_items && i < MAX_WORDS && r >= 0; i++)
		r = search_words(context, command->items[i], paths);
	return r;
}

static int search_running(pid_t pid, struct strings *paths, struct why *why)
{
	_cleanup_free_ pid_t *descendants = NULL;
	size_t n = 0;
	int r;

	r = process_files(pid, paths, why);
	if (r < 0)
		return r;
	r = process_descendants(pid, &descendants, &n);
	for (size_t i = 0; i < n && r >= 0; i++) {
		struct why ignored = { 0 };

		if (process_files(descendants[i], paths, &ignored) == -ENOMEM)
			r = -ENOMEM;
	}
	return r;
}

int weave_search_process(pid_t pid, const struct strings *command, struct strings *paths, bool *ret_may_run_others,
			 struct why *why)
{
	_cleanup_(view_done) struct view view = { 0 };

	*ret_may_run_others = false;
	if (!command)
		return search_running(pid, paths, why);
	view_init(&view, pid);
	return search_command(&view.context, command, paths, ret_may_run_others, why);
}

int weave_search_program(pid_t pid, const char *path, struct strings *paths, struct why *why)
{
	_cleanup_(view_done) struct view view;

	view_init(&view, pid);
	return loader_closure(&view.context, path, paths, why);
}

int weave_candidates(const struct weave *weave, size_t pointcut, struct strings *list)
{
	_cleanup_(candidates_freep) struct candidates *candidates = NULL;
	int r;

	r = candidates_new(weave->aspects[pointcut]->pointcut, &candidates);
	for (size_t i = 0; i < weave->paths.n_items && r >= 0; i++) {
		_cleanup_(symbols_done) struct symbols symbols = { 0 };
		_cleanup_(binary_freep) struct binary *binary = NULL;
		struct why ignored = { 0 };

		if (binary_open(weave->paths.items[i], &binary, &ignored) < 0 ||
		    symbols_read(binary, &symbols, &ignored) < 0)
			continue;
		r = candidates_consider(candidates, binary, &symbols);
	}
	return r < 0 ? r : candidates_list(candidates, list);
}
