/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The arguments are where the ABI has them, whatever the debug information of a runtime says that is older than its program.
 *
 * One call in so many cannot be chosen, since each of the two functions would choose for itself.
 */
#include "probe/woven.h"

#include <string.h>

#include "binary/abi.h"

enum woven woven_find(const char *linker_name)
{
	if (strcmp(linker_name, "perfflow_weave_before") == 0)
		return WOVEN_BEFORE;
	return strcmp(linker_name, "perfflow_weave_after") == 0 ? WOVEN_AFTER : WOVEN_NOT;
}

void woven_advise(enum woven woven, uint16_t machine, const struct aspect *aspect, struct pf_advice *advice)
{
	struct abi_call call = { .machine = machine };

	advice->kind = woven == WOVEN_BEFORE ? PF_ADVICE_WOVEN_BEFORE : PF_ADVICE_WOVEN_AFTER;
	advice->with_stack = aspect->with_stack;
	advice->min_ns = aspect->min_ns;
	advice->n_captures = WOVEN_N_VALUES;
	for (unsigned int i = 0; i < WOVEN_N_VALUES; i++) {
		struct abi_place place = abi_next_word(&call);

		advice->captures[i] = (struct pf_capture){
			.place = place.place,
			.number = place.number,
			.offset = place.offset,
			.value = i == WOVEN_ASYNC ? PF_VALUE_BYTES : PF_VALUE_STRING,
			.size = i == WOVEN_ASYNC ? sizeof(int) : 0,
			.max_bytes = i == WOVEN_ASYNC ? 0 : PF_MAX_STRING_BYTES,
		};
	}
}
