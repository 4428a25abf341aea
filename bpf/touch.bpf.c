// SPDX-License-Identifier: GPL-2.0-only
/*
 * Brings what a function's arguments point to into memory, so that the programs can read it that may not wait for a page:
 * literals of a program are in no page until it has used them, and PerfFlowAspect's runtime is told of functions by literals.
 * The probe that was attached last runs first.
 */
#include "maps.bpf.h"

static __always_inline void touch(unsigned long address)
{
	char byte;

	bpf_copy_from_user(&byte, sizeof(byte), (const void *)address);
}

SEC("uprobe.s")
int on_touch(struct pt_regs *ctx)
{
	if (!is_armed)
		return 0;
	touch(PT_REGS_PARM2(ctx));
	touch(PT_REGS_PARM3(ctx));
	touch(PT_REGS_PARM4(ctx));
	touch(PT_REGS_PARM5(ctx));
	touch(PT_REGS_PARM6(ctx));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
