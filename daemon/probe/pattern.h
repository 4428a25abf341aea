/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/pattern.h - a name in a pointcut: where it ends in the text, and which functions it means
 *
 *     pattern = [ module ":" ] ( name | "/" regex "/" [ "i" ] )
 */
#ifndef PERFFLOW_PROBE_PATTERN_H
#define PERFFLOW_PROBE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "util/cleanup.h"
#include "util/text.h"
#include "util/why.h"

/* As isspace() has it. */
#define SPACE " \t\r\n\v\f"

/* A text on its way to a tree. */
struct parser {
	const char *text;
	size_t at;
	unsigned int depth; /* of parentheses and '!' */
	bool is_in_cflow;
	struct why *why;
	size_t column; /* of the error */
};

/* Notes where it went wrong and why: `return parse_error(...)`. */
#define parse_error(parser, where, ...)                                                            \
	({                                                                                         \
		(parser)->column = (where);                                                        \
		why_say((parser)->why, -EINVAL, __VA_ARGS__), -EINVAL;                             \
	})

void parser_skip_space(struct parser *parser);
/* Whether "&&" or "||" stands there. */
bool parser_at_operator(const struct parser *parser);
/* The bytes of the word that stands there, of letters, digits and '_'. */
size_t parser_word(const struct parser *parser);
/* Goes behind the ")" that has to stand there, to close the "(" at `open`. */
int parser_close(struct parser *parser, size_t open);

struct regex;

struct glob {
	char *text;
	bool is_literal; /* text has no glob characters and no escapes any more */
};

struct pattern {
	char *module;	     /* a glob, NULL for any */
	char *written;	     /* the name, trimmed; or the regular expression with its slashes */
	struct regex *regex; /* or NULL: then the globs count */
	struct glob name;
	struct glob squeezed;	/* white space squeezed out; no text where the name has neither "("
				   nor "<" */
	bool has_arguments;	/* it has a "(" */
	bool means_linker_name; /* of a regular expression: it begins with "^_" */
};

/* One name of a function, as far as it is known; only linker_name is never NULL. */
struct pointcut_names {
	const char *linker_name;
	const char *plain;	    /* demangled, without arguments */
	const char *with_arguments; /* demangled */
};

/* Reads a pattern up to what cannot belong to it: a ")", "&&", "||" or the end. */
int pattern_parse(struct parser *parser, struct pattern *ret_pattern);
void pattern_done(struct pattern *pattern);
/* As it was written: bare, or as execution(...). */
int pattern_print(const struct pattern *pattern, bool is_execution, struct text *text);

/* Returns 1 and which of the names it means, 0 if none; or a negative errno. The module is not
 * looked at. */
int pattern_match(const struct pattern *pattern, const struct pointcut_names *names,
		  const char **ret_matched, struct why *why);

/*
 * What stands between the parentheses of a term: goes behind the ")" that closes the "(" at
 * parser->at. expected says what is missing where there is nothing.
 */
int pattern_parse_argument(struct parser *parser, const char *expected, size_t *ret_start,
			   char **ret_argument);

/* A regular expression in its slashes; -EINVAL: why says what is wrong with it, *ret_at where. */
int regex_new(const char *text, struct regex **ret_regex, size_t *ret_at, struct why *why);
void regex_free(struct regex *regex);
DEFINE_CLEANUP(struct regex, regex_free)
/* Whether text is one: in slashes, with an "i" behind if need be. */
bool regex_is_meant(const char *text);
/* Returns 1, 0 or a negative errno: -E2BIG with a sentence where it takes too long. */
int regex_match(const struct regex *regex, const char *text, struct why *why);

/*
 * The classes and namespaces around a function, innermost first: returns the bytes of the next one
 * in its demangled name, 0 if there is none. Begin with last = 0.
 */
size_t name_next_scope(const char *name, size_t last);

#endif
