/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A probe in a template, which two files compile. */
#ifndef SCOPES_H
#define SCOPES_H

#include <perfflow/aspect.h>

template <class T> PERFFLOW_CRITICAL_PATH(pointcut = 'around') T in_template(T n)
{
	PERFFLOW_SCOPE("template", "scopes");
	if (n > 100)
		throw n;
	return n + 1;
}

int in_other_file(int n);

#endif
