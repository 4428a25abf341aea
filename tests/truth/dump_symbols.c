/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dump_symbols: for each path on standard input the functions that perfflow sees in it, for a
 * comparison with others. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "binary/symbol.h"

static void dump(const char *path)
{
	_cleanup_(symbols_done) struct symbols symbols = {};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct why why = {};
	int r;

	r = binary_open(path, &binary, &why);
	if (r == 0)
		r = symbols_read(binary, &symbols, &why);
	if (r < 0) {
		printf("refused\t%s\n", why_text(&why, r));
		return;
	}
	for (size_t i = 0; i < symbols.n_items; i++)
		printf("%" PRIx64 "\t%" PRIu64 "\t%s\n", symbols.items[i].address,
		       symbols.items[i].size, symbols.items[i].linker_name);
}

int main(void)
{
	char path[4096];

	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = '\0';
		printf("file\t%s\n", path);
		dump(path);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
