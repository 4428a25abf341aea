/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Annotated functions before main() and after it, in the program and in the plugin that argv[1]
 * names: argv[2] calls into the plugin, argv[3] microseconds before each. */
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <unistd.h>

#define CRITICAL_PATH __attribute__((annotate("@critical_path()"), noinline))

static int calls;

CRITICAL_PATH void made()
{
	calls++;
}

CRITICAL_PATH void unmade()
{
	calls++;
}

CRITICAL_PATH void runs()
{
	calls++;
}

static struct lives {
	lives()
	{
		made();
	}
	~lives()
	{
		unmade();
	}
} object;

int main(int argc, char **argv)
{
	void *plugin = nullptr;
	void (*step)() = nullptr;

	runs();
	if (argc < 4)
		return 0;
	plugin = dlopen(argv[1], RTLD_NOW);
	if (!plugin) {
		std::fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	step = reinterpret_cast<void (*)()>(dlsym(plugin, "plugin_step"));
	for (int i = 0; i < std::atoi(argv[2]); i++) {
		usleep(static_cast<unsigned int>(std::atoi(argv[3])));
		step();
	}
	dlclose(plugin);
	return 0;
}
