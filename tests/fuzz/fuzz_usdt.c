/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An ELF file from anybody: opened, its static probes read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "binary/usdt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(usdt_done) struct usdt_probes probes = {};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_close_ int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct why why = {};
	size_t n = 0;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (binary_open_fd(fd, "x", &binary, &why) < 0 || usdt_read(binary, &probes, &why) < 0) {
		if (!why.text[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < probes.n_items; i++)
		n += strlen(probes.items[i].provider) + strlen(probes.items[i].name) +
		     strlen(probes.items[i].arguments);
	if (n > size * 3)
		abort();
	return 0;
}
