/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/policy.h"
#include "util/cleanup.h"

/* A group that every machine has, and two users. */
#define GROUP	 "[access]\ngroup = daemon\n"
#define STRANGER 54321

static gid_t group_daemon(void)
{
	struct group *group = getgrnam("daemon");

	assert_non_null(group);
	return group->gr_gid;
}

static struct policy parsed(const char *text)
{
	struct policy policy;
	struct why why = {0};

	assert_int_equal(policy_parse("f", text, strlen(text), &policy, &why), 0);
	return policy;
}

static void assert_refused(const char *text, const char *sentence)
{
	struct policy policy = {.n_sessions = 77};
	struct why why = {0};

	assert_int_equal(policy_parse("f", text, strlen(text), &policy, &why), -EINVAL);
	assert_string_equal(why.text, sentence);
	assert_int_equal(policy.n_sessions, 77);
}

static void an_empty_file_is_as_good_as_none(void **state)
{
	struct policy none, empty = parsed("; nothing\n\n# at all\n");

	(void)state;
	policy_init(&none);
	assert_string_equal(empty.group, none.group);
	assert_int_equal(empty.n_sessions, none.n_sessions);
	assert_int_equal(empty.n_user_sessions, none.n_user_sessions);
	assert_false(empty.allow_users);
}

static void all_settings_are_read(void **state)
{
	struct policy policy = parsed(
		GROUP "allow_users = yes ; a note\n[limits]\nsessions: 9\nsessions_per_user=3\n");

	(void)state;
	assert_string_equal(policy.group, "daemon");
	assert_true(policy.allow_users);
	assert_int_equal(policy.n_sessions, 9);
	assert_int_equal(policy.n_user_sessions, 3);
}

static void a_user_may_not_have_more_sessions_than_there_are(void **state)
{
	(void)state;
	assert_int_equal(parsed("[limits]\nsessions = 2\n").n_user_sessions, 2);
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
	(void)state;
	assert_refused("[access]\ngrup = daemon\n", "f:2: [access] has no setting 'grup'");
	assert_refused("\n[acces]\ngroup = daemon\n", "f:3: [acces] has no setting 'group'");
	assert_refused("group = daemon\n", "f:1: 'group' stands before any [section]");
	assert_refused("[access]\ngroup = no-such-group-here\n",
		       "f:2: there is no group 'no-such-group-here'");
	assert_refused("[access]\nallow_users = maybe\n", "f:2: 'maybe' is neither yes nor no");
	assert_refused("[limits]\nsessions = 0\n", "f:2: '0' is no number from 1 to 64");
	assert_refused("[limits]\nsessions = 65\n", "f:2: '65' is no number from 1 to 64");
	assert_refused("[limits]\nsessions = -1\n", "f:2: '-1' is no number from 1 to 64");
	assert_refused("[limits]\nsessions = 1x\n", "f:2: '1x' is no number from 1 to 64");
	assert_refused("[limits]\nsessions =\n", "f:2: '' is no number from 1 to 64");
	assert_refused("[limits]\nsessions = 1\nsessions = 1\n", "f:3: 'sessions' is set twice");
	assert_refused("[limits]\nsessions = 1\n  2\n", "f:3: 'sessions' is set twice");
	assert_refused("[limits]\nnonsense\n", "f:2: this is neither a [section] nor a setting");
	assert_refused("[limits\n", "f:1: this is neither a [section] nor a setting");
}

static void lines_that_the_reader_would_cut_are_refused(void **state)
{
	char text[300];
	struct policy policy;
	struct why why = {0};

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "[limits]\n", 9);
	memcpy(text + 250, "sessions=1\n", 12);
	assert_refused(text, "f:2: the line is too long");
	assert_int_equal(policy_parse("f", "[limits]\n\0sessions", 18, &policy, &why), -EINVAL);
	assert_string_equal(why.text, "f:2: there is a zero byte");
}

static void root_and_the_group_are_trusted_and_nobody_else(void **state)
{
	struct policy policy = parsed(GROUP);
	gid_t groups[] = {7777, group_daemon()};
	struct policy_client root = {.uid = 0},
			     stranger = {.uid = STRANGER, .groups = groups, .n_groups = 1},
			     member = {.uid = STRANGER, .groups = groups, .n_groups = 2};
	struct why why = {0};

	(void)state;
	assert_int_equal(policy_check_client(&policy, &root, &why), 0);
	assert_int_equal(policy_check_client(&policy, &member, &why), 0);
	assert_int_equal(policy_check_client(&policy, &stranger, &why), -EPERM);
	assert_string_equal(
		why.text, "perfflowd serves only root and the members of the group 'daemon' here");
}

static void without_a_group_root_alone_is_trusted(void **state)
{
	struct policy policy = parsed("[access]\ngroup =\n");
	gid_t group = 0;
	struct policy_client member = {.uid = STRANGER, .groups = &group, .n_groups = 1};
	struct why why = {0};

	(void)state;
	assert_int_equal(policy_check_client(&policy, &member, &why), -EPERM);
	assert_string_equal(why.text, "perfflowd serves only root here");
}

static void a_stranger_may_wish_for_a_process_where_the_site_allows_it(void **state)
{
	struct policy open = parsed(GROUP "allow_users = yes\n"), closed = parsed(GROUP);
	struct policy_client stranger = {.uid = STRANGER};
	struct policy_wish all = {0}, one = {.pid = 1};
	struct why why[2] = {{{0}}};

	(void)state;
	assert_int_equal(policy_check_wish(&open, &stranger, &one, NULL), 0);
	assert_int_equal(policy_check_wish(&open, &stranger, &all, &why[0]), -EPERM);
	assert_non_null(strstr(why[0].text, "may trace processes of others"));
	assert_int_equal(policy_check_wish(&closed, &stranger, &one, &why[1]), -EPERM);
	assert_non_null(strstr(why[1].text, "serves only root and the members"));
}

static void what_plain_users_may_take_is_set_in_numbers_and_sizes(void **state)
{
	struct policy policy = parsed("[limits]\nread_seconds_per_user = 3\nfunctions_per_user = 7\nmemory_per_user = 3M\n"
				      "records_per_second = 50\n");
	struct policy bytes = parsed("[limits]\nmemory_per_user = 1048576\n"), most = parsed("[limits]\nmemory_per_user = 1024G\n");

	(void)state;
	assert_int_equal(policy.user_read_s, 3);
	assert_int_equal(policy.n_user_functions, 7);
	assert_int_equal(policy.n_user_bytes, 3 << 20);
	assert_int_equal(policy.n_records_per_s, 50);
	assert_int_equal(bytes.n_user_bytes, 1 << 20);
	assert_int_equal(most.n_user_bytes, 1ULL << 40);
	assert_refused("[limits]\nmemory_per_user = 1\n", "f:2: '1' is no size from 1M to 1024G");
	assert_refused("[limits]\nmemory_per_user = 99999999G\n", "f:2: '99999999G' is no size from 1M to 1024G");
	assert_refused("[limits]\nmemory_per_user = 2MB\n", "f:2: '2MB' is no size from 1M to 1024G");
	assert_refused("[limits]\nmemory_per_user = M\n", "f:2: 'M' is no size from 1M to 1024G");
	assert_refused("[limits]\nfunctions_per_user = 0\n", "f:2: '0' is no number from 1 to 1048576");
	assert_refused("[limits]\nrecords_per_second = 1000000000\n", "f:2: '1000000000' is no number from 1 to 100000000");
}

static void members_may_have_what_they_wish(void **state)
{
	struct policy policy = parsed(GROUP);
	gid_t group = group_daemon();
	struct policy_client member = {.uid = STRANGER, .groups = &group, .n_groups = 1};
	struct policy_wish all = {0}, first = {.pid = 1};

	(void)state;
	assert_int_equal(policy_check_wish(&policy, &member, &all, NULL), 0);
	assert_int_equal(policy_check_wish(&policy, &member, &first, NULL), 0);
}

static void sessions_are_limited_for_all_and_for_each_user_but_root(void **state)
{
	struct policy policy = parsed("[limits]\nsessions = 4\nsessions_per_user = 2\n");
	struct why all = {0}, own = {0};

	(void)state;
	assert_int_equal(policy_check_sessions(&policy, STRANGER, 3, 1, &own), 0);
	assert_int_equal(policy_check_sessions(&policy, STRANGER, 3, 2, &own), -EUSERS);
	assert_string_equal(own.text, "you have 2 sessions already");
	assert_int_equal(policy_check_sessions(&policy, 0, 3, 3, &all), 0);
	assert_int_equal(policy_check_sessions(&policy, 0, 4, 0, &all), -EUSERS);
	assert_string_equal(all.text, "4 sessions run already");
}

static void connections_of_a_user_are_enough_for_the_sessions_that_it_may_have(void **state)
{
	struct policy policy = parsed(GROUP "[limits]\nsessions_per_user = 40\n");
	struct policy_client stranger = {.uid = STRANGER}, root = {0};
	struct why why = {0};

	(void)state;
	assert_int_equal(policy_check_connections(&policy, &stranger, 60, 55, &why), 0);
	assert_int_equal(policy_check_connections(&policy, &stranger, 60, 56, &why), -EUSERS);
	assert_string_equal(why.text, "you have 56 connections to perfflowd already");
	assert_int_equal(policy_check_connections(&policy, &root, 60, 56, NULL), 0);
}

static void the_last_connections_are_for_the_group_and_the_very_last_for_root(void **state)
{
	struct policy policy = parsed(GROUP);
	gid_t gid = group_daemon();
	const struct {
		struct policy_client client;
		size_t n_max;
	} clients[] = {
		{{.uid = STRANGER}, 256},
		{{.uid = STRANGER, .groups = &gid, .n_groups = 1}, 336},
		{{.uid = 0}, 416},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		struct why why = {0};

		assert_int_equal(policy_check_connections(&policy, &clients[i].client, clients[i].n_max - 1, 1, &why), 0);
		assert_int_equal(policy_check_connections(&policy, &clients[i].client, clients[i].n_max, 1, &why), -EUSERS);
		assert_non_null(strstr(why.text, "connections already: try again later"));
	}
}

static void a_file_that_others_may_write_is_refused(void **state)
{
	char path[] = "/tmp/test_policy-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	struct policy policy;
	struct why why = {0}, missing = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "[limits]\nsessions = 5\n", 22), 22);
	assert_int_equal(policy_load(path, false, &policy, &why), 0);
	assert_int_equal(policy.n_sessions, 5);
	assert_int_equal(fchmod(fd, 0664), 0);
	assert_int_equal(policy_load(path, true, &policy, &why), -EPERM);
	assert_non_null(strstr(why.text, "can be written by others"));
	unlink(path);
	assert_int_equal(policy_load(path, true, &policy, &why), 0);
	assert_int_equal(policy.n_sessions, POLICY_MAX_SESSIONS);
	assert_int_equal(policy_load(path, false, &policy, &missing), -ENOENT);
}

static void budgets_of_users_have_a_default_and_a_maximum(void **state)
{
	struct policy policy = parsed("[overhead]\nbudget_per_user = 5%\nmax_budget_per_user = 12.5%\n");
	unsigned int permille = 0;
	struct why why = {0};

	(void)state;
	assert_int_equal(policy.user_budget, 50);
	assert_int_equal(policy.max_user_budget, 125);
	assert_int_equal(policy_choose_budget(&policy, false, -1, &permille, &why), 0);
	assert_int_equal(permille, 50);
	assert_int_equal(policy_choose_budget(&policy, false, 125, &permille, &why), 0);
	assert_int_equal(permille, 125);
	assert_int_equal(policy_choose_budget(&policy, false, 126, &permille, &why), -EUSERS);
	assert_string_equal(why.text, "the overhead budget may be 12.5% here, at most");
	assert_int_equal(policy_choose_budget(&policy, false, 0, &permille, &why), -EUSERS);
	/* root and the group do as they like */
	assert_int_equal(policy_choose_budget(&policy, true, -1, &permille, &why), 0);
	assert_int_equal(permille, 0);
	assert_int_equal(policy_choose_budget(&policy, true, 900, &permille, &why), 0);
	assert_int_equal(permille, 900);
	/* the maximum is the default where there is no other, and none is above it */
	policy = parsed("[overhead]\nmax_budget_per_user = 10%\n");
	assert_int_equal(policy_choose_budget(&policy, false, -1, &permille, &why), 0);
	assert_int_equal(permille, 100);
	policy = parsed("");
	assert_int_equal(policy_choose_budget(&policy, false, -1, &permille, &why), 0);
	assert_int_equal(permille, 0);
}

static void a_budget_is_a_share_of_at_least_a_thousandth(void **state)
{
	const char *const bad[] = {"5", "0%", "0.0%", "100.1%", "101%", "1.25%", "-1%", "+5%", " 5%", "5 %", "%", "x%", "5%%", ""};
	unsigned int permille = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(policy_parse_percent(bad[i], &permille), -EINVAL);
	assert_int_equal(permille, 7);
	assert_int_equal(policy_parse_percent("0.1%", &permille), 0);
	assert_int_equal(permille, 1);
	assert_int_equal(policy_parse_percent("100%", &permille), 0);
	assert_int_equal(permille, 1000);
	assert_refused("[overhead]\nbudget_per_user = 20%\nmax_budget_per_user = 10%\n",
		       "f: 'budget_per_user' is more than 'max_budget_per_user'");
	assert_refused("[overhead]\nbudget_per_user = 5\n", "f:2: '5' is no share from 0.1% to 100%");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(budgets_of_users_have_a_default_and_a_maximum),
		cmocka_unit_test(a_budget_is_a_share_of_at_least_a_thousandth),
		cmocka_unit_test(an_empty_file_is_as_good_as_none),
		cmocka_unit_test(all_settings_are_read),
		cmocka_unit_test(a_user_may_not_have_more_sessions_than_there_are),
		cmocka_unit_test(what_is_wrong_is_said_with_its_line),
		cmocka_unit_test(lines_that_the_reader_would_cut_are_refused),
		cmocka_unit_test(root_and_the_group_are_trusted_and_nobody_else),
		cmocka_unit_test(without_a_group_root_alone_is_trusted),
		cmocka_unit_test(a_stranger_may_wish_for_a_process_where_the_site_allows_it),
		cmocka_unit_test(what_plain_users_may_take_is_set_in_numbers_and_sizes),
		cmocka_unit_test(members_may_have_what_they_wish),
		cmocka_unit_test(sessions_are_limited_for_all_and_for_each_user_but_root),
		cmocka_unit_test(connections_of_a_user_are_enough_for_the_sessions_that_it_may_have),
		cmocka_unit_test(the_last_connections_are_for_the_group_and_the_very_last_for_root),
		cmocka_unit_test(a_file_that_others_may_write_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
