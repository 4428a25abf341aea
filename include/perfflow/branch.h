/* SPDX-License-Identifier: LGPL-3.0-or-later OR GPL-2.0-only */
/*
 * perfflow/branch.h - when a conditional jump is taken: eight bits, which the daemon makes of the instruction and puts into
 * the cookie of an exit site, and by which the kernel side tells at a hit whether the function is left
 *
 * x86-64: 0 (o) to 15 (g), as jcc has it. AArch64: 0 (eq) to 13 (le), as b.cond has it; or PF_BRANCH_REGISTER with the
 * number of a register, 0 to 30: cbz, and with PF_BRANCH_NOT_ZERO cbnz. tbz and tbnz do not fit, nor x86-64's loop.
 */
#ifndef PERFFLOW_BRANCH_H
#define PERFFLOW_BRANCH_H

#ifndef __bpf__
#include <linux/types.h>
#endif
#include <stdbool.h>

#define PF_BRANCH_BITS	   8
#define PF_BRANCH_REGISTER 0x80 /* asks whether a register is zero, not for flags */
#define PF_BRANCH_NOT_ZERO 0x40
#define PF_BRANCH_WIDE	   0x20 /* all 64 bits of it, not the lower 32 */
#define PF_BRANCH_NUMBER   0x1f

/* Both machines number their conditions in pairs: the odd one of each is the opposite of the even one. */
static inline bool pf_branch_is_taken_x86(__u8 branch, __u64 eflags)
{
	bool carry = eflags & 1, parity = eflags & 1 << 2, zero = eflags & 1 << 6, sign = eflags & 1 << 7,
	     overflow = eflags & 1 << 11, holds;

	switch (branch >> 1) {
	case 0:
		holds = overflow;
		break;
	case 1:
		holds = carry;
		break;
	case 2:
		holds = zero;
		break;
	case 3:
		holds = carry || zero;
		break;
	case 4:
		holds = sign;
		break;
	case 5:
		holds = parity;
		break;
	case 6:
		holds = sign != overflow;
		break;
	default:
		holds = zero || sign != overflow;
	}
	return holds != (branch & 1);
}

/* value: what the register holds, where one is asked for. */
static inline bool pf_branch_is_taken_arm64(__u8 branch, __u64 pstate, __u64 value)
{
	bool negative = pstate >> 31 & 1, zero = pstate >> 30 & 1, carry = pstate >> 29 & 1, overflow = pstate >> 28 & 1, holds;

	if (branch & PF_BRANCH_REGISTER) {
		zero = branch & PF_BRANCH_WIDE ? value == 0 : (__u32)value == 0;
		return zero != !!(branch & PF_BRANCH_NOT_ZERO);
	}
	switch (branch >> 1) {
	case 0:
		holds = zero;
		break;
	case 1:
		holds = carry;
		break;
	case 2:
		holds = negative;
		break;
	case 3:
		holds = overflow;
		break;
	case 4:
		holds = carry && !zero;
		break;
	case 5:
		holds = negative == overflow;
		break;
	default:
		holds = !zero && negative == overflow;
	}
	return holds != (branch & 1);
}

#endif
