/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the daemon takes from an inspector, which may have been taken over: join points, their sums, functions of a file. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "inspect/found.h"
#include "inspect/functions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_found(const struct plan *plan, const char *data, size_t size, int are_sums)
{
	struct found found = { 0 };
	int r;

	if (found_init(&found, plan) < 0)
		abort();
	r = are_sums ? found_take_sums(&found, data, size) : found_take_joinpoints(&found, 1 << 20, data, size);
	for (size_t i = 0; r == 0 && i < found.n; i++) {
		struct sink_label label = found_label(&found, i);

		if (found.joinpoints[i].site.entry_offset >= 1 << 20 || !label.name || !label.category ||
		    label.name_value >= (int)label.n_values ||
		    (!found.advices[i].is_plain && found.advices[i].advice.n_captures != label.n_values))
			abort();
	}
	found_done(&found);
}

static void take_functions(const char *data, size_t size)
{
	struct functions functions = { 0 };
	struct text text = { 0 };

	if (functions_take(data, size, &functions) == 0)
		for (uint64_t offset = 0; offset < 64; offset++)
			functions_print(&functions, "x", offset, &text);
	functions_done(&functions);
	text_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct plan plan;

	if (!plan.n_aspects && (plan_add_aspect(&plan, "around(f) args=(a:i32@1, b:str@2)", NULL, NULL) < 0 ||
				plan_add_aspect(&plan, "g && cflow(f)", NULL, NULL) < 0))
		abort();
	if (!size)
		return 0;
	if (data[0] % 3 == 2)
		take_functions((const char *)data + 1, size - 1);
	else
		take_found(&plan, (const char *)data + 1, size - 1, data[0] % 3);
	return 0;
}
