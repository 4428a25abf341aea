/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The server at one end of a socket pair, a client made of plain sends and receives at the other,
 * the loop turned by hand. Methods: t.Echo answers with its parameters, t.Wait is kept until a test
 * answers it, t.Fds answers with the number of descriptors that came with it and takes the first,
 * t.Big answers with a lot.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/server.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/text.h"

#define BIG_BYTES 3000

struct fixture {
	sd_event *loop;
	struct server *server;
	int client;
	struct call *waiting;
	int taken_fd;
	unsigned int n_calls, n_hangups, n_idle;
	bool hung_up_gone; /* at the last hang-up */
};

static const struct server_limits limits = {
	.message_bytes = 1000, .unsent_bytes = 1000};

#define N_PEERS 2

static int on_admit(const struct peer *peer, size_t n_all, size_t n_own, struct why *why, void *userdata)
{
	(void)userdata;
	assert_int_equal(peer_uid(peer), geteuid());
	assert_int_equal(n_all, n_own);
	return n_all < N_PEERS ? 0 : why_say(why, -EUSERS, "%zu are here", n_all);
}

static void answer_with_number(struct call *call, const char *name, int number)
{
	struct json_object *parameters = json_object_new_object();

	json_object_object_add(parameters, name, json_object_new_int(number));
	call_reply(call, parameters, false);
}

static void answer_big(struct call *call)
{
	struct json_object *parameters = json_object_new_object();
	char big[BIG_BYTES];

	memset(big, 'x', sizeof(big));
	json_object_object_add(parameters, "big", json_object_new_string_len(big, sizeof(big)));
	call_reply(call, parameters, false);
}

static void on_call(struct call *call, void *userdata)
{
	struct fixture *fixture = userdata;

	fixture->n_calls++;
	if (call->refusal) {
		call_fail(call, call->refusal, NULL);
	} else if (strcmp(call->method, "t.Wait") == 0) {
		assert_null(fixture->waiting);
		fixture->waiting = call;
	} else if (strcmp(call->method, "t.Fds") == 0) {
		if (call->n_fds > 0)
			fixture->taken_fd = take_fd(call->fds[0]);
		answer_with_number(call, "n", (int)call->n_fds);
	} else if (strcmp(call->method, "t.Big") == 0) {
		answer_big(call);
	} else if (strcmp(call->method, "t.Echo") == 0) {
		call_reply(call, json_object_get(call->parameters), false);
	} else {
		call_fail(call, "t.No", NULL);
	}
}

static void on_hangup(struct peer *peer, void *userdata)
{
	struct fixture *fixture = userdata;

	fixture->n_hangups++;
	fixture->hung_up_gone = peer_is_gone(peer);
}

static void on_idle(void *userdata)
{
	struct fixture *fixture = userdata;

	fixture->n_idle++;
}

static const struct server_ops ops = {.admit = on_admit, .call = on_call, .hangup = on_hangup, .idle = on_idle};

static void setup_with(struct fixture *fixture, const struct server_limits *with_limits)
{
	int sockets[2];

	*fixture = (struct fixture){.taken_fd = -1};
	assert_int_equal(sd_event_new(&fixture->loop), 0);
	assert_int_equal(server_new(fixture->loop, with_limits, &ops, fixture, &fixture->server),
			 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	assert_int_equal(server_add_peer(fixture->server, sockets[0]), 0);
	fixture->client = sockets[1];
}

static void setup(struct fixture *fixture)
{
	setup_with(fixture, &limits);
}

static void fixture_done(struct fixture *fixture)
{
	closep(&fixture->client);
	closep(&fixture->taken_fd);
	server_free(fixture->server);
	sd_event_unref(fixture->loop);
}

/* Turns the loop until nothing happens any more. */
static void settle(struct fixture *fixture)
{
	while (sd_event_run(fixture->loop, 0) > 0)
		;
}

static void send_bytes(struct fixture *fixture, const char *data, size_t size)
{
	assert_int_equal(send(fixture->client, data, size, MSG_NOSIGNAL), size);
}

/* A message is a C string: its '\0' goes along. */
static void send_call(struct fixture *fixture, const char *message)
{
	send_bytes(fixture, message, strlen(message) + 1);
}

static void send_with_fds(struct fixture *fixture, const char *message, int fd, size_t n)
{
	union {
		char bytes[CMSG_SPACE(64 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec vector = {(char *)message, strlen(message) + 1};
	struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes};

	header.msg_controllen = CMSG_SPACE(n * sizeof(int));
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &fd, sizeof(fd));
	assert_int_equal(sendmsg(fixture->client, &header, 0), vector.iov_len);
}

/* All that has come, with '|' for each '\0', and '$' where the server has closed. */
static void assert_received(struct fixture *fixture, const char *expected)
{
	char buffer[4096];
	ssize_t n;
	size_t size = 0;

	settle(fixture);
	while ((n = recv(fixture->client, buffer + size, sizeof(buffer) - 2 - size, MSG_DONTWAIT)) >
	       0)
		size += (size_t)n;
	for (size_t i = 0; i < size; i++)
		if (buffer[i] == '\0')
			buffer[i] = '|';
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		buffer[size++] = '$';
	buffer[size] = '\0';
	assert_string_equal(buffer, expected);
}

static size_t count_open_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;

	return n;
}

static void a_call_is_answered(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	setup(&fixture);
	send_call(&fixture, "{\"method\":\"t.Echo\",\"parameters\":{\"a\":1}}");
	assert_received(&fixture, "{\"parameters\":{\"a\":1}}|");
	send_call(&fixture, "{\"method\":\"t.Unknown\"}");
	assert_received(&fixture, "{\"error\":\"t.No\",\"parameters\":{}}|");
	assert_int_equal(fixture.n_hangups, 0);
}

static void a_message_may_come_in_pieces(void **state)
{
	static const char message[] = "{\"method\":\"t.Echo\"}";
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	setup(&fixture);
	for (size_t i = 0; i < sizeof(message) - 1; i++) {
		send_bytes(&fixture, message + i, 1);
		assert_received(&fixture, "");
	}
	send_bytes(&fixture, "", 1);
	assert_received(&fixture, "{\"parameters\":{}}|");
}

static void calls_behind_one_that_waits_are_answered_after_it(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	setup(&fixture);
	send_call(&fixture, "{\"method\":\"t.Wait\",\"more\":true}");
	send_call(&fixture, "{\"method\":\"t.Echo\",\"parameters\":{\"a\":1}}");
	send_call(&fixture, "{\"method\":\"t.Echo\",\"parameters\":{\"a\":2}}");
	assert_received(&fixture, "");
	assert_int_equal(fixture.n_calls, 1);

	call_reply(fixture.waiting, NULL, true);
	assert_received(&fixture, "{\"parameters\":{},\"continues\":true}|");
	assert_int_equal(fixture.n_calls, 1);

	call_reply(fixture.waiting, NULL, false);
	assert_received(
		&fixture,
		"{\"parameters\":{}}|{\"parameters\":{\"a\":1}}|{\"parameters\":{\"a\":2}}|");
}

static void thousands_of_pipelined_calls_are_all_answered(void **state)
{
	static const struct server_limits wide = {
		.message_bytes = 1000, .unsent_bytes = 1 << 20};
	static const char message[] = "{\"method\":\"t.Echo\"}";
	_cleanup_(fixture_done) struct fixture fixture;
	char buffer[4096];
	size_t n_answers = 0;
	ssize_t n;

	(void)state;
	setup_with(&fixture, &wide);
	for (int i = 0; i < 5000; i++) {
		send_call(&fixture, message);
		if (i % 100 == 0)
			settle(&fixture);
	}
	settle(&fixture);
	while ((n = recv(fixture.client, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0 ||
	       errno != EAGAIN) {
		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			n_answers += buffer[i] == '\0';
		settle(&fixture);
		errno = 0;
	}
	assert_int_equal(n_answers, 5000);
}

static void a_oneway_call_gets_no_answer(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	setup(&fixture);
	send_call(&fixture, "{\"method\":\"t.Echo\",\"oneway\":true}");
	send_call(&fixture, "{\"method\":\"t.Echo\",\"parameters\":{\"a\":2}}");
	assert_received(&fixture, "{\"parameters\":{\"a\":2}}|");
	assert_int_equal(fixture.n_calls, 2);
}

static void a_client_that_shuts_down_its_side_still_gets_its_answers(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	setup(&fixture);
	send_call(&fixture, "{\"method\":\"t.Wait\"}");
	send_call(&fixture, "{\"method\":\"t.Echo\",\"parameters\":{\"a\":2}}");
	shutdown(fixture.client, SHUT_WR);
	assert_received(&fixture, "");
	assert_int_not_equal(fixture.n_hangups, 0);
	assert_false(fixture.hung_up_gone);
	assert_int_equal(fixture.n_idle, 0);

	call_reply(fixture.waiting, NULL, false);
	assert_received(&fixture, "{\"parameters\":{}}|{\"parameters\":{\"a\":2}}|$");
	assert_int_equal(fixture.n_idle, 1);
}

static void a_call_of_a_client_that_is_gone_may_still_be_answered(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	setup(&fixture);
	send_call(&fixture, "{\"method\":\"t.Wait\"}");
	settle(&fixture);
	close(take_fd(fixture.client));
	settle(&fixture);
	assert_int_not_equal(fixture.n_hangups, 0);
	assert_true(fixture.hung_up_gone);
	assert_int_equal(fixture.n_idle, 0);

	call_reply(fixture.waiting, NULL, false);
	settle(&fixture);
	assert_int_equal(fixture.n_idle, 1);
}

static void a_client_that_goes_without_a_word_is_noticed(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	setup(&fixture);
	close(take_fd(fixture.client));
	settle(&fixture);
	assert_int_equal(fixture.n_hangups, 1);
	assert_int_equal(fixture.n_idle, 1);
}

static void what_was_sent_before_going_is_still_carried_out(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	setup(&fixture);
	send_call(&fixture, "{\"method\":\"t.Echo\",\"oneway\":true}");
	send_call(&fixture, "{\"method\":\"t.Echo\"}");
	close(take_fd(fixture.client));
	settle(&fixture);
	assert_int_equal(fixture.n_calls, 2);
	assert_int_equal(fixture.n_idle, 1);
}

static void a_message_that_is_too_long_cuts_the_client_off(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	char bytes[1001];

	(void)state;
	setup(&fixture);
	memset(bytes, ' ', sizeof(bytes));
	send_bytes(&fixture, bytes, 1000);
	assert_received(&fixture, "");
	send_bytes(&fixture, bytes, 1);
	assert_received(&fixture, "$");
	assert_int_equal(fixture.n_calls, 0);
	assert_int_not_equal(fixture.n_hangups, 0);
}

static void a_message_of_just_the_limit_is_served(void **state)
{
	static const char message[] = "{\"method\":\"t.Echo\"}";
	_cleanup_(fixture_done) struct fixture fixture;
	char bytes[1001];

	(void)state;
	setup(&fixture);
	memset(bytes, ' ', 1000);
	bytes[1000] = '\0';
	memcpy(bytes, message, strlen(message));
	send_bytes(&fixture, bytes, 1001);
	assert_received(&fixture, "{\"parameters\":{}}|");
}

static void a_client_that_sends_no_json_is_cut_off(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	setup(&fixture);
	send_call(&fixture, "{\"method\":\"t.Echo\"}");
	send_call(&fixture, "GET / HTTP/1.1");
	send_call(&fixture, "{\"method\":\"t.Echo\"}");
	assert_received(&fixture, "{\"parameters\":{}}|$");
	assert_int_equal(fixture.n_calls, 1);
}

static void a_client_that_does_not_read_its_answers_is_cut_off(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	int bytes = 1;

	(void)state;
	setup(&fixture);
	setsockopt(fixture.client, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	for (int i = 0; i < 1000 && fixture.n_idle == 0; i++) {
		send(fixture.client, "{\"method\":\"t.Big\"}", sizeof("{\"method\":\"t.Big\"}"),
		     MSG_NOSIGNAL);
		settle(&fixture);
	}
	assert_int_equal(fixture.n_idle, 1);
}

static void descriptors_come_with_their_call(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	setup(&fixture);
	send_call(&fixture, "{\"method\":\"t.Fds\"}");
	send_with_fds(&fixture, "{\"method\":\"t.Fds\"}", fd, 2);
	send_call(&fixture, "{\"method\":\"t.Fds\"}");
	assert_received(&fixture, "{\"parameters\":{\"n\":0}}|{\"parameters\":{\"n\":2}}|{"
				  "\"parameters\":{\"n\":0}}|");
	assert_true(fixture.taken_fd >= 0);
	assert_true(fcntl(fixture.taken_fd, F_GETFD) & FD_CLOEXEC);
}

static void descriptors_that_nobody_takes_are_closed(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	size_t n;

	(void)state;
	setup(&fixture);
	settle(&fixture);
	n = count_open_fds();
	send_with_fds(&fixture, "{\"method\":\"t.Echo\"}", fd, 16);
	assert_received(&fixture, "{\"parameters\":{}}|");
	assert_int_equal(count_open_fds(), n);
}

static void too_many_descriptors_cut_the_client_off_and_none_is_kept(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	size_t n;

	(void)state;
	setup(&fixture);
	settle(&fixture);
	n = count_open_fds();
	send_with_fds(&fixture, "{\"method\":\"t.Fds\"}", fd, 17);
	assert_received(&fixture, "$");
	assert_int_equal(fixture.n_calls, 0);
	assert_int_equal(count_open_fds(), n - 1); /* the server's end of the socket */
}

/* Has another peer served or turned away; its end of the socket. */
static int add_peer(struct fixture *fixture)
{
	int sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	assert_int_equal(server_add_peer(fixture->server, sockets[0]), 0);
	return sockets[1];
}

static void peers_beyond_the_limit_are_told_so_in_answer_to_their_first_call(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	_cleanup_close_ int first = -1, second = -1;

	(void)state;
	setup(&fixture);
	first = fixture.client;
	second = add_peer(&fixture);
	fixture.client = add_peer(&fixture);
	assert_received(&fixture, "");
	send_call(&fixture, "{\"method\":\"t.Echo\"}");
	send_call(&fixture, "{\"method\":\"t.Echo\"}");
	assert_received(&fixture, "{\"error\":\"2 are here\",\"parameters\":{}}|$");
	assert_int_equal(fixture.n_calls, 1);

	close(fixture.client);
	fixture.client = take_fd(first);
	send_call(&fixture, "{\"method\":\"t.Echo\"}");
	assert_received(&fixture, "{\"parameters\":{}}|");
}

static void who_goes_makes_room(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	_cleanup_close_ int first = -1, second = -1, turned_away = -1;

	(void)state;
	setup(&fixture);
	first = fixture.client;
	second = add_peer(&fixture);
	turned_away = add_peer(&fixture);
	closep(&second);
	second = -1;
	settle(&fixture);
	fixture.client = add_peer(&fixture);
	send_call(&fixture, "{\"method\":\"t.Echo\"}");
	assert_received(&fixture, "{\"parameters\":{}}|");
}

static void peers_that_are_turned_away_and_do_not_ask_are_not_many(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	_cleanup_close_ int first = -1, second = -1;
	int idle[40];
	size_t n;

	(void)state;
	setup(&fixture);
	first = fixture.client;
	second = add_peer(&fixture);
	n = count_open_fds();
	for (size_t i = 0; i < ARRAY_SIZE(idle); i++) {
		idle[i] = add_peer(&fixture);
		settle(&fixture);
	}
	assert_int_equal(count_open_fds(), n + ARRAY_SIZE(idle) + 16);
	fixture.client = idle[0];
	assert_received(&fixture, "$");
	fixture.client = idle[ARRAY_SIZE(idle) - 1];
	send_call(&fixture, "{\"method\":\"t.Echo\"}");
	assert_received(&fixture, "{\"error\":\"2 are here\",\"parameters\":{}}|$");
	for (size_t i = 0; i + 1 < ARRAY_SIZE(idle); i++)
		close(idle[i]);
}

static void make_path(char path[108])
{
	const char *temporary = getenv("TMPDIR");

	snprintf(path, 80, "%s/test_server.XXXXXX", temporary ? temporary : P_tmpdir);
	assert_non_null(mkdtemp(path));
	strcat(path, "/socket");
}

static void remove_path(char path[108])
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

static void a_socket_is_made_with_its_mode_and_removed_at_the_end(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	struct why why = {0};
	char path[108];
	struct stat st;

	(void)state;
	setup(&fixture);
	make_path(path);
	assert_int_equal(server_listen_path(fixture.server, path, 0600, &why), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	server_free(take_ptr(fixture.server));
	assert_int_equal(stat(path, &st), -1);
	remove_path(path);
}

static void a_socket_where_somebody_answers_is_left_alone(void **state)
{
	_cleanup_(fixture_done) struct fixture one, two;
	struct why why = {0};
	char path[108];

	(void)state;
	setup(&one);
	setup(&two);
	make_path(path);
	assert_int_equal(server_listen_path(one.server, path, 0600, &why), 0);
	assert_int_equal(server_listen_path(two.server, path, 0600, &why), -EADDRINUSE);
	assert_non_null(strstr(why.text, "answers"));
	assert_int_equal(access(path, F_OK), 0);
	server_free(take_ptr(one.server));
	remove_path(path);
}

static void a_stale_socket_is_replaced_but_a_file_is_not(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM, 0), file = -1;
	struct why why = {0};
	char path[108];

	(void)state;
	setup(&fixture);
	make_path(path);
	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(server_listen_path(fixture.server, path, 0600, &why), 0);
	server_free(take_ptr(fixture.server));

	file = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(file >= 0);
	assert_int_equal(server_new(fixture.loop, &limits, &ops, &fixture, &fixture.server), 0);
	assert_int_equal(server_listen_path(fixture.server, path, 0600, &why), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	remove_path(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_answered),
		cmocka_unit_test(a_message_may_come_in_pieces),
		cmocka_unit_test(calls_behind_one_that_waits_are_answered_after_it),
		cmocka_unit_test(thousands_of_pipelined_calls_are_all_answered),
		cmocka_unit_test(a_oneway_call_gets_no_answer),
		cmocka_unit_test(a_client_that_shuts_down_its_side_still_gets_its_answers),
		cmocka_unit_test(a_call_of_a_client_that_is_gone_may_still_be_answered),
		cmocka_unit_test(a_client_that_goes_without_a_word_is_noticed),
		cmocka_unit_test(what_was_sent_before_going_is_still_carried_out),
		cmocka_unit_test(a_message_that_is_too_long_cuts_the_client_off),
		cmocka_unit_test(a_message_of_just_the_limit_is_served),
		cmocka_unit_test(a_client_that_sends_no_json_is_cut_off),
		cmocka_unit_test(a_client_that_does_not_read_its_answers_is_cut_off),
		cmocka_unit_test(descriptors_come_with_their_call),
		cmocka_unit_test(descriptors_that_nobody_takes_are_closed),
		cmocka_unit_test(too_many_descriptors_cut_the_client_off_and_none_is_kept),
		cmocka_unit_test(peers_beyond_the_limit_are_told_so_in_answer_to_their_first_call),
		cmocka_unit_test(who_goes_makes_room),
		cmocka_unit_test(peers_that_are_turned_away_and_do_not_ask_are_not_many),
		cmocka_unit_test(a_socket_is_made_with_its_mode_and_removed_at_the_end),
		cmocka_unit_test(a_socket_where_somebody_answers_is_left_alone),
		cmocka_unit_test(a_stale_socket_is_replaced_but_a_file_is_not),
	};

	log_init(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
