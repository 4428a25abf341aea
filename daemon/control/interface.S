/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The interface file, as a string: what GetInterfaceDescription answers is what is installed. */
	.section .rodata
	.global interface_description
interface_description:
	.incbin "io.perfflow.varlink"
	.byte 0
	.section .note.GNU-stack,"",%progbits
