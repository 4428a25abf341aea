// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * workers FILE... - last step of the sample workflow: a child process for each file, which sends back what it found
 *
 * analyse() once in each child, within it histogram(); collect() once in the parent for each child.
 */
#include <math.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../target.h"

CALLED static void histogram(const float *values, size_t n, unsigned long bins[64])
{
	for (size_t i = 0; i < n; i++)
		bins[(unsigned int)(sqrtf(fabsf(values[i])) * 6.0f) % 64]++;
}

CALLED static double analyse(const char *path)
{
	static float values[65536];
	unsigned long bins[64] = { 0 };
	double entropy = 0, total = 0;
	FILE *file = fopen(path, "rb");
	size_t n;

	if (!file)
		return -1;
	while ((n = fread(values, sizeof(values[0]), 65536, file)) > 0) {
		histogram(values, n, bins);
		total += (double)n;
	}
	fclose(file);
	for (int i = 0; i < 64; i++)
		entropy -= bins[i] ? (double)bins[i] / total * log2((double)bins[i] / total) : 0;
	usleep(30000); /* as if the result had to go far */
	return entropy;
}

CALLED static double collect(int fd)
{
	double entropy;

	return read(fd, &entropy, sizeof(entropy)) == sizeof(entropy) ? entropy : -1;
}

int main(int argc, char **argv)
{
	double sum = 0;
	int ends[64][2];

	if (argc > 64)
		return 2;
	for (int i = 1; i < argc; i++) {
		if (pipe(ends[i - 1]))
			return 1;
		if (!fork()) {
			double entropy = analyse(argv[i]);

			_exit(write(ends[i - 1][1], &entropy, sizeof(entropy)) != sizeof(entropy));
		}
		close(ends[i - 1][1]);
	}
	for (int i = 1; i < argc; i++)
		sum += collect(ends[i - 1][0]);
	while (wait(NULL) > 0)
		;
	printf("workers: mean entropy %.4f bits\n", argc > 1 ? sum / (argc - 1) : 0);
	return 0;
}
