/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * tests/unit/breakpoint.h - stops in functions of a library in the test's own process, and shows what the kernel would show a
 * probe there
 */
#ifndef PERFFLOW_TESTS_BREAKPOINT_H
#define PERFFLOW_TESTS_BREAKPOINT_H

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define MAX_BREAKPOINTS 512
#define BREAK_OPCODE	0xcc

struct registers {		/* as DWARF numbers them */
	uint64_t general[17];	/* with the address of the instruction last */
	unsigned char vector[8][16];
};

typedef void (*breakpoint_fn)(void *opaque, const struct registers *registers, bool is_return);

struct breakpoint {
	unsigned char *address, opcode;
	void *opaque; /* NULL: a return is not looked at */
	bool is_return;
};

static struct {
	struct breakpoint items[MAX_BREAKPOINTS];
	size_t n_items;
	breakpoint_fn hit;
} breakpoints;

/* The code of a library that was loaded can be written from then on; returns what its addresses have to be added to. */
static inline uint64_t breakpoint_prepare(void *library)
{
	const ElfW(Phdr) *header;
	const ElfW(Ehdr) *file;
	struct link_map *map;

	assert_int_equal(dlinfo(library, RTLD_DI_LINKMAP, &map), 0);
	file = (const ElfW(Ehdr) *)map->l_addr;
	header = (const ElfW(Phdr) *)(map->l_addr + file->e_phoff);
	for (int i = 0; i < file->e_phnum; i++) {
		uint64_t start = (map->l_addr + header[i].p_vaddr) & ~4095ULL;
		uint64_t end = map->l_addr + header[i].p_vaddr + header[i].p_memsz;

		if (header[i].p_type == PT_LOAD && header[i].p_flags & PF_X)
			assert_int_equal(mprotect((void *)start, end - start, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	}
	return map->l_addr;
}

static inline void breakpoint_set(uint64_t address, void *opaque, bool is_return)
{
	struct breakpoint *breakpoint = &breakpoints.items[breakpoints.n_items++];

	assert_true(breakpoints.n_items <= MAX_BREAKPOINTS);
	*breakpoint = (struct breakpoint){
		.address = (unsigned char *)address, .opcode = *(unsigned char *)address, .opaque = opaque, .is_return = is_return};
	*breakpoint->address = BREAK_OPCODE;
}

static inline void breakpoint_read(const ucontext_t *context, struct registers *registers)
{
	static const int order[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
				    REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		registers->general[i] = (uint64_t)context->uc_mcontext.gregs[order[i]];
	memcpy(registers->vector, context->uc_mcontext.fpregs->_xmm, sizeof(registers->vector));
}

/* Each is hit once: the instruction is put back, and runs. The newest of several at one address counts. */
static inline void breakpoint_on_signal(int signal, siginfo_t *info, void *data)
{
	ucontext_t *context = data;
	unsigned char *address = (unsigned char *)context->uc_mcontext.gregs[REG_RIP] - 1;
	struct registers registers;

	(void)signal;
	(void)info;
	context->uc_mcontext.gregs[REG_RIP] -= 1;
	breakpoint_read(context, &registers);
	for (size_t i = breakpoints.n_items; i-- > 0;) {
		struct breakpoint *breakpoint = &breakpoints.items[i];

		if (breakpoint->address != address)
			continue;
		*address = breakpoint->opcode;
		breakpoint->address = NULL;
		breakpoints.hit(breakpoint->opaque, &registers, breakpoint->is_return);
		return;
	}
	abort();
}

static inline void breakpoint_run(breakpoint_fn hit, void (*function)(void))
{
	struct sigaction action = {.sa_sigaction = breakpoint_on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER}, old;

	breakpoints.hit = hit;
	assert_int_equal(sigaction(SIGTRAP, &action, &old), 0);
	function();
	assert_int_equal(sigaction(SIGTRAP, &old, NULL), 0);
	breakpoints.n_items = 0;
}

#endif
