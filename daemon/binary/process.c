/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * All of it is text of /proc, read anew each time: a process may end, execute and map while we
 * look, so nothing is kept, and a process that is gone in the midst of a list is left out of it.
 * /proc must be that of the initial pid namespace, whose pids the kernel side sends.
 *
 * A mapped file is opened through the root of its process, which gives a path that people can read;
 * where another file lies at that path by now, through map_files, which always is the very file.
 * That the two are one is told by their device and inode as stat() gives them: the device in maps
 * is another one on btrfs and overlayfs.
 */
#include <sys/syscall.h>
#include "binary/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/cleanup.h"
#include "util/now.h"
#include "util/reach.h"

#define MAX_FILE_BYTES	(64 << 20) /* of a file in /proc */
#define KERNEL_THREAD	0x00200000 /* PF_KTHREAD */
#define PROC_PATH_BYTES 64
#define NS_PER_S	1000000000ULL

struct process_status { /* of /proc/PID/stat */
	char comm[PF_COMM_BYTES];
	char state;
	pid_t ppid;
	unsigned int flags;
	uint64_t start_ticks;
};

struct mapping { /* a line of /proc/PID/maps */
	unsigned long start, end, offset;
	bool executable;
	unsigned int major, minor;
	uint64_t ino;
	char *name; /* inside of the line: a path, "[vdso]" or "" */
	char *path; /* the same, unescaped; NULL for memory without a file */
	bool deleted;
};

/* Files of /proc have no size; they are read to their end. */
static int read_proc(pid_t pid, const char *name, struct text *text)
{
	char path[PROC_PATH_BYTES], buffer[4096];
	_cleanup_close_ int fd = -1;
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((n = read(fd, buffer, sizeof(buffer))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (text->size + n > MAX_FILE_BYTES)
			return -E2BIG;
		r = text_append(text, buffer, n);
		if (r < 0)
			return r;
	}
	return text_append(text, "", 0);
}

static int read_status(pid_t pid, struct process_status *ret_status)
{
	_cleanup_(text_done) struct text text = {};
	struct process_status status = {};
	unsigned long long start;
	char *name, *end;
	int r;

	r = read_proc(pid, "stat", &text);
	if (r < 0)
		return r;
	/* a name may hold ") R 1": the last parenthesis is the one that counts */
	name = strchr(text.data, '(');
	end = strrchr(text.data, ')');
	if (!name || !end || end < name)
		return -EBADMSG;
	*end = '\0';
	snprintf(status.comm, sizeof(status.comm), "%s", name + 1);
	if (sscanf(end + 1,
		   " %c %d %*d %*d %*d %*d %u %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
		   &status.state, &status.ppid, &status.flags, &start) != 4)
		return -EBADMSG;

	status.start_ticks = start;
	*ret_status = status;
	return 0;
}

/* The process that a thread belongs to; its own pid for a process. */
static int read_thread_group(pid_t pid, pid_t *ret_tgid)
{
	_cleanup_(text_done) struct text text = {};
	const char *line;
	int r;

	r = read_proc(pid, "status", &text);
	if (r < 0)
		return r;
	line = strstr(text.data, "\nTgid:");
	if (!line || sscanf(line, " Tgid: %d", ret_tgid) != 1)
		return -EBADMSG;
	return 0;
}

/* PROC_PID_INIT_INO of the kernel's include/linux/proc_ns.h, which is part of its interface by now */
#define INITIAL_PID_NAMESPACE 0xEFFFFFFCU

int process_check_namespace(struct why *why)
{
	struct stat status;

	if (stat("/proc/self/ns/pid", &status) < 0 || status.st_ino == INITIAL_PID_NAMESPACE)
		return 0;
	return why_say(why, -EXDEV,
		       "perfflowd runs in a pid namespace of its own: start it outside of the container, or "
		       "the container with the host's pids");
}

int process_check(pid_t pid, struct why *why)
{
	struct process_status status;
	pid_t tgid;
	int r;

	if (pid <= 0)
		return why_say(why, -ESRCH, "there can be no process %d", pid);
	r = read_status(pid, &status);
	if (r == 0)
		r = read_thread_group(pid, &tgid);
	if (r == -ESRCH)
		return why_say(why, r, "there is no process %d", pid);
	if (r < 0)
		return why_set(why, r, "cannot look at process %d", pid);
	if (status.flags & KERNEL_THREAD)
		return why_say(why, -ESRCH, "process %d ('%s') is a kernel thread", pid,
			       status.comm);
	if (tgid != pid)
		return why_say(why, -ESRCH, "%d is no process, but a thread of process %d", pid,
			       tgid);
	if (status.state == 'Z' || status.state == 'X')
		return why_say(why, -ESRCH, "process %d ('%s') has ended: it is a zombie", pid,
			       status.comm);
	return 0;
}

/* The kernel writes a newline in a path as "\012", and nothing else so, not even a backslash. */
static void unescape(char *path)
{
	char *newline = path;

	while ((newline = strstr(newline, "\\012"))) {
		*newline++ = '\n';
		memmove(newline, newline + 3, strlen(newline + 3) + 1);
	}
}

/* Cuts off what the kernel puts behind the path of what lies there no more; whether it did. */
static bool drop_deleted(char *path)
{
	static const char suffix[] = " (deleted)";
	size_t length = strlen(path);

	if (length <= strlen(suffix) || strcmp(path + length - strlen(suffix), suffix) != 0)
		return false;
	path[length - strlen(suffix)] = '\0';
	return true;
}

static bool parse_mapping(char *line, struct mapping *ret_mapping)
{
	struct mapping mapping = {};
	unsigned long long ino;
	char permissions[5];
	int at = 0;

	if (sscanf(line, "%lx-%lx %4s %lx %x:%x %llu %n", &mapping.start, &mapping.end, permissions,
		   &mapping.offset, &mapping.major, &mapping.minor, &ino, &at) != 7)
		return false;
	mapping.ino = ino;
	mapping.executable = permissions[2] == 'x';
	mapping.name = line + at;
	if (line[at] == '/' && ino != 0) {
		mapping.path = line + at;
		mapping.deleted = drop_deleted(mapping.path);
		unescape(mapping.path);
	}
	*ret_mapping = mapping;
	return true;
}

/* The next executable mapping of a file; *rest goes along the text. */
static bool next_mapping(char **rest, struct mapping *ret_mapping)
{
	char *line;

	while ((line = strsep(rest, "\n"))) {
		if (parse_mapping(line, ret_mapping) && ret_mapping->executable &&
		    ret_mapping->path)
			return true;
	}
	return false;
}

static void map_files_path(pid_t pid, const struct mapping *mapping, char path[PROC_PATH_BYTES])
{
	snprintf(path, PROC_PATH_BYTES, "/proc/%d/map_files/%lx-%lx", pid, mapping->start,
		 mapping->end);
}

/* Without the right to use map_files (CAP_CHECKPOINT_RESTORE), by what maps itself says. */
static int stat_mapping(pid_t pid, const struct mapping *mapping, struct stat *ret_status)
{
	char path[PROC_PATH_BYTES];
	int r;

	map_files_path(pid, mapping, path);
	r = reach_stat(path, ret_status);
	if (r != -EPERM && r != -EACCES && r != -ENOENT)
		return r;
	*ret_status = (struct stat){
		.st_dev = makedev(mapping->major, mapping->minor),
		.st_ino = mapping->ino,
		.st_mode = S_IFREG,
	};
	return 0;
}

/*
 * The kernel tells paths from our root on, if they can be reached from there; the process may have
 * a root below it.
 */
static const char *path_within_root(pid_t pid, const char *path)
{
	char link[PROC_PATH_BYTES], root[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/root", pid);
	n = readlink(link, root, sizeof(root));
	if (n <= 1 || strncmp(path, root, n) != 0 || (path[n] != '/' && path[n] != '\0'))
		return path;
	return path[n] ? path + n : "/";
}

static int add_mapped_file(pid_t pid, const struct mapping *mapping, struct strings *paths)
{
	_cleanup_free_ char *path = NULL;
	char by_range[PROC_PATH_BYTES];
	struct stat mapped, there;

	if (stat_mapping(pid, mapping, &mapped) < 0 || !S_ISREG(mapped.st_mode))
		return 0;
	if (asprintf(&path, "/proc/%d/root%s", pid, path_within_root(pid, mapping->path)) < 0)
		return -ENOMEM;
	if (!mapping->deleted && reach_stat(path, &there) == 0 && there.st_dev == mapped.st_dev &&
	    there.st_ino == mapped.st_ino)
		return strings_contain(paths, path) ? 0 : strings_add(paths, path);

	map_files_path(pid, mapping, by_range);
	return strings_contain(paths, by_range) ? 0 : strings_add(paths, by_range);
}

/*
 * Whether the mapping is of a file that an earlier one was of: a library may be mapped executable
 * in several pieces.
 */
static bool was_seen(const struct mapping *seen, size_t n_seen, const struct mapping *mapping)
{
	for (size_t i = 0; i < n_seen; i++) {
		if (seen[i].ino == mapping->ino && seen[i].major == mapping->major &&
		    seen[i].minor == mapping->minor && strcmp(seen[i].path, mapping->path) == 0)
			return true;
	}
	return false;
}

/* The executable mappings of files, each file once, the program's first. */
static int list_mappings(pid_t pid, char *text, struct mapping **ret_mappings, size_t *ret_n)
{
	_cleanup_free_ struct mapping *mappings = NULL;
	struct mapping mapping;
	char path[PROC_PATH_BYTES];
	struct stat exe, status;
	bool has_exe;
	size_t n = 0;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	has_exe = reach_stat(path, &exe) == 0;
	while (next_mapping(&text, &mapping)) {
		if (was_seen(mappings, n, &mapping))
			continue;
		r = array_grow(&mappings, n, sizeof(*mappings));
		if (r < 0)
			return r;
		mappings[n++] = mapping;
		if (has_exe && stat_mapping(pid, &mapping, &status) == 0 &&
		    status.st_dev == exe.st_dev && status.st_ino == exe.st_ino) {
			mappings[n - 1] = mappings[0];
			mappings[0] = mapping;
			has_exe = false;
		}
	}
	*ret_mappings = take_ptr(mappings);
	*ret_n = n;
	return 0;
}

int process_files(pid_t pid, struct strings *paths, struct why *why)
{
	_cleanup_free_ struct mapping *mappings = NULL;
	_cleanup_(text_done) struct text text = {};
	size_t n;
	int r;

	r = process_check(pid, why);
	if (r < 0)
		return r;
	r = read_proc(pid, "maps", &text);
	if (r == 0)
		r = list_mappings(pid, text.data, &mappings, &n);
	if (r < 0)
		return why_set(why, r, "cannot see what process %d has loaded", pid);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_mapped_file(pid, &mappings[i], paths);
	return r;
}

static int add_pid(pid_t pid, pid_t **pids, size_t *n)
{
	int r;

	r = array_grow(pids, *n, sizeof(**pids));
	if (r == 0)
		(*pids)[(*n)++] = pid;
	return r;
}

int process_all(pid_t **ret_pids, size_t *ret_n)
{
	_cleanup_free_ pid_t *pids = NULL;
	struct dirent *entry;
	size_t n = 0;
	int r = 0;
	DIR *dir;

	dir = opendir("/proc");
	if (!dir)
		return -errno;
	while (r == 0 && (entry = readdir(dir))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			r = add_pid(atoi(entry->d_name), &pids, &n);
	}
	closedir(dir);
	if (r < 0)
		return r;

	*ret_pids = take_ptr(pids);
	*ret_n = n;
	return 0;
}

static void describe_mapping(const struct mapping *mapping, const char *path,
			     struct process_mapping *ret_mapping)
{
	*ret_mapping = (struct process_mapping){
		.start = mapping->start,
		.end = mapping->end,
		.offset = mapping->offset,
		.dev = makedev(mapping->major, mapping->minor),
		.ino = mapping->ino,
		.path = path,
	};
}

int process_mappings(pid_t pid, process_mapped_fn mapped_fn, void *userdata)
{
	_cleanup_(text_done) struct text text = {};
	struct process_mapping described;
	struct mapping mapping;
	char *line, *rest;
	int r;

	r = read_proc(pid, "maps", &text);
	rest = text.data;
	while (r >= 0 && (line = strsep(&rest, "\n"))) {
		if (!parse_mapping(line, &mapping) || !mapping.executable)
			continue;
		describe_mapping(&mapping,
				 mapping.path ? path_within_root(pid, mapping.path) : mapping.name,
				 &described);
		r = mapped_fn(&described, userdata);
	}
	return r < 0 ? r : 0;
}

static bool contains(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++) {
		if (pids[i] == pid)
			return true;
	}
	return false;
}

/* The parent of each; 0 for those that are gone. */
static int list_parents(const pid_t *pids, size_t n, pid_t **ret_parents)
{
	struct process_status status;
	pid_t *parents;

	parents = calloc(n ? n : 1, sizeof(*parents));
	if (!parents)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (read_status(pids[i], &status) == 0)
			parents[i] = status.ppid;
	}
	*ret_parents = parents;
	return 0;
}

int process_descendants(pid_t pid, pid_t **ret_pids, size_t *ret_n)
{
	_cleanup_free_ pid_t *pids = NULL, *parents = NULL, *family = NULL;
	size_t n, n_family = 0;
	int r;

	r = process_all(&pids, &n);
	if (r == 0)
		r = list_parents(pids, n, &parents);
	if (r == 0)
		r = add_pid(pid, &family, &n_family);
	/* the family grows while it is walked along; a pid that came round anew is not taken twice
	 */
	for (size_t i = 0; r == 0 && i < n_family; i++) {
		for (size_t j = 0; r == 0 && j < n; j++) {
			if (parents[j] == family[i] && !contains(family, n_family, pids[j]))
				r = add_pid(pids[j], &family, &n_family);
		}
	}
	for (size_t i = 1; r == 0 && i < n_family; i++)
		r = add_pid(family[i], ret_pids, ret_n);
	return r;
}

int process_environment(pid_t pid, const char *name, char **ret_value)
{
	_cleanup_(text_done) struct text text = {};
	size_t length = strlen(name);
	int r;

	r = read_proc(pid, "environ", &text);
	if (r < 0)
		return r;
	for (size_t i = 0; i < text.size; i += strlen(text.data + i) + 1) {
		if (strncmp(text.data + i, name, length) == 0 && text.data[i + length] == '=') {
			*ret_value = strdup(text.data + i + length + 1);
			return *ret_value ? 0 : -ENOMEM;
		}
	}
	return -ENOENT;
}

int process_directory(pid_t pid, char **ret_path)
{
	char path[PROC_PATH_BYTES], target[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	target[n] = '\0';
	*ret_path = strdup(path_within_root(pid, target));
	return *ret_path ? 0 : -ENOMEM;
}

/* The real ones, as the kernel side sends them. */
static int read_owner(pid_t pid, uint32_t *ret_uid, uint32_t *ret_gid)
{
	_cleanup_(text_done) struct text text = {};
	const char *line;
	int r;

	r = read_proc(pid, "status", &text);
	if (r < 0)
		return r;
	line = strstr(text.data, "\nUid:");
	return line && sscanf(line, " Uid: %u %*u %*u %*u Gid: %u", ret_uid, ret_gid) == 2 ? 0 : -EBADMSG;
}

static int describe_process(pid_t pid, struct pf_process_seen *ret_seen)
{
	_cleanup_(text_done) struct text text = {}, comm = {};
	struct process_status status;
	struct pf_process_seen seen = {};
	uint64_t begin_ns = clock_now_ns(CLOCK_BOOTTIME);
	int r;

	r = read_status(pid, &status);
	if (r == 0)
		r = read_owner(pid, &seen.uid, &seen.gid);
	if (r == 0)
		r = read_proc(pid, "cmdline", &text);
	if (r == 0)
		r = read_proc(pid, "comm", &comm); /* that of stat has backslashes in it */
	if (r < 0)
		return r;

	seen.event = (struct pf_event){
		.size = sizeof(seen),
		.kind = PF_EVENT_PROCESS,
		.time_ns = begin_ns,
		.pid = pid,
		.tid = pid,
	};
	seen.start_ns = status.start_ticks * (NS_PER_S / sysconf(_SC_CLK_TCK));
	seen.ppid = status.ppid;
	snprintf(seen.comm, sizeof(seen.comm), "%.*s", comm.size ? (int)comm.size - 1 : 0,
		 comm.data);
	seen.command_line_bytes =
		text.size < sizeof(seen.command_line) ? text.size : sizeof(seen.command_line);
	memcpy(seen.command_line, text.data, seen.command_line_bytes);

	*ret_seen = seen;
	return 0;
}

/* Appends the parts of the path, the last one first, each with its '\0'. */
static int append_parts(char *path, struct text *text)
{
	char *slash;
	int r = 0;

	while (r == 0 && (slash = strrchr(path, '/'))) {
		if (slash[1])
			r = text_append(text, slash + 1, strlen(slash + 1) + 1);
		*slash = '\0';
	}
	return r;
}

static int describe_link(pid_t pid, const char *name, struct text *text)
{
	char link[PROC_PATH_BYTES], path[PATH_MAX];
	struct stat status;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/%s", pid, name);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	if (reach_stat(link, &status) == 0 && status.st_nlink == 0)
		drop_deleted(path);
	return append_parts(path, text);
}

static int describe_exe(pid_t pid, struct text *text)
{
	return describe_link(pid, "exe", text);
}

static int describe_directory(pid_t pid, struct text *text)
{
	return describe_link(pid, "cwd", text);
}

/* The path in a line "HIERARCHY:CONTROLLERS:PATH", or NULL. */
static char *cgroup_path(char *line)
{
	char *colon = strchr(line, ':');

	colon = colon ? strchr(colon + 1, ':') : NULL;
	return colon ? colon + 1 : NULL;
}

/* Of the unified hierarchy, else of the first other one where it is not at the root. */
static int describe_cgroup(pid_t pid, struct text *text)
{
	_cleanup_(text_done) struct text lines = {};
	char *rest, *line, *path, *found = NULL;
	int r;

	r = read_proc(pid, "cgroup", &lines);
	if (r < 0)
		return r;
	rest = lines.data;
	while ((line = strsep(&rest, "\n"))) {
		path = cgroup_path(line);
		if (!path || strcmp(path, "/") == 0)
			continue;
		if (!found || line[0] == '0')
			found = path;
	}
	if (!found)
		return 0;
	drop_deleted(found);
	return append_parts(found, text);
}

static int describe_environment(pid_t pid, struct text *text)
{
	return read_proc(pid, "environ", text);
}

/* Sends the text in pieces, at least one. */
static int send_text(const struct pf_process_seen *seen, enum pf_text what, const struct text *text,
		     bool is_cut, process_record_fn record_fn, void *userdata)
{
	size_t size = text->size < PF_MAX_ENVIRONMENT_BYTES ? text->size : PF_MAX_ENVIRONMENT_BYTES;
	int r;

	for (size_t offset = 0;; offset += PF_TEXT_BYTES) {
		size_t left = size - offset;
		struct pf_process_text piece = {
			.event = seen->event,
			.what = what,
			.bytes = left < PF_TEXT_BYTES ? left : PF_TEXT_BYTES,
			.offset = offset,
			.is_last = left <= PF_TEXT_BYTES,
		};

		piece.event.kind = PF_EVENT_PROCESS_TEXT;
		piece.event.size = sizeof(piece);
		piece.is_cut = piece.is_last && (is_cut || size < text->size);
		if (piece.bytes)
			memcpy(piece.text, text->data + offset, piece.bytes);
		r = record_fn(&piece, sizeof(piece), userdata);
		if (r < 0 || piece.is_last)
			return r;
	}
}

int process_describe(pid_t pid, process_record_fn record_fn, void *userdata)
{
	static const struct {
		enum pf_text what;
		int (*describe)(pid_t pid, struct text *text);
	} texts[] = {
		{PF_TEXT_EXE, describe_exe},
		{PF_TEXT_DIRECTORY, describe_directory},
		{PF_TEXT_CGROUP, describe_cgroup},
		{PF_TEXT_ENVIRONMENT, describe_environment},
	};
	struct pf_process_seen seen;
	int r;

	r = describe_process(pid, &seen);
	if (r == 0)
		r = record_fn(&seen, sizeof(seen), userdata);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(texts); i++) {
		_cleanup_(text_done) struct text text = {};

		r = texts[i].describe(pid, &text);
		if (r == -ENOMEM || r == -ESRCH)
			return r;
		r = send_text(&seen, texts[i].what, &text, r < 0, record_fn, userdata);
	}
	return r < 0 ? r : 0;
}

bool process_thread_has_ended(uint32_t pid, uint32_t tid)
{
	return syscall(SYS_tgkill, pid, tid, 0) < 0 && errno == ESRCH;
}
