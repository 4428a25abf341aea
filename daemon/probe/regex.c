/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Regular expressions of a pointcut, by PCRE2. They come from whoever asks for a trace, and the
 * daemon is privileged: so they are interpreted, never compiled to machine code, and a match may
 * take only so many steps. Names are bytes, not UTF-8: a file may say anything.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "probe/pattern.h"

#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define MAX_STEPS	200000
#define MAX_HEAP_KIB	8192
#define MAX_PARENTHESES 50

struct regex {
	char *text; /* with its slashes */
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
};

void regex_free(struct regex *regex)
{
	if (!regex)
		return;

	pcre2_match_context_free(regex->limits);
	pcre2_match_data_free(regex->data);
	pcre2_code_free(regex->code);
	free(regex->text);
	free(regex);
}

/* The length of what stands between the slashes, or -1. */
static ssize_t body_length(const char *text)
{
	size_t size = strlen(text);

	if (size > 2 && text[size - 1] == 'i' && text[size - 2] == '/')
		size--;
	return text[0] == '/' && size > 2 && text[size - 1] == '/' ? (ssize_t)size - 2 : -1;
}

bool regex_is_meant(const char *text)
{
	return body_length(text) >= 0;
}

static pcre2_code *compile(const char *text, size_t length, int *ret_error, size_t *ret_at)
{
	uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code;

	*ret_error = PCRE2_ERROR_HEAP_FAILED;
	if (!context)
		return NULL;
	if (text[length + 2] == 'i')
		options |= PCRE2_CASELESS;
	pcre2_set_parens_nest_limit(context, MAX_PARENTHESES);
	code = pcre2_compile((PCRE2_SPTR)text + 1, length, options, ret_error, ret_at, context);
	pcre2_compile_context_free(context);
	return code;
}

static int refuse(int error, struct why *why)
{
	char sentence[200];

	if (error == PCRE2_ERROR_HEAP_FAILED || error == PCRE2_ERROR_NOMEMORY)
		return -ENOMEM;
	if (pcre2_get_error_message(error, (PCRE2_UCHAR *)sentence, sizeof(sentence)) < 0)
		strcpy(sentence, "PCRE2 refuses it");
	return why_say(why, -EINVAL, "the regular expression is wrong here: %s", sentence);
}

int regex_new(const char *text, struct regex **ret_regex, size_t *ret_at, struct why *why)
{
	_cleanup_(regex_freep) struct regex *regex = NULL;
	ssize_t length = body_length(text);
	size_t at = 0;
	int error;

	*ret_at = 0;
	if (length < 0)
		return why_say(why, -EINVAL, "a regular expression stands between two '/'");
	regex = calloc(1, sizeof(*regex));
	if (!regex)
		return -ENOMEM;
	regex->code = compile(text, (size_t)length, &error, &at);
	*ret_at = at + 1;
	if (!regex->code)
		return refuse(error, why);
	regex->text = strdup(text);
	regex->data = pcre2_match_data_create(1, NULL);
	regex->limits = pcre2_match_context_create(NULL);
	if (!regex->text || !regex->data || !regex->limits)
		return -ENOMEM;
	pcre2_set_match_limit(regex->limits, MAX_STEPS);
	pcre2_set_heap_limit(regex->limits, MAX_HEAP_KIB);
	*ret_regex = take_ptr(regex);
	return 0;
}

int regex_match(const struct regex *regex, const char *text, struct why *why)
{
	int r = pcre2_match(regex->code, (PCRE2_SPTR)text, strlen(text), 0, 0, regex->data,
			    regex->limits);

	if (r >= 0)
		return 1;
	if (r == PCRE2_ERROR_NOMATCH)
		return 0;
	if (r == PCRE2_ERROR_NOMEMORY)
		return -ENOMEM;
	return why_say(why, -E2BIG,
		       "the regular expression %s takes too long for the name '%.200s'",
		       regex->text, text);
}
