/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tests/unit/fixture_symbols.h - a binary with its symbols */
#ifndef PERFFLOW_TESTS_FIXTURE_SYMBOLS_H
#define PERFFLOW_TESTS_FIXTURE_SYMBOLS_H

#include "fixture.h"

#include "binary/binary.h"
#include "binary/symbol.h"

static inline void fixture_open_binary(const char *path, struct binary **ret_binary, struct symbols *ret_symbols)
{
	assert_int_equal(binary_open(path, ret_binary, NULL), 0);
	assert_int_equal(symbols_read(*ret_binary, ret_symbols, NULL), 0);
}

static inline void fixture_close_binary(struct binary *binary, struct symbols *symbols)
{
	symbols_done(symbols);
	binary_free(binary);
}

/* By the linker's name, or NULL. */
static inline const struct symbol *fixture_look_for(const struct symbols *symbols, const char *name)
{
	for (size_t i = 0; i < symbols->n_items; i++) {
		if (strcmp(symbols->items[i].linker_name, name) == 0)
			return &symbols->items[i];
	}
	return NULL;
}

/* The same of one that has to be there. */
static inline const struct symbol *fixture_find(const struct symbols *symbols, const char *name)
{
	const struct symbol *symbol = fixture_look_for(symbols, name);

	if (!symbol)
		fail_msg("no %s", name);
	return symbol;
}

#endif
