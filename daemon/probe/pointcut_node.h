/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/pointcut_node.h - the tree of a pointcut: for pointcut*.c alone */
#ifndef PERFFLOW_PROBE_POINTCUT_NODE_H
#define PERFFLOW_PROBE_POINTCUT_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/pattern.h"
#include "probe/pointcut.h"

enum node_kind {
	NODE_ANY_OF,
	NODE_ALL_OF,
	NODE_NOT,
	NODE_PATTERN, /* from here on the leaves */
	NODE_WITHIN,
	NODE_SIZE,
	NODE_USDT,
	NODE_PY,
	NODE_ANNOTATED,
	NODE_CFLOW,
	NODE_EXE, /* from here on terms of the process */
	NODE_COMM,
	NODE_UID,
	NODE_CGROUP,
	NODE_JOB,
	NODE_RANK,
};

enum place { PLACE_MODULE = 1, PLACE_FILE = 2, PLACE_CLASS = 4 };

struct node {
	enum node_kind kind;
	bool asks_source;      /* it or something below it */
	bool is_process;       /* it, and all that is below it, is about the process alone */
	struct node *children; /* NODE_ANY_OF, NODE_ALL_OF, NODE_NOT */
	size_t n_children;
	struct pattern pattern; /* NODE_PATTERN */
	bool is_execution;	/* NODE_PATTERN: written as execution(...) */
	char *text;		/* a glob: NODE_WITHIN; NODE_USDT: the provider; NODE_PY: the
				   module; the process's */
	char *name;		/* NODE_USDT, NODE_PY: a glob */
	unsigned int places;	/* NODE_WITHIN: of enum place */
	bool is_explicit;	/* NODE_WITHIN: the place was named */
	struct regex *regex;	/* NODE_WITHIN: instead of the glob, or NULL */
	uint64_t least, most;	/* NODE_SIZE, NODE_RANK; NODE_UID: both are it */
	struct pointcut *inner; /* NODE_CFLOW */
};

struct pointcut {
	struct node root;
};

void node_done(struct node *node);
/* Whether they mean the same by the same words. */
bool node_is_equal(const struct node *a, const struct node *b);

/* "file:"; "" of several places together. */
const char *place_prefix(unsigned int place);
/* Reads a designator with what it has in parentheses. Returns 1, 0 if there is none, or a negative
 * errno. */
int node_parse_term(struct parser *parser, struct node *node);

/* In this order: "and" is the least, "or" the greatest of its children. */
enum truth { NO, PERHAPS, YES };

enum knowledge { KNOWS_MODULE = 1, KNOWS_FUNCTION = 2, KNOWS_KIND = 4 };
#define KNOWS_ALL (KNOWS_MODULE | KNOWS_FUNCTION | KNOWS_KIND)

struct question {
	const struct pointcut_subject *subject;
	unsigned int knows;  /* of enum knowledge: which parts of the subject count */
	const char *matched; /* the name that a pattern meant */
	bool is_called;	     /* a usdt() holds */
	int error;
	struct why *why;
};

/* NO as well where question->error says that it could not be decided. */
enum truth node_ask(const struct node *node, struct question *question);

/* Like pointcut_matches(), but tells "perhaps". */
int pointcut_ask(const struct pointcut *pointcut, const struct pointcut_subject *subject,
		 enum truth *ret_truth, const char **ret_matched, struct why *why);

#endif
