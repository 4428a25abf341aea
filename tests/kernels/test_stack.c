/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * No program at a uprobe may use 64 bytes of stack in any of its functions
 *
 * From Linux 6.13 on such a function gets a stack for each CPU, and the kernel does not keep the
 * probes of other threads from using it meanwhile where it can be preempted: it then follows
 * pointers that are none. (Seen on Linux 7.3.)
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PROGRAMS 32
#define TOO_MUCH     64
#define SKIPPED	     77

static char logs[MAX_PROGRAMS][65536];

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

/* The programs that every kernel takes; one for session links is the same code. */
static bool is_checked(const struct bpf_program *program)
{
	return bpf_program__type(program) == BPF_PROG_TYPE_KPROBE;
}

static void ask_for_depths(struct bpf_object *object)
{
	struct bpf_program *program;
	int i = 0;

	bpf_object__for_each_program(program, object)
	{
		if (i == MAX_PROGRAMS)
			break;
		bpf_program__set_log_buf(program, logs[i++], sizeof(logs[0]));
		bpf_program__set_log_level(program, 4);
		if (strcmp(bpf_program__name(program), "on_call") == 0 ||
		    strcmp(bpf_program__name(program), "on_check") ==
			    0) /* see LINK_UPROBE_SESSION in daemon/probe/link.h */
			bpf_program__set_expected_attach_type(program, 57);
	}
}

/* "stack depth 40+24+16": one number a function. */
static int check_depths(const char *name, const char *log)
{
	const char *at = strstr(log, "stack depth ");
	int failed = 0;

	printf("%s: %.*s\n", name, at ? (int)strcspn(at, "\n") : 0, at ? at : "");
	if (!at)
		return 1;
	at += strlen("stack depth ");
	for (char *end; *at >= '0' && *at <= '9'; at = *end == '+' ? end + 1 : end)
		failed |= strtol(at, &end, 10) >= TOO_MUCH;
	if (failed)
		printf("FAILED: %s has a function with %d bytes of stack or more\n", name,
		       TOO_MUCH);
	return failed;
}

int main(int argc, char **argv)
{
	struct bpf_object *object = argc > 1 ? bpf_object__open(argv[1]) : NULL;
	struct bpf_program *program;
	int i = 0, r, failed = 0;

	if (!object)
		return EXIT_FAILURE;
	libbpf_set_print(print_nothing);
	ask_for_depths(object);
	r = bpf_object__load(object);
	if (r == -EPERM) {
		puts("SKIPPED: needs root and BPF");
		return SKIPPED;
	}
	if (r < 0) {
		printf("FAILED: the programs do not load: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	bpf_object__for_each_program(program, object)
	{
		if (i < MAX_PROGRAMS && is_checked(program) && *logs[i])
			failed |= check_depths(bpf_program__name(program), logs[i]);
		i++;
	}
	bpf_object__close(object);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
