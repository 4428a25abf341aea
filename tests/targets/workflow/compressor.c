// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * compressor FILE... - second step of the sample workflow: each file becomes FILE.z
 *
 * pack_file() once a file, pack_block() once for each 256 KiB of it, 14 in a field, which calls zlib's compress2().
 */
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "../target.h"

#define BLOCK_BYTES (256 * 1024)

CALLED static unsigned long pack_block(const unsigned char *block, size_t size, FILE *to)
{
	static unsigned char packed[BLOCK_BYTES + BLOCK_BYTES / 8 + 64];
	uLongf packed_size = sizeof(packed);

	if (compress2(packed, &packed_size, block, size, 6) != Z_OK || fwrite(packed, 1, packed_size, to) != packed_size)
		exit(1);
	return packed_size;
}

CALLED static unsigned long pack_file(const char *path)
{
	static unsigned char block[BLOCK_BYTES];
	char packed_path[4096];
	unsigned long total = 0;
	FILE *from, *to;
	size_t n;

	snprintf(packed_path, sizeof(packed_path), "%s.z", path);
	from = fopen(path, "rb");
	to = fopen(packed_path, "wb");
	if (!from || !to) {
		perror(path);
		exit(1);
	}
	while ((n = fread(block, 1, sizeof(block), from)) > 0)
		total += pack_block(block, n, to);
	fclose(from);
	if (fclose(to))
		exit(1);
	return total;
}

int main(int argc, char **argv)
{
	unsigned long total = 0;

	for (int i = 1; i < argc; i++)
		total += pack_file(argv[i]);
	printf("compressor: %lu bytes in %d files\n", total, argc - 1);
	return 0;
}
