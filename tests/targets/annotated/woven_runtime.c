/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Stands for PerfFlowAspect's runtime, libperfflow_runtime.so, by its name and its two entry
 * points: what its compiler pass makes programs call. It looks at the strings, as that one does,
 * and tells at the end how often it was called.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

void perfflow_weave_before(int async, const char *module, const char *function, const char *scope,
			   const char *flow, const char *pcut);
void perfflow_weave_after(int async, const char *module, const char *function, const char *scope,
			  const char *flow, const char *pcut);

static atomic_uint n_before, n_after, n_bytes;

static void look(const char *module, const char *function, const char *scope, const char *flow)
{
	n_bytes += strlen(module) + strlen(function) + strlen(scope) + strlen(flow);
}

void perfflow_weave_before(int async, const char *module, const char *function, const char *scope,
			   const char *flow, const char *pcut)
{
	(void)async;
	(void)pcut; /* releases before 2025 do not pass it */
	n_before++;
	look(module, function, scope, flow);
}

void perfflow_weave_after(int async, const char *module, const char *function, const char *scope,
			  const char *flow, const char *pcut)
{
	(void)async;
	(void)pcut;
	n_after++;
	look(module, function, scope, flow);
}

__attribute__((destructor)) static void tell(void)
{
	printf("%u before, %u after\n", n_before, n_after);
}
