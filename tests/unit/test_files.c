/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a client may answer when it is asked for a file, and what it must not bring about. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "session/files.h"
#include "util/pass.h"

static const struct pfw_request request = {
	.pid = 100,
	.ppid = 99,
	.has_owner = true,
	.uid = 1000,
	.gid = 100,
	.directory = "/scratch/\"run\"",
	.log_dir = "./logs",
	.name = "perfflow.array.vm.100",
	.name_has_pid = true,
};

struct asked {
	struct files *files;
	int client;
};

static void open_files(struct asked *ret_asked)
{
	int sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	assert_int_equal(files_new(sockets[0], &ret_asked->files), 0);
	ret_asked->client = sockets[1];
}

static void asked_done(struct asked *asked)
{
	files_free(asked->files);
	closep(&asked->client);
}

/* It is there before the question: it is read after it. */
static void answer(struct asked *asked, const char *text, int fd)
{
	struct iovec data = {(char *)text, strlen(text)};

	assert_int_equal(pass_send(asked->client, &data, 1, fd, 0), strlen(text));
}

static void the_question_has_all_that_is_known(void **state)
{
	_cleanup_(asked_done) struct asked asked;
	struct json_object *question, *expected;
	struct why why = {0};
	char text[4096];
	ssize_t n;

	(void)state;
	open_files(&asked);
	answer(&asked, "{}", -1);
	files_open(asked.files, &request, &why);
	n = recv(asked.client, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	text[n] = '\0';
	question = json_tokener_parse(text);
	expected = json_tokener_parse(
		"{\"pid\":100,\"ppid\":99,\"uid\":1000,\"gid\":100,\"directory\":\"/scratch/"
		"\\\"run\\\"\","
		"\"log_dir\":\"./logs\",\"name\":\"perfflow.array.vm.100\",\"name_has_pid\":true}");
	assert_true(json_object_equal(question, expected));
	json_object_put(question);
	json_object_put(expected);
}

static void a_descriptor_is_the_file_and_a_note_is_a_warning(void **state)
{
	_cleanup_(asked_done) struct asked asked;
	_cleanup_close_ int null = open("/dev/null", O_WRONLY | O_CLOEXEC), fd = -1, other = -1;
	struct why why = {0};

	(void)state;
	open_files(&asked);
	answer(&asked, "{}", null);
	fd = files_open(asked.files, &request, &why);
	assert_true(fd >= 0);
	assert_int_equal(files_warnings(asked.files)->n_items, 0);
	answer(&asked, "{\"note\": \"it is elsewhere\"}", null);
	other = files_open(asked.files, &request, &why);
	assert_true(other >= 0 && other != fd);
	assert_int_equal(files_count(asked.files), 2);
	assert_int_equal(files_warnings(asked.files)->n_items, 1);
	assert_string_equal(files_warnings(asked.files)->items[0], "it is elsewhere");
}

static void without_a_descriptor_the_message_says_why(void **state)
{
	static const struct {
		const char *answer, *sentence;
	} cases[] = {
		{"{\"message\": \"Permission denied\"}", "Permission denied"},
		{"{}", "the client has made none"},
		{"[1, 2]", "the client has made none"},
		{"{\"message\": 7, \"note\": []}", "the client has made none"},
		{"no JSON {{{", "the client has made none"},
	};
	_cleanup_(asked_done) struct asked asked;

	(void)state;
	open_files(&asked);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct why why = {0};

		answer(&asked, cases[i].answer, -1);
		assert_int_equal(files_open(asked.files, &request, &why), -EIO);
		assert_string_equal(why.text, cases[i].sentence);
	}
	assert_int_equal(files_count(asked.files), 0);
}

static void a_client_that_has_gone_is_not_asked_again(void **state)
{
	_cleanup_(asked_done) struct asked asked;

	(void)state;
	open_files(&asked);
	close(asked.client);
	asked.client = -1;
	for (int i = 0; i < 2; i++) {
		struct why why = {0};

		assert_true(files_open(asked.files, &request, &why) < 0);
		assert_string_equal(why.text, "the client has gone");
	}
}

static void warnings_are_said_once_and_end_somewhere(void **state)
{
	_cleanup_(asked_done) struct asked asked;
	char text[32];

	(void)state;
	open_files(&asked);
	files_warn(asked.files, "twice");
	files_warn(asked.files, "twice");
	assert_int_equal(files_warnings(asked.files)->n_items, 1);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "warning %d", i);
		files_warn(asked.files, text);
	}
	assert_true(files_warnings(asked.files)->n_items <= 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_question_has_all_that_is_known),
		cmocka_unit_test(a_descriptor_is_the_file_and_a_note_is_a_warning),
		cmocka_unit_test(without_a_descriptor_the_message_says_why),
		cmocka_unit_test(a_client_that_has_gone_is_not_asked_again),
		cmocka_unit_test(warnings_are_said_once_and_end_somewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
