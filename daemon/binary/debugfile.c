/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The folders are those of gdb: /usr/lib/debug/.build-id, and for a debuglink the binary's own
 * folder, its .debug, and its path under /usr/lib/debug; of a binary in a container those of the
 * container first. A file belongs to the binary if it has the same build id; where one of the two
 * has none, if the checksum in the debuglink is that of the file. The folder of build ids is
 * believed: it is the system's own, and a binary that lies about its id would lie just as well
 * about its symbols.
 *
 * libdebuginfod is loaded only when it is asked for, since it brings an HTTP client into the
 * process; a privileged service does so only if its administrator has set both variables.
 */
#include "binary/debugfile.h"

#include <dlfcn.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "binary/section.h"
#include "util/now.h"
#include "util/reach.h"

#define DEBUG_FOLDER	     "/usr/lib/debug"
#define MAX_PACKED_BYTES     (64U << 20)
#define MAX_UNPACKED_BYTES   (256U << 20)
#define MAX_LZMA_BYTES	     (128U << 20)
#define MAX_CHECKED_BYTES    (8ULL << 30)
#define MAX_DOWNLOAD_SECONDS 60

/* Where the binary is: /proc/12/root and /usr/bin of /proc/12/root/usr/bin/x. */
struct place {
	char root[64];
	char folder[PATH_MAX];
};

void debug_file_close(struct debug_file *file)
{
	if (file->elf)
		elf_end(file->elf);
	if (file->fd >= 0)
		close(file->fd);
	free(file->bytes);
	free(file->location);
	*file = (struct debug_file){.fd = -1};
}

static bool is_for_machine(Elf *elf, const struct binary *binary)
{
	GElf_Ehdr header;

	return elf && elf_kind(elf) == ELF_K_ELF && gelf_getclass(elf) == ELFCLASS64 &&
	       gelf_getehdr(elf, &header) && header.e_machine == binary->machine;
}

/* Where a descriptor's file is, as it is seen from here. */
static char *locate(int fd)
{
	char link[64], location[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, location, sizeof(location) - 1);
	location[n > 0 ? n : 0] = '\0';
	return strdup(location);
}

int debug_file_open_path(const char *path, char **ret_location)
{
	_cleanup_close_ int handle = reach_open(path, O_PATH | O_CLOEXEC), fd = -1;
	char link[64], *location;
	struct stat status;

	if (handle < 0)
		return handle;
	if (fstat(handle, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ENOENT;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", handle);
	fd = reach_open(link, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	location = locate(fd);
	if (!location)
		return -ENOMEM;
	*ret_location = location;
	return take_fd(fd);
}

static int open_regular(const struct binary *binary, const char *path, struct debug_file *file)
{
	const struct binary_opener *opener = binary->opener;

	file->fd = opener ? opener->open(opener->userdata, path, &file->location)
			  : debug_file_open_path(path, &file->location);
	return file->fd < 0 ? file->fd : 0;
}

/* Takes what was opened. */
static int use_file(const struct binary *binary, struct debug_file *file, struct debug_file *ret_file)
{
	file->elf = file->fd < 0 ? NULL : elf_begin(file->fd, ELF_C_READ, NULL);
	if (!is_for_machine(file->elf, binary)) {
		debug_file_close(file);
		return -ENOENT;
	}
	*ret_file = *file;
	return 0;
}

static int use_path(const struct binary *binary, const char *path, struct debug_file *ret_file)
{
	struct debug_file file = {.fd = -1};
	int r = open_regular(binary, path, &file);

	return r < 0 ? -ENOENT : use_file(binary, &file, ret_file);
}

static void cut_folder(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
}

static void place_init(struct place *place, const struct binary *binary)
{
	const char *p = binary->path;

	*place = (struct place){};
	if (strncmp(p, "/proc/", 6) == 0) {
		p += 6;
		p += strspn(p, "0123456789");
		if (strncmp(p, "/root/", 6) == 0 &&
		    p - binary->path + 5 < (ssize_t)sizeof(place->root)) {
			memcpy(place->root, binary->path, p - binary->path + 5);
			snprintf(place->folder, sizeof(place->folder), "%s", p + 5);
		}
	}
	if (!place->root[0])
		snprintf(place->folder, sizeof(place->folder), "%s", binary->location);
	cut_folder(place->folder);
}

static int open_by_build_id(const struct binary *binary, const char *root,
			    struct debug_file *ret_file)
{
	const char *id = binary->build_id;
	char path[256];

	if (strlen(id) < 4)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s" DEBUG_FOLDER "/.build-id/%.2s/%s.debug", root, id,
		 id + 2);
	return use_path(binary, path, ret_file);
}

/* Of one of the two; 1 if it is the same, 0 if another, -ENOENT if one has none. */
static int has_build_id(const struct binary *binary, Elf *elf)
{
	char hex[sizeof(binary->build_id)] = "";
	const void *bytes;
	ssize_t n = dwelf_elf_gnu_build_id(elf, &bytes);

	if (n <= 0 || !binary->build_id[0])
		return -ENOENT;
	for (ssize_t i = 0; i < n && 2 * (size_t)i + 2 < sizeof(hex); i++)
		snprintf(hex + 2 * i, 3, "%02x", ((const unsigned char *)bytes)[i]);
	return strcmp(hex, binary->build_id) == 0;
}

static bool has_checksum(int fd, GElf_Word expected)
{
	_cleanup_free_ unsigned char *buffer = malloc(1 << 16);
	uint64_t offset = 0;
	uLong sum = crc32(0, NULL, 0);
	ssize_t n;

	while (buffer && offset < MAX_CHECKED_BYTES) {
		n = pread(fd, buffer, 1 << 16, (off_t)offset);
		if (n <= 0)
			return n == 0 && sum == expected;
		sum = crc32(sum, buffer, (uInt)n);
		offset += (uint64_t)n;
	}
	return false;
}

static int open_by_path(const struct binary *binary, const char *path, GElf_Word checksum,
			struct debug_file *ret_file)
{
	struct stat status;
	int r;

	r = use_path(binary, path, ret_file);
	if (r < 0)
		return r;
	r = has_build_id(binary, ret_file->elf);
	/* a debuglink may name the binary itself */
	if (fstat(ret_file->fd, &status) == 0 && status.st_dev == binary->dev &&
	    status.st_ino == binary->ino)
		r = 0;
	if (r == 1 || (r == -ENOENT && has_checksum(ret_file->fd, checksum)))
		return 0;
	debug_file_close(ret_file);
	return -ENOENT;
}

/* Only a name counts: a path would lead anywhere. */
static int open_by_link(const struct binary *binary, const struct place *place,
			struct debug_file *ret_file)
{
	static const char *const forms[] = {"%s%s/%s", "%s%s/.debug/%s"};
	GElf_Word checksum = 0;
	const char *name = dwelf_elf_gnu_debuglink(binary->elf, &checksum);
	char path[2 * PATH_MAX];
	int r = -ENOENT;

	if (!name || !name[0] || strchr(name, '/') || strcmp(name, "..") == 0 ||
	    strlen(name) > NAME_MAX)
		return -ENOENT;
	for (size_t i = 0; r == -ENOENT && i < ARRAY_SIZE(forms); i++) {
		snprintf(path, sizeof(path), forms[i], place->root, place->folder, name);
		r = open_by_path(binary, path, checksum, ret_file);
	}
	for (const char *root = place->root; r == -ENOENT && root; root = *root ? "" : NULL) {
		snprintf(path, sizeof(path), "%s" DEBUG_FOLDER "%s/%s", root, place->folder, name);
		r = open_by_path(binary, path, checksum, ret_file);
	}
	return r;
}

static bool downloads_are_wanted(void)
{
	const char *wanted = secure_getenv("PERFFLOW_DEBUGINFOD"),
		   *urls = secure_getenv("DEBUGINFOD_URLS");

	return wanted && strcmp(wanted, "1") == 0 && urls && urls[0];
}

/* libdebuginfod's interface, as far as it is used. */
struct debuginfod_client;
struct downloader {
	struct debuginfod_client *(*begin)(void);
	void (*end)(struct debuginfod_client *client);
	int (*find)(struct debuginfod_client *client, const unsigned char *build_id, int size,
		    char **path);
	void (*set_progress)(struct debuginfod_client *client,
			     int (*progress)(struct debuginfod_client *client, long a, long b));
};

/* The callback is handed nothing of ours in the versions before 0.179. */
static _Thread_local uint64_t download_end_ns;

static int is_late(struct debuginfod_client *client, long a, long b)
{
	(void)client;
	(void)a;
	(void)b;
	return clock_now_ns(CLOCK_MONOTONIC) > download_end_ns;
}

static bool downloader_init(struct downloader *downloader, void *library)
{
	*(void **)&downloader->begin = dlsym(library, "debuginfod_begin");
	*(void **)&downloader->end = dlsym(library, "debuginfod_end");
	*(void **)&downloader->find = dlsym(library, "debuginfod_find_debuginfo");
	*(void **)&downloader->set_progress = dlsym(library, "debuginfod_set_progressfn");
	return downloader->begin && downloader->end && downloader->find && downloader->set_progress;
}

static int download(const struct downloader *downloader, const char *build_id)
{
	struct debuginfod_client *client = downloader->begin();
	int fd;

	if (!client)
		return -ENOENT;
	download_end_ns = clock_now_ns(CLOCK_MONOTONIC) + MAX_DOWNLOAD_SECONDS * 1000000000ULL;
	downloader->set_progress(client, is_late);
	fd = downloader->find(client, (const unsigned char *)build_id, 0, NULL);
	downloader->end(client);
	return fd;
}

/* The library stays loaded: what it sets up for a process cannot be taken back. */
int debug_file_download(const char *build_id)
{
	struct downloader downloader;
	void *library;

	if (!build_id[0] || !downloads_are_wanted())
		return -ENOENT;
	library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!library || !downloader_init(&downloader, library))
		return -ENOENT;
	return download(&downloader, build_id);
}

static int open_from_server(const struct binary *binary, struct debug_file *ret_file)
{
	const struct binary_opener *opener = binary->opener;
	struct debug_file file = {.fd = -1};

	if (!binary->build_id[0])
		return -ENOENT;
	file.fd = opener ? opener->download(opener->userdata, binary->build_id)
			 : debug_file_download(binary->build_id);
	return use_file(binary, &file, ret_file);
}

int debug_file_open(const struct binary *binary, struct debug_file *ret_file)
{
	struct debug_file file = {.fd = -1};
	struct place place;
	int r = -ENOENT;

	place_init(&place, binary);
	for (const char *root = place.root; r == -ENOENT && root; root = *root ? "" : NULL)
		r = open_by_build_id(binary, root, &file);
	if (r == -ENOENT)
		r = open_by_link(binary, &place, &file);
	if (r == -ENOENT)
		r = open_from_server(binary, &file);
	if (r == 0)
		*ret_file = file;
	return r;
}

static int open_common_by_path(const struct binary *binary, const char *path, const void *build_id,
			       size_t id_bytes, struct debug_file *ret_file)
{
	const void *bytes;
	int r;

	r = use_path(binary, path, ret_file);
	if (r < 0)
		return r;
	if (dwelf_elf_gnu_build_id(ret_file->elf, &bytes) == (ssize_t)id_bytes &&
	    memcmp(bytes, build_id, id_bytes) == 0)
		return 0;
	debug_file_close(ret_file);
	return -ENOENT;
}

static bool folder_of(const char *location, char folder[PATH_MAX])
{
	snprintf(folder, PATH_MAX, "%s", location);
	cut_folder(folder);
	return strchr(location, '/');
}

int debug_file_open_common(const struct binary *binary, const struct debug_file *debug,
			   const char *name, const void *build_id, size_t id_bytes,
			   struct debug_file *ret_file)
{
	char path[2 * PATH_MAX], folder[PATH_MAX], hex[2 * 64 + 1] = "";
	struct place place;
	int r = -ENOENT;

	if (id_bytes < 2 || 2 * id_bytes >= sizeof(hex))
		return -ENOENT;
	for (size_t i = 0; i < id_bytes; i++)
		snprintf(hex + 2 * i, 3, "%02x", ((const unsigned char *)build_id)[i]);
	place_init(&place, binary);
	for (const char *root = place.root; r == -ENOENT && root; root = *root ? "" : NULL) {
		snprintf(path, sizeof(path), "%s" DEBUG_FOLDER "/.build-id/%.2s/%s.debug", root,
			 hex, hex + 2);
		r = open_common_by_path(binary, path, build_id, id_bytes, ret_file);
		if (r == -ENOENT && name[0] == '/' && strlen(name) < PATH_MAX) {
			snprintf(path, sizeof(path), "%s%s", root, name);
			r = open_common_by_path(binary, path, build_id, id_bytes, ret_file);
		}
	}
	if (r == -ENOENT && name[0] != '/' && strlen(name) < PATH_MAX &&
	    folder_of(debug->location ?: binary->location, folder)) {
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		r = open_common_by_path(binary, path, build_id, id_bytes, ret_file);
	}
	return r;
}

static int grow(uint8_t **bytes, size_t *room)
{
	size_t larger = *room ? 2 * *room : 1 << 20;
	uint8_t *copy;

	if (larger > MAX_UNPACKED_BYTES)
		return -ENOENT;
	copy = realloc(*bytes, larger);
	if (!copy)
		return -ENOMEM;
	*bytes = copy;
	*room = larger;
	return 0;
}

static int unpack_all(lzma_stream *stream, uint8_t **bytes, size_t *ret_size)
{
	lzma_ret status = LZMA_OK;
	size_t room = 0;
	int r;

	while (status == LZMA_OK) {
		if (stream->total_out == room) {
			r = grow(bytes, &room);
			if (r < 0)
				return r;
		}
		stream->next_out = *bytes + stream->total_out;
		stream->avail_out = room - stream->total_out;
		status = lzma_code(stream, LZMA_FINISH);
	}
	*ret_size = stream->total_out;
	return status == LZMA_STREAM_END ? 0 : -ENOENT;
}

static int unpack(const void *packed, size_t size, void **ret_bytes, size_t *ret_size)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	uint8_t *bytes = NULL;
	int r = -ENOMEM;

	if (lzma_stream_decoder(&stream, MAX_LZMA_BYTES, 0) == LZMA_OK) {
		stream.next_in = packed;
		stream.avail_in = size;
		r = unpack_all(&stream, &bytes, ret_size);
	}
	lzma_end(&stream);
	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret_bytes = bytes;
	return 0;
}

int debug_file_unpack(const struct binary *binary, struct debug_file *ret_file)
{
	struct debug_file file = {.fd = -1};
	_cleanup_free_ void *packed = NULL;
	size_t size;
	int r;

	r = section_copy(binary->elf, ".gnu_debugdata", MAX_PACKED_BYTES, &packed, &size);
	if (r < 0)
		return r;
	r = unpack(packed, size, &file.bytes, &size);
	if (r < 0)
		return r;
	file.elf = elf_memory(file.bytes, size);
	if (!is_for_machine(file.elf, binary)) {
		debug_file_close(&file);
		return -ENOENT;
	}
	*ret_file = file;
	return 0;
}
