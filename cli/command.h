/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* command.h - the table of subcommands */
#ifndef PERFFLOW_CLI_COMMAND_H
#define PERFFLOW_CLI_COMMAND_H

#define EXIT_USAGE 2

struct command {
	const char *name;
	const char *usage;   /* one line, without "perfflow" */
	const char *help;    /* half a line */
	const char *details; /* options and what else there is to know; whole lines */
	int (*run)(int argc,
		   char **argv); /* argv[0] is the command's name; returns the exit status */
};

/* One a file, cmd_<name>.c */
extern const struct command command_run, command_attach, command_match, command_list,
	command_status, command_stop, command_doctor, command_convert, command_check;

void command_print_help(const struct command *command);

/* Says what is wrong with the arguments and where to read more. Returns EXIT_USAGE. */
int command_usage_error(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
