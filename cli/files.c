/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * files.c - where a file goes, and with whose rights
 *
 * The folder and the name come from the environment of a traced process, so whoever owns that could
 * name any file. For root each file is made by a child that becomes the process's user (and enters
 * its mount namespace, where it has another one) before it opens anything: what the user may not
 * do, the child cannot do either. Everybody else has the rights that they have.
 *
 * A file that is there already is written over only if it is a plain file of that user's, with no
 * other name, that nobody writes and this session has not made: PerfFlowAspect writes over those,
 * too, and pids come again. Else the next name is tried: with the pid, and with numbers.
 *
 * Where a process's file cannot be made at its place, it is made in our working directory, and the
 * user is told: nothing is lost.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <json-c/json.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maker.h"
#include "report.h"
#include "util/cleanup.h"
#include "util/hash.h"
#include "util/pass.h"
#include "util/text.h"

#define MAX_NAMES  1000 /* that are tried */
#define MAX_GROUPS 256
#define CHILD_MS   5000 /* for the file system to answer */

struct owner {
	uid_t uid;
	gid_t gid, groups[MAX_GROUPS];
	int n_groups;
};

struct keeper {
	int here;	     /* our working directory, */
	char *here_path;     /* or folder */
	const char *folder;  /* for all files, or NULL */
	struct hash made;    /* files of this session: a set, by a hash of dev and ino */
	struct owner *owner; /* that was asked for last */
};

struct request {
	pid_t pid, ppid; /* ppid 0: not known */
	bool has_owner;
	uid_t uid;
	gid_t gid;
	const char *directory; /* or NULL */
	const char *log_dir, *name;
	bool name_has_pid;
};

struct made_file {
	int fd;
	char name[256]; /* in its folder */
};

/* Files */

static uint64_t file_key(const struct stat *status)
{
	uint64_t identity[] = {status->st_dev, status->st_ino};

	return hash_bytes(identity, sizeof(identity));
}

/* Whether somebody else writes it. If not, it is known to be written from now on. */
static bool is_written(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* Whether a file that was there before may be written over: 0, or -EEXIST. */
static int take_over(const struct keeper *keeper, int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_nlink != 1 || status.st_uid != geteuid() ||
	    hash_find(&keeper->made, file_key(&status)) || is_written(fd))
		return -EEXIST;
	return ftruncate(fd, 0) < 0 ? -errno : 0;
}

static int open_file(const struct keeper *keeper, int folder, const char *name, int *ret_fd)
{
	const int flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	_cleanup_close_ int fd = openat(folder, name, flags | O_CREAT | O_EXCL, 0666);
	int r = 0;

	if (fd >= 0) {
		is_written(fd);
	} else if (errno == EEXIST) {
		fd = openat(folder, name, flags);
		r = fd >= 0 ? take_over(keeper, fd) : errno == ENOENT ? -ENOENT : -EEXIST;
	} else {
		r = -errno;
	}
	if (r == 0)
		*ret_fd = take_fd(fd);
	return r;
}

static void make_name(const struct request *request, unsigned int attempt, char name[256])
{
	bool add_pid = !request->name_has_pid && attempt > 0;
	unsigned int number = request->name_has_pid ? attempt + 1 : attempt;
	char pid[16] = "", counter[16] = "";

	if (add_pid)
		snprintf(pid, sizeof(pid), ".%d", (int)request->pid);
	if (number > 1)
		snprintf(counter, sizeof(counter), ".%u", number);
	snprintf(name, 256, "%.220s%s%s.pfw", request->name, pid, counter);
}

static int make_file(const struct keeper *keeper, const struct request *request, int folder,
		     struct made_file *ret_file)
{
	int r = -EEXIST;

	for (unsigned int i = 0; i < MAX_NAMES && r == -EEXIST; i++) {
		make_name(request, i, ret_file->name);
		r = open_file(keeper, folder, ret_file->name, &ret_file->fd);
	}
	return r;
}

/* Makes what is missing of the path. */
static int make_folders(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0777) < 0 && errno != EEXIST && errno != EACCES && errno != EROFS)
			return -errno;
		*p = '/';
	}
	return mkdir(copy, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_folder(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		int r = make_folders(path);

		if (r < 0)
			return r;
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

/* Where the process wants it: an absolute path, or -ENOENT if that is not known. */
static int find_place(const struct request *request, struct text *ret_path)
{
	if (request->log_dir[0] == '/')
		return text_printf(ret_path, "%s", request->log_dir);
	if (!request->directory || request->directory[0] != '/')
		return -ENOENT;
	if (access(request->directory, F_OK) < 0)
		return -errno; /* it is gone: it is not for us to make */
	return text_printf(ret_path, "%s/%s", request->directory, request->log_dir);
}

static int make_at_its_place(const struct keeper *keeper, const struct request *request,
			     struct made_file *ret_file)
{
	_cleanup_(text_done) struct text path = {0};
	_cleanup_close_ int folder = -1;
	int r;

	r = find_place(request, &path);
	if (r < 0)
		return r;
	folder = open_folder(path.data);
	return folder < 0 ? folder : make_file(keeper, request, folder, ret_file);
}

/* Another user */

static int open_namespace(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* That of the process, or if it has ended of its parent; else it was ours, for all that is known.
 */
static int enter_namespace(const struct request *request)
{
	_cleanup_close_ int fd = open_namespace(request->pid);
	struct stat own, other;

	if (fd < 0 && request->ppid)
		fd = open_namespace(request->ppid);
	if (fd < 0)
		return fd == -ENOENT || fd == -ESRCH ? 0 : fd;
	if (fstat(fd, &other) < 0 || stat("/proc/self/ns/mnt", &own) < 0)
		return -errno;
	if (own.st_dev == other.st_dev && own.st_ino == other.st_ino)
		return 0;
	return setns(fd, CLONE_NEWNS) < 0 ? -errno : 0;
}

/* The user database is asked here and not in another's namespace, where it is another's code. */
static int find_owner(struct keeper *keeper, const struct request *request)
{
	struct owner *owner = keeper->owner;
	const struct passwd *user;

	if (owner && owner->uid == request->uid && owner->gid == request->gid)
		return 0;
	if (!owner)
		owner = keeper->owner = calloc(1, sizeof(*owner));
	if (!owner)
		return -ENOMEM;
	owner->uid = request->uid;
	owner->gid = request->gid;
	owner->n_groups = MAX_GROUPS;
	user = getpwuid(owner->uid);
	if (!user || getgrouplist(user->pw_name, owner->gid, owner->groups, &owner->n_groups) < 0) {
		owner->groups[0] = owner->gid;
		owner->n_groups = 1;
	}
	return 0;
}

static int become(const struct owner *owner)
{
	if (setgroups((size_t)owner->n_groups, owner->groups) < 0 ||
	    setresgid(owner->gid, owner->gid, owner->gid) < 0 ||
	    setresuid(owner->uid, owner->uid, owner->uid) < 0)
		return -errno;
	return 0;
}

/* An int: 0 or a negative errno; and with 0 the name of the file and its descriptor. */
static int send_result(int socket, int result, const struct made_file *file)
{
	struct iovec data[] = {{&result, sizeof(result)}, {(char *)file->name, sizeof(file->name)}};
	ssize_t n = pass_send(socket, data, 2, result == 0 ? file->fd : -1, 0);

	return n < 0 ? n : 0;
}

static int receive_result(int socket, struct made_file *ret_file)
{
	struct pollfd ready = {.fd = socket, .events = POLLIN};
	int result;
	struct iovec data[] = {{&result, sizeof(result)}, {ret_file->name, sizeof(ret_file->name)}};
	int fd;

	if (poll(&ready, 1, CHILD_MS) != 1)
		return -ETIMEDOUT;
	if (pass_receive(socket, data, 2, 0, &fd) != sizeof(result) + sizeof(ret_file->name))
		return -EIO;
	if (result == 0 && fd < 0)
		return -EIO;
	if (result == 0)
		ret_file->fd = fd;
	return result;
}

static void __attribute__((noreturn))
make_as_owner(const struct keeper *keeper, const struct request *request, int socket)
{
	struct made_file file = {.fd = -1};
	int r;

	r = enter_namespace(request);
	if (r == 0)
		r = become(keeper->owner);
	if (r == 0)
		r = make_at_its_place(keeper, request, &file);
	_exit(send_result(socket, r, &file) < 0);
}

static int make_by_child(struct keeper *keeper, const struct request *request,
			 struct made_file *ret_file)
{
	int sockets[2], r;
	pid_t child;

	r = find_owner(keeper, request);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		make_as_owner(keeper, request, sockets[1]);
	close(sockets[1]);
	r = child < 0 ? -errno : receive_result(sockets[0], ret_file);
	close(sockets[0]);
	if (child > 0) {
		kill(child, SIGKILL); /* it has nothing left to do, or hangs */
		if (r != -ETIMEDOUT)
			waitpid(child, NULL, 0);
	}
	return r;
}

/* Requests */

static int read_id(struct json_object *object, const char *name, int64_t *ret_id)
{
	struct json_object *member = member_object(object, name, json_type_int);

	*ret_id = json_object_get_int64(member);
	return member && *ret_id >= 0 && *ret_id <= UINT32_MAX ? 0 : -EINVAL;
}

/* What is in it lives as long as the object. */
static int read_request(struct json_object *object, struct request *ret_request)
{
	int64_t pid, ppid, uid, gid;

	if (read_id(object, "pid", &pid) < 0 || pid > INT32_MAX)
		return -EINVAL;
	*ret_request = (struct request){
		.pid = (pid_t)pid,
		.directory = member_string(object, "directory"),
		.log_dir = member_string(object, "log_dir"),
		.name = member_string(object, "name"),
		.name_has_pid = json_object_get_boolean(
			member_object(object, "name_has_pid", json_type_boolean)),
	};
	if (read_id(object, "ppid", &ppid) == 0 && ppid <= INT32_MAX)
		ret_request->ppid = (pid_t)ppid;
	if (read_id(object, "uid", &uid) == 0 && read_id(object, "gid", &gid) == 0) {
		ret_request->has_owner = true;
		ret_request->uid = (uid_t)uid;
		ret_request->gid = (gid_t)gid;
	}
	return *ret_request->name && !strchr(ret_request->name, '/') ? 0 : -EINVAL;
}

/* Returns 0, 1 if it is not where the process wants it, and note says so, or a negative errno. */
static int serve(struct keeper *keeper, const struct request *request, struct made_file *ret_file,
		 struct text *note)
{
	int r, again;

	if (keeper->folder)
		return make_file(keeper, request, keeper->here, ret_file);
	if (geteuid() == 0)
		r = request->has_owner ? make_by_child(keeper, request, ret_file) : -ENOENT;
	else
		r = make_at_its_place(keeper, request, ret_file);
	if (r == 0)
		return 0;
	again = make_file(keeper, request, keeper->here, ret_file);
	if (again < 0)
		return r;
	text_printf(note,
		    "the file of process %d cannot be made where it wants it (%s): it is '%s/%s'",
		    (int)request->pid, strerror(-r), keeper->here_path, ret_file->name);
	return 1;
}

static void note_made(struct keeper *keeper, int fd)
{
	struct stat status;

	if (fstat(fd, &status) == 0)
		hash_put(&keeper->made, file_key(&status), keeper);
}

/* For the maker: what a request asks for. */
static int make(void *userdata, struct json_object *object, struct json_object *reply)
{
	_cleanup_(text_done) struct text note = {0};
	struct made_file file = {.fd = -1};
	struct keeper *keeper = userdata;
	struct request request;
	int r;

	r = read_request(object, &request);
	if (r == 0)
		r = serve(keeper, &request, &file, &note);
	if (r < 0)
		return r;
	note_made(keeper, file.fd);
	if (r > 0)
		json_object_object_add(reply, "note", json_object_new_string(note.data));
	return file.fd;
}

static int open_here(struct keeper *keeper, struct why *why)
{
	const char *path = keeper->folder ?: ".";

	keeper->here = open_folder(path);
	if (keeper->here < 0)
		return why_set(why, keeper->here, "cannot use the folder '%s'", path);
	if (keeper->folder && faccessat(keeper->here, ".", W_OK | X_OK, 0) < 0)
		return why_set(why, -errno, "cannot write into the folder '%s'", path);
	keeper->here_path = realpath(path, NULL);
	return keeper->here_path ? 0 : why_set(why, -errno, "cannot find the folder '%s'", path);
}

int files_start(const char *folder, pid_t *ret_pid, int *ret_fd, struct why *why)
{
	struct keeper keeper = {.folder = folder, .here = -1};
	const struct maker maker = {
		.name = "perfflow-files",
		.make = make,
		.kept_fd = &keeper.here,
		.userdata = &keeper,
	};
	int r;

	r = open_here(&keeper, why);
	if (r == 0)
		r = maker_start(&maker, ret_pid, ret_fd, why);
	closep(&keeper.here);
	free(keeper.here_path);
	return r;
}
