/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The kernel tells a mapped file by its inode. Some filesystems (btrfs, overlayfs) show another
 * device to stat() than to the kernel's other interfaces, so where the process itself leads to the
 * file, the inode's number has to do.
 *
 * Opening is done here, by the thread that asks: the process may be gone a moment later. Reading is
 * left to others (session/readings.h).
 */
#include "session/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "inspect/inspector.h"
#include "session/readings.h"
#include "util/hash.h"

#define MAX_MODULES    65536
#define MAX_HELD_FILES 128
#define MAX_BYTES      (256ULL << 20) /* of functions and names in memory */
#define MAX_TEXTS      131072	      /* addresses that were described, in memory */
#define WAIT_SECONDS   10

enum module_state {
	MODULE_UNREAD,
	MODULE_READING,
	MODULE_READ,	   /* as far as there was something to read */
	MODULE_UNREACHABLE /* it could not be opened; another process may lead to it */
};

struct module {
	char *name; /* the last part of its path */
	char *path; /* NULL: memory without a file */
	dev_t dev;
	ino_t ino;
	pid_t pid, parent; /* as in struct module_file, of the last mapping */
	uint64_t start, end;
	int fd; /* held open, or -1 */

	enum module_state state;
	struct functions functions;
	uint64_t used_at;  /* in the count of all uses */
	struct hash texts; /* offset -> what was described, owned */
};

struct modules {
	struct rights rights; /* whose the files have to be to read; without groups: all are read */
	struct hash by_key;
	size_t n_held, n_bytes, n_texts, n_reading;
	uint64_t n_uses;

	struct readings *readings;
	size_t n_unread; /* files on which their reader failed, */
	struct why why;	 /* and why on the first of them */
};

int modules_new(unsigned int read_s, struct modules **ret_modules)
{
	struct modules *modules = calloc(1, sizeof(*modules));
	int r;

	if (!modules)
		return -ENOMEM;
	r = readings_new(MAX_BYTES, read_s, &modules->readings);
	if (r < 0) {
		free(modules);
		return r;
	}
	*ret_modules = modules;
	return 0;
}

int modules_restrict(struct modules *modules, const struct rights *rights)
{
	int r = rights_copy(rights, &modules->rights);

	if (r >= 0)
		readings_restrict(modules->readings, &modules->rights);
	return r;
}

static void forget_texts(struct modules *modules, struct module *module)
{
	size_t cursor = 0;
	char *text;

	modules->n_texts -= module->texts.n_values;
	while ((text = hash_next(&module->texts, &cursor, NULL)))
		free(text);
	hash_done(&module->texts);
	module->texts = (struct hash){0};
}

static void forget_functions(struct modules *modules, struct module *module)
{
	modules->n_bytes -= module->functions.n_bytes;
	functions_done(&module->functions);
	module->state = MODULE_UNREAD;
}

static void module_free(struct modules *modules, struct module *module)
{
	forget_texts(modules, module);
	functions_done(&module->functions);
	closep(&module->fd);
	free(module->name);
	free(module->path);
	free(module);
}

void modules_free(struct modules *modules)
{
	struct module *module;
	size_t cursor = 0;

	if (!modules)
		return;
	readings_free(modules->readings);
	while ((module = hash_next(&modules->by_key, &cursor, NULL)))
		module_free(modules, module);
	hash_done(&modules->by_key);
	rights_done(&modules->rights);
	free(modules);
}

/* "[vdso]" without its brackets, "/lib/libc.so.6" without the folder, "/tmp/a.out (deleted)"
 * without the remark. */
static char *make_name(const char *path)
{
	static const char deleted[] = " (deleted)";
	const char *name = text_file_name(path);
	size_t size = strlen(name), n = strlen(deleted);

	if (name[0] == '[' && size > 2 && name[size - 1] == ']')
		return strndup(name + 1, size - 2);
	if (size > n && strcmp(name + size - n, deleted) == 0)
		size -= n;
	if (!size || strcmp(path, "//anon") == 0)
		return strdup("anonymous");
	return strndup(name, size);
}

static int add_module(struct modules *modules, uint64_t key, const char *path,
		      struct module **ret_module)
{
	struct module *module;
	int r;

	if (modules->by_key.n_values == MAX_MODULES)
		return -E2BIG;
	module = calloc(1, sizeof(*module));
	if (!module)
		return -ENOMEM;
	module->fd = -1;
	module->name = make_name(path);
	r = module->name ? hash_put(&modules->by_key, key, module) : -ENOMEM;
	if (r < 0) {
		module_free(modules, module);
		return r;
	}
	*ret_module = module;
	return 0;
}

int modules_memory(struct modules *modules, const char *name, struct module **ret_module)
{
	uint64_t key = hash_bytes(name, strlen(name));

	*ret_module = hash_find(&modules->by_key, key);
	return *ret_module ? 0 : add_module(modules, key, name, ret_module);
}

static bool is_file(const struct module *module, const struct stat *status, bool on_any_device)
{
	return S_ISREG(status->st_mode) && status->st_ino == module->ino &&
	       (on_any_device || status->st_dev == module->dev);
}

static int open_at(const struct module *module, const char *path, bool on_any_device)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || !is_file(module, &status, on_any_device))
		return -1;
	return take_fd(fd);
}

static int open_in_root_of(const struct module *module, pid_t pid)
{
	char path[PATH_MAX + 32];

	if (!pid)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/root%s", pid, module->path);
	return open_at(module, path, true);
}

/* Always the very file, whatever is at its path by now. */
static int open_mapping(const struct module *module)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", module->pid,
		 (unsigned long long)module->start, (unsigned long long)module->end);
	return open_at(module, path, true);
}

static int open_through_process(const struct module *module)
{
	int fd = open_in_root_of(module, module->pid);

	if (fd < 0)
		fd = open_mapping(module);
	return fd < 0 ? open_in_root_of(module, module->parent) : fd;
}

static bool is_in_our_root(const struct module *module)
{
	struct stat status;

	return stat(module->path, &status) == 0 && is_file(module, &status, false);
}

static void hold(struct modules *modules, struct module *module)
{
	if (module->fd >= 0 || module->state != MODULE_UNREAD ||
	    modules->n_held == MAX_HELD_FILES || is_in_our_root(module))
		return;
	module->fd = open_through_process(module);
	modules->n_held += module->fd >= 0;
}

static int set_path(struct module *module, const char *path)
{
	char *copy;

	if (module->path && strcmp(module->path, path) == 0)
		return 0;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	free(module->path);
	module->path = copy;
	return 0;
}

int modules_file(struct modules *modules, const struct module_file *file,
		 struct module **ret_module)
{
	uint64_t identity[] = {file->dev, file->ino, file->generation},
		 key = hash_bytes(identity, sizeof(identity));
	struct module *module = hash_find(&modules->by_key, key);
	int r;

	if (!module) {
		r = add_module(modules, key, file->path, &module);
		if (r < 0)
			return r;
		module->dev = file->dev;
		module->ino = file->ino;
	}
	r = set_path(module, file->path);
	if (r < 0)
		return r;
	module->pid = file->pid;
	module->parent = file->parent;
	module->start = file->start;
	module->end = file->end;
	if (module->state == MODULE_UNREACHABLE) {
		module->state = MODULE_UNREAD;
		forget_texts(modules, module);
	}
	hold(modules, module);
	*ret_module = module;
	return 0;
}

static int open_file(struct modules *modules, struct module *module)
{
	int fd = module->fd;

	if (fd >= 0) {
		module->fd = -1;
		modules->n_held--;
		return fd;
	}
	fd = open_at(module, module->path, false);
	if (fd < 0)
		fd = open_through_process(module);
	return fd < 0 ? open_at(module, module->path, true) : fd;
}

static bool may_read(const struct modules *modules, const struct module *module, int fd)
{
	char path[PATH_MAX + 32];

	if (!modules->rights.groups || fd < 0)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/root%s", module->pid, module->path);
	return rights_check_file(&modules->rights, fd, path) == 0;
}

static int begin_reading(struct modules *modules, struct module *module)
{
	_cleanup_close_ int fd = open_file(modules, module);

	if (!may_read(modules, module, fd))
		return -EACCES;
	return readings_begin(modules->readings, take_fd(fd), module->path, module);
}

int modules_prepare(struct modules *modules, struct module *module)
{
	int r;

	if (!module->path || module->state != MODULE_UNREAD)
		return 0;
	r = begin_reading(modules, module);
	module->state = r < 0 ? MODULE_UNREACHABLE : MODULE_READING;
	if (r < 0)
		return r;
	modules->n_reading++;
	return 0;
}

static struct module *used_longest_ago(const struct modules *modules, const struct module *except)
{
	struct module *module, *oldest = NULL;
	size_t cursor = 0;

	while ((module = hash_next(&modules->by_key, &cursor, NULL)))
		if (module != except && module->functions.n_bytes &&
		    (!oldest || module->used_at < oldest->used_at))
			oldest = module;
	return oldest;
}

static void take_functions(struct modules *modules, struct reading *reading)
{
	struct module *module = reading->userdata, *oldest;

	module->functions = reading->functions;
	reading->functions = (struct functions){0};
	module->state = MODULE_READ;
	module->used_at = ++modules->n_uses;
	modules->n_reading--;
	modules->n_bytes += module->functions.n_bytes;
	if (reading->result == INSPECTOR_FAILED && !modules->n_unread++)
		modules->why = reading->why;
	while (modules->n_bytes > MAX_BYTES && (oldest = used_longest_ago(modules, module)))
		forget_functions(modules, oldest);
}

static void take_done(struct modules *modules)
{
	struct reading *done;

	if (!modules->n_reading)
		return;
	done = readings_take(modules->readings);
	for (struct reading *reading = done; reading; reading = reading->next)
		take_functions(modules, reading);
	reading_free_all(done);
}

bool modules_are_ready(struct modules *modules)
{
	take_done(modules);
	return modules->n_reading == 0;
}

void modules_wait(struct modules *modules)
{
	struct timespec end;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += WAIT_SECONDS;
	while (!modules_are_ready(modules) && r == 0)
		r = readings_wait(modules->readings, &end);
}

int modules_warn(const struct modules *modules, struct strings *warnings)
{
	if (!modules->n_unread)
		return 0;
	return strings_add(warnings, modules->why.text);
}

static void forget_all_texts(struct modules *modules)
{
	struct module *module;
	size_t cursor = 0;

	while ((module = hash_next(&modules->by_key, &cursor, NULL)))
		forget_texts(modules, module);
}

/* What is not final is not kept. */
static int keep_text(struct modules *modules, struct module *module, uint64_t offset,
		     struct text *text)
{
	int r;

	if (module->state == MODULE_READING)
		return 0;
	if (modules->n_texts == MAX_TEXTS)
		forget_all_texts(modules);
	r = hash_put(&module->texts, offset, text->data);
	if (r < 0)
		return r;
	text->data = NULL;
	modules->n_texts++;
	return 0;
}

static int describe_anew(struct modules *modules, struct module *module, uint64_t offset,
			 struct text *ret_text)
{
	_cleanup_(text_done) struct text text = {0};
	int r;

	module->used_at = ++modules->n_uses;
	if (module->path && module->state == MODULE_UNREAD && modules_prepare(modules, module) == 0)
		modules_wait(modules);
	r = functions_print(&module->functions, module->name, offset, &text);
	if (r >= 0)
		r = text_append(ret_text, text.data, text.size);
	return r < 0 ? r : keep_text(modules, module, offset, &text);
}

int modules_describe(struct modules *modules, struct module *module, uint64_t offset,
		     struct text *ret_text)
{
	const char *text = hash_find(&module->texts, offset);

	return text ? text_append(ret_text, text, strlen(text))
		    : describe_anew(modules, module, offset, ret_text);
}
