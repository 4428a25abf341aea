/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/section.h - sections of an ELF file by name; for the rest of binary/ */
#ifndef PERFFLOW_BINARY_SECTION_H
#define PERFFLOW_BINARY_SECTION_H

#include <gelf.h>
#include <stddef.h>

/* The first section of that name and what its header says, or NULL. */
Elf_Scn *section_find(Elf *elf, const char *name, GElf_Shdr *ret_header);

/* A copy of its bytes, freed by the caller. -ENOENT: there is none, it is empty, damaged, or larger
 * than max_bytes. */
int section_copy(Elf *elf, const char *name, size_t max_bytes, void **ret_bytes, size_t *ret_size);

#endif
