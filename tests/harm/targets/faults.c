// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * faults - functions whose first instruction faults; the handler must see the address of that instruction, not of a copy
 *
 * It leaves by siglongjmp, or sets the register right and lets the instruction run again.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#include "harm.h"

static sigjmp_buf out;
static int leaves;
static long good = 42;

/* A first instruction that the kernel has to step over out of line, and a third that faults. */
long loads(const long *from);
__asm__(".text\n.type loads,@function\n"
	"loads: mov (%rdi),%rax\n"
	"ret\n.size loads,.-loads\n");
long divides(long by);
__asm__(".text\n.type divides,@function\n"
	"divides: mov $84,%eax\n"
	"cltd\n"
	"idiv %edi\n"
	"ret\n.size divides,.-divides\n");

CALLED static void handler(int number, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	uintptr_t ip = (uintptr_t)at->uc_mcontext.gregs[REG_RIP];

	say("signal %d: loads+%d divides+%d address %d", number, number == SIGSEGV ? (int)(ip - (uintptr_t)loads) : 0,
	    number == SIGFPE ? (int)(ip - (uintptr_t)divides) : 0, number == SIGSEGV ? (int)(intptr_t)info->si_addr : 0);
	if (leaves)
		siglongjmp(out, 1);
	at->uc_mcontext.gregs[REG_RDI] = number == SIGSEGV ? (greg_t)(uintptr_t)&good : 2;
}

CALLED static void attempt(void)
{
	say("loaded %ld", loads((const long *)8));
	say("divided %ld", divides(0));
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	for (volatile int i = 0; i < 6; i++) {
		leaves = i % 2;
		if (!sigsetjmp(out, 1))
			attempt();
		else
			say("left");
	}
	return 0;
}
