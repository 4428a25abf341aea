/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/policy.c - who may do what
 *
 * The file is read with inih, which takes more than it says: it cuts long lines in two, stops at a
 * zero byte, and reads a line that begins with a blank as more of the setting before. The first two
 * are refused before it sees them; the third comes out as a setting that is there twice. A file
 * with a mistake is refused as a whole, so that no policy is in force that nobody wrote.
 */
#include "control/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/inspector.h"
#include "session/labels.h"
#include "util/cleanup.h"
#include "util/text.h"
#include "util/user.h"

#define MAX_FILE_BYTES 65536
#define POLICY_MAX_RECORDS_PER_S 100000000
#define POLICY_MIN_BYTES (1ULL << 20)
#define POLICY_MAX_BYTES (1ULL << 40)
#define MAX_LINE_BYTES 190 /* inih cuts at 200 */

struct reading {
	struct policy policy;
	unsigned int seen; /* a bit for each setting */
	struct why why;
};

struct setting {
	const char *section, *name;
	int (*set)(const char *value, void *field, struct why *why);
	size_t offset;
};

void policy_init(struct policy *policy)
{
	*policy = (struct policy){
		.group = "perfflow",
		.n_sessions = POLICY_MAX_SESSIONS,
		.n_user_sessions = 16,
		.read_s = INSPECTOR_LIMIT_S,
		.user_read_s = 10,
		.n_user_functions = 2000,
		.n_user_bytes = 128 << 20,
		.n_records_per_s = 200000,
	};
}

static int set_group(const char *value, void *field, struct why *why)
{
	size_t size = sizeof(((struct policy *)NULL)->group);
	gid_t gid;

	if (strlen(value) >= size)
		return why_say(why, -EINVAL, "the name of a group is not that long");
	if (*value && group_find(value, &gid) < 0)
		return why_say(why, -EINVAL, "there is no group '%s'", value);
	strcpy(field, value);
	return 0;
}

static int set_bool(const char *value, void *field, struct why *why)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return why_say(why, -EINVAL, "'%s' is neither yes nor no", value);
	*(bool *)field = value[0] == 'y';
	return 0;
}

/* strtoull() takes signs and blanks as well. Returns what follows the digits, or NULL. */
static const char *read_number(const char *value, uint64_t *ret_number)
{
	char *end;

	if (value[0] < '0' || value[0] > '9' || strlen(value) > 18)
		return NULL;
	*ret_number = strtoull(value, &end, 10);
	return end;
}

static int read_count(const char *value, uint64_t max, uint64_t *ret_count, struct why *why)
{
	const char *rest = read_number(value, ret_count);

	if (!rest || *rest || *ret_count < 1 || *ret_count > max)
		return why_say(why, -EINVAL, "'%s' is no number from 1 to %llu", value, (unsigned long long)max);
	return 0;
}

static int set_n_sessions(const char *value, void *field, struct why *why)
{
	uint64_t n = 0;
	int r = read_count(value, POLICY_MAX_SESSIONS, &n, why);

	if (r == 0)
		*(unsigned int *)field = (unsigned int)n;
	return r;
}

static int set_n_functions(const char *value, void *field, struct why *why)
{
	return read_count(value, LABELS_MAX, field, why);
}

static int set_n_records(const char *value, void *field, struct why *why)
{
	return read_count(value, POLICY_MAX_RECORDS_PER_S, field, why);
}

static int set_bytes(const char *value, void *field, struct why *why)
{
	static const char units[] = "KMG";
	uint64_t n = 0;
	const char *rest = read_number(value, &n), *unit = rest && *rest ? strchr(units, *rest) : NULL;
	unsigned int shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;

	if (!rest || (*rest && (!unit || rest[1])) || n > POLICY_MAX_BYTES >> shift || n << shift < POLICY_MIN_BYTES)
		return why_say(why, -EINVAL, "'%s' is no size from 1M to 1024G", value);
	*(uint64_t *)field = n << shift;
	return 0;
}

static int set_read_s(const char *value, void *field, struct why *why)
{
	uint64_t n = 0;
	int r = read_count(value, POLICY_MAX_READ_S, &n, why);

	if (r == 0)
		*(unsigned int *)field = (unsigned int)n;
	return r;
}

int policy_parse_percent(const char *text, unsigned int *ret_permille)
{
	unsigned int whole = 0, tenth = 0;
	int n = 0, size;

	size = (int)strlen(text);
	if (text[0] < '0' || text[0] > '9' || text[strspn(text, "0123456789.%")])
		return -EINVAL;
	if (sscanf(text, "%3u%%%n", &whole, &n) != 1 || n != size) {
		n = 0;
		if (sscanf(text, "%3u.%1u%%%n", &whole, &tenth, &n) != 2 || n != size)
			return -EINVAL;
	}
	if (whole * 10 + tenth < 1 || whole * 10 + tenth > 1000)
		return -EINVAL;
	*ret_permille = whole * 10 + tenth;
	return 0;
}

static int set_percent(const char *value, void *field, struct why *why)
{
	if (policy_parse_percent(value, field) < 0)
		return why_say(why, -EINVAL, "'%s' is no share from 0.1%% to 100%%", value);
	return 0;
}

static const struct setting settings[] = {
	{"access", "group", set_group, offsetof(struct policy, group)},
	{"access", "allow_users", set_bool, offsetof(struct policy, allow_users)},
	{"limits", "sessions", set_n_sessions, offsetof(struct policy, n_sessions)},
	{"limits", "sessions_per_user", set_n_sessions, offsetof(struct policy, n_user_sessions)},
	{"limits", "read_seconds", set_read_s, offsetof(struct policy, read_s)},
	{"limits", "read_seconds_per_user", set_read_s, offsetof(struct policy, user_read_s)},
	{"limits", "functions_per_user", set_n_functions, offsetof(struct policy, n_user_functions)},
	{"limits", "memory_per_user", set_bytes, offsetof(struct policy, n_user_bytes)},
	{"limits", "records_per_second", set_n_records, offsetof(struct policy, n_records_per_s)},
	{"overhead", "budget_per_user", set_percent, offsetof(struct policy, user_budget)},
	{"overhead", "max_budget_per_user", set_percent, offsetof(struct policy, max_user_budget)},
};

static int take_setting(struct reading *reading, size_t i, const char *value)
{
	if (reading->seen & 1U << i)
		return why_say(&reading->why, -EINVAL, "'%s' is set twice", settings[i].name);
	reading->seen |= 1U << i;
	return settings[i].set(value, (char *)&reading->policy + settings[i].offset, &reading->why);
}

/* 1: go on; 0: this line is wrong. */
static int on_setting(void *userdata, const char *section, const char *name, const char *value)
{
	struct reading *reading = userdata;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (strcmp(settings[i].section, section) == 0 &&
		    strcmp(settings[i].name, name) == 0)
			return take_setting(reading, i, value) == 0;
	if (*section)
		why_say(&reading->why, -EINVAL, "[%s] has no setting '%s'", section, name);
	else
		why_say(&reading->why, -EINVAL, "'%s' stands before any [section]", name);
	return 0;
}

/* What inih would take for something else. */
static int check_text(const char *name, const char *text, size_t size, struct why *why)
{
	size_t length = 0;
	int line = 1;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\0')
			return why_say(why, -EINVAL, "%s:%d: there is a zero byte", name, line);
		length = text[i] == '\n' ? 0 : length + 1;
		line += text[i] == '\n';
		if (length > MAX_LINE_BYTES)
			return why_say(why, -EINVAL, "%s:%d: the line is too long", name, line);
	}
	return 0;
}

int policy_parse(const char *name, const char *text, size_t size, struct policy *ret_policy,
		 struct why *why)
{
	_cleanup_free_ char *copy = NULL;
	struct reading reading = {0};
	int r;

	r = check_text(name, text, size, why);
	if (r < 0)
		return r;
	copy = strndup(text, size);
	if (!copy)
		return -ENOMEM;

	policy_init(&reading.policy);
	r = ini_parse_string(copy, on_setting, &reading);
	if (r < 0)
		return -ENOMEM;
	if (r > 0)
		return why_say(why, -EINVAL, "%s:%d: %s", name, r,
			       reading.why.text[0] ? reading.why.text
						   : "this is neither a [section] nor a setting");
	if (reading.policy.max_user_budget && reading.policy.user_budget > reading.policy.max_user_budget)
		return why_say(why, -EINVAL, "%s: 'budget_per_user' is more than 'max_budget_per_user'", name);
	if (reading.policy.n_user_sessions > reading.policy.n_sessions)
		reading.policy.n_user_sessions = reading.policy.n_sessions;

	*ret_policy = reading.policy;
	return 0;
}

static int read_text(int fd, const char *path, struct text *text, struct why *why)
{
	char buffer[4096];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		if (text->size + (size_t)n > MAX_FILE_BYTES)
			return why_say(why, -EFBIG, "'%s' is too long for a configuration file",
				       path);
		if (text_append(text, buffer, (size_t)n) < 0)
			return -ENOMEM;
	}
	return n < 0 ? why_set(why, -errno, "cannot read '%s'", path) : 0;
}

int policy_load(const char *path, bool may_be_missing, struct policy *ret_policy, struct why *why)
{
	_cleanup_(text_done) struct text text = {0};
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT && may_be_missing) {
		policy_init(ret_policy);
		return 0;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return why_set(why, -errno, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return why_say(why, -EINVAL, "'%s' is no file", path);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return why_say(why, -EPERM, "'%s' can be written by others than root", path);
	r = read_text(fd, path, &text, why);
	if (r < 0)
		return r;

	return policy_parse(path, text.data ? text.data : "", text.size, ret_policy, why);
}

bool policy_trusts(const struct policy *policy, const struct policy_client *client)
{
	gid_t gid;

	if (client->uid == 0)
		return true;
	if (!policy->group[0] || group_find(policy->group, &gid) < 0)
		return false;
	for (size_t i = 0; i < client->n_groups; i++)
		if (client->groups[i] == gid)
			return true;
	return false;
}

int policy_check_client(const struct policy *policy, const struct policy_client *client,
			struct why *why)
{
	if (policy_trusts(policy, client))
		return 0;
	if (!policy->group[0])
		return why_say(why, -EPERM, "perfflowd serves only root here");
	return why_say(why, -EPERM,
		       "perfflowd serves only root and the members of the group '%s' here",
		       policy->group);
}

int policy_check_wish(const struct policy *policy, const struct policy_client *client,
		      const struct policy_wish *wish, struct why *why)
{
	if (policy_trusts(policy, client))
		return 0;
	if (!policy->allow_users)
		return policy_check_client(policy, client, why);
	if (wish->pid)
		return 0;
	return why_say(why, -EPERM,
		       "only root and the members of the group '%s' may trace processes of others: give a pid, or a command to run",
		       policy->group);
}

int policy_check_sessions(const struct policy *policy, uid_t uid, size_t n_all, size_t n_own,
			  struct why *why)
{
	if (n_all >= policy->n_sessions)
		return why_say(why, -EUSERS, "%zu %s already", n_all, n_all == 1 ? "session runs" : "sessions run");
	if (uid != 0 && n_own >= policy->n_user_sessions)
		return why_say(why, -EUSERS, "you have %zu session%s already", n_own, n_own == 1 ? "" : "s");
	return 0;
}

static size_t max_connections(const struct policy *policy, const struct policy_client *client)
{
	if (client->uid == 0)
		return POLICY_MAX_CONNECTIONS;
	return policy_trusts(policy, client) ? POLICY_MAX_GROUP_CONNECTIONS : POLICY_MAX_OTHERS_CONNECTIONS;
}

int policy_check_connections(const struct policy *policy, const struct policy_client *client, size_t n_all, size_t n_own,
			     struct why *why)
{
	if (client->uid != 0 && n_own >= policy->n_user_sessions + POLICY_SPARE_CONNECTIONS)
		return why_say(why, -EUSERS, "you have %zu connections to perfflowd already", n_own);
	/* The group is asked for, which may take its time, when it matters alone. */
	if (n_all >= POLICY_MAX_OTHERS_CONNECTIONS && n_all >= max_connections(policy, client))
		return why_say(why, -EUSERS, "perfflowd has %zu connections already: try again later", n_all);
	return 0;
}

int policy_choose_budget(const struct policy *policy, bool is_trusted, int64_t wished, unsigned int *ret_permille,
			 struct why *why)
{
	unsigned int most = is_trusted ? 0 : policy->max_user_budget;

	if (wished < 0)
		wished = is_trusted ? 0 : policy->user_budget ? policy->user_budget : most;
	if (most && wished > most)
		return why_say(why, -EUSERS, "the overhead budget may be %u.%u%% here, at most", most / 10, most % 10);
	if (most && !wished)
		return why_say(why, -EUSERS, "there has to be an overhead budget here, of %u.%u%% at most", most / 10,
			       most % 10);
	*ret_permille = (unsigned int)wished;
	return 0;
}
