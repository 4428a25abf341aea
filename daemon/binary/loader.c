/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Running the loader itself (as ldd(1) does) would execute what may be another user's file with our
 * rights, and would not see another root. So its rules are followed here, in a simple form: the
 * DT_RPATH that counts is that of the loading file and of the program, not of all in between; and
 * where the loader would choose among builds of a library for several kinds of CPU (glibc-hwcaps),
 * all that there are are taken, since a probe in a file that is not loaded costs nothing.
 *
 * Each file is looked at once, known by device and inode, and their number has a limit: so no
 * circle of files that need each other has us go on without end.
 */
#include "binary/loader.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "binary/ldcache.h"
#include "binary/root.h"
#include "util/reach.h"

#define MAX_FILES	  16384
#define HWCAPS_FOLDER	  "glibc-hwcaps"
#define MAX_SCRIPT_LEVELS 4
#define MAX_PRELOAD_BYTES (64 << 10)
#define SCRIPT_LINE_BYTES 256		  /* as the kernel */
#define DEFAULT_PATH	  "/bin:/usr/bin" /* of execvp() */
#define PRELOAD_FILE	  "/etc/ld.so.preload"

#if defined(__x86_64__)
#define PLATFORM "x86_64"
#define TRIPLET	 "x86_64-linux-gnu"
static const char *const hwcaps[] = {"x86-64-v4", "x86-64-v3", "x86-64-v2"};
#else
#define PLATFORM "aarch64"
#define TRIPLET	 "aarch64-linux-gnu"
static const char *const hwcaps[] = {"atomics"};
#endif

static const char *const default_folders[] = {
	"/lib/" TRIPLET, "/usr/lib/" TRIPLET, "/lib64", "/usr/lib64", "/lib", "/usr/lib",
};

/* What $LIB stands for differs between distributions; the loader has it built in. */
static const char *const lib_folders[] = {"lib/" TRIPLET, "lib64", "lib"};

struct file_id {
	dev_t dev;
	ino_t ino;
};

/* Files, each once. */
struct found {
	const struct loader_context *context;
	struct strings paths; /* with the root before them */
	struct file_id *ids;  /* of paths */
	size_t n_ids;
};

struct closure {
	struct found found;
	struct ldcache cache;
	struct strings names; /* needed names and sonames that are among the files already */
	const char *rpath;    /* of the program, or NULL */
	const char *program;  /* its path within root, without links */
};

/* The path within the root of a name in a folder; one that is not absolute lies in the working directory. */
static int join(const struct loader_context *context, const char *folder, size_t length,
		const char *name, char **ret_path)
{
	const char *directory = context->directory ? context->directory : "/";
	int r;

	if (length && folder[0] == '/')
		r = asprintf(ret_path, "%.*s/%s", (int)length, folder, name);
	else if (length)
		r = asprintf(ret_path, "%s/%.*s/%s", directory, (int)length, folder, name);
	else
		r = asprintf(ret_path, "%s/%s", directory, name);
	return r < 0 ? -ENOMEM : 0;
}

static void found_done(struct found *found)
{
	strings_done(&found->paths);
	free(found->ids);
	*found = (struct found){};
}

static bool found_has(const struct found *found, const struct file_id *id)
{
	for (size_t i = 0; i < found->n_ids; i++) {
		if (found->ids[i].dev == id->dev && found->ids[i].ino == id->ino)
			return true;
	}
	return false;
}

static int found_add(struct found *found, const char *full, const struct file_id *id)
{
	int r;

	if (found->n_ids >= MAX_FILES)
		return -E2BIG;
	r = array_grow(&found->ids, found->n_ids, sizeof(*found->ids));
	if (r == 0)
		r = strings_add(&found->paths, full);
	if (r < 0)
		return r;
	found->ids[found->n_ids++] = *id;
	return 0;
}

static int open_binary(const struct loader_context *context, const char *path, struct binary **ret_binary,
		       struct why *why)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	int r;

	r = context->open_fn ? context->open_fn(context->open_userdata, path, &binary, why) : binary_open(path, &binary, why);
	if (r == 0 && context->rights && rights_check_file(context->rights, binary->fd, path) < 0)
		return why_say(why, -ENOENT, "'%s' is not there, or not yours to read", path);
	if (r == 0)
		*ret_binary = take_ptr(binary);
	return r;
}

/* Takes a library if there is one at the path; 1 if there is, with its soname, 0 if not. */
static int found_add_library(struct found *found, const char *path, char **ret_soname)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_free_ char *full = NULL;
	struct file_id id;
	int r;

	r = root_path(found->context->root, path, &full);
	if (r == 0)
		r = open_binary(found->context, full, &binary, NULL);
	if (r < 0)
		return r == -ENOMEM ? r : 0;

	id = (struct file_id){binary->dev, binary->ino};
	r = found_has(found, &id) ? 0 : found_add(found, full, &id);
	if (r == 0 && ret_soname)
		*ret_soname = take_ptr(binary->soname);
	return r < 0 ? r : 1;
}

static int found_copy(const struct found *found, struct strings *paths)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < found->paths.n_items; i++) {
		if (!strings_contain(paths, found->paths.items[i]))
			r = strings_add(paths, found->paths.items[i]);
	}
	return r;
}

static void closure_done(struct closure *closure)
{
	strings_done(&closure->names);
	ldcache_done(&closure->cache);
	found_done(&closure->found);
}

static int closure_add(struct closure *closure, const char *path)
{
	_cleanup_free_ char *soname = NULL;
	int r;

	r = found_add_library(&closure->found, path, &soname);
	if (r > 0 && soname && !strings_contain(&closure->names, soname)) {
		int added = strings_add(&closure->names, soname);

		return added < 0 ? added : r;
	}
	return r;
}

/* 1 if the folder has the library, for any kind of CPU. */
static int try_folder(struct closure *closure, const char *folder, size_t length, const char *name)
{
	int found = 0, r;

	for (size_t i = 0; i <= ARRAY_SIZE(hwcaps); i++) {
		_cleanup_free_ char *path = NULL, *file = NULL;

		if (i < ARRAY_SIZE(hwcaps))
			r = asprintf(&file, HWCAPS_FOLDER "/%s/%s", hwcaps[i], name);
		else
			r = asprintf(&file, "%s", name);
		if (r < 0)
			return -ENOMEM;
		r = join(closure->found.context, folder, length, file, &path);
		if (r == 0)
			r = closure_add(closure, path);
		if (r < 0)
			return r;
		found |= r;
	}
	return found;
}

static int append_folder(struct text *text, const char *path)
{
	const char *slash = strrchr(path, '/');

	return text_append(text, path, slash ? slash - path : 0);
}

/* Replaces $ORIGIN, $LIB and $PLATFORM, with or without braces. */
static int expand(const char *item, size_t length, const char *origin, const char *lib,
		  struct text *text)
{
	static const char *const words[] = {"ORIGIN", "LIB", "PLATFORM"};
	const char *values[] = {origin, lib, PLATFORM};
	int r = 0;

	for (size_t i = 0; r == 0 && i < length; i++) {
		size_t brace = i + 1 < length && item[i + 1] == '{', word, n = 0;

		for (word = 0; item[i] == '$' && word < ARRAY_SIZE(words); word++) {
			n = strlen(words[word]);
			if (i + 1 + 2 * brace + n <= length &&
			    memcmp(item + i + 1 + brace, words[word], n) == 0 &&
			    (!brace || item[i + 1 + brace + n] == '}'))
				break;
		}
		if (item[i] != '$' || word == ARRAY_SIZE(words)) {
			r = text_append(text, item + i, 1);
			continue;
		}
		if (word == 0)
			r = append_folder(text, origin);
		else
			r = text_append(text, values[word], strlen(values[word]));
		i += n + 2 * brace;
	}
	return r;
}

/* 1 if one of the folders in the list has it; origin is the file whose folder $ORIGIN stands for.
 */
static int try_list(struct closure *closure, const char *list, const char *origin, const char *name)
{
	int r = 0;

	if (!list[0])
		return 0;
	for (const char *item = list; item && r == 0; item = *item ? item + 1 : NULL) {
		size_t length = strcspn(item, ":;");

		for (size_t i = 0; r == 0 && i < ARRAY_SIZE(lib_folders); i++) {
			struct text folder = {};

			r = expand(item, length, origin, lib_folders[i], &folder);
			if (r == 0)
				r = try_folder(closure, folder.data ? folder.data : "", folder.size,
					       name);
			text_done(&folder);
			if (!memmem(item, length, "LIB", 3))
				break;
		}
		item += length;
	}
	return r;
}

/* All builds of it for kinds of CPU, and the first that is for any. */
static int try_cache(struct closure *closure, const char *name)
{
	bool found = false, found_common = false;
	struct ldcache_library library;
	int r;

	for (size_t i = 0; i < closure->cache.n_entries; i++) {
		if (!ldcache_library(&closure->cache, i, &library) || strcmp(library.soname, name) != 0 ||
		    (library.is_for_any_cpu && found_common))
			continue;
		r = closure_add(closure, library.path);
		if (r < 0)
			return r;
		found |= r;
		found_common |= r && library.is_for_any_cpu;
	}
	return found;
}

static int try_defaults(struct closure *closure, const char *name)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(default_folders); i++)
		r = try_folder(closure, default_folders[i], strlen(default_folders[i]), name);
	return r;
}

/* In the order of ld.so(8). by is the file that needs it, at path by_path within root. */
static int find_library(struct closure *closure, const struct binary *by, const char *by_path,
			const char *name)
{
	const struct loader_context *context = closure->found.context;
	_cleanup_free_ char *path = NULL;
	int r;

	if (strchr(name, '/')) {
		r = name[0] == '/' ? 0 : join(context, "", 0, name, &path);
		return r < 0 ? r : closure_add(closure, path ? path : name);
	}

	r = by->rpath ? try_list(closure, by->rpath, by_path, name) : 0;
	if (r == 0 && !by->runpath && closure->rpath)
		r = try_list(closure, closure->rpath, closure->program, name);
	if (r == 0 && context->library_path && context->library_path[0])
		r = try_list(closure, context->library_path, closure->program, name);
	if (r == 0 && by->runpath)
		r = try_list(closure, by->runpath, by_path, name);
	if (r == 0)
		r = try_cache(closure, name);
	if (r == 0)
		r = try_defaults(closure, name);
	return r;
}

static int need(struct closure *closure, const struct binary *by, const char *by_path,
		const char *name)
{
	int r;

	if (strings_contain(&closure->names, name))
		return 0;
	r = strings_add(&closure->names, name);
	if (r == 0)
		r = find_library(closure, by, by_path, name);
	if (r == 0 && closure->found.context->missed)
		r = strings_add(closure->found.context->missed, name);
	return r < 0 ? r : 0;
}

/* The files that the environment or the system has loaded before all others. */
static int need_words(struct closure *closure, const struct binary *program, char *words)
{
	char *state, *word;
	int r = 0;

	for (word = strtok_r(words, " :\t\n", &state); r == 0 && word;
	     word = strtok_r(NULL, " :\t\n", &state))
		r = need(closure, program, closure->program, word);
	return r;
}

static int need_preloaded(struct closure *closure, const struct binary *program)
{
	const struct loader_context *context = closure->found.context;
	_cleanup_free_ char *words = NULL, *file = NULL;
	size_t size;
	int r = 0;

	if (context->preload) {
		words = strdup(context->preload);
		if (!words)
			return -ENOMEM;
		r = need_words(closure, program, words);
	}
	if (r == 0 && root_read(context->root, PRELOAD_FILE, MAX_PRELOAD_BYTES, &file, &size) == 0)
		r = need_words(closure, program, file);
	return r;
}

/* The list grows while it is walked along: what is found needs more. */
static int need_all(struct closure *closure)
{
	const char *root = closure->found.context->root;
	int r = 0;

	for (size_t i = 0; r == 0 && i < closure->found.paths.n_items; i++) {
		_cleanup_(binary_freep) struct binary *binary = NULL;
		_cleanup_free_ char *path = strdup(closure->found.paths.items[i]);

		if (!path)
			return -ENOMEM;
		/* it was opened before; if it is gone now, it needs nothing */
		r = open_binary(closure->found.context, path, &binary, NULL);
		if (r < 0)
			r = r == -ENOMEM ? r : 0;
		for (size_t j = 0; r == 0 && binary && j < binary->needed.n_items; j++)
			r = need(closure, binary, i == 0 ? closure->program : path + strlen(root),
				 binary->needed.items[j]);
	}
	return r;
}

static int add_program(const struct loader_context *context, const char *path,
		       struct strings *paths, struct why *why)
{
	_cleanup_(closure_done) struct closure closure = {.found.context = context};
	_cleanup_(binary_freep) struct binary *program = NULL;
	_cleanup_free_ char *full = NULL, *resolved = NULL;
	struct why reason = {};
	int r;

	r = root_path(context->root, path, &full);
	if (r == 0)
		r = root_resolve(context->root, path, &resolved);
	if (r < 0)
		return why_set(why, r, "cannot open '%s'", path);
	r = open_binary(context, full, &program, &reason);
	if (r == -ENOEXEC)
		return 0; /* and no reason, since it is no failure */
	if (r < 0)
		return why_say(why, r, "%s", why_text(&reason, r));
	r = ldcache_read(context->root, &closure.cache);
	if (r < 0)
		return r;

	closure.rpath = program->rpath;
	closure.program = resolved;
	r = closure_add(&closure, path);
	if (r > 0 && program->interpreter)
		r = closure_add(&closure, program->interpreter);
	if (r >= 0)
		r = need_preloaded(&closure, program);
	if (r == 0)
		r = need_all(&closure);
	if (r == -E2BIG)
		return why_say(why, r, "'%s' needs more than %d files", path, MAX_FILES);
	return r < 0 ? r : found_copy(&closure.found, paths);
}

static bool may_read(const struct loader_context *context, const char *path)
{
	_cleanup_close_ int fd = root_open(context->root, path);
	_cleanup_free_ char *full = NULL;

	return fd >= 0 && root_path(context->root, path, &full) == 0 &&
	       rights_check_file(context->rights, fd, full) == 0;
}

/* The "#!" line without the "#!" and white space; NULL if the file has none. */
static int read_script_line(const struct loader_context *context, const char *path, char **ret_line)
{
	_cleanup_free_ char *line = NULL;
	size_t size;
	int r;

	*ret_line = NULL;
	if (context->rights && !may_read(context, path))
		return -ENOENT;
	r = root_read(context->root, path, SCRIPT_LINE_BYTES, &line, &size);
	if (r < 0)
		return r;
	if (size < 2 || memcmp(line, "#!", 2) != 0)
		return 0;
	line[strcspn(line, "\r\n")] = '\0';
	memmove(line, line + 2 + strspn(line + 2, " \t"),
		strlen(line + 2 + strspn(line + 2, " \t")) + 1);
	*ret_line = take_ptr(line);
	return 0;
}

int loader_is_script(const struct loader_context *context, const char *path)
{
	_cleanup_free_ char *line = NULL;

	return read_script_line(context, path, &line) == 0 && line;
}

static int add_file(const struct loader_context *context, const char *path, unsigned int level,
		    struct strings *paths, struct why *why);

/*
 * env(1) finds the program that really runs the script: its first word that is neither an option
 * nor a variable.
 */
static int add_program_of_env(const struct loader_context *context, char *words, unsigned int level,
			      struct strings *paths)
{
	_cleanup_free_ char *path = NULL;
	char *state, *word;
	int r;

	for (word = strtok_r(words, " \t", &state); word; word = strtok_r(NULL, " \t", &state)) {
		if (word[0] != '-' && !strchr(word, '='))
			break;
	}
	if (!word)
		return 0;
	r = loader_find_program(context, word, &path);
	if (r == 0)
		r = add_file(context, path, level, paths, NULL);
	return r == -ENOMEM ? r : 0;
}

static int add_interpreter(const struct loader_context *context, char *line, unsigned int level,
			   struct strings *paths)
{
	size_t length = strcspn(line, " \t");
	char *words = line + length + (line[length] != '\0');
	_cleanup_free_ char *path = NULL;
	int r;

	line[length] = '\0';
	if (!line[0] || level >= MAX_SCRIPT_LEVELS)
		return 0;
	r = loader_find_program(context, line, &path);
	if (r == 0)
		r = add_file(context, path, level + 1, paths, NULL);
	if (r == 0 && strcmp(text_file_name(line), "env") == 0)
		r = add_program_of_env(context, words, level + 1, paths);
	return r == -ENOMEM ? r : 0;
}

static int add_file(const struct loader_context *context, const char *path, unsigned int level,
		    struct strings *paths, struct why *why)
{
	_cleanup_free_ char *line = NULL;
	int r;

	r = read_script_line(context, path, &line);
	if (r < 0)
		return context->rights ? why_say(why, r, "'%s' is not there, or not yours to read", path)
				       : why_set(why, r, "cannot read '%s'", path);
	if (line)
		return add_interpreter(context, line, level, paths);
	return add_program(context, path, paths, why);
}

int loader_closure(const struct loader_context *context, const char *path, struct strings *paths,
		   struct why *why)
{
	_cleanup_free_ char *absolute = NULL;
	int r;

	r = path[0] == '/' ? 0 : join(context, "", 0, path, &absolute);
	return r < 0 ? r : add_file(context, absolute ? absolute : path, 0, paths, why);
}

/* 0 if it is a file that can be executed. */
static int check_executable(const struct loader_context *context, const char *path)
{
	_cleanup_free_ char *full = NULL;
	struct stat status;
	int r;

	r = root_path(context->root, path, &full);
	if (r < 0)
		return r;
	r = reach_stat(full, &status);
	if (r < 0)
		return r;
	return S_ISREG(status.st_mode) && status.st_mode & 0111 ? 0 : -EACCES;
}

int loader_find_program(const struct loader_context *context, const char *word, char **ret_path)
{
	int r, worst = -ENOENT;

	if (!word[0])
		return -ENOENT;
	for (const char *item = context->path ? context->path : DEFAULT_PATH; item;
	     item = *item ? item + 1 : NULL) {
		size_t length = strcspn(item, ":");
		_cleanup_free_ char *path = NULL;

		if (word[0] == '/')
			r = (path = strdup(word)) ? 0 : -ENOMEM;
		else if (strchr(word, '/'))
			r = join(context, "", 0, word, &path);
		else
			r = join(context, item, length, word, &path);
		if (r == 0)
			r = check_executable(context, path);
		if (r == 0)
			*ret_path = take_ptr(path);
		if (r == 0 || r == -ENOMEM || strchr(word, '/'))
			return r;
		if (r == -EACCES)
			worst = r;
		item += length;
	}
	return worst;
}

/* What a search is for, in whatever folder. */
struct search {
	struct found *found;
	const char *glob;
	bool programs; /* else libraries */
};

static int consider(const struct search *search, const char *path, const char *soname)
{
	_cleanup_free_ char *full = NULL;
	struct stat status;
	struct file_id id;
	int r;

	if (!binary_is_named(search->glob, path, soname))
		return 0;
	if (!search->programs)
		return found_add_library(search->found, path, NULL);
	if (check_executable(search->found->context, path) < 0)
		return 0;
	r = root_path(search->found->context->root, path, &full);
	if (r < 0 || reach_stat(full, &status) < 0)
		return r == -ENOMEM ? r : 0;
	id = (struct file_id){status.st_dev, status.st_ino};
	return found_has(search->found, &id) ? 0 : found_add(search->found, full, &id);
}

static int search_folder(const struct search *search, const char *folder, size_t length)
{
	const struct loader_context *context = search->found->context;
	_cleanup_free_ char *path = NULL;
	struct dirent *entry;
	DIR *dir;
	int fd, r;

	r = join(context, folder, length, "", &path);
	if (r < 0)
		return r;
	fd = root_open(context->root, path);
	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return 0;
	}
	while (r >= 0 && (entry = readdir(dir))) {
		_cleanup_free_ char *file = NULL;

		if (entry->d_name[0] == '.' || (!search->programs && !strstr(entry->d_name, ".so")))
			continue;
		r = join(context, folder, length, entry->d_name, &file);
		if (r == 0)
			r = consider(search, file, NULL);
	}
	closedir(dir);
	return r < 0 ? r : 0;
}

static int search_list(const struct search *search, const char *list)
{
	int r = 0;

	for (const char *item = list; item && r == 0; item = *item ? item + 1 : NULL) {
		size_t length = strcspn(item, ":;");

		r = search_folder(search, item, length);
		item += length;
	}
	return r;
}

static int search_cache(const struct search *search)
{
	_cleanup_(ldcache_done) struct ldcache cache = {};
	struct ldcache_library library;
	int r;

	r = ldcache_read(search->found->context->root, &cache);
	for (size_t i = 0; r >= 0 && i < cache.n_entries; i++) {
		if (ldcache_library(&cache, i, &library))
			r = consider(search, library.path, library.soname);
	}
	return r < 0 ? r : 0;
}

int loader_find_libraries(const struct loader_context *context, const char *glob,
			  struct strings *paths)
{
	_cleanup_(found_done) struct found found = {.context = context};
	const struct search search = {.found = &found, .glob = glob};
	int r = 0;

	/* a whole path may lie in none of the folders */
	if (glob[0] == '/')
		r = found_add_library(&found, glob, NULL);
	if (r >= 0 && context->library_path && context->library_path[0])
		r = search_list(&search, context->library_path);
	if (r >= 0)
		r = search_cache(&search);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(default_folders); i++)
		r = search_folder(&search, default_folders[i], strlen(default_folders[i]));
	return r < 0 ? r : found_copy(&found, paths);
}

int loader_find_programs(const struct loader_context *context, const char *glob,
			 struct strings *paths)
{
	_cleanup_(found_done) struct found found = {.context = context};
	const struct search search = {.found = &found, .glob = glob, .programs = true};
	int r;

	r = search_list(&search, context->path ? context->path : DEFAULT_PATH);
	return r < 0 ? r : found_copy(&found, paths);
}

static bool is_among(const char *glob, const struct strings *paths)
{
	for (size_t i = 0; i < paths->n_items; i++) {
		if (binary_is_named(glob, paths->items[i], NULL))
			return true;
	}
	return false;
}

/* With what they would load, as far as that can be told before they are started. */
static int find_programs_closures(const struct loader_context *context, const char *glob, struct strings *paths)
{
	_cleanup_(strings_done) struct strings programs = { 0 };
	size_t root_size = strlen(context->root);
	int r;

	r = loader_find_programs(context, glob, &programs);
	for (size_t i = 0; r == 0 && i < programs.n_items; i++) {
		struct why ignored = { 0 };

		if (loader_closure(context, programs.items[i] + root_size, paths, &ignored) == -ENOMEM)
			r = -ENOMEM;
	}
	return r;
}

int loader_find_named(const struct loader_context *context, const struct strings *globs, struct strings *paths)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < globs->n_items; i++) {
		if (is_among(globs->items[i], paths))
			continue;
		r = loader_find_libraries(context, globs->items[i], paths);
		if (r == 0)
			r = find_programs_closures(context, globs->items[i], paths);
	}
	return r;
}

bool loader_is_one(const struct binary *binary)
{
	return binary->soname && strncmp(binary->soname, "ld-", 3) == 0;
}
