/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/binary.h - one ELF file: what it is, and what it needs
 *
 * It is opened once: the symbols are read from, and the probes attached to, the very file behind
 * its descriptor, whatever happens to the path meanwhile. Nothing in the file is trusted.
 */
#ifndef PERFFLOW_BINARY_BINARY_H
#define PERFFLOW_BINARY_BINARY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/cleanup.h"
#include "util/text.h"
#include "util/why.h"

/*
 * How the reading of a binary comes to further files: its debug information. Where there is none, they are opened by who reads.
 */
struct binary_opener {
	/* Returns a descriptor of a regular file, or a negative errno. *ret_location is where it is, free of links. */
	int (*open)(void *userdata, const char *path, char **ret_location);
	int (*download)(void *userdata, const char *build_id); /* the same from a debuginfod server */
	void *userdata;
};

struct binary_segment { /* a PT_LOAD */
	uint64_t address, file_offset, file_bytes, memory_bytes;
	bool executable;
};

struct binary {
	char *path; /* as it was given: what people are shown */
	char *name; /* its last part; of a link in /proc, of what it points to */
	char *location; /* where the file is as we see it, free of links; "" if nobody can tell */
	int fd;	    /* read-only; /proc/self/fd/N of it is what probes are attached to */
	dev_t dev;
	ino_t ino;
	uint64_t size;
	uint16_t machine; /* EM_X86_64, EM_AARCH64 */
	bool is_go;	  /* written in Go, whose stacks move: a return probe would crash it */
	/* made to be executed, not a library: ET_EXEC, or DF_1_PIE, or an interpreter and no soname
	 */
	bool is_program;
	char *soname;	       /* DT_SONAME, or NULL */
	char *interpreter;     /* PT_INTERP, or NULL: static, or a library */
	char build_id[41];     /* hex, "" if none */
	struct strings needed; /* DT_NEEDED */
	char *runpath;	       /* DT_RUNPATH, or NULL */
	char *rpath;	       /* DT_RPATH where there is no DT_RUNPATH, or NULL */
	struct binary_segment *segments;
	size_t n_segments;
	/* why no return probe is safe in it, for what is known of the processes that use it: a static fragment of a sentence, or
	 * NULL; whoever knows the processes sets it */
	const char *distrust;
	const struct binary_opener *opener; /* of debug files, or NULL */
	struct pages *pages; /* of what binary_read() reads */
	void *elf; /* libelf's Elf, for the rest of binary/; NULL if it was glanced at alone */
};

/*
 * Opens and checks the file. -ENOEXEC with a sentence in why: not an ELF file, a script, truncated,
 * damaged, for another machine than this one, or 32-bit; -EISDIR, -ENOENT, -EACCES and the like
 * from opening (a regular file only).
 */
int binary_open(const char *path, struct binary **ret_binary, struct why *why);
/* The same from a descriptor that the caller keeps; path is for people. */
int binary_open_fd(int fd, const char *path, struct binary **ret_binary, struct why *why);

/* A file that somebody else has opened, and all that its name tells. */
struct binary_source {
	int fd; /* the caller keeps it */
	const char *path, *name, *location;
	const struct binary_opener *opener; /* or NULL; lives as long as the binary */
};
int binary_open_source(const struct binary_source *source, struct binary **ret_binary, struct why *why);

/*
 * Opens the file and looks at its first bytes alone, which tell an ELF file for this machine: what else there is in it remains
 * unknown, and the binary can be read no further.
 */
int binary_glance(const char *path, struct binary **ret_binary, struct why *why);
int binary_glance_fd(int fd, const char *path, struct binary **ret_binary);

void binary_free(struct binary *binary);
DEFINE_CLEANUP(struct binary, binary_free)

/*
 * Where an address of the file's own address space lies in the file; -ENOENT if in no executable
 * segment.
 */
int binary_file_offset(const struct binary *binary, uint64_t address, uint64_t *ret_offset);

/*
 * Whether a glob for modules means this file: its name, its soname (may be NULL), or its path if
 * the glob has a '/'. What follows ".so" need not be given: "libmpi.so" means libmpi.so.40 too.
 */
bool binary_is_named(const char *glob, const char *path, const char *soname);

/* Reads size bytes of code at a file offset; returns how many there were, or a negative errno. */
ssize_t binary_read(const struct binary *binary, uint64_t file_offset, void *buffer, size_t size);

/* What a pattern's module is matched against: the path, or for a link in /proc the name of the file behind it. */
const char *binary_module_path(const struct binary *binary);

#endif
