// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * hot KIND CALLS - one small function, called often, whose first instruction is known to the byte
 *
 * hot_KIND(): CALLS calls. KIND: push, nop (5 bytes), endbr_push (endbr64; push) or sub. Prints nanoseconds per call.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#define FUNCTION(name, body) \
	__asm__(".text\n.p2align 4\n.globl " #name "\n.type " #name ", @function\n" #name ":\n" body ".size " #name ", . - " #name "\n")

FUNCTION(hot_push, "push %rbp\nmov %rsp, %rbp\npop %rbp\nret\n");
FUNCTION(hot_nop, ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\nret\n");
FUNCTION(hot_endbr_push, "endbr64\npush %rbp\nmov %rsp, %rbp\npop %rbp\nret\n");
FUNCTION(hot_sub, "sub $24, %rsp\nadd $24, %rsp\nret\n");
void hot_push(void);
void hot_nop(void);
void hot_endbr_push(void);
void hot_sub(void);
#else
#define FUNCTION(name)                        \
	__attribute__((noinline)) void name(void); \
	void name(void)                       \
	{                                     \
		__asm__ volatile("nop");      \
	}
FUNCTION(hot_push)
FUNCTION(hot_nop)
FUNCTION(hot_endbr_push)
FUNCTION(hot_sub)
#endif

static const struct {
	const char *name;
	void (*function)(void);
} kinds[] = { { "push", hot_push }, { "nop", hot_nop }, { "endbr_push", hot_endbr_push }, { "sub", hot_sub } };

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

int main(int argc, char **argv)
{
	uint64_t start, n = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;

	for (size_t k = 0; argc > 1 && k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		if (strcmp(argv[1], kinds[k].name))
			continue;
		start = now_ns();
		for (uint64_t i = 0; i < n; i++)
			kinds[k].function();
		printf("%.1f\n", (double)(now_ns() - start) / (double)n);
		return 0;
	}
	fprintf(stderr, "usage: hot push|nop|endbr_push|sub CALLS\n");
	return 2;
}
