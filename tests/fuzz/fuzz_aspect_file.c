/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A file of aspects: each of them is a line's text without its ends, and what is refused says so of the file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/aspect_file.h"
#include "util/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(strings_done) struct strings aspects = {0};
	struct why why = {0};

	if (aspect_file_parse("f", (const char *)data, size, &aspects, &why) < 0) {
		if (strncmp(why.text, "f:", 2) != 0 && strcmp(why.text, "there is no aspect in 'f'") != 0)
			abort();
		return 0;
	}
	for (size_t i = 0; i < aspects.n_items; i++) {
		const char *aspect = aspects.items[i];

		if (!*aspect || strchr(" \t#;", *aspect) || strchr(aspect, '\n') || strlen(aspect) > size)
			abort();
	}
	if (aspects.n_items == 0)
		abort();
	return 0;
}
