/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* libelf checks that a section lies inside of the file before it hands out its bytes; the sizes
 * have our own limits. */
#include "binary/section.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

Elf_Scn *section_find(Elf *elf, const char *name, GElf_Shdr *ret_header)
{
	Elf_Scn *section = NULL;
	const char *its_name;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) < 0)
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, ret_header))
			return NULL;
		its_name = elf_strptr(elf, names, ret_header->sh_name);
		if (its_name && strcmp(its_name, name) == 0)
			return section;
	}
	return NULL;
}

int section_copy(Elf *elf, const char *name, size_t max_bytes, void **ret_bytes, size_t *ret_size)
{
	GElf_Shdr header;
	Elf_Scn *section = section_find(elf, name, &header);
	Elf_Data *data;
	void *bytes;

	if (!section || header.sh_type == SHT_NOBITS || header.sh_size == 0 ||
	    header.sh_size > max_bytes)
		return -ENOENT;
	data = elf_rawdata(section, NULL);
	if (!data || !data->d_buf || data->d_size == 0)
		return -ENOENT;
	bytes = malloc(data->d_size);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, data->d_buf, data->d_size);
	*ret_bytes = bytes;
	*ret_size = data->d_size;
	return 0;
}
