/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A link is what it was made with, so one without some of its functions is a new one. It is opened before the old one is closed,
 * so that no call is missed and no open span loses its return. In between both see what happens:
 *
 * - of entries one of the two is passed over, by their generation; where that changes while a call is between the two, it is
 *   told by its frame, which is there already;
 * - returns and exit sites are for both: the second finds no frame.
 *
 * So entries and returns have links of their own: a session link has the returns of the calls alone that it saw begin.
 */
#include "probe/relink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

#define MAX_SIDES 3

struct side {
	int program_fd; /* borrowed */
	bool are_returns, are_entries;
	unsigned long *offsets;
	uint64_t *cookies, *semaphores;
	size_t n;
	int link; /* or -1: nothing is left in it */
	int next; /* the one that is to take its place, or -1 */
};

struct apart { /* a function that has left the group's links */
	uint32_t joinpoint;
	int links[MAX_SIDES]; /* by side, or -1 */
};

struct group {
	int file_fd;
	uint32_t first;
	size_t n;
	bool is_newer; /* its links have PF_COOKIE_GENERATION */
	struct side sides[MAX_SIDES];
	unsigned int n_sides;
	struct apart *aparts;
	size_t n_aparts;
	uint32_t *apart_of; /* by function: where it was put among them last */
};

struct relinks {
	const struct relink_ops *ops;
	void *userdata;
	struct pf_relink *window;
	struct group **groups;
	size_t n_groups;
};

int relinks_new(struct pf_relink *window, const struct relink_ops *ops, void *userdata, struct relinks **ret_relinks)
{
	struct relinks *relinks = calloc(1, sizeof(*relinks));

	if (!relinks)
		return -ENOMEM;
	relinks->window = window;
	relinks->ops = ops;
	relinks->userdata = userdata;
	*ret_relinks = relinks;
	return 0;
}

static void close_link(const struct relinks *relinks, int *link)
{
	if (*link >= 0)
		relinks->ops->close(*link, relinks->userdata);
	*link = -1;
}

/* Entries first: then nothing begins whose return would not be seen. */
static void close_apart(const struct relinks *relinks, struct apart *apart)
{
	for (int i = MAX_SIDES; i-- > 0;)
		close_link(relinks, &apart->links[i]);
}

static void group_free(const struct relinks *relinks, struct group *group)
{
	for (unsigned int i = group->n_sides; i-- > 0;) {
		struct side *side = &group->sides[i];

		close_link(relinks, &side->link);
		free(side->offsets);
		free(side->cookies);
		free(side->semaphores);
	}
	for (size_t i = 0; i < group->n_aparts; i++)
		close_apart(relinks, &group->aparts[i]);
	free(group->aparts);
	free(group->apart_of);
	closep(&group->file_fd);
	free(group);
}

void relinks_free(struct relinks *relinks)
{
	if (!relinks)
		return;
	while (relinks->n_groups)
		relinks_drop(relinks);
	free(relinks->groups);
	free(relinks);
}

static int set_apart(struct group *group, uint32_t joinpoint)
{
	int r = array_grow(&group->aparts, group->n_aparts, sizeof(*group->aparts));

	if (r < 0)
		return r;
	group->aparts[group->n_aparts] = (struct apart){ .joinpoint = joinpoint };
	for (int i = 0; i < MAX_SIDES; i++)
		group->aparts[group->n_aparts].links[i] = -1;
	group->apart_of[joinpoint - group->first] = group->n_aparts++;
	return 0;
}

int relinks_begin(struct relinks *relinks, int file_fd, uint32_t first, size_t n)
{
	struct group *group;
	int r;

	r = array_grow(&relinks->groups, relinks->n_groups, sizeof(struct group *));
	if (r < 0)
		return r;
	group = calloc(1, sizeof(*group));
	if (!group)
		return -ENOMEM;
	group->first = first;
	group->n = n;
	group->file_fd = -1;
	group->apart_of = calloc(n + 1, sizeof(*group->apart_of));
	if (group->apart_of)
		group->file_fd = fcntl(file_fd, F_DUPFD_CLOEXEC, 3);
	if (group->file_fd < 0) {
		r = group->apart_of ? -errno : -ENOMEM;
		group_free(relinks, group);
		return r;
	}
	relinks->groups[relinks->n_groups++] = group;
	return 0;
}

void relinks_drop(struct relinks *relinks)
{
	group_free(relinks, relinks->groups[--relinks->n_groups]);
}

static void *copy(const void *data, size_t size)
{
	void *to = malloc(size ?: 1);

	return to && data ? memcpy(to, data, size) : to;
}

static struct group *find_group(const struct relinks *relinks, uint32_t joinpoint)
{
	for (size_t i = 0; i < relinks->n_groups; i++)
		if (joinpoint - relinks->groups[i]->first < relinks->groups[i]->n)
			return relinks->groups[i];
	return NULL;
}

static struct apart *find_apart(const struct group *group, uint32_t joinpoint)
{
	size_t i = joinpoint - group->first < group->n ? group->apart_of[joinpoint - group->first] : group->n_aparts;

	return i < group->n_aparts && group->aparts[i].joinpoint == joinpoint ? &group->aparts[i] : NULL;
}

/* Some of a side's sites. */
struct selection {
	unsigned long *offsets;
	uint64_t *cookies, *semaphores;
	size_t n;
};

static void selection_done(struct selection *selection)
{
	free(selection->offsets);
	free(selection->cookies);
	free(selection->semaphores);
}

static int selection_init(struct selection *selection, size_t n)
{
	selection->offsets = calloc(n + 1, sizeof(*selection->offsets));
	selection->cookies = calloc(n + 1, sizeof(*selection->cookies));
	selection->semaphores = calloc(n + 1, sizeof(*selection->semaphores));
	return selection->offsets && selection->cookies && selection->semaphores ? 0 : -ENOMEM;
}

static void select_site(struct selection *selection, const struct side *side, size_t i, uint64_t generation)
{
	selection->offsets[selection->n] = side->offsets[i];
	selection->semaphores[selection->n] = side->semaphores[i];
	selection->cookies[selection->n++] = side->cookies[i] | generation;
}

/* *ret_link is -1 where nothing is selected. */
static int open_selection(const struct relinks *relinks, const struct group *group, const struct side *side,
			  const struct selection *selection, int *ret_link)
{
	const struct link_sites sites = {
		.offsets = selection->offsets,
		.cookies = selection->cookies,
		.semaphores = selection->semaphores,
		.n = selection->n,
		.are_returns = side->are_returns,
	};
	int link;

	*ret_link = -1;
	if (!selection->n)
		return 0;
	link = relinks->ops->open(side->program_fd, group->file_fd, &sites, relinks->userdata);
	if (link < 0)
		return link;
	*ret_link = link;
	return 0;
}

/* A link with what is left of a side. */
static int open_rest(const struct relinks *relinks, const struct group *group, const struct side *side, uint64_t generation,
		     int *ret_link)
{
	_cleanup_(selection_done) struct selection rest = { 0 };
	int r;

	r = selection_init(&rest, side->n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < side->n; i++)
		if (!find_apart(group, (uint32_t)side->cookies[i]))
			select_site(&rest, side, i, generation);
	return open_selection(relinks, group, side, &rest, ret_link);
}

static void set_window(struct relinks *relinks, const struct group *group, bool mutes_newer)
{
	__atomic_store_n(&relinks->window->muted, mutes_newer, __ATOMIC_RELEASE);
	__atomic_store_n(&relinks->window->first, group->first, __ATOMIC_RELEASE);
	__atomic_store_n(&relinks->window->n, group->n, __ATOMIC_RELEASE);
}

/* The group's links anew, without those that are apart. */
static int relink(struct relinks *relinks, struct group *group)
{
	bool is_newer = !group->is_newer;
	int r = 0;

	set_window(relinks, group, is_newer);
	for (unsigned int i = 0; i < group->n_sides && r >= 0; i++)
		r = open_rest(relinks, group, &group->sides[i], is_newer ? PF_COOKIE_GENERATION : 0, &group->sides[i].next);
	if (r >= 0) {
		__atomic_store_n(&relinks->window->muted, !is_newer, __ATOMIC_RELEASE);
		group->is_newer = is_newer;
	}
	for (unsigned int i = group->n_sides; i-- > 0;) {
		struct side *side = &group->sides[i];
		int old = r >= 0 ? side->link : side->next;

		if (r >= 0)
			side->link = side->next;
		side->next = -1;
		close_link(relinks, &old);
	}
	__atomic_store_n(&relinks->window->n, 0, __ATOMIC_RELEASE);
	return r;
}

/* Those of one group: with one new link for all that are in it still. */
static int take_away_from(struct relinks *relinks, struct group *group, const uint32_t *joinpoints, size_t n)
{
	size_t n_before = group->n_aparts;
	struct apart *apart;
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		if (joinpoints[i] - group->first >= group->n)
			continue;
		apart = find_apart(group, joinpoints[i]);
		if (apart)
			close_apart(relinks, apart);
		else
			r = set_apart(group, joinpoints[i]);
	}
	if (r >= 0 && group->n_aparts > n_before)
		r = relink(relinks, group);
	if (r < 0)
		group->n_aparts = n_before;
	return r;
}

int relinks_take_away(struct relinks *relinks, const uint32_t *joinpoints, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < relinks->n_groups && r >= 0; i++)
		r = take_away_from(relinks, relinks->groups[i], joinpoints, n);
	return r;
}

static int open_apart(const struct relinks *relinks, const struct group *group, const struct side *side, uint32_t joinpoint,
		      int *ret_link)
{
	_cleanup_(selection_done) struct selection own = { 0 };
	int r;

	r = selection_init(&own, side->n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < side->n; i++)
		if ((uint32_t)side->cookies[i] == joinpoint)
			select_site(&own, side, i, PF_COOKIE_APART);
	return open_selection(relinks, group, side, &own, ret_link);
}

int relinks_put_back(struct relinks *relinks, uint32_t joinpoint, bool entries_only)
{
	struct group *group = find_group(relinks, joinpoint);
	struct apart *apart = group ? find_apart(group, joinpoint) : NULL;
	int r = 0;

	if (!apart)
		return -ENOENT;
	for (unsigned int i = 0; i < group->n_sides && r >= 0; i++)
		if ((!entries_only || group->sides[i].are_entries) && apart->links[i] < 0)
			r = open_apart(relinks, group, &group->sides[i], joinpoint, &apart->links[i]);
	if (r < 0)
		close_apart(relinks, apart);
	return r;
}

int relinks_add(struct relinks *relinks, int program_fd, const struct link_sites *sites, bool are_entries)
{
	struct group *group = relinks->groups[relinks->n_groups - 1];
	struct side *side = &group->sides[group->n_sides];

	*side = (struct side){
		.program_fd = program_fd,
		.are_returns = sites->are_returns,
		.are_entries = are_entries,
		.offsets = copy(sites->offsets, sites->n * sizeof(*sites->offsets)),
		.cookies = copy(sites->cookies, sites->n * sizeof(*sites->cookies)),
		.semaphores = copy(sites->semaphores, sites->n * sizeof(*sites->semaphores)),
		.n = sites->n,
		.link = -1,
		.next = -1,
	};
	group->n_sides++;
	if (!side->offsets || !side->cookies || !side->semaphores)
		return -ENOMEM;
	return open_rest(relinks, group, side, 0, &side->link);
}
