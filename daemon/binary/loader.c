/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Running the loader itself (as ldd(1) does) would execute what may be another user's file with our
 * rights, and would not see another root. So its rules are followed here, in a simple form: the
 * DT_RPATH that counts is that of the loading file and of the program, not of all in between; and
 * where the loader would choose among builds of a library for several kinds of CPU (glibc-hwcaps),
 * all that there are are taken, since a probe in a file that is not loaded costs nothing.
 *
 * Each file is looked at once, known by device and inode, and their number has a limit: so no
 * circle of files that need each other has us go on without end. Within another root, symbolic
 * links are followed here by hand, since the kernel would follow absolute ones from our own root.
 */
#include "binary/loader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILES	  16384
#define HWCAPS_FOLDER	  "glibc-hwcaps"
#define MAX_SCRIPT_LEVELS 4
#define MAX_LINKS	  40 /* as the kernel */
#define MAX_CACHE_BYTES	  (64 << 20)
#define MAX_PRELOAD_BYTES (64 << 10)
#define SCRIPT_LINE_BYTES 256		  /* as the kernel */
#define DEFAULT_PATH	  "/bin:/usr/bin" /* of execvp() */
#define CACHE_FILE	  "/etc/ld.so.cache"
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

/* ld.so.cache, as ldconfig of glibc 2.2 or later writes it. */
static const char old_magic[] = "ld.so-1.7.0", new_magic[] = "glibc-ld.so.cache1.1";

struct cache_header {
	char magic[20];
	uint32_t n_entries;
	uint32_t strings_bytes;
	uint32_t unused[5];
};

struct cache_entry {
	int32_t flags;
	uint32_t name, path; /* offsets from the header */
	uint32_t os_version;
	uint64_t hwcap; /* not 0: built for a kind of CPU */
};

struct cache {	    /* all zero is empty */
	char *data; /* the new header and what follows it, and a '\0' */
	size_t size;
	const struct cache_entry *entries;
	size_t n_entries;
};

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
	struct cache cache;
	struct strings names; /* needed names and sonames that are among the files already */
	const char *rpath;    /* of the program, or NULL */
	const char *program;  /* its path within root, without links */
};

/* A walk along a path within a root. */
struct walk {
	const char *root;
	char done[PATH_MAX]; /* from the root on, free of links */
	char rest[PATH_MAX];
	unsigned int n_links;
};

static void walk_up(struct walk *walk)
{
	char *slash = strrchr(walk->done, '/');

	if (slash)
		*slash = '\0';
}

static int walk_along_link(struct walk *walk, const char *target, const char *after)
{
	char rest[PATH_MAX];

	if (++walk->n_links > MAX_LINKS)
		return -ELOOP;
	if (snprintf(rest, sizeof(rest), "%s%s", target, after) >= (int)sizeof(rest))
		return -ENAMETOOLONG;
	if (target[0] == '/')
		walk->done[0] = '\0';
	strcpy(walk->rest, rest);
	return 0;
}

/* Goes one part further; 0 at the end, 1 before it. */
static int walk_on(struct walk *walk)
{
	char full[2 * PATH_MAX], target[PATH_MAX];
	char *part = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(part, "/"), root_length = strlen(walk->root);
	ssize_t n;
	int r;

	if (length == 0)
		return 0;
	if (length == 2 && memcmp(part, "..", 2) == 0) {
		walk_up(walk);
	} else if (length != 1 || part[0] != '.') {
		snprintf(full, sizeof(full), "%s%s/%.*s", walk->root, walk->done, (int)length,
			 part);
		if (strlen(full) >= PATH_MAX)
			return -ENAMETOOLONG;
		n = readlink(full, target, sizeof(target) - 1);
		if (n >= 0) {
			target[n] = '\0';
			r = walk_along_link(walk, target, part + length);
			return r < 0 ? r : 1;
		}
		if (errno != EINVAL) /* that is: no link */
			return -errno;
		strcpy(walk->done, full + root_length);
	}
	memmove(walk->rest, part + length, strlen(part + length) + 1);
	return 1;
}

/* The path within the root without symbolic links, if all of it exists. */
static int resolve(const char *root, const char *path, char **ret_path)
{
	_cleanup_free_ struct walk *walk = NULL;
	int r;

	if (strlen(path) >= PATH_MAX || strlen(root) >= PATH_MAX)
		return -ENAMETOOLONG;
	walk = calloc(1, sizeof(*walk));
	if (!walk)
		return -ENOMEM;
	walk->root = root;
	strcpy(walk->rest, path);
	do
		r = walk_on(walk);
	while (r > 0);
	if (r < 0)
		return r;

	*ret_path = strdup(walk->done[0] ? walk->done : "/");
	return *ret_path ? 0 : -ENOMEM;
}

/* As others can open it: with the root before it; within another root also free of links. */
static int full_path(const struct loader_context *context, const char *path, char **ret_path)
{
	_cleanup_free_ char *resolved = NULL;
	int r;

	if (!context->root[0]) {
		*ret_path = strdup(path);
		return *ret_path ? 0 : -ENOMEM;
	}
	r = resolve(context->root, path, &resolved);
	if (r < 0)
		return r;
	return asprintf(ret_path, "%s%s", context->root, resolved) < 0 ? -ENOMEM : 0;
}

/*
 * The same, of a folder and a name in it; a folder that is not absolute lies in the working
 * directory.
 */
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

static int open_within(const struct loader_context *context, const char *path)
{
	_cleanup_free_ char *full = NULL;
	int fd, r;

	r = full_path(context, path, &full);
	if (r < 0)
		return r;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* The start of a regular file, at most max bytes, and a '\0'. */
static int read_start(const struct loader_context *context, const char *path, size_t max,
		      char **ret_data, size_t *ret_size)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int fd = -1;
	struct stat status;
	size_t size = 0;
	ssize_t n = 1;

	fd = open_within(context, path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if ((uint64_t)status.st_size < max)
		max = status.st_size;
	data = malloc(max + 1);
	if (!data)
		return -ENOMEM;
	while (size < max && n > 0) {
		n = read(fd, data + size, max - size);
		if (n < 0)
			return -errno;
		size += n;
	}
	data[size] = '\0';
	*ret_data = take_ptr(data);
	*ret_size = size;
	return 0;
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

/* Takes a library if there is one at the path; 1 if there is, with its soname, 0 if not. */
static int found_add_library(struct found *found, const char *path, char **ret_soname)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_free_ char *full = NULL;
	struct file_id id;
	int r;

	r = full_path(found->context, path, &full);
	if (r == 0)
		r = binary_open(full, &binary, NULL);
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

/*
 * A cache that is not there, or not as expected, is an empty one: the default folders are still
 * looked into.
 */
static int cache_read(const struct loader_context *context, struct cache *ret_cache)
{
	_cleanup_free_ char *data = NULL;
	struct cache_header header;
	size_t size, start = 0;
	uint32_t n_old;
	int r;

	*ret_cache = (struct cache){};
	r = read_start(context, CACHE_FILE, MAX_CACHE_BYTES, &data, &size);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (size >= 16 && memcmp(data, old_magic, strlen(old_magic)) == 0) {
		memcpy(&n_old, data + 12, sizeof(n_old));
		start = (16 + (size_t)n_old * 12 + 7) & ~(size_t)7;
	}
	if (start > size || size - start < sizeof(header))
		return 0;
	memcpy(&header, data + start, sizeof(header));
	if (memcmp(header.magic, new_magic, sizeof(header.magic)) != 0 ||
	    header.n_entries > (size - start - sizeof(header)) / sizeof(struct cache_entry))
		return 0;

	/* to the front, where the entries are aligned */
	memmove(data, data + start, size - start + 1);
	ret_cache->size = size - start;
	ret_cache->entries = (const struct cache_entry *)(data + sizeof(header));
	ret_cache->n_entries = header.n_entries;
	ret_cache->data = take_ptr(data);
	return 0;
}

/* The string ends at the latest with the '\0' behind the file. NULL for an absurd offset. */
static const char *cache_string(const struct cache *cache, uint32_t offset)
{
	return offset < cache->size ? cache->data + offset : NULL;
}

static void closure_done(struct closure *closure)
{
	strings_done(&closure->names);
	free(closure->cache.data);
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
	const struct cache *cache = &closure->cache;
	bool found = false, found_common = false;
	int r;

	for (size_t i = 0; i < cache->n_entries; i++) {
		const struct cache_entry *entry = &cache->entries[i];
		const char *key = cache_string(cache, entry->name),
			   *path = cache_string(cache, entry->path);

		if (!key || !path || path[0] != '/' || strcmp(key, name) != 0 ||
		    (!entry->hwcap && found_common))
			continue;
		r = closure_add(closure, path);
		if (r < 0)
			return r;
		found |= r;
		found_common |= r && !entry->hwcap;
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
	if (r == 0 && read_start(context, PRELOAD_FILE, MAX_PRELOAD_BYTES, &file, &size) == 0)
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
		r = binary_open(path, &binary, NULL);
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

	r = full_path(context, path, &full);
	if (r == 0)
		r = resolve(context->root, path, &resolved);
	if (r < 0)
		return why_set(why, r, "cannot open '%s'", path);
	r = binary_open(full, &program, &reason);
	if (r == -ENOEXEC)
		return 0; /* and no reason, since it is no failure */
	if (r < 0)
		return why_say(why, r, "%s", why_text(&reason, r));
	r = cache_read(context, &closure.cache);
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

/* The "#!" line without the "#!" and white space; NULL if the file has none. */
static int read_script_line(const struct loader_context *context, const char *path, char **ret_line)
{
	_cleanup_free_ char *line = NULL;
	size_t size;
	int r;

	*ret_line = NULL;
	r = read_start(context, path, SCRIPT_LINE_BYTES, &line, &size);
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
		return why_set(why, r, "cannot read '%s'", path);
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

	r = full_path(context, path, &full);
	if (r < 0)
		return r;
	if (stat(full, &status) < 0)
		return -errno;
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
	r = full_path(search->found->context, path, &full);
	if (r < 0 || stat(full, &status) < 0)
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
	fd = open_within(context, path);
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
	struct cache cache;
	int r;

	r = cache_read(search->found->context, &cache);
	for (size_t i = 0; r >= 0 && i < cache.n_entries; i++) {
		const char *name = cache_string(&cache, cache.entries[i].name);
		const char *path = cache_string(&cache, cache.entries[i].path);

		if (name && path && path[0] == '/')
			r = consider(search, path, name);
	}
	free(cache.data);
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
