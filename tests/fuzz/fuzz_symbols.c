/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An ELF file from anybody: opened, its symbols read and demangled, its line tables gone through.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "binary/annotated.h"
#include "binary/source.h"
#include "binary/symbol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demangle(const struct symbol *symbol)
{
	_cleanup_free_ char *plain = NULL, *with_arguments = NULL;

	symbol_demangle(symbol->linker_name, false, &plain);
	symbol_demangle(symbol->linker_name, true, &with_arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(annotated_done) struct annotated annotated = {};
	_cleanup_(source_closep) struct source *source = NULL;
	_cleanup_(symbols_done) struct symbols symbols = {};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_close_ int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct why why = {};

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (binary_open_fd(fd, "x", &binary, &why) < 0 ||
	    symbols_read(binary, &symbols, &why) < 0) {
		if (!why.text[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < symbols.n_items; i++)
		demangle(&symbols.items[i]);
	source_open(binary, &symbols, &source);
	annotated_read(binary, &symbols, &annotated);
	return 0;
}
