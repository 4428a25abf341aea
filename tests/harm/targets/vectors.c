// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * vectors - functions that begin with an AVX instruction
 *
 * The kernel tells instructions that it emulates at a probe by their opcode byte alone. VEX-coded ones share those bytes:
 * it takes vxorps for push %rdi, vpcmpeqb for je, vpor for a short jmp, vzeroupper for ja. The C library's string functions
 * begin with such instructions on machines that have AVX2, so every program would go astray.
 */
#include <stdint.h>
#include <string.h>

#include "harm.h"

typedef float floats __attribute__((vector_size(16)));

#define FUNCTION(name, code) \
	floats name(floats a, floats b); \
	__asm__(".text\n.type " #name ",@function\n" #name ": " code "\nret\n.size " #name ",.-" #name "\n")

FUNCTION(sqrts, "vsqrtps %xmm1,%xmm0");	  /* 51 */
FUNCTION(ands, "vandps %xmm1,%xmm0,%xmm0");	  /* 54 */
FUNCTION(xors, "vxorps %xmm1,%xmm0,%xmm0");	  /* 57 */
FUNCTION(shuffles, "vpshufd $0x1b,%xmm1,%xmm0");  /* 70 */
FUNCTION(equals, "vpcmpeqb %xmm1,%xmm0,%xmm0");	  /* 74 */
FUNCTION(zeroes, "vzeroupper");			  /* 77 */
FUNCTION(spreads, "vpbroadcastb %xmm1,%xmm0");	  /* 78 */
FUNCTION(subtracts, "vpsubsb %xmm1,%xmm0,%xmm0"); /* e8 */
FUNCTION(ors, "vpor %xmm1,%xmm0,%xmm0");	  /* eb */
FUNCTION(adds, "vaddps %xmm1,%xmm0,%xmm0");	  /* 58, which is none of them */

CALLED static void print(const char *name, floats value)
{
	uint64_t words[2];

	memcpy(words, &value, sizeof(words));
	say("%s %016lx %016lx", name, words[0], words[1]);
}

CALLED static void all(floats a, floats b)
{
	print("sqrts", sqrts(a, b));
	print("ands", ands(a, b));
	print("xors", xors(a, b));
	print("shuffles", shuffles(a, b));
	print("equals", equals(a, b));
	print("zeroes", zeroes(a, b));
	print("spreads", spreads(a, b));
	print("subtracts", subtracts(a, b));
	print("ors", ors(a, b));
	print("adds", adds(a, b));
}

int main(void)
{
	if (!__builtin_cpu_supports("avx2")) {
		say("no AVX2 here");
		return 0;
	}
	for (int i = 0; i < 10; i++)
		all((floats){ 1, 2.5F, (float)i, 4 }, (floats){ 1, 3.25F, 9, (float)(i * i) });
	return 0;
}
