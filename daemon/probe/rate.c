/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A map is there as long as a session of its user is. What the user has taken in advance is remembered for the second that it
 * lasts: else who begins a session again and again would begin with nothing taken each time.
 */
#include "probe/rate.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "util/now.h"

struct rate {
	struct rate *next;
	uid_t uid;
	unsigned int n_sessions;
	int map_fd;	   /* or -1: there is no session, */
	uint64_t until_ns; /* and up to when the share was taken then */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rate *rates;
static const uint32_t only_key;

static void forget_what_is_over(void)
{
	uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME);
	struct rate **link = &rates, *rate;

	while ((rate = *link)) {
		if (rate->n_sessions > 0 || rate->until_ns > now_ns) {
			link = &rate->next;
			continue;
		}
		*link = rate->next;
		free(rate);
	}
}

static struct rate *find_or_add(uid_t uid)
{
	struct rate *rate = rates;

	while (rate && rate->uid != uid)
		rate = rate->next;
	if (rate)
		return rate;
	rate = calloc(1, sizeof(*rate));
	if (!rate)
		return NULL;
	rate->uid = uid;
	rate->map_fd = -1;
	rate->next = rates;
	rates = rate;
	return rate;
}

static int open_map(struct rate *rate)
{
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pf_rate", sizeof(only_key), sizeof(rate->until_ns), 1, NULL);

	if (fd < 0 || bpf_map_update_elem(fd, &only_key, &rate->until_ns, BPF_ANY) < 0)
		return -errno;
	rate->map_fd = take_fd(fd);
	return 0;
}

static int join(uid_t uid, struct rate **ret_rate)
{
	struct rate *rate;
	int r = 0;

	forget_what_is_over();
	rate = find_or_add(uid);
	if (!rate)
		return -ENOMEM;
	if (rate->map_fd < 0)
		r = open_map(rate);
	if (r < 0)
		return r;
	rate->n_sessions++;
	*ret_rate = rate;
	return 0;
}

int rate_join(uid_t uid, struct rate **ret_rate)
{
	int r;

	pthread_mutex_lock(&lock);
	r = join(uid, ret_rate);
	pthread_mutex_unlock(&lock);
	return r;
}

void rate_leave(struct rate *rate)
{
	if (!rate)
		return;
	pthread_mutex_lock(&lock);
	if (--rate->n_sessions == 0) {
		bpf_map_lookup_elem(rate->map_fd, &only_key, &rate->until_ns);
		closep(&rate->map_fd);
		rate->map_fd = -1;
	}
	pthread_mutex_unlock(&lock);
}

int rate_fd(const struct rate *rate)
{
	return rate->map_fd;
}
