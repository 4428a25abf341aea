// SPDX-License-Identifier: LGPL-3.0-or-later
/* registers - all registers and flags that a function may be given, or may give back, arrive as they were */
#include <string.h>

#include "harm.h"

/*
 * From %rdi the values of rax, rdx, rcx, r8-r11, xmm0-xmm7 and the flags are loaded, the function is called, and all are stored
 * to %rsi. `passes` gives them all back.
 */
void all_through(const void *in, void *out);
void passes(void);
__asm__(".text\n.globl passes\n.type passes,@function\n"
	"passes: push %rbp\n"
	"mov %rsp,%rbp\n"
	"pop %rbp\n"
	"ret\n.size passes,.-passes\n"
	".globl all_through\n.type all_through,@function\n"
	"all_through: push %rbx\n"
	"push %r12\n"
	"mov %rdi,%rbx\n"
	"mov %rsi,%r12\n"
	"pushq 56(%rbx)\n"
	"popfq\n"
	"mov (%rbx),%rax\n mov 8(%rbx),%rdx\n mov 16(%rbx),%rcx\n mov 24(%rbx),%r8\n"
	"mov 32(%rbx),%r9\n mov 40(%rbx),%r10\n mov 48(%rbx),%r11\n"
	"movups 64(%rbx),%xmm0\n movups 80(%rbx),%xmm1\n movups 96(%rbx),%xmm6\n movups 112(%rbx),%xmm7\n"
	"call passes\n"
	"mov %rax,(%r12)\n mov %rdx,8(%r12)\n mov %rcx,16(%r12)\n mov %r8,24(%r12)\n"
	"mov %r9,32(%r12)\n mov %r10,40(%r12)\n mov %r11,48(%r12)\n"
	"pushfq\n"
	"popq 56(%r12)\n"
	"cld\n"
	"movups %xmm0,64(%r12)\n movups %xmm1,80(%r12)\n movups %xmm6,96(%r12)\n movups %xmm7,112(%r12)\n"
	"pop %r12\n"
	"pop %rbx\n"
	"ret\n.size all_through,.-all_through\n");

int main(void)
{
	unsigned long in[16], out[16], wrong = 0;

	for (unsigned long round = 0; round < 200; round++) {
		for (unsigned long i = 0; i < 16; i++)
			in[i] = (round + 1) * (i + 3) * 0x9e3779b97f4a7c15UL;
		in[7] = 0x202 | (round & 1) | (round & 2 ? 0x40 : 0) | (round & 4 ? 0x80 : 0) | (round & 8 ? 0x800 : 0) |
			(round & 16 ? 0x4 : 0) | (round & 32 ? 0x10 : 0);
		memset(out, 0, sizeof(out));
		all_through(in, out);
		for (unsigned long i = 0; i < 16; i++) {
			if (in[i] != out[i] && wrong++ < 5)
				say("round %lu register %lu: %lx became %lx", round, i, in[i], out[i]);
		}
	}
	say("wrong %lu", wrong);
	return 0;
}
