/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Code from anybody: all functions of an ELF file, with the frames and tables that it brings, are chosen sites for. A file is refused on
 * other machines than its own; here its code is taken for that of each.
 */
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe/site.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_FUNCTIONS 200 /* many of them may be the same code */

static void choose(struct site_chooser *chooser, const struct binary *binary, const struct symbol *symbol)
{
	_cleanup_(site_done) struct site site = {};
	struct why why = {};
	int r;

	r = site_choose(chooser, symbol, SITE_MODE_SITES, &site, &why);
	if (r < 0 && r != -ENOMEM && !why.text[0])
		abort();
	if (r < 0)
		return;
	if (!site.reason || site.entry_offset >= binary->size)
		abort();
	for (size_t i = 0; i < site.n_exits; i++) {
		if (site.exits[i].file_offset >= binary->size)
			abort();
	}
}

static void choose_all(struct binary *binary, const struct symbols *symbols, uint16_t machine)
{
	_cleanup_(site_chooser_closep) struct site_chooser *chooser = NULL;

	binary->machine = machine;
	if (site_chooser_open(binary, symbols, &chooser, NULL) < 0)
		return;
	for (size_t i = 0; i < symbols->n_items && i < MAX_FUNCTIONS; i++)
		choose(chooser, binary, &symbols->items[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(symbols_done) struct symbols symbols = {};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_close_ int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (binary_open_fd(fd, "x", &binary, NULL) < 0 || symbols_read(binary, &symbols, NULL) < 0)
		return 0;
	choose_all(binary, &symbols, EM_X86_64);
	choose_all(binary, &symbols, EM_AARCH64);
	return 0;
}
