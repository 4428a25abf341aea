/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * PerfFlowAspect has a lexer that knows a few words, signs and quoted texts and passes over every
 * other character, and a grammar above it. So `pointcut = 'around'` and `my_pointcut = 'around'`
 * are the same to it, and here. Differences are few and on purpose: a scope may be called 'in' or
 * 'around', a text without the head is not ours, and a quote needs its end.
 *
 * What the assembler makes of a name without quotes around it ('a is 97 to it) is turned back
 * first.
 */
#include "binary/annotation.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define MAX_SHOWN_BYTES 200

enum phase {	      /* what is expected */
	     OUTSIDE, /* a head, or the end */
	     HEAD,    /* ( */
	     OPEN,    /* a key or ) */
	     KEY,     /* = */
	     EQUALS,  /* a value */
	     VALUE,   /* , or ) */
	     COMMA,   /* a key */
};

enum key { POINTCUT, SCOPE, FLOW };

struct reader {
	const char *text, *at;
	enum phase phase;
	enum key key;
	struct annotation annotation; /* so far; its scope is not its own */
	const char *scope;	      /* NULL: none yet */
	size_t scope_size;
	char fault[256]; /* why it is malformed */
};

static const char *const heads[] = {"@critical_path", "@perfflowaspect.aspect.critical_path"};
static const char *const keys[] = {[POINTCUT] = "pointcut", [SCOPE] = "scope", [FLOW] = "flow"};
static const char *const pointcuts[] = {"around",	"before",	"after",
					"around_async", "before_async", "after_async"};
static const char *const flows[] = {NULL, "in", "out", "inout", "outin"};

const char *annotation_pointcut_name(enum annotation_pointcut pointcut)
{
	return pointcuts[pointcut];
}

const char *annotation_flow_name(enum annotation_flow flow)
{
	return flows[flow];
}

bool annotation_is_ours(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		if (strstr(text, heads[i]))
			return true;
	}
	return false;
}

void annotation_done(struct annotation *annotation)
{
	free(annotation->scope);
	*annotation = (struct annotation){};
}

static int unexpected(struct reader *reader, size_t size)
{
	static const char *const expected[] = {
		[OUTSIDE] = "@critical_path or the end", [HEAD] = "'('",
		[OPEN] = "pointcut, scope, flow or ')'", [KEY] = "'='",
		[EQUALS] = "a value in single quotes",	 [VALUE] = "',' or ')'",
		[COMMA] = "pointcut, scope or flow",
	};

	if (!*reader->at)
		snprintf(reader->fault, sizeof(reader->fault), "it ends where %s is expected",
			 expected[reader->phase]);
	else
		snprintf(reader->fault, sizeof(reader->fault),
			 "%s is expected at column %zu, in place of \"%.*s\"",
			 expected[reader->phase], reader->at - reader->text + 1, (int)size,
			 reader->at);
	return -EINVAL;
}

/* Where it is one of the words, its number, else -EINVAL. */
static int find_word(const char *const *words, size_t n, const char *word, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		if (words[i] && strlen(words[i]) == size && memcmp(words[i], word, size) == 0)
			return (int)i;
	}
	return -EINVAL;
}

static int take_pointcut(struct reader *reader, const char *value, size_t size)
{
	int r = find_word(pointcuts, ARRAY_SIZE(pointcuts), value, size);

	if (r < 0) {
		snprintf(reader->fault, sizeof(reader->fault),
			 "its pointcut is none of around, before, after, around_async, "
			 "before_async and after_async");
		return r;
	}
	reader->annotation.pointcut = (enum annotation_pointcut)r;
	return 0;
}

static int take_flow(struct reader *reader, const char *value, size_t size)
{
	int r = find_word(flows, ARRAY_SIZE(flows), value, size);

	if (r < 0) {
		snprintf(reader->fault, sizeof(reader->fault),
			 "its flow is none of in, out, inout and outin");
		return r;
	}
	reader->annotation.flow = (enum annotation_flow)r;
	return 0;
}

/* The quote that ends the text that begins here, or NULL. */
static const char *find_quote(const char *text)
{
	for (; *text && *text != '\n'; text++) {
		if (*text == '\'')
			return text;
		if (*text == '\\' && text[1])
			text++;
	}
	return NULL;
}

static int take_value(struct reader *reader)
{
	const char *value = reader->at + 1, *end = find_quote(value);
	size_t size;

	if (reader->phase != EQUALS)
		return unexpected(reader, 1);
	if (!end) {
		snprintf(reader->fault, sizeof(reader->fault), "the quote at column %zu has no end",
			 reader->at - reader->text + 1);
		return -EINVAL;
	}
	size = (size_t)(end - value);
	reader->phase = VALUE;
	reader->at = end + 1;
	if (reader->key == POINTCUT)
		return take_pointcut(reader, value, size);
	if (reader->key == FLOW)
		return take_flow(reader, value, size);
	reader->scope = value;
	reader->scope_size = size;
	return 0;
}

static int take_key(struct reader *reader, enum key key)
{
	if (reader->phase != OPEN && reader->phase != COMMA)
		return unexpected(reader, strlen(keys[key]));
	reader->key = key;
	reader->phase = KEY;
	reader->at += strlen(keys[key]);
	return 0;
}

static int take_head(struct reader *reader, const char *head)
{
	if (reader->phase != OUTSIDE)
		return unexpected(reader, strlen(head));
	reader->phase = HEAD;
	reader->at += strlen(head);
	return 0;
}

static int take_sign(struct reader *reader)
{
	static const struct {
		char sign;
		enum phase before, or_before, after;
	} signs[] = {
		{'(', HEAD, HEAD, OPEN},	   {')', OPEN, VALUE, OUTSIDE},
		{'=', KEY, KEY, EQUALS},	   {',', VALUE, VALUE, COMMA},
		{'\n', OUTSIDE, OUTSIDE, OUTSIDE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		if (*reader->at != signs[i].sign)
			continue;
		if (reader->phase != signs[i].before && reader->phase != signs[i].or_before)
			return unexpected(reader, 1);
		reader->phase = signs[i].after;
		break;
	}
	reader->at++;
	return 0;
}

static int step(struct reader *reader)
{
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		if (strncmp(reader->at, heads[i], strlen(heads[i])) == 0)
			return take_head(reader, heads[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strncmp(reader->at, keys[i], strlen(keys[i])) == 0)
			return take_key(reader, (enum key)i);
	}
	return *reader->at == '\'' ? take_value(reader) : take_sign(reader);
}

static int read_all(struct reader *reader)
{
	int r = 0;

	if (strlen(reader->text) >= ANNOTATION_MAX_BYTES) {
		snprintf(reader->fault, sizeof(reader->fault), "it is longer than %d bytes",
			 ANNOTATION_MAX_BYTES - 1);
		return -EINVAL;
	}
	if (!annotation_is_ours(reader->text)) {
		snprintf(reader->fault, sizeof(reader->fault),
			 "it does not begin with @critical_path");
		return -EINVAL;
	}
	while (r == 0 && *reader->at)
		r = step(reader);
	return r == 0 && reader->phase != OUTSIDE ? unexpected(reader, 0) : r;
}

/*
 * The assembler reads 'a as the number of that character and drops a second quote right behind: in
 * what it makes of (pointcut='around') there is "97round41", 41 being ')'. There can be one key
 * alone, since a comma ends the name. Returns the text as it was, or NULL if it is not of that kind
 * (or there is no memory).
 */
static char *ungarble(const char *text)
{
	const char *equals = strchr(text, '='), *digits = equals ? equals + 1 : NULL, *rest;
	size_t n_digits = digits && *digits == '1' ? 3 : 2, size;
	char number[4] = {}, *plain;
	int character;

	if (!digits || strchr(text, '\'') || strspn(digits, "0123456789") < n_digits)
		return NULL;
	memcpy(number, digits, n_digits);
	character = atoi(number);
	rest = digits + n_digits;
	size = strlen(rest);
	if (strcmp(rest, ")") == 0) /* one character, or none: '' is the number of a quote */
		size = 0;
	else if (size >= 2 && strcmp(rest + size - 2, "41") == 0)
		size -= 2;
	else
		return NULL;
	if (character == '\'' && size == 0)
		return asprintf(&plain, "%.*s'')", (int)(digits - text), text) < 0 ? NULL : plain;
	if (asprintf(&plain, "%.*s'%c%.*s')", (int)(digits - text), text, character, (int)size,
		     rest) < 0)
		return NULL;
	return plain;
}

static int complain(const char *text, const struct reader *reader, struct why *why)
{
	char shown[MAX_SHOWN_BYTES + 1], fault[sizeof(reader->fault)];

	snprintf(shown, sizeof(shown), "%s", text);
	snprintf(fault, sizeof(fault), "%s", reader->fault);
	for (char *p = shown; *p; p++)
		*p = (char)(iscntrl((unsigned char)*p) ? '?' : *p);
	for (char *p = fault; *p; p++)
		*p = (char)(iscntrl((unsigned char)*p) ? '?' : *p);
	return why_say(why, -EINVAL, "Ignoring %s%s: %s", shown,
		       strlen(text) > MAX_SHOWN_BYTES ? "..." : "", fault);
}

int annotation_parse(const char *text, struct annotation *ret_annotation, struct why *why)
{
	_cleanup_free_ char *plain = ungarble(text);
	struct reader reader = {.text = plain ? plain : text, .at = plain ? plain : text};

	if (read_all(&reader) < 0)
		return complain(text, &reader, why);
	if (reader.scope) {
		reader.annotation.scope = strndup(reader.scope, reader.scope_size);
		if (!reader.annotation.scope)
			return -ENOMEM;
	}
	*ret_annotation = reader.annotation;
	return 0;
}
