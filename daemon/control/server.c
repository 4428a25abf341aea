/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/server.c - the socket
 *
 * What a peer sends is collected until there is a '\0'; its calls are then handed out one by one:
 * while one waits for its answer, those behind it stay where they are, and beyond a limit nothing
 * more is read, so that the client's own socket fills up. Each peer has two sources in the loop:
 * its socket, and its turn, which is asked for whenever something may be due (the next call, the
 * end of the peer). Calls are handed out and peers are freed in a turn alone and never from within
 * an answer, so whoever answers need not fear that the ground moves. A turn takes one call: a
 * client that sends thousands at once does not keep the others waiting.
 *
 * A file descriptor arrives with the last byte of what one recvmsg() returns: the kernel never
 * reads on behind data that has descriptors with it, but may well put earlier data in front of it.
 * So a descriptor belongs to the message in which that byte is.
 *
 * Whom there is no room for is told so in answer to its first call, since no Varlink client expects an answer before it has asked.
 * A few may be there to ask at once; when another comes, the one that has not asked for longest goes.
 */
#include "control/server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "control/varlink.h"
#include "util/log.h"
#include "util/now.h"
#include "util/text.h"

#define MAX_FDS		16 /* of a peer, that wait to be claimed */
#define MAX_TURNED_AWAY 16 /* peers that are to be told so */
#define READ_BYTES	(64 * 1024)
#define LISTEN_BACKLOG	64

const struct server_limits server_default_limits = {
	.message_bytes = 1024 * 1024,
	.unsent_bytes = 4 * 1024 * 1024,
};

struct server {
	sd_event *loop;
	struct server_limits limits;
	const struct server_ops *ops;
	void *userdata;
	int listen_fd; /* or -1 */
	sd_event_source *listen_source;
	char *path; /* of a socket that we made, to be removed, or NULL */
	dev_t path_dev;
	ino_t path_ino;
	struct peer *peers; /* newest first */
};

struct peer {
	struct server *server;
	struct peer *next;
	int fd;
	struct ucred credentials;
	char *refusal; /* why it is turned away, or NULL */
	sd_event_source *socket_source, *turn_source;

	struct text in;
	size_t n_taken;	  /* of in: handed out already */
	size_t n_scanned; /* of in: has no '\0' from n_taken on */
	struct peer_fd {
		int fd;
		size_t at; /* the byte of in that it came with */
	} fds[MAX_FDS];	   /* in the order of their coming */
	size_t n_fds;

	struct text out;
	size_t n_sent; /* of out */

	bool ended; /* it will send no more */
	bool gone;  /* nor does it read */

	bool has_call; /* that waits for its last answer: */
	struct call call;
	struct varlink_call message; /* what call points into */
	int call_fds[MAX_FDS];
};

/* The peer: its end */

static void peer_drop_input(struct peer *peer)
{
	for (size_t i = 0; i < peer->n_fds; i++)
		close(peer->fds[i].fd);
	peer->n_fds = 0;
	text_done(&peer->in);
	peer->n_taken = peer->n_scanned = 0;
}

static void peer_drop_output(struct peer *peer)
{
	text_done(&peer->out);
	peer->n_sent = 0;
}

static void peer_drop_call(struct peer *peer)
{
	for (size_t i = 0; i < peer->call.n_fds; i++)
		closep(&peer->call_fds[i]);
	varlink_call_done(&peer->message);
	peer->call = (struct call){0};
	peer->has_call = false;
}

static void peer_vanish(struct peer *peer)
{
	peer->ended = peer->gone = true;
	peer_drop_output(peer);
}

/* For what no well-behaved client does: nothing that it sent is believed any more. */
static void peer_refuse(struct peer *peer, const char *reason)
{
	log_error("the client with pid %d is cut off: %s", (int)peer->credentials.pid, reason);
	peer_drop_input(peer);
	peer_vanish(peer);
}

static void peer_free(struct peer *peer)
{
	struct peer **link = &peer->server->peers;

	while (*link && *link != peer)
		link = &(*link)->next;
	if (*link)
		*link = peer->next;

	if (peer->has_call)
		peer_drop_call(peer);
	peer_drop_input(peer);
	peer_drop_output(peer);
	sd_event_source_disable_unref(peer->turn_source);
	sd_event_source_disable_unref(peer->socket_source);
	closep(&peer->fd);
	free(peer->refusal);
	free(peer);
}
DEFINE_CLEANUP(struct peer, peer_free)

/* The peer: writing */

static size_t peer_n_unsent(const struct peer *peer)
{
	return peer->out.size - peer->n_sent;
}

static void peer_send(struct peer *peer)
{
	ssize_t n;

	while (peer_n_unsent(peer) > 0) {
		n = send(peer->fd, peer->out.data + peer->n_sent, peer_n_unsent(peer),
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			peer_vanish(peer);
			return;
		}
		peer->n_sent += (size_t)n;
	}

	peer->out.size = peer->n_sent = 0;
}

/* The peer: reading */

static int peer_take_fd(struct peer *peer, int fd, size_t at)
{
	if (peer->n_fds == MAX_FDS) {
		close(fd);
		return -E2BIG;
	}

	peer->fds[peer->n_fds++] = (struct peer_fd){fd, at};
	return 0;
}

static int peer_take_fds(struct peer *peer, struct msghdr *header, size_t at)
{
	int fds[MAX_FDS], r = header->msg_flags & MSG_CTRUNC ? -E2BIG : 0;
	struct cmsghdr *control;
	size_t n;

	for (control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			continue;
		n = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(control), n * sizeof(int));
		for (size_t i = 0; i < n; i++)
			if (peer_take_fd(peer, fds[i], at) < 0)
				r = -E2BIG;
	}

	return r;
}

/*
 * Moves what is left to the front, but only when that is less than what is gone: else the moving
 * would add up.
 */
static void peer_compact_input(struct peer *peer)
{
	size_t left = peer->in.size - peer->n_taken;

	if (peer->n_taken == 0 || left > peer->n_taken)
		return;

	memmove(peer->in.data, peer->in.data + peer->n_taken, left);
	for (size_t i = 0; i < peer->n_fds; i++)
		peer->fds[i].at -= peer->n_taken;
	peer->n_scanned -= peer->n_taken;
	peer->in.size = left;
	peer->n_taken = 0;
}

static void peer_receive(struct peer *peer)
{
	union {
		char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	char buffer[READ_BYTES];
	struct iovec vector = {buffer, sizeof(buffer)};
	struct msghdr header = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	n = recvmsg(peer->fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		peer_vanish(peer);
		return;
	}
	if (n == 0) {
		peer->ended = true;
		return;
	}

	peer_compact_input(peer);
	if (peer_take_fds(peer, &header, peer->in.size + (size_t)n - 1) < 0)
		peer_refuse(peer, "too many file descriptors");
	else if (text_append(&peer->in, buffer, (size_t)n) < 0)
		peer_refuse(peer, "out of memory");
}

static bool peer_may_receive(const struct peer *peer)
{
	return !peer->ended && peer->in.size - peer->n_taken <= peer->server->limits.message_bytes;
}

/* The length of the next message without its '\0', or -1 if it is not there yet. */
static ssize_t peer_next_message(struct peer *peer)
{
	const char *end;

	if (peer->n_scanned == peer->in.size)
		return -1;

	end = memchr(peer->in.data + peer->n_scanned, '\0', peer->in.size - peer->n_scanned);
	peer->n_scanned = end ? (size_t)(end - peer->in.data) : peer->in.size;

	return end ? (ssize_t)(peer->n_scanned - peer->n_taken) : -1;
}

/* The peer: calls */

/* Gives those descriptors to the call that came before byte `end` of the input. */
static void peer_hand_out_fds(struct peer *peer, size_t end)
{
	size_t n = 0;

	while (n < peer->n_fds && peer->fds[n].at < end) {
		peer->call_fds[n] = peer->fds[n].fd;
		n++;
	}
	memmove(peer->fds, peer->fds + n, (peer->n_fds - n) * sizeof(peer->fds[0]));
	peer->n_fds -= n;
	peer->call.fds = peer->call_fds;
	peer->call.n_fds = n;
}

static void peer_hand_out(struct peer *peer, size_t size)
{
	const struct server_ops *ops = peer->server->ops;
	int r;

	r = varlink_parse_call(peer->in.data + peer->n_taken, size, &peer->message);
	if (r < 0) {
		peer_refuse(peer,
			    r == -ENOMEM ? "out of memory" : "its message is no Varlink call");
		return;
	}

	peer->call = (struct call){
		.peer = peer,
		.method = peer->message.method,
		.parameters = peer->message.parameters,
		.more = peer->message.more,
		.oneway = peer->message.oneway,
		.refusal = peer->refusal,
	};
	peer->has_call = true;
	peer->n_taken += size + 1;
	peer->n_scanned = peer->n_taken;
	peer_hand_out_fds(peer, peer->n_taken);

	ops->call(&peer->call, peer->server->userdata);
	if (peer->refusal) {
		peer_drop_input(peer);
		peer->ended = true;
	}
}

static bool peer_is_finished(struct peer *peer)
{
	if (peer->has_call || peer_next_message(peer) >= 0)
		return false;

	return peer->gone || (peer->ended && peer_n_unsent(peer) == 0);
}

/*
 * What the loop is to watch for. A hang-up is told always, so a socket that is gone is not watched
 * at all.
 */
static void peer_watch(struct peer *peer)
{
	uint32_t events = 0;

	if (peer_may_receive(peer))
		events |= EPOLLIN;
	if (peer_n_unsent(peer) > 0)
		events |= EPOLLOUT;

	sd_event_source_set_io_events(peer->socket_source, events);
	sd_event_source_set_enabled(peer->socket_source, peer->gone ? SD_EVENT_OFF : SD_EVENT_ON);
}

static void peer_ask_for_turn(struct peer *peer)
{
	peer_watch(peer);
	sd_event_source_set_enabled(peer->turn_source, SD_EVENT_ONESHOT);
}

static int on_turn(sd_event_source *source, void *userdata)
{
	struct peer *peer = userdata;
	struct server *server = peer->server;
	size_t limit = server->limits.message_bytes;
	ssize_t size = peer_next_message(peer);

	(void)source;
	if (size > (ssize_t)limit || (size < 0 && peer->in.size - peer->n_taken > limit)) {
		peer_refuse(peer, "its message is too long");
	} else if (size >= 0 && !peer->has_call) {
		peer_hand_out(peer, (size_t)size);
		peer_ask_for_turn(peer);
	}

	if (peer->ended)
		server->ops->hangup(peer, server->userdata);

	if (!peer_is_finished(peer)) {
		peer_watch(peer);
		return 0;
	}
	peer_free(peer);
	if (!server->peers && server->listen_fd < 0 && server->ops->idle)
		server->ops->idle(server->userdata);

	return 0;
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct peer *peer = userdata;

	(void)source;
	(void)fd;
	if (events & EPOLLOUT)
		peer_send(peer);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && peer_may_receive(peer))
		peer_receive(peer);
	/* What came before the hang-up has been read by now, or there was no room for it. */
	if (events & (EPOLLHUP | EPOLLERR) && !peer_may_receive(peer))
		peer_vanish(peer);
	peer_ask_for_turn(peer);

	return 0;
}

uid_t peer_uid(const struct peer *peer)
{
	return peer->credentials.uid;
}

pid_t peer_pid(const struct peer *peer)
{
	return peer->credentials.pid;
}

/* The kernel knows the groups beside the first since Linux 4.13. */
int peer_groups(const struct peer *peer, gid_t **ret_groups, size_t *ret_n)
{
	_cleanup_free_ gid_t *groups = NULL;
	socklen_t size = 64 * sizeof(gid_t);

	for (;;) {
		free(groups);
		groups = malloc(size + sizeof(gid_t));
		if (!groups)
			return -ENOMEM;
		if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &size) == 0)
			break;
		if (errno != ERANGE) /* else size is now what it takes */
			return -errno;
	}
	groups[0] = peer->credentials.gid;
	*ret_n = 1 + size / sizeof(gid_t);
	*ret_groups = take_ptr(groups);
	return 0;
}

bool peer_is_gone(const struct peer *peer)
{
	return peer->gone;
}

static void call_answer(struct call *call, const char *error, struct json_object *parameters,
			bool continues)
{
	struct peer *peer = call->peer;

	assert(!continues || call->more);
	if (!peer->gone && !call->oneway) {
		if (varlink_write_reply(&peer->out, error, parameters, continues) < 0)
			peer_refuse(peer, "out of memory");
		peer_send(peer);
		if (peer_n_unsent(peer) > peer->server->limits.unsent_bytes)
			peer_refuse(peer, "it does not read its answers");
	}
	json_object_put(parameters);

	if (!continues)
		peer_drop_call(peer);
	peer_ask_for_turn(peer);
}

void call_reply(struct call *call, struct json_object *parameters, bool continues)
{
	call_answer(call, NULL, parameters, continues);
}

void call_fail(struct call *call, const char *error, struct json_object *parameters)
{
	call_answer(call, error, parameters, false);
}

/* The server */

int server_new(sd_event *loop, const struct server_limits *limits, const struct server_ops *ops,
	       void *userdata, struct server **ret_server)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;

	server->loop = sd_event_ref(loop);
	server->limits = *limits;
	server->ops = ops;
	server->userdata = userdata;
	server->listen_fd = -1;

	*ret_server = server;
	return 0;
}

/* Another daemon may have put its own socket in the place of ours: that one stays. */
static void server_remove_path(struct server *server)
{
	struct stat st;

	if (server->path && lstat(server->path, &st) == 0 && st.st_dev == server->path_dev &&
	    st.st_ino == server->path_ino)
		unlink(server->path);
	free(server->path);
}

void server_free(struct server *server)
{
	if (!server)
		return;

	while (server->peers)
		peer_free(server->peers);
	sd_event_source_disable_unref(server->listen_source);
	server_remove_path(server);
	closep(&server->listen_fd);
	sd_event_unref(server->loop);
	free(server);
}

static void count_peers(const struct server *server, uid_t uid, size_t *ret_all, size_t *ret_own)
{
	*ret_all = *ret_own = 0;
	for (const struct peer *peer = server->peers; peer; peer = peer->next) {
		*ret_all += !peer->refusal;
		*ret_own += !peer->refusal && peer->credentials.uid == uid;
	}
}

static void make_room_to_turn_away(struct server *server)
{
	struct peer *oldest = NULL;
	size_t n = 0;

	for (struct peer *peer = server->peers; peer; peer = peer->next)
		if (peer->refusal && !peer->gone) {
			oldest = peer;
			n++;
		}
	if (n < MAX_TURNED_AWAY)
		return;
	peer_vanish(oldest);
	peer_ask_for_turn(oldest);
}

/* Returns 0 also for one who is not served, but is to be told so. */
static int server_admit(struct server *server, struct peer *peer)
{
	struct why why = {0};
	size_t n_all, n_own;
	int r;

	count_peers(server, peer->credentials.uid, &n_all, &n_own);
	r = server->ops->admit(peer, n_all, n_own, &why, server->userdata);
	if (r != -EUSERS)
		return r;
	peer->refusal = strdup(why_text(&why, r));
	if (!peer->refusal)
		return -ENOMEM;
	make_room_to_turn_away(server);
	return 0;
}

int server_add_peer(struct server *server, int fd)
{
	_cleanup_close_ int owned_fd = fd;
	_cleanup_(peer_freep) struct peer *peer = NULL;
	socklen_t size = sizeof(peer->credentials);
	int r;

	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return -ENOMEM;
	peer->server = server;
	peer->fd = take_fd(owned_fd);
	if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERCRED, &peer->credentials, &size) < 0)
		return -errno;
	r = server_admit(server, peer);
	if (r < 0)
		return r;
	r = sd_event_add_io(server->loop, &peer->socket_source, peer->fd, EPOLLIN, on_socket, peer);
	if (r < 0)
		return r;
	r = sd_event_add_defer(server->loop, &peer->turn_source, on_turn, peer);
	if (r < 0)
		return r;

	peer->next = server->peers;
	server->peers = take_ptr(peer);
	return 0;
}

static int on_connect(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct server *server = userdata;
	int peer_fd, r;

	(void)source;
	(void)events;
	peer_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (peer_fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			log_error("cannot accept a client: %s", why_text(NULL, -errno));
		return 0;
	}

	r = server_add_peer(server, peer_fd);
	if (r < 0)
		log_error("cannot serve a client: %s", why_text(NULL, r));

	return 0;
}

int server_listen_fd(struct server *server, int fd)
{
	_cleanup_close_ int owned_fd = fd;
	int flags = fcntl(fd, F_GETFL), r;

	/* A client that is gone before it is accepted must not keep the loop waiting. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	r = sd_event_add_io(server->loop, &server->listen_source, fd, EPOLLIN, on_connect, server);
	if (r < 0)
		return r;
	/*
	 * Where accept() fails for want of descriptors the socket stays ready: do not turn with it.
	 */
	r = sd_event_source_set_ratelimit(server->listen_source, 1000 * 1000, 1000);
	if (r < 0)
		return r;

	server->listen_fd = take_fd(owned_fd);
	return 0;
}

static int make_folder_of(const char *path, struct why *why)
{
	_cleanup_free_ char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!folder)
		return -ENOMEM;
	if (!slash || slash == folder)
		return 0;

	*slash = '\0';
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return why_set(why, -errno, "cannot make the folder '%s'", folder);

	return 0;
}

/* A socket file whose server is gone is removed; anything else that is there stays. */
static int clear_path(const char *path, const struct sockaddr_un *address, struct why *why)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return why_set(why, -errno, "cannot make a socket");
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : why_set(why, -errno, "cannot look at '%s'", path);
	if (!S_ISSOCK(st.st_mode))
		return why_say(why, -EEXIST, "'%s' is there and is no socket", path);

	/* EAGAIN: somebody listens there whose queue is full. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return why_say(why, -EADDRINUSE, "another daemon answers at '%s' already", path);
	if (errno != ECONNREFUSED)
		return why_set(why, -errno, "cannot find out who is at '%s'", path);
	if (unlink(path) < 0)
		return why_set(why, -errno, "cannot remove the old socket '%s'", path);

	return 0;
}

static int bind_with_mode(int fd, const struct sockaddr_un *address, mode_t mode)
{
	mode_t old = umask(~mode & 0777); /* from the first moment on, not by a chmod() after it */
	int r;

	r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	umask(old);

	return r;
}

int server_listen_path(struct server *server, const char *path, mode_t mode, struct why *why)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return why_say(why, -ENAMETOOLONG, "the path of the socket '%s' is too long", path);
	memcpy(address.sun_path, path, strlen(path));
	r = make_folder_of(path, why);
	if (r < 0)
		return r;
	r = clear_path(path, &address, why);
	if (r < 0)
		return r;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return why_set(why, -errno, "cannot make a socket");
	r = bind_with_mode(fd, &address, mode);
	if (r < 0)
		return why_set(why, r, "cannot make the socket '%s'", path);
	if (lstat(path, &st) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return why_set(why, -errno, "cannot listen at '%s'", path);

	server->path = strdup(path);
	if (!server->path)
		return -ENOMEM;
	server->path_dev = st.st_dev;
	server->path_ino = st.st_ino;
	r = server_listen_fd(server, take_fd(fd));
	if (r < 0)
		return why_set(why, r, "cannot listen at '%s'", path);

	return 0;
}

static int64_t now_ms(void)
{
	return clock_now_ns(CLOCK_MONOTONIC) / 1000000;
}

void server_flush(struct server *server, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;

	for (struct peer *peer = server->peers; peer; peer = peer->next) {
		struct pollfd ready = {.fd = peer->fd, .events = POLLOUT};

		for (;;) {
			int64_t left = deadline - now_ms();

			peer_send(peer);
			if (peer_n_unsent(peer) == 0 || left <= 0)
				break;
			poll(&ready, 1, (int)left);
		}
	}
}
