/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The kernel has no word for a CPU that comes, so it is looked for each second. */
#include "session/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "binary/process.h"
#include "probe/attach.h"
#include "util/now.h"

#define LOOK_US 1000000
#define ACCURACY_US 100000

struct watch {
	struct watch_config config;
	struct mappings *mappings;
	sd_event_source *source, *timer;
	uint64_t looked_ns;
	unsigned int n_came;
};

static int on_mappings(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct watch *watch = userdata;

	(void)source, (void)fd, (void)events;
	mappings_read(watch->mappings, watch->config.mapped, watch->config.userdata);
	return 0;
}

struct looking {
	const struct watch *watch;
	pid_t pid;
};

static int tell(const struct process_mapping *mapped, void *userdata)
{
	const struct looking *looking = userdata;
	const struct watch_config *config = &looking->watch->config;
	const struct mapping mapping = {
		.kind = MAPPING_FILE,
		.time_ns = looking->watch->looked_ns,
		.pid = looking->pid,
		.address = mapped->start,
		.length = mapped->end - mapped->start,
		.offset = mapped->offset,
		.dev = mapped->dev,
		.ino = mapped->ino,
		.path = mapped->path,
	};

	if (mapped->ino && mapped->path[0] == '/')
		config->mapped(&mapping, config->userdata);
	return 0;
}

/* It was mapped after the last look, when the CPU was not there yet. */
static void look_at_all(struct watch *watch)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t n = 0;

	if (process_all(&pids, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		process_mappings(pids[i], tell, &(struct looking){ watch, pids[i] });
}

static int on_look(sd_event_source *source, uint64_t time_us, void *userdata)
{
	struct watch *watch = userdata;
	uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME);
	int n = 0;

	(void)time_us;
	attach_renew_counters(watch->config.attach);
	if (watch->mappings)
		n = mappings_renew(watch->mappings, watch->config.mapped, watch->config.userdata);
	watch->n_came += n;
	if (n)
		look_at_all(watch);
	watch->looked_ns = now_ns;
	sd_event_source_set_time_relative(source, LOOK_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int open_mappings(struct watch *watch)
{
	int r;

	r = mappings_open(MAPPINGS_FILES, &watch->mappings);
	if (r < 0)
		return r;
	return sd_event_add_io(watch->config.loop, &watch->source, mappings_fd(watch->mappings), EPOLLIN, on_mappings,
			       watch);
}

int watch_open(const struct watch_config *config, struct watch **ret_watch)
{
	_cleanup_(watch_closep) struct watch *watch = NULL;
	int r;

	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->config = *config;
	watch->looked_ns = clock_now_ns(CLOCK_BOOTTIME);
	r = config->mapped ? open_mappings(watch) : 0;
	if (r >= 0)
		r = sd_event_add_time_relative(config->loop, &watch->timer, CLOCK_MONOTONIC, LOOK_US, ACCURACY_US, on_look,
					       watch);
	if (r < 0)
		return r;
	*ret_watch = take_ptr(watch);
	return 0;
}

void watch_close(struct watch *watch)
{
	if (!watch)
		return;
	sd_event_source_disable_unref(watch->source);
	sd_event_source_disable_unref(watch->timer);
	mappings_close(watch->mappings);
	free(watch);
}

uint64_t watch_n_lost(const struct watch *watch)
{
	return watch->mappings ? mappings_n_lost(watch->mappings) : 0;
}

unsigned int watch_n_came(const struct watch *watch)
{
	return watch->n_came;
}
