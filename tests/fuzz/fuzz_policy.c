/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A configuration file: what is refused changes nothing and says its line; what is not keeps the
 * limits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy policy, before;
	struct why why = {0};

	memset(&policy, 0x55, sizeof(policy));
	before = policy;
	if (policy_parse("f", (const char *)data, size, &policy, &why) < 0) {
		if (memcmp(&policy, &before, sizeof(policy)) != 0 ||
		    strncmp(why.text, "f:", 2) != 0)
			abort();
		return 0;
	}
	if (policy.n_sessions < 1 || policy.n_sessions > POLICY_MAX_SESSIONS ||
	    policy.n_user_sessions < 1 || policy.n_user_sessions > policy.n_sessions ||
	    memchr(policy.group, '\0', sizeof(policy.group)) == NULL)
		abort();
	return 0;
}
