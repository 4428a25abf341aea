/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* main.c - finds the subcommand in the table and runs it; help */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "util/cleanup.h"

static const struct command *const commands[] = {
	&command_run,  &command_attach, &command_match,
	&command_list, &command_status, &command_stop, &command_doctor, &command_convert, &command_check,
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];

	return NULL;
}

static void print_help(FILE *stream)
{
	fputs("usage: perfflow COMMAND [ARGUMENT...]\n"
	      "Shows where the time of running programs goes, function by function.\n\n",
	      stream);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(stream, "  %-8s %s\n", commands[i]->name, commands[i]->help);
	fputs("  help     tell more about a command\n"
	      "\n"
	      "perfflow help COMMAND tells more about one of them.\n"
	      "perfflow --version prints the version.\n",
	      stream);
}

void command_print_help(const struct command *command)
{
	printf("usage: perfflow %s\nTo %s.\n\n%s", command->usage, command->help, command->details);
}

int command_usage_error(const struct command *command, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "perfflow %s: ", command->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\nTry 'perfflow help %s'.\n", command->name);

	return EXIT_USAGE;
}

static int run_help(int argc, char **argv)
{
	const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;

	if (argc < 2) {
		print_help(stdout);
		return EXIT_SUCCESS;
	}
	if (!command) {
		fprintf(stderr, "perfflow: there is no command '%s'; 'perfflow help' lists them\n",
			argv[1]);
		return EXIT_USAGE;
	}

	command_print_help(command);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("perfflow " PERFFLOW_VERSION);
		return EXIT_SUCCESS;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return run_help(1, argv);
	if (strcmp(argv[1], "help") == 0)
		return run_help(argc - 1, argv + 1);

	command = find_command(argv[1]);
	if (!command) {
		fprintf(stderr, "perfflow: there is no command '%s'; 'perfflow help' lists them\n",
			argv[1]);
		return EXIT_USAGE;
	}

	return command->run(argc - 1, argv + 1);
}
