/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/aspect.h - a pointcut with its advice: what is recorded where; docs/pointcuts.md has the
 * grammar
 *
 *     before_async(H5Dwrite_async) id=arg1 args=(name:str@2) sample=1/10
 */
#ifndef PERFFLOW_PROBE_ASPECT_H
#define PERFFLOW_PROBE_ASPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "perfflow/event.h"
#include "probe/pointcut.h"
#include "probe/site.h"
#include "util/text.h"

enum aspect_advice {
	ASPECT_AROUND,
	ASPECT_BEFORE,
	ASPECT_AFTER,
	ASPECT_AROUND_ASYNC,
	ASPECT_BEFORE_ASYNC,
	ASPECT_AFTER_ASYNC,
	ASPECT_N_ADVICES
};

/* What a value is: as it is said, or as debug information has it. */
enum aspect_type {
	ASPECT_TYPE_AUTO,
	ASPECT_TYPE_I8,
	ASPECT_TYPE_I16,
	ASPECT_TYPE_I32,
	ASPECT_TYPE_I64,
	ASPECT_TYPE_U8,
	ASPECT_TYPE_U16,
	ASPECT_TYPE_U32,
	ASPECT_TYPE_U64,
	ASPECT_TYPE_F32,
	ASPECT_TYPE_F64,
	ASPECT_TYPE_BOOL,
	ASPECT_TYPE_CHAR,
	ASPECT_TYPE_PTR,
	ASPECT_TYPE_STR,    /* char *, to a C string */
	ASPECT_TYPE_STRING, /* std::string: the object, or what a reference refers to */
	ASPECT_N_TYPES
};

#define ASPECT_STRING_BYTES	64 /* of a string, where nobody says more or less */
#define ASPECT_MAX_DEREFERENCES 4

struct aspect_value {
	char *name; /* owned; what it is called, or NULL */
	enum aspect_type type;
	unsigned int n_dereferences; /* "*f64": an address that is followed so often to the value */
	unsigned int max_bytes;	     /* of a string, or of what may turn out to be one; else 0 */
	unsigned int position;	     /* among the arguments, from 1; 0: it is found by its name */
};

enum aspect_id {
	ASPECT_ID_TID,	    /* the thread */
	ASPECT_ID_ARGUMENT, /* id_value */
	ASPECT_ID_RETURN,   /* what is returned, as a number */
};

struct aspect {
	enum aspect_advice advice;
	struct pointcut *pointcut;
	enum site_mode returns; /* SITE_MODE_AUTO where it is not said */
	bool says_returns;
	uint64_t min_ns; /* 0: it is not said */
	uint32_t sample; /* one call in so many; 0: it is not said */
	bool with_stack;
	bool all_args; /* args=*; there are no others then */
	/* at most PF_MAX_CAPTURES together with ret, and an id that is none of them */
	struct aspect_value *args;
	size_t n_args;
	bool has_ret;
	struct aspect_value ret; /* neither name nor position */
	enum aspect_id id;
	bool is_instant; /* `before` or `after` with an id: a moment of asynchronous work */
	/* of ASPECT_ID_ARGUMENT: by name or position; read as in args where it stands there too */
	struct aspect_value id_value;
	char *name;	    /* a text, or NULL: as the function is called */
	ssize_t name_value; /* or the one of args that tells the name; else -1 */
	char *category;	    /* or NULL */
};

/*
 * -EINVAL: why has the sentence and *ret_column (from 0) where in the text it went wrong;
 * ret_column may be NULL.
 */
int aspect_parse(const char *text, struct aspect **ret_aspect, size_t *ret_column, struct why *why);
void aspect_free(struct aspect *aspect);
DEFINE_CLEANUP(struct aspect, aspect_free)

/* Appends what parses to the same aspect. */
int aspect_print(const struct aspect *aspect, struct text *text);

const char *aspect_advice_name(enum aspect_advice advice); /* "before_async" */
const char *aspect_type_name(enum aspect_type type);	   /* "i32"; "*" for ASPECT_TYPE_AUTO */

static inline bool aspect_is_async(const struct aspect *aspect)
{
	return aspect->advice >= ASPECT_AROUND_ASYNC;
}

/* Whether something is recorded when the function is entered, and when it returns. */
bool aspect_sees_entry(const struct aspect *aspect);
bool aspect_sees_return(const struct aspect *aspect);

/* Whether what begins at the entry is told of at the return, which has its id. */
bool aspect_begins_late(const struct aspect *aspect);

/* Whether it leaves it to the annotations what is recorded: it is `around`, as it is if nothing is said, and asks for annotated(). */
bool aspect_follows_annotations(const struct aspect *aspect);

/* Whether they differ in the pointcut alone. */
bool aspect_records_the_same(const struct aspect *a, const struct aspect *b);

#endif
