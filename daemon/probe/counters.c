/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A counter that shares its place in the processor with others counts part of the time. That could be scaled, to a guess that
 * is wrong for a short span; ours keep their place instead (see counter_open()), and it is said where one has lost it.
 */
#include "probe/counters.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "probe/counter.h"
#include "probe/hotplug.h"

struct place {
	int fd;	       /* -1 where the CPU is offline */
	uint64_t life; /* of the CPU */
};

struct counters {
	const struct counter_kind *const *kinds; /* of the session */
	size_t n_places;
	unsigned int n_cpus;
	int map_fd;
	struct place places[];
};

/* Opened anew where the CPU has another life than the counter has. */
static int place_renew(struct counters *counters, uint32_t number)
{
	const struct counter_kind *kind = counters->kinds[number / counters->n_cpus];
	struct place *place = &counters->places[number];
	uint64_t life = hotplug_life(HOTPLUG_FOLDER, number % counters->n_cpus);

	if (place->fd >= 0 && place->life == life)
		return 0;
	closep(&place->fd);
	place->life = life;
	place->fd = counter_open(kind, number % counters->n_cpus);
	if (place->fd < 0)
		return place->fd;
	return bpf_map_update_elem(counters->map_fd, &number, &place->fd, BPF_ANY) < 0 ? -errno : 0;
}

int counters_open(const struct counter_kind *const *kinds, size_t n_kinds, unsigned int n_cpus, int map_fd,
		  struct counters **ret_counters, struct why *why)
{
	_cleanup_(counters_closep) struct counters *counters = NULL;
	size_t n_places = n_kinds * n_cpus;

	counters = calloc(1, sizeof(*counters) + n_places * sizeof(counters->places[0]));
	if (!counters)
		return -ENOMEM;
	counters->kinds = kinds;
	counters->n_cpus = n_cpus;
	counters->map_fd = map_fd;
	counters->n_places = n_places;
	for (uint32_t i = 0; i < n_places; i++)
		counters->places[i].fd = -1;
	for (uint32_t i = 0; i < n_places; i++) {
		int r = place_renew(counters, i);

		if (r < 0 && r != -ENODEV)
			return why_set(why, r, "cannot count %s", counter_name(kinds[i / n_cpus]));
	}
	*ret_counters = take_ptr(counters);
	return 0;
}

void counters_close(struct counters *counters)
{
	if (!counters)
		return;
	for (size_t i = 0; i < counters->n_places; i++)
		closep(&counters->places[i].fd);
	free(counters);
}

int counters_renew(struct counters *counters)
{
	int worst = 0;

	for (uint32_t i = 0; i < counters->n_places; i++) {
		int r = place_renew(counters, i);

		if (r < 0 && r != -ENODEV)
			worst = r;
	}
	return worst;
}

static int say_lost(const struct counter_kind *kind, unsigned int n_cpus, struct strings *warnings)
{
	struct why why = { 0 };

	why_say(&why, 0, "%s was not counted all the time on %u of the CPUs: others that count there have taken its place",
		counter_name(kind), n_cpus);
	return strings_add(warnings, why.text);
}

int counters_conclude(const struct counters *counters, struct strings *warnings)
{
	int r = 0;

	for (size_t kind = 0; kind * counters->n_cpus < counters->n_places && r >= 0; kind++) {
		unsigned int n = 0;

		for (unsigned int cpu = 0; cpu < counters->n_cpus; cpu++) {
			int fd = counters->places[kind * counters->n_cpus + cpu].fd;

			n += fd >= 0 && !counter_has_place(fd);
		}
		r = n ? say_lost(counters->kinds[kind], n, warnings) : 0;
	}
	return r;
}
