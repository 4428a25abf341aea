/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "scopes.h"

int in_other_file(int n)
{
	PERFFLOW_BEGIN("other file", "scopes");
	n = in_template(n);
	PERFFLOW_END();
	return n;
}
