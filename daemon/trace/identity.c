/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * For each pid there is what the records of its present program told: the fields of the one record
 * that always comes, and four texts, which a child shares with its parent. What the texts mean is
 * found out when somebody asks, not at each piece.
 *
 * All records of one program carry the same time, so the time tells whether a record is of the
 * program that is known, of an earlier or of a later one. A process that is new to us and has the
 * command line of its parent has executed nothing, as far as can be seen: it has its parent's
 * texts, until pieces of its own come.
 */
#include "trace/identity.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "trace/pieces.h"
#include "util/hash.h"

/* Two records tell of a birth, and are sent one after the other; no pid is used again within this
 * time. */
#define BIRTH_NS 100000000ULL

struct entry {
	struct identity identity;	  /* first, so that the one is found from the other */
	struct pieces *texts[PF_N_TEXTS]; /* by enum pf_text; NULL until the first piece */
	bool is_inherited;		  /* its texts are from before: own ones replace all */
	bool is_known;	 /* what a PROCESS record tells, its own one or its parent's */
	bool is_newborn; /* its own one is still to come */
	bool is_stale;	 /* the texts have changed since the fields below were made of them */
	char *exe, *directory, *cgroup;
	struct job job;
};

struct identities {
	struct hash entries; /* by pid */
};

static void drop_texts(struct entry *entry)
{
	for (int what = 0; what < PF_N_TEXTS; what++)
		pieces_free(take_ptr(entry->texts[what]));
	entry->is_inherited = false;
	entry->is_stale = true;
}

static void entry_free(struct entry *entry)
{
	drop_texts(entry);
	free(entry->exe);
	free(entry->directory);
	free(entry->cgroup);
	free(entry);
}

int identities_new(struct identities **ret_identities)
{
	*ret_identities = calloc(1, sizeof(**ret_identities));
	return *ret_identities ? 0 : -ENOMEM;
}

void identities_free(struct identities *identities)
{
	struct entry *entry;
	size_t cursor = 0;

	if (!identities)
		return;
	while ((entry = hash_next(&identities->entries, &cursor, NULL)))
		entry_free(entry);
	hash_done(&identities->entries);
	free(identities);
}

void identities_forget(struct identities *identities, uint32_t pid)
{
	struct entry *entry = hash_remove(&identities->entries, pid);

	if (entry)
		entry_free(entry);
}

static int find_or_add(struct identities *identities, uint32_t pid, struct entry **ret_entry)
{
	struct entry *entry = hash_find(&identities->entries, pid);
	int r;

	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		entry->identity.pid = pid;
		entry->is_stale = true;
		r = hash_put(&identities->entries, pid, entry);
		if (r < 0) {
			entry_free(entry);
			return r;
		}
	}
	*ret_entry = entry;
	return 0;
}

/* Another program, of which nothing is known yet. */
static void begin_anew(struct entry *entry, uint64_t time_ns)
{
	struct identity *identity = &entry->identity;

	drop_texts(entry);
	entry->is_known = entry->is_newborn = false;
	*identity = (struct identity){
		.generation = time_ns,
		.start_ns = identity->start_ns,
		.pid = identity->pid,
		.ppid = identity->ppid,
	};
}

/* A child that has a text of its own already gets the others, too. */
static void inherit_texts(struct entry *child, const struct entry *parent)
{
	for (int what = 0; what < PF_N_TEXTS; what++)
		if (child->texts[what])
			return;
	for (int what = 0; what < PF_N_TEXTS; what++)
		if (parent->texts[what])
			child->texts[what] = pieces_share(parent->texts[what]);
	child->is_inherited = child->is_stale = true;
}

/* Returns 1 if the identity is complete and was not before. */
static int look_at_texts(struct entry *entry)
{
	struct identity *identity = &entry->identity;
	bool was_complete = identity->is_complete;

	identity->is_complete = true;
	identity->is_partial = !entry->is_known;
	for (int what = PF_TEXT_ENVIRONMENT; what < PF_N_TEXTS; what++) {
		const struct pieces *text = entry->texts[what];
		bool has_ended = text && pieces_have_ended(text);

		identity->is_complete &= has_ended;
		identity->is_partial |= !has_ended || pieces_are_cut(text);
	}
	return identity->is_complete && !was_complete;
}

static void set_command_line(char line[PF_COMMAND_LINE_BYTES + 1],
			     const struct pf_process_seen *seen)
{
	size_t size = seen->command_line_bytes;

	if (size > PF_COMMAND_LINE_BYTES)
		size = PF_COMMAND_LINE_BYTES;
	while (size > 0 && seen->command_line[size - 1] == '\0')
		size--;
	for (size_t i = 0; i < size; i++)
		line[i] = seen->command_line[i] ? seen->command_line[i] : ' ';
	line[size] = '\0';
}

static bool has_command_line(const struct entry *entry, const struct pf_process_seen *seen)
{
	char line[PF_COMMAND_LINE_BYTES + 1];

	set_command_line(line, seen);
	return entry->is_known && strcmp(entry->identity.command_line, line) == 0;
}

static void set_seen(struct entry *entry, const struct pf_process_seen *seen)
{
	struct identity *identity = &entry->identity;

	identity->generation = seen->event.time_ns;
	identity->start_ns = seen->start_ns;
	identity->ppid = seen->ppid;
	identity->uid = seen->uid;
	identity->has_uid = true;
	memcpy(identity->comm, seen->comm, sizeof(identity->comm));
	identity->comm[sizeof(identity->comm) - 1] = '\0';
	set_command_line(identity->command_line, seen);
	entry->is_known = true;
	entry->is_newborn = false;
}

/* A later record than what is known of this pid: of a new process, or of another program. */
static void see_later(struct entry *entry, const struct entry *parent,
		      const struct pf_process_seen *seen)
{
	bool is_same = entry->is_newborn ||
		       (entry->is_known && entry->identity.start_ns == seen->start_ns);

	if (entry->is_newborn && has_command_line(entry, seen))
		return;
	begin_anew(entry, seen->event.time_ns);
	if (!is_same && parent && has_command_line(parent, seen))
		inherit_texts(entry, parent);
}

int identities_seen(struct identities *identities, const struct pf_process_seen *seen)
{
	const struct entry *parent = hash_find(&identities->entries, seen->ppid);
	struct entry *entry;
	int r;

	r = find_or_add(identities, seen->event.pid, &entry);
	if (r < 0)
		return r;
	if (seen->event.time_ns < entry->identity.generation)
		return 0;
	if (seen->event.time_ns > entry->identity.generation)
		see_later(entry, parent, seen);
	if (entry->is_newborn) /* its generation is another now */
		entry->identity.is_complete = false;
	set_seen(entry, seen);
	return look_at_texts(entry);
}

int identities_text(struct identities *identities, const struct pf_process_text *text)
{
	struct entry *entry;
	int r;

	if (text->what < PF_TEXT_ENVIRONMENT || text->what >= PF_N_TEXTS)
		return 0;
	r = find_or_add(identities, text->event.pid, &entry);
	if (r < 0)
		return r;
	if (text->event.time_ns < entry->identity.generation)
		return 0;
	if (text->event.time_ns > entry->identity.generation)
		begin_anew(entry, text->event.time_ns);
	if (entry->is_inherited)
		drop_texts(entry);
	if (!entry->texts[text->what])
		r = pieces_new(&entry->texts[text->what]);
	if (r == 0)
		r = pieces_add(entry->texts[text->what], text);
	entry->is_stale = true;
	if (r < 0 && r != -EBADMSG) /* one that is malformed counts as lost */
		return r;
	return look_at_texts(entry);
}

/* The PROCESS record of this birth was here before. */
static bool is_of_this_birth(const struct entry *entry, const struct pf_fork *fork)
{
	return entry->is_known && fork->event.time_ns - entry->identity.generation < BIRTH_NS;
}

static void begin_as_child(struct entry *entry, const struct entry *parent,
			   const struct pf_fork *fork)
{
	begin_anew(entry, fork->event.time_ns);
	entry->is_newborn = true;
	entry->identity.ppid = fork->parent_pid;
	entry->identity.start_ns = 0;
	if (!parent)
		return;
	entry->is_known = parent->is_known;
	entry->identity.uid = parent->identity.uid;
	entry->identity.has_uid = parent->identity.has_uid;
	memcpy(entry->identity.comm, parent->identity.comm, sizeof(entry->identity.comm));
	memcpy(entry->identity.command_line, parent->identity.command_line,
	       sizeof(entry->identity.command_line));
}

int identities_forked(struct identities *identities, const struct pf_fork *fork)
{
	const struct entry *parent = hash_find(&identities->entries, fork->parent_pid);
	struct entry *entry;
	int r;

	if (fork->event.pid == fork->parent_pid)
		return 0;
	r = find_or_add(identities, fork->event.pid, &entry);
	if (r < 0)
		return r;
	if (fork->event.time_ns < entry->identity.generation)
		return 0;
	if (!is_of_this_birth(entry, fork))
		begin_as_child(entry, parent, fork);
	if (parent)
		inherit_texts(entry, parent);
	return look_at_texts(entry);
}

static const char *or_null(const char *name)
{
	return name[0] ? name : NULL;
}

static void read_path(const struct pieces *text, char **path)
{
	free(*path);
	if (!text || pieces_path(text, path) < 0)
		*path = NULL;
}

static void read_texts(struct entry *entry)
{
	struct identity *identity = &entry->identity;

	read_path(entry->texts[PF_TEXT_EXE], &entry->exe);
	read_path(entry->texts[PF_TEXT_DIRECTORY], &entry->directory);
	read_path(entry->texts[PF_TEXT_CGROUP], &entry->cgroup);
	job_read(entry->texts[PF_TEXT_ENVIRONMENT], entry->cgroup, &entry->job);

	identity->exe = entry->exe;
	identity->directory = entry->directory;
	identity->cgroup = entry->cgroup;
	identity->container = or_null(entry->job.container);
	identity->scheduler = entry->job.scheduler;
	identity->job = or_null(entry->job.id);
	identity->step = or_null(entry->job.step);
	identity->rank = entry->job.rank;
	identity->n_ranks = entry->job.n_ranks;
	identity->local_rank = entry->job.local_rank;
	entry->is_stale = false;
}

const struct identity *identities_find(struct identities *identities, uint32_t pid)
{
	struct entry *entry = hash_find(&identities->entries, pid);

	if (!entry)
		return NULL;
	if (entry->is_stale)
		read_texts(entry);
	return &entry->identity;
}

const char *identity_environment(const struct identity *identity, const char *name)
{
	const struct entry *entry = (const struct entry *)identity;
	const struct pieces *environment = entry->texts[PF_TEXT_ENVIRONMENT];

	return environment ? pieces_variable(environment, name) : NULL;
}

bool identity_has_whole_environment(const struct identity *identity)
{
	const struct entry *entry = (const struct entry *)identity;
	const struct pieces *environment = entry->texts[PF_TEXT_ENVIRONMENT];

	return environment && pieces_have_ended(environment) && !pieces_are_cut(environment);
}
