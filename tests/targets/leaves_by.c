// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * leaves_by - functions in assembly that are left by jumps: to a ret of others, to a ret of their own elsewhere, to a function
 *
 * Each is called 30 times, with -10 to 19, and returns twice its argument. Ten numbers are negative, one is 0; both_ways() and
 * by_branch_to_function() call doubled() for each but these 10. It is called for nothing else.
 */
#include "target.h"

#define BEGIN(name)  ".text\n.p2align 4\n.globl " #name "\n.type " #name ", @function\n" #name ":\n.cfi_startproc\n"
#define END(name)    ".cfi_endproc\n.size " #name ", . - " #name "\n"
#define FUNCTION(name, code)  \
	int name(int number); \
	__asm__(BEGIN(name) code "\n" END(name))
/* code with a range of .eh_frame, but no name */
#define UNNAMED(code) __asm__(".text\n.p2align 4\n.cfi_startproc\n" code "\n.cfi_endproc\n")

UNNAMED(".Lcommon: ret");
FUNCTION(doubled, "lea (%rdi,%rdi), %eax\nret");
FUNCTION(by_jump, "lea (%rdi,%rdi), %eax\ntest %edi, %edi\njs 1f\njmp .Lcommon\n1: nop\njmp .Lcommon");
FUNCTION(by_branch, "lea (%rdi,%rdi), %eax\ntest %edi, %edi\njs .Lcommon\nxchg %eax, %edi\nxchg %eax, %edi\nje .Lcommon\nret");
FUNCTION(by_branch_to_function, "lea (%rdi,%rdi), %eax\ntest %edi, %edi\njns doubled\nret");
FUNCTION(both_ways, "lea (%rdi,%rdi), %eax\ntest %edi, %edi\njs .Lcommon\njmp doubled");
FUNCTION(by_ret_of_another, "lea (%rdi,%rdi), %eax\ntest %edi, %edi\njs .Lof_another\nret");
FUNCTION(lends_its_ret, "push %rbx\nmov %edi, %ebx\nlea (%rbx,%rbx), %eax\npop %rbx\n.Lof_another: ret");
FUNCTION(by_ret_of_part, "lea (%rdi,%rdi), %eax\ntest %edi, %edi\njs .Lof_part\nje .Lpart\nret");
UNNAMED(".Lpart: xor %eax, %eax\n.Lof_part: ret");
FUNCTION(by_switch, "lea (%rdi,%rdi), %eax\ncmp $1, %edi\nja 9f\nlea .Ltable(%rip), %rdx\nmovslq (%rdx,%rdi,4), %rcx\n"
		    "add %rdx, %rcx\njmp *%rcx\n.Lcase: xor %eax, %eax\nret\n9: ret");
UNNAMED(".Lreturn_alone: ret");
__asm__(".section .rodata\n.p2align 2\n.Ltable: .long .Lcase - .Ltable, .Lreturn_alone - .Ltable\n.text\n");

CALLED static int check(int (*function)(int number))
{
	int n_wrong = 0;

	for (int i = -10; i < 20; i++)
		n_wrong += function(i) != 2 * i;
	return n_wrong;
}

int main(void)
{
	return check(by_jump) + check(by_branch) + check(by_branch_to_function) + check(both_ways) +
	       check(by_ret_of_another) + check(lends_its_ret) + check(by_ret_of_part) + check(by_switch);
}
