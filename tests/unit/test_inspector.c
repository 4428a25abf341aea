/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * This program is its own inspector: the real one, or, by the name that it is executed under, one that misbehaves as if what it
 * read had taken it over.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "inspect/channel.h"
#include "inspect/inspection.h"
#include "inspect/inspector.h"
#include "inspect/message.h"
#include "util/now.h"

static char folder[] = "/tmp/pf-inspector-XXXXXX";

static struct inspector *start_with(const char *kind, const char *aspect, struct allowance *allowance)
{
	struct inspector_config config = { .stop_fd = -1, .limit_s = strcmp(kind, "hangs") == 0 && !allowance ? 1 : 0,
					   .allowance = allowance };
	_cleanup_(strings_done) struct strings aspects = { 0 };
	struct inspector *inspector;
	static char program[64]; /* stays where it is as long as the inspector */

	snprintf(program, sizeof(program), "%s/%s", folder, kind);
	config.program = strcmp(kind, "real") == 0 ? NULL : program;
	assert_int_equal(inspector_new(&config, &inspector), 0);
	assert_int_equal(strings_add(&aspects, aspect), 0);
	assert_int_equal(inspector_plan(inspector, &aspects, NULL, SITE_MODE_AUTO, false, false), 0);
	return inspector;
}

static struct inspector *start(const char *kind, const char *aspect)
{
	return start_with(kind, aspect, NULL);
}

static void copy_file(const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp %s %s", from, to);
	assert_int_equal(system(command), 0);
}

static void facts_are_those_of_the_file(void **state)
{
	_cleanup_(inspector_freep) struct inspector *inspector = start("real", "f");
	_cleanup_(binary_freep) struct binary *told = NULL, *read = NULL;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(inspector_open(inspector, FIXTURE_FUNCTIONS, &told, &why), 0);
	assert_int_equal(binary_open(FIXTURE_FUNCTIONS, &read, &why), 0);
	assert_string_equal(told->soname, read->soname);
	assert_string_equal(told->build_id, read->build_id);
	assert_string_equal(told->location, read->location);
	assert_int_equal(told->needed.n_items, read->needed.n_items);
	assert_int_equal(told->is_program, read->is_program);
	assert_int_equal(told->ino, read->ino);
	assert_null(told->elf);
}

static void it_finds_what_would_be_found_here(void **state)
{
	_cleanup_(inspector_freep) struct inspector *inspector = start("real", "*step*");
	_cleanup_(binary_freep) struct binary *told = NULL, *read = NULL;
	_cleanup_(joinpoints_done) struct joinpoints joinpoints = { 0 };
	_cleanup_(symbols_done) struct symbols symbols = { 0 };
	_cleanup_(found_done) struct found found = { 0 };
	_cleanup_(plan_done) struct plan plan = { 0 };
	size_t matched = 0, followed[PF_MAX_ATOMS] = { 0 };
	struct joinpoint_query query = { .atoms = &plan.atoms, .n_aspects = 1, .matched = &matched, .followed = followed };
	struct why why = { 0 };

	(void)state;
	assert_int_equal(plan_add_aspect(&plan, "*step*", NULL, &why), 0);
	query.aspects = (const struct aspect *const *)plan.aspects;
	assert_int_equal(binary_open(FIXTURE_FUNCTIONS, &read, &why), 0);
	assert_int_equal(symbols_read(read, &symbols, &why), 0);
	assert_int_equal(joinpoints_find(read, &symbols, &query, &joinpoints, &why), 0);
	assert_true(joinpoints.n_items > 0);

	assert_int_equal(found_init(&found, &plan), 0);
	assert_int_equal(inspector_open(inspector, FIXTURE_FUNCTIONS, &told, &why), 0);
	assert_int_equal(inspector_match(inspector, told, &found, &why), 0);
	assert_int_equal(found.n, joinpoints.n_items);
	assert_int_equal(found.matched[0], matched);
	for (size_t i = 0; i < found.n; i++) {
		assert_int_equal(found.joinpoints[i].site.entry_offset, joinpoints.items[i].site.entry_offset);
		assert_int_equal(found.joinpoints[i].site.returns, joinpoints.items[i].site.returns);
		assert_string_equal(found_label(&found, i).name, joinpoints.items[i].name);
	}
}

static void what_is_no_program_is_refused_before_it_is_handed_on(void **state)
{
	_cleanup_(inspector_freep) struct inspector *inspector = start("real", "f");
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(inspector_open(inspector, "/etc/passwd", &binary, &why), -ENOEXEC);
	assert_string_equal(why.text, "'/etc/passwd' is not an ELF file");
}

static void expect_failure(const char *kind, const char *sentence)
{
	_cleanup_(inspector_freep) struct inspector *inspector = start(kind, "f");
	_cleanup_(binary_freep) struct binary *binary = NULL;

	static const char *const paths[] = { FIXTURE_FUNCTIONS, FIXTURE_NAMES }; /* the second one with a new one */

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct why why = { 0 }, again = { 0 };

		assert_int_equal(inspector_open(inspector, paths[i], &binary, &why), INSPECTOR_FAILED);
		assert_non_null(strstr(why.text, paths[i]));
		if (!strstr(why.text, sentence))
			fail_msg("%s", why.text);
		assert_int_equal(inspector_open(inspector, paths[i], &binary, &again), INSPECTOR_FAILED);
		assert_non_null(strstr(again.text, "its reader has failed before"));
	}
}

static void one_that_crashes_is_an_error_of_the_file(void **state)
{
	(void)state;
	expect_failure("crashes", "its reader crashed (Killed)");
}

static void one_that_hangs_is_ended(void **state)
{
	(void)state;
	expect_failure("hangs", "its reader took more than 1 s and was ended");
}

static void nobody_waits_longer_for_a_users_files_than_is_allowed(void **state)
{
	struct allowance allowance = { .max_ns = 1000000000 };
	_cleanup_(inspector_freep) struct inspector *reads = start_with("real", "f", &allowance);
	_cleanup_(inspector_freep) struct inspector *hangs = start_with("hangs", "f", &allowance);
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct why why = { 0 }, again = { 0 };

	(void)state;
	assert_int_equal(inspector_open(reads, FIXTURE_FUNCTIONS, &binary, &why), 0);
	assert_true(allowance.taken_ns > 0);
	assert_int_equal(inspector_open(hangs, FIXTURE_FUNCTIONS, &binary, &why), INSPECTOR_FAILED);
	assert_non_null(strstr(why.text, "reading for you has taken 1 s within a minute"));
	assert_true(allowance_left(&allowance, allowance.taken_at_ns) < 500000000);
	assert_true(allowance_left(&allowance, allowance.taken_at_ns + 30000000000ULL) >= 400000000);
	assert_true(allowance_left(&allowance, allowance.taken_at_ns + 120000000000ULL) == allowance.max_ns);
	allowance.taken_ns = 2 * allowance.max_ns; /* it will be a while until something is given back */
	allowance.taken_at_ns = clock_now_ns(CLOCK_MONOTONIC);
	assert_int_equal(inspector_open(reads, FIXTURE_NAMES, &binary, &again), INSPECTOR_FAILED);
	assert_non_null(strstr(again.text, "reading for you has taken 1 s within a minute"));
}

static void one_that_talks_nonsense_is_ended(void **state)
{
	(void)state;
	expect_failure("babbles", "its reader talked nonsense and was ended");
	expect_failure("exaggerates", "its reader talked nonsense and was ended");
}

static void after_many_failures_nothing_is_started_any_more(void **state)
{
	_cleanup_(inspector_freep) struct inspector *inspector = start("crashes", "f");
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct why why;

	(void)state;
	for (int i = 0; i <= INSPECTOR_MAX_FAILURES; i++) {
		char path[64];

		why = (struct why){ 0 };
		snprintf(path, sizeof(path), "%s/file%d", folder, i);
		copy_file("/bin/true", path);
		assert_int_equal(inspector_open(inspector, path, &binary, &why), INSPECTOR_FAILED);
	}
	assert_non_null(strstr(why.text, "there is no further one"));
}

/* What one that was taken over may have the daemon open. */
static void it_is_given_nothing_but_binaries(void **state)
{
	_cleanup_(inspector_freep) struct inspector *inspector = start("asks", "f");
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(inspector_open(inspector, FIXTURE_FUNCTIONS, &binary, &why), -EACCES);
	assert_string_equal(why.text, "/etc/passwd: 8, /dev/zero: 2, /proc/self/exe: 0");
}

static void what_is_not_the_users_to_read_is_not_read(void **state)
{
	static const gid_t group = 65534;
	const struct rights rights = { .uid = 65534, .gid = group, .groups = &group, .n_groups = 1 };
	const struct inspector_config config = { .stop_fd = -1, .rights = &rights };
	char path[64];
	_cleanup_(inspector_freep) struct inspector *inspector = NULL;
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(inspector_new(&config, &inspector), 0);
	snprintf(path, sizeof(path), "%s/program", folder); /* a folder that is its owner's alone */
	copy_file("/bin/true", path);
	assert_true(inspector_open(inspector, path, &binary, &why) < 0);
	assert_non_null(strstr(why.text, "not yours to read"));
	assert_int_equal(inspector_open(inspector, "/bin/true", &binary, &why), 0);
}

/* The inspectors that misbehave. */
static struct channel channel = { .fd = INSPECTION_FD, .stop_fd = -1 };

static void answer(uint32_t error, const char *sentence)
{
	_cleanup_(wire_writer_done) struct wire_writer writer = { 0 };

	wire_put_u32(&writer, error);
	wire_put_string(&writer, sentence);
	channel_send(&channel, MESSAGE_DONE, writer.text.data, writer.text.size, -1, CHANNEL_FOREVER);
}

static void ask_for(const char *path, char *sentence, size_t size)
{
	_cleanup_(wire_writer_done) struct wire_writer writer = { 0 };
	size_t n = strlen(sentence);
	struct message message;

	wire_put_string(&writer, path);
	channel_send(&channel, MESSAGE_OPEN, writer.text.data, writer.text.size, -1, CHANNEL_FOREVER);
	if (channel_receive(&channel, CHANNEL_FOREVER, &message) == 0)
		snprintf(sentence + n, size - n, "%s%s: %d", n ? ", " : "", path, *(const int *)message.data);
}

static int misbehave(const char *kind)
{
	const uint32_t huge[] = { UINT32_MAX, MESSAGE_DONE };
	char sentence[256] = "";
	struct message message;
	ssize_t n = 0;

	channel_receive(&channel, CHANNEL_FOREVER, &message);
	answer(0, NULL); /* of the plan */
	channel_receive(&channel, CHANNEL_FOREVER, &message);
	if (strcmp(kind, "crashes") == 0)
		raise(SIGKILL);
	if (strcmp(kind, "hangs") == 0)
		pause();
	if (strcmp(kind, "babbles") == 0)
		channel_send(&channel, MESSAGE_DONE, "\1\0\0\0\377\377", 6, -1, CHANNEL_FOREVER);
	if (strcmp(kind, "exaggerates") == 0)
		n = write(INSPECTION_FD, huge, sizeof(huge));
	if (strcmp(kind, "asks") == 0) {
		ask_for("/etc/passwd", sentence, sizeof(sentence));
		ask_for("/dev/zero", sentence, sizeof(sentence));
		ask_for("/proc/self/exe", sentence, sizeof(sentence));
		answer(EACCES, sentence);
	}
	channel_receive(&channel, CHANNEL_FOREVER, &message);
	return n < 0;
}

static int link_kinds(void **state)
{
	static const char *const kinds[] = { "crashes", "hangs", "babbles", "exaggerates", "asks" };
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char own[4096];
		ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

		own[n > 0 ? n : 0] = '\0';
		snprintf(path, sizeof(path), "%s/%s", folder, kinds[i]);
		assert_int_equal(symlink(own, path), 0);
	}
	return 0;
}

static int unlink_kinds(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_are_those_of_the_file),
		cmocka_unit_test(it_finds_what_would_be_found_here),
		cmocka_unit_test(what_is_no_program_is_refused_before_it_is_handed_on),
		cmocka_unit_test(one_that_crashes_is_an_error_of_the_file),
		cmocka_unit_test(one_that_hangs_is_ended),
		cmocka_unit_test(nobody_waits_longer_for_a_users_files_than_is_allowed),
		cmocka_unit_test(one_that_talks_nonsense_is_ended),
		cmocka_unit_test(after_many_failures_nothing_is_started_any_more),
		cmocka_unit_test(it_is_given_nothing_but_binaries),
		cmocka_unit_test(what_is_not_the_users_to_read_is_not_read),
	};

	if (argc == 2 && strcmp(argv[1], INSPECTION_ARGUMENT) == 0) {
		if (strcmp(argv[0], "/proc/self/exe") == 0)
			inspection_run();
		return misbehave(text_file_name(argv[0]));
	}
	return cmocka_run_group_tests(tests, link_kinds, unlink_kinds);
}
