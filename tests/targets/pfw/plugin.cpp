/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What early.cpp loads: annotated functions that are called when it is loaded, while it is there,
 * and when it is closed. */
#define CRITICAL_PATH __attribute__((annotate("@critical_path()"), noinline))

static int calls;

CRITICAL_PATH void plugin_made()
{
	calls++;
}

CRITICAL_PATH void plugin_unmade()
{
	calls++;
}

extern "C" CRITICAL_PATH void plugin_step()
{
	calls++;
}

static struct lives {
	lives()
	{
		plugin_made();
	}
	~lives()
	{
		plugin_unmade();
	}
} object;
