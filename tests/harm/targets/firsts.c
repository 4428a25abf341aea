// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * firsts - functions that begin with instructions which are awkward to step over or to emulate
 *
 * Relative to the instruction pointer, with the flags, repeated, atomic, a call, a jump, a return.
 */
#include <string.h>

#include "harm.h"

long data[4] = { 1000, 2000, 3000, 4000 };

#define FUNCTION(name, code)                  \
	long name(long a, long b, long c, long d); \
	__asm__(".text\n.type " #name ",@function\n" #name ": " code "\nret\n.size " #name ",.-" #name "\n")

FUNCTION(only_returns, "");
FUNCTION(returns_twice, "ret");
FUNCTION(takes_bytes_off, "jmp 1f\n2: mov %rdi,%rax\nret\n1: jmp 2b");
FUNCTION(loads_relative, "mov data+8(%rip),%rax\nadd %rdi,%rax");
FUNCTION(adds_relative, "add data(%rip),%rdi\nlea (%rdi,%rsi),%rax");
FUNCTION(compares_relative, "cmpq $1000,data(%rip)\nsete %al\nmovzbl %al,%eax");
FUNCTION(exchanges_relative, "xchg %rdi,data+16(%rip)\nmov %rdi,%rax");
FUNCTION(compares_and_exchanges, "cmpxchg %rdx,data+24(%rip)\nmov data+24(%rip),%rax\nmovq $4000,data+24(%rip)");
FUNCTION(jumps_by_memory, "jmp *1f(%rip)\n.pushsection .data.rel,\"aw\"\n1: .quad 2f\n.popsection\n2: lea (%rdi,%rdx),%rax");
FUNCTION(divides_relative, "lea data(%rip),%rcx\nmov %rdi,%rax\ncqo\nidivq (%rcx)");
FUNCTION(pushes_flags, "pushfq\npop %rax\nand $0x100,%eax");
FUNCTION(sets_flags, "stc\nsbb %rax,%rax");
FUNCTION(locks, "lock incq data(%rip)\nmov data(%rip),%rax\nlock decq data(%rip)");
FUNCTION(calls_first, "call 1f\nadd $1,%rax\nret\n1: lea 7(%rdi),%rax");
FUNCTION(calls_by_memory, "call *1f(%rip)\nadd $1,%rax\nret\n"
	 ".pushsection .data.rel,\"aw\"\n1: .quad 2f\n.popsection\n2: lea 9(%rdi),%rax");
FUNCTION(finds_itself, "call 1f\n1: pop %rax\nlea 1b(%rip),%rdx\nsub %rdx,%rax");
FUNCTION(branches, "loop 1f\nmov $1,%eax\nret\n1: lea 2(%rcx),%rax");
FUNCTION(counts_down, "sub $1,%rdi\njne counts_down\nmov %rsi,%rax");
FUNCTION(branches_at_once, "jrcxz 1f\nmov $5,%eax\nret\n1: mov $6,%eax");
FUNCTION(goes_by_flags, "jc 1f\nmov $7,%eax\nret\n1: mov $8,%eax");
FUNCTION(leaves_room, "enter $32,$0\nmov %rdi,-8(%rbp)\nmov -8(%rbp),%rax\nleave");
FUNCTION(repeats, "rep stosb");
FUNCTION(asks, "syscall\nmov $3,%eax");
FUNCTION(pops, "pop %rcx\npush %rcx\nmov %rdi,%rax");
FUNCTION(pushes_number, "push $77\npop %rax");
FUNCTION(pushes_itself, "push %rsp\npop %rax\nsub %rsp,%rax");
FUNCTION(pushes_memory, "push data(%rip)\npop %rax");
FUNCTION(pushes_high, "push %r12\nmov %rsi,%r12\nmov %r12,%rax\npop %r12");
FUNCTION(reads_stack, "mov (%rsp),%rax\nsub (%rsp),%rax");
FUNCTION(moves_stack, "lea -64(%rsp),%rsp\nmov %rdx,(%rsp)\nmov (%rsp),%rax\nlea 64(%rsp),%rsp");
FUNCTION(waits, "pause\nmov %rdi,%rax");
FUNCTION(nothing_long, "cs nopw 0x0(%rax,%rax,1)\nmov %rdi,%rax");
FUNCTION(nothing_marked, "endbr64\nnop\nmov %rdi,%rax");

#define SHOW(name, ...) say(#name " %ld", name(__VA_ARGS__))

CALLED static void all(long n)
{
	only_returns(n, 2, 3, 4);
	returns_twice(n, 2, 3, 4);
	SHOW(takes_bytes_off, n, 2, 3, 4);
	SHOW(loads_relative, n, 2, 3, 4);
	SHOW(adds_relative, n, 2, 3, 4);
	SHOW(compares_relative, n, 2, 3, 4);
	SHOW(exchanges_relative, n, 2, 3, 4);
	SHOW(compares_and_exchanges, n, 2, 3, 4);
	SHOW(jumps_by_memory, n, 2, 3, 4);
	SHOW(divides_relative, n * 5000, 2, 3, 4);
	SHOW(pushes_flags, n, 2, 3, 4);
	SHOW(sets_flags, n, 2, 3, 4);
	SHOW(locks, n, 2, 3, 4);
	SHOW(calls_first, n, 2, 3, 4);
	SHOW(calls_by_memory, n, 2, 3, 4);
	SHOW(finds_itself, n, 2, 3, 4);
	SHOW(branches, n, 2, 3, n + 1);
	SHOW(counts_down, n + 3, n, 3, 4);
	SHOW(branches_at_once, n, 2, 3, n % 2);
	SHOW(leaves_room, n, 2, 3, 4);
	SHOW(pops, n, 2, 3, 4);
	SHOW(pushes_number, n, 2, 3, 4);
	SHOW(pushes_itself, n, 2, 3, 4);
	SHOW(pushes_memory, n, 2, 3, 4);
	SHOW(pushes_high, n, n, 3, 4);
	SHOW(reads_stack, n, 2, 3, 4);
	SHOW(moves_stack, n, 2, n, 4);
	SHOW(waits, n, 2, 3, 4);
	SHOW(nothing_long, n, 2, 3, 4);
	SHOW(nothing_marked, n, 2, 3, 4);
}

CALLED static void special(void)
{
	char bytes[100];
	char *to = bytes;
	long flags[2], asked, count = 50;

	memset(bytes, 0, sizeof(bytes));
	__asm__ volatile("call repeats" : "+D"(to), "+c"(count) : "a"('x') : "memory");
	say("repeats %d of %.60s", (int)strlen(bytes), bytes);
	__asm__ volatile("call asks" : "=a"(asked) : "a"(39L) : "rcx", "rdx", "r11", "memory");
	say("asks %ld", asked);
	__asm__ volatile("stc\n call goes_by_flags" : "=a"(flags[0]) : : "cc");
	__asm__ volatile("clc\n call goes_by_flags" : "=a"(flags[1]) : : "cc");
	say("goes_by_flags %ld %ld", flags[0], flags[1]);
}

int main(void)
{
	for (long i = 1; i < 4; i++) {
		all(i);
		special();
	}
	return 0;
}
