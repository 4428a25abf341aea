/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/operand.h - the arguments of a static probe, as the assembler has written down where they
 * are */
#ifndef PERFFLOW_BINARY_OPERAND_H
#define PERFFLOW_BINARY_OPERAND_H

#include <stdint.h>

#include "binary/argument.h"
#include "binary/binary.h"

/*
 * Reads "-4@%eax 8@-16(%rbp) 8@$5 -4@sym+8(%rip)", or AArch64's "-4@x0 8@[sp, 16] 8@5", of the
 * probe at an address. Arguments have no names; what is in memory by a symbol is found from the
 * instruction pointer (register 16). One that makes no sense has a problem.
 */
int operands_read(const struct binary *binary, uint64_t address, const char *text,
		  struct arguments *ret_arguments);

#endif
