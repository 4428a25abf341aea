// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * misread - functions that begin with an instruction which kernels take for another when it is probed
 *
 * What the kernel emulates it tells by the opcode byte alone. VEX and EVEX instructions share those bytes: vpcmpeqb is taken
 * for je, vpor for a short jmp, vpsubsb for call; and xchg %rax,%r8 is 90 with a prefix, taken for nop. The C library's
 * string functions and Go's write barriers begin so: a probe there leads every program astray. What comes behind such an
 * instruction may be probed instead, where it is reached once a call, and from there alone.
 */
#include <stdint.h>
#include <string.h>

#include "harm.h"

typedef float floats __attribute__((vector_size(16)));

#define FUNCTION(name, code) __asm__(".text\n.type " #name ",@function\n" #name ": " code "\nret\n.size " #name ",.-" #name "\n")
#define VECTOR(name, code)            \
	floats name(floats a, floats b); \
	FUNCTION(name, code)

VECTOR(sqrts, "vsqrtps %xmm1,%xmm0");		/* 51 */
VECTOR(ands, "vandps %xmm1,%xmm0,%xmm0");	/* 54 */
VECTOR(xors, "vxorps %xmm1,%xmm0,%xmm0");	/* 57 */
VECTOR(adds, "vaddps %xmm1,%xmm0,%xmm0");	/* 58 */
VECTOR(shuffles, "vpshufd $0x1b,%xmm1,%xmm0");	/* 70 */
VECTOR(equals, "vpcmpeqb %xmm1,%xmm0,%xmm0");	/* 74 */
VECTOR(zeroes, "vzeroupper");			/* 77 */
VECTOR(spreads, "vpbroadcastb %xmm1,%xmm0");	/* 78 */
VECTOR(subtracts, "vpsubsb %xmm1,%xmm0,%xmm0"); /* e8 */
VECTOR(subtracts_words, "vpsubsw %xmm1,%xmm0,%xmm0"); /* e9 */
VECTOR(ors, "vpor %xmm1,%xmm0,%xmm0");		/* eb */

long wide(long a, long b);
FUNCTION(wide, "vmovq %rdi,%xmm0\nvpor %xmm0,%xmm0,%xmm0\nmov %rsi,%rax\nadd %rdi,%rax");
long calls(long a, long b);
FUNCTION(calls, "vmovq %rdi,%xmm0\npush %rbx\nmov %rdi,%rbx\ncall wide\nadd %rbx,%rax\npop %rbx");
long goes_on(long a, long b);
FUNCTION(goes_on, "vmovq %rdi,%xmm0\njmp calls");
long skips(long a, long b, long c, long d);
FUNCTION(skips, "vpor %xmm0,%xmm0,%xmm0\njrcxz 1f\nlea 5(%rdi),%rax\nret\n1: lea 6(%rsi),%rax");
long turns(long a, long b);
FUNCTION(turns, "vpor %xmm0,%xmm0,%xmm0\n1: dec %rdi\njnz 1b\nmov %rsi,%rax");
long begins_inside(long a, long b);
FUNCTION(around, "vpor %xmm0,%xmm0,%xmm0\n.type begins_inside,@function\nbegins_inside: lea (%rdi,%rsi),%rax\nret\n"
		 ".size begins_inside,.-begins_inside");
long counts(long *a);
FUNCTION(counts, "lock incq (%rdi)\nmov (%rdi),%rax");

long fifth(long a, long b, long c, long d, long e);
FUNCTION(fifth, "xchg %rax,%r8"); /* 49 90 */

CALLED static void print(const char *name, floats value)
{
	uint64_t words[2];

	memcpy(words, &value, sizeof(words));
	say("%s %016lx %016lx", name, words[0], words[1]);
}

CALLED static void vectors(floats a, floats b)
{
	print("sqrts", sqrts(a, b));
	print("ands", ands(a, b));
	print("xors", xors(a, b));
	print("adds", adds(a, b));
	print("shuffles", shuffles(a, b));
	print("equals", equals(a, b));
	print("zeroes", zeroes(a, b));
	print("spreads", spreads(a, b));
	print("subtracts", subtracts(a, b));
	print("subtracts_words", subtracts_words(a, b));
	print("ors", ors(a, b));
}

CALLED static void numbers(long i)
{
	long count = i;

	say("wide %ld", wide(i, 7));
	say("calls %ld", calls(i, 8));
	say("goes_on %ld", goes_on(i, 9));
	say("skips %ld", skips(i, 10, 0, i % 2));
	say("turns %ld", turns(i + 1, 11));
	say("begins_inside %ld", begins_inside(i, 12));
	say("counts %ld", counts(&count));
}

int main(void)
{
	for (int i = 0; i < 10; i++) {
		say("fifth %ld", fifth(1, 2, 3, 4, 5 + i));
		if (!__builtin_cpu_supports("avx2"))
			continue;
		numbers(i);
		vectors((floats){ 1, 2.5F, (float)i, 4 }, (floats){ 1, 3.25F, 9, (float)(i * i) });
	}
	return 0;
}
