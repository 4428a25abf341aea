/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "binary/process.h"
#include "trace/identity.h"
#include "util/text.h"

#define NOW_NS	5000000000ULL
#define TICK_NS 10000000ULL

static struct identities *new_identities(void)
{
	struct identities *identities;

	assert_int_equal(identities_new(&identities), 0);
	return identities;
}

/* ---- records as the kernel side sends them ---- */

static struct pf_process_seen seen_of(uint32_t pid, uint32_t ppid, uint64_t time_ns,
				      const char *command)
{
	struct pf_process_seen seen = {
		.event = {.pid = pid, .tid = pid, .time_ns = time_ns},
		.start_ns = NOW_NS + pid * TICK_NS,
		.ppid = ppid,
		.uid = 1000,
		.command_line_bytes = strlen(command) + 1,
	};

	snprintf(seen.comm, sizeof(seen.comm), "%.15s", command);
	strcpy(seen.command_line, command);
	return seen;
}

static struct pf_process_text text_of(uint32_t pid, uint64_t time_ns, enum pf_text what,
				      const char *text, size_t size)
{
	struct pf_process_text record = {
		.event = {.pid = pid, .tid = pid, .time_ns = time_ns},
		.what = what,
		.bytes = size,
		.is_last = 1,
	};

	memcpy(record.text, text, size);
	return record;
}

static int see(struct identities *identities, uint32_t pid, uint32_t ppid, uint64_t time_ns,
	       const char *command)
{
	struct pf_process_seen seen = seen_of(pid, ppid, time_ns, command);

	return identities_seen(identities, &seen);
}

static int tell(struct identities *identities, uint32_t pid, uint64_t time_ns, enum pf_text what,
		const char *text, size_t size)
{
	struct pf_process_text record = text_of(pid, time_ns, what, text, size);

	return identities_text(identities, &record);
}

/* All four texts; returns what the last one did. */
static int tell_all(struct identities *identities, uint32_t pid, uint64_t time_ns,
		    const char *variable)
{
	assert_int_equal(tell(identities, pid, time_ns, PF_TEXT_EXE, "sim\0bin", 8), 0);
	assert_int_equal(tell(identities, pid, time_ns, PF_TEXT_DIRECTORY, "run\0scratch", 12), 0);
	assert_int_equal(tell(identities, pid, time_ns, PF_TEXT_CGROUP, "job", 4), 0);
	return tell(identities, pid, time_ns, PF_TEXT_ENVIRONMENT, variable, strlen(variable) + 1);
}

static int give_birth(struct identities *identities, uint32_t pid, uint32_t parent,
		      uint64_t time_ns)
{
	struct pf_fork fork = {
		.event = {.pid = pid, .tid = pid, .time_ns = time_ns},
		.parent_pid = parent,
		.parent_tid = parent,
	};

	return identities_forked(identities, &fork);
}

static const struct identity *find(struct identities *identities, uint32_t pid)
{
	const struct identity *identity = identities_find(identities, pid);

	assert_non_null(identity);
	return identity;
}

static void assert_rank(struct identities *identities, uint32_t pid, int rank)
{
	assert_int_equal(find(identities, pid)->rank, rank);
}

static void an_identity_is_complete_with_its_last_text(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();
	const struct identity *identity;

	(void)state;
	assert_null(identities_find(identities, 7));
	assert_int_equal(see(identities, 7, 1, NOW_NS, "sim -x"), 0);
	identity = find(identities, 7);
	assert_int_equal(identity->generation, NOW_NS);
	assert_int_equal(identity->pid, 7);
	assert_int_equal(identity->ppid, 1);
	assert_int_equal(identity->uid, 1000);
	assert_true(identity->has_uid);
	assert_string_equal(identity->comm, "sim -x");
	assert_string_equal(identity->command_line, "sim -x");
	assert_false(identity->is_complete);
	assert_true(identity->is_partial);
	assert_null(identity->exe);
	assert_null(identity->cgroup);
	assert_int_equal(identity->rank, IDENTITY_UNKNOWN);

	assert_int_equal(tell_all(identities, 7, NOW_NS, "PMI_RANK=3"), 1);
	identity = find(identities, 7);
	assert_true(identity->is_complete);
	assert_false(identity->is_partial);
	assert_string_equal(identity->exe, "/bin/sim");
	assert_string_equal(identity->directory, "/scratch/run");
	assert_string_equal(identity->cgroup, "/job");
	assert_int_equal(identity->rank, 3);
	assert_string_equal(identity_environment(identity, "PMI_RANK"), "3");
	assert_null(identity_environment(identity, "PMI_SIZE"));
	assert_null(identity->scheduler);
	assert_null(identity->job);
	assert_null(identity->container);
}

static void the_arguments_of_a_command_line_stand_apart(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();
	struct pf_process_seen seen = seen_of(7, 1, NOW_NS, "");

	(void)state;
	memcpy(seen.command_line, "sim\0-n\0\0\0", 9);
	seen.command_line_bytes = 9;
	assert_int_equal(identities_seen(identities, &seen), 0);
	assert_string_equal(find(identities, 7)->command_line, "sim -n");

	memset(seen.command_line, 'x', sizeof(seen.command_line));
	seen.command_line_bytes = sizeof(seen.command_line);
	assert_int_equal(identities_seen(identities, &seen), 0);
	assert_int_equal(strlen(find(identities, 7)->command_line), PF_COMMAND_LINE_BYTES);
}

static void texts_may_come_before_their_process(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();

	(void)state;
	assert_int_equal(tell_all(identities, 7, NOW_NS, "PMI_RANK=3"), 1);
	assert_true(find(identities, 7)->is_partial); /* its name and user are not known */
	assert_false(find(identities, 7)->has_uid);
	assert_rank(identities, 7, 3);
	assert_int_equal(see(identities, 7, 1, NOW_NS, "sim"), 0);
	assert_false(find(identities, 7)->is_partial);
	assert_string_equal(find(identities, 7)->comm, "sim");
	assert_rank(identities, 7, 3);
}

static void a_program_that_is_executed_is_told_from_the_one_before(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();

	(void)state;
	see(identities, 7, 1, NOW_NS, "sh");
	assert_int_equal(tell_all(identities, 7, NOW_NS, "PMI_RANK=3"), 1);
	assert_int_equal(see(identities, 7, 1, NOW_NS + 100, "sim"), 0);
	assert_false(find(identities, 7)->is_complete);
	assert_null(find(identities, 7)->exe);
	assert_rank(identities, 7, IDENTITY_UNKNOWN);

	/* what comes late of the one before is not mixed in */
	assert_int_equal(tell_all(identities, 7, NOW_NS, "PMI_RANK=3"), 0);
	assert_int_equal(see(identities, 7, 1, NOW_NS, "sh"), 0);
	assert_string_equal(find(identities, 7)->comm, "sim");
	assert_rank(identities, 7, IDENTITY_UNKNOWN);
	assert_int_equal(tell_all(identities, 7, NOW_NS + 100, "PMI_RANK=4"), 1);
	assert_rank(identities, 7, 4);

	/* one whose own record was lost */
	assert_int_equal(tell_all(identities, 7, NOW_NS + 200, "PMI_RANK=5"), 1);
	assert_rank(identities, 7, 5);
	assert_string_equal(find(identities, 7)->comm, "");
	assert_true(find(identities, 7)->is_partial);
	assert_int_equal(find(identities, 7)->generation, NOW_NS + 200);
}

static void a_program_that_executes_itself_has_its_new_environment(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();

	(void)state;
	see(identities, 7, 1, NOW_NS, "sim");
	assert_int_equal(tell_all(identities, 7, NOW_NS, "PMI_RANK=3"), 1);
	see(identities, 7, 1, NOW_NS + 100, "sim");
	assert_int_equal(tell_all(identities, 7, NOW_NS + 100, "PMI_RANK=4"), 1);
	assert_rank(identities, 7, 4);
	assert_int_equal(find(identities, 7)->generation, NOW_NS + 100);
}

/* The kernel side sends the child's PROCESS and then its FORK; either may be lost, or overtaken. */
static void a_child_is_what_its_parent_is_until_it_executes(void **state)
{
	enum { PROCESS = 1, FORK = 2, SWAPPED = 4 };
	static const int orders[] = {PROCESS, FORK, PROCESS | FORK, PROCESS | FORK | SWAPPED};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		_cleanup_(identities_freep) struct identities *identities = new_identities();
		uint64_t fork_ns = orders[i] & SWAPPED ? NOW_NS + 99 : NOW_NS + 101;
		int n_completed = 0;

		see(identities, 7, 1, NOW_NS, "sim -x");
		assert_int_equal(tell_all(identities, 7, NOW_NS, "PMI_RANK=3"), 1);
		if (orders[i] & SWAPPED)
			n_completed += give_birth(identities, 8, 7, fork_ns);
		if (orders[i] & PROCESS)
			n_completed += see(identities, 8, 7, NOW_NS + 100, "sim -x");
		if (orders[i] & FORK && !(orders[i] & SWAPPED))
			n_completed += give_birth(identities, 8, 7, fork_ns);
		assert_int_equal(n_completed, orders[i] & SWAPPED ? 2 : 1);
		identities_forget(identities, 7);

		assert_true(find(identities, 8)->is_complete);
		assert_false(find(identities, 8)->is_partial);
		assert_int_equal(find(identities, 8)->pid, 8);
		assert_int_equal(find(identities, 8)->ppid, 7);
		assert_int_equal(find(identities, 8)->uid, 1000);
		assert_string_equal(find(identities, 8)->command_line, "sim -x");
		assert_string_equal(find(identities, 8)->exe, "/bin/sim");
		assert_rank(identities, 8, 3);

		see(identities, 8, 7, NOW_NS + 1000, "gzip");
		assert_false(find(identities, 8)->is_complete);
		assert_rank(identities, 8, IDENTITY_UNKNOWN);
		assert_int_equal(tell_all(identities, 8, NOW_NS + 1000, "A=1"), 1);
		assert_string_equal(identity_environment(find(identities, 8), "A"), "1");
	}
}

static void a_parent_that_is_not_known_leaves_nothing(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();

	(void)state;
	assert_int_equal(give_birth(identities, 8, 7, NOW_NS), 0);
	assert_int_equal(find(identities, 8)->ppid, 7);
	assert_false(find(identities, 8)->is_complete);
	assert_int_equal(see(identities, 8, 7, NOW_NS, "sim"), 0);
	assert_string_equal(find(identities, 8)->comm, "sim");
	assert_false(find(identities, 8)->is_complete);
}

static void a_thread_changes_nothing(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();
	struct pf_fork thread = {
		.event = {.pid = 7, .tid = 9, .time_ns = 2 * NOW_NS},
		.parent_pid = 7,
		.parent_tid = 7,
	};

	(void)state;
	see(identities, 7, 1, NOW_NS, "sim");
	assert_int_equal(tell_all(identities, 7, NOW_NS, "PMI_RANK=3"), 1);
	assert_int_equal(identities_forked(identities, &thread), 0);
	assert_rank(identities, 7, 3);
	assert_int_equal(find(identities, 7)->generation, NOW_NS);
	assert_null(identities_find(identities, 9));
}

/* A pid comes round again, and the end of the one who had it was lost. */
static void a_process_with_the_pid_of_an_earlier_one_is_another(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();
	struct pf_process_seen other = seen_of(7, 2, 2 * NOW_NS, "sim");

	(void)state;
	see(identities, 7, 1, NOW_NS, "sim");
	assert_int_equal(tell_all(identities, 7, NOW_NS, "PMI_RANK=3"), 1);
	other.start_ns = 2 * NOW_NS;
	assert_int_equal(identities_seen(identities, &other), 0);
	assert_false(find(identities, 7)->is_complete);
	assert_rank(identities, 7, IDENTITY_UNKNOWN);
	assert_int_equal(find(identities, 7)->ppid, 2);

	see(identities, 9, 1, NOW_NS, "mpirun");
	assert_int_equal(tell_all(identities, 9, NOW_NS, "PMI_RANK=1"), 1);
	assert_int_equal(give_birth(identities, 7, 9, 3 * NOW_NS), 1);
	assert_string_equal(find(identities, 7)->comm, "mpirun");
	assert_rank(identities, 7, 1);
}

static void a_process_that_is_forgotten_is_not_known(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();

	(void)state;
	for (uint32_t pid = 1; pid < 1000; pid++) {
		see(identities, pid, 0, NOW_NS, "sim");
		tell_all(identities, pid, NOW_NS, "PMI_RANK=3");
	}
	for (uint32_t pid = 1; pid < 1000; pid += 2)
		identities_forget(identities, pid);
	identities_forget(identities, 5000);
	for (uint32_t pid = 1; pid < 1000; pid++)
		assert_int_equal(identities_find(identities, pid) == NULL, pid % 2);
}

static void malformed_pieces_are_left_out(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();
	struct pf_process_text text = text_of(7, NOW_NS, PF_TEXT_ENVIRONMENT, "PMI_RANK=3", 11);

	(void)state;
	see(identities, 7, 1, NOW_NS, "sim");
	text.what = 0;
	assert_int_equal(identities_text(identities, &text), 0);
	text.what = PF_N_TEXTS;
	assert_int_equal(identities_text(identities, &text), 0);
	text.what = PF_TEXT_ENVIRONMENT;
	text.offset = PF_MAX_ENVIRONMENT_BYTES;
	assert_int_equal(identities_text(identities, &text), 0);
	assert_true(find(identities, 7)->is_partial);
	assert_rank(identities, 7, IDENTITY_UNKNOWN);
	text.offset = 0;
	assert_int_equal(identities_text(identities, &text), 0);
	assert_rank(identities, 7, 3);
}

/* ---- real processes, by what /proc tells of them ---- */

static int take_record(const void *record, size_t size, void *userdata)
{
	const struct pf_event *event = record;
	int r;

	assert_int_equal(event->size, size);
	if (event->kind == PF_EVENT_PROCESS)
		r = identities_seen(userdata, record);
	else
		r = identities_text(userdata, record);
	assert_true(r >= 0);
	return 0;
}

/* Executes the program with this environment; returns when it does. */
static pid_t execute(const char *program, const char *const environment[], uid_t uid)
{
	const char *const arguments[] = {program, "1000", NULL};
	_cleanup_close_ int read_end = -1;
	int ends[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	read_end = ends[0];
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (uid && setuid(uid) < 0)
			_exit(1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execve(program, (char *const *)arguments, (char *const *)environment);
		_exit(127);
	}
	close(ends[1]);
	assert_int_equal(read(read_end, &byte, 1), 0); /* closed by the execution */
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Where a name of the system leads: "/bin/sleep" may be "/usr/bin/sleep", or busybox. */
static char *real_path(const char *path)
{
	char *real = realpath(path, NULL);

	assert_non_null(real);
	return real;
}

static void a_real_process_is_known_as_it_was_started(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();
	_cleanup_free_ char *program = real_path("/bin/sleep");
	const char *const environment[] = {
		"SLURM_JOB_ID=42",	  "SLURM_STEP_ID=3",
		"SLURM_PROCID=5",	  "SLURM_STEP_NUM_TASKS=8",
		"SLURM_LOCALID=1",	  "EMPTY=",
		"PERFFLOW_OPTIONS=a=b:c", NULL,
	};
	uid_t uid = geteuid() == 0 ? 65534 : 0;
	pid_t pid = execute(program, environment, uid);
	const struct identity *identity;
	char expected[PATH_MAX + 16];

	(void)state;
	assert_int_equal(process_describe(pid, take_record, identities), 0);
	end(pid);
	identity = find(identities, pid);
	assert_true(identity->is_complete);
	assert_false(identity->is_partial);
	assert_int_equal(identity->pid, pid);
	assert_int_equal(identity->ppid, getpid());
	assert_int_equal(identity->uid, uid ? uid : getuid());
	assert_string_equal(identity->exe, program);
	assert_string_equal(identity->comm, text_file_name(program));
	snprintf(expected, sizeof(expected), "%s 1000", program);
	assert_string_equal(identity->command_line, expected);
	assert_string_equal(identity->scheduler, "slurm");
	assert_int_equal(identity->rank, 5);
	assert_int_equal(identity->n_ranks, 8);
	assert_int_equal(identity->local_rank, 1);
	assert_string_equal(identity_environment(identity, "EMPTY"), "");
	assert_string_equal(identity_environment(identity, "PERFFLOW_OPTIONS"), "a=b:c");
	assert_null(identity_environment(identity, "PATH"));
	assert_int_equal(process_describe(pid, take_record, identities), -ESRCH);
}

#define N_MANY 6000

/* About 300 kB, of which PF_MAX_ENVIRONMENT_BYTES are sent. */
static void of_an_environment_that_is_too_large_the_beginning_is_known(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();
	_cleanup_free_ char *program = real_path("/bin/sleep");
	static const char *environment[N_MANY + 1];
	static char texts[N_MANY][100];
	const struct identity *identity;
	size_t size = 0;
	pid_t pid;

	(void)state;
	for (int i = 0; i < N_MANY; i++) {
		snprintf(texts[i], sizeof(texts[i]), "V%d=%0*d", i, 1 + i * 7 % 90, i);
		environment[i] = texts[i];
	}
	pid = execute(program, environment, 0);
	assert_int_equal(process_describe(pid, take_record, identities), 0);
	end(pid);
	identity = find(identities, pid);
	assert_true(identity->is_complete);
	for (int i = 0; i < N_MANY; i++) {
		char *value = strchr(texts[i], '=') + 1, name[16];

		size += strlen(texts[i]) + 1;
		snprintf(name, sizeof(name), "V%d", i);
		if (size <= PF_MAX_ENVIRONMENT_BYTES)
			assert_string_equal(identity_environment(identity, name), value);
		else
			assert_null(identity_environment(identity, name));
	}
	assert_true(size > PF_MAX_ENVIRONMENT_BYTES);
	assert_true(identity->is_partial);
}

static void a_program_that_was_deleted_keeps_its_path(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();
	_cleanup_free_ char *sleep = real_path("/bin/sleep"), *real = NULL;
	_cleanup_folder_ char *folder = fixture_folder();
	const char *const environment[] = {NULL};
	const struct identity *identity;
	char path[PATH_MAX];
	pid_t pid;

	(void)state;
	snprintf(path, sizeof(path), "%s/sleep", folder);
	fixture_copy(sleep, path);
	real = real_path(path);
	pid = execute(path, environment, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(process_describe(pid, take_record, identities), 0);
	end(pid);
	identity = find(identities, pid);
	assert_true(identity->is_complete);
	assert_string_equal(identity->exe, real);
	assert_null(identity_environment(identity, "PATH")); /* it has no environment at all */
}

/* Puts the process into a new cgroup of that name; its folder is written to path. */
static bool move_to_cgroup(pid_t pid, const char *name, char path[PATH_MAX])
{
	static const char *const roots[] = {
		"/sys/fs/cgroup/unified",
		"/sys/fs/cgroup",
		"/sys/fs/cgroup/pids",
		"/sys/fs/cgroup/freezer",
	};
	char procs[PATH_MAX + 32];

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		_cleanup_(fclosep) FILE *file = NULL;

		snprintf(path, PATH_MAX, "%s/%s", roots[i], name);
		snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
		if (mkdir(path, 0755) < 0)
			continue;
		file = fopen(procs, "we");
		if (file && fprintf(file, "%d\n", pid) > 0 && fflush(file) == 0)
			return true;
		rmdir(path);
	}
	return false;
}

static void a_container_is_known_by_a_real_cgroup(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();
	_cleanup_free_ char *program = real_path("/bin/sleep");
	const char *const environment[] = {NULL};
	char name[128], container[65], path[PATH_MAX];
	pid_t pid;

	(void)state;
	snprintf(container, sizeof(container), "%064x", getpid());
	snprintf(name, sizeof(name), "docker-%s.scope", container);
	pid = execute(program, environment, 0);
	if (!move_to_cgroup(pid, name, path)) {
		end(pid);
		print_message("no cgroup can be made here\n");
		skip();
	}
	assert_int_equal(process_describe(pid, take_record, identities), 0);
	end(pid);
	rmdir(path);
	assert_string_equal(text_file_name(find(identities, pid)->cgroup), name);
	assert_string_equal(find(identities, pid)->container, container);
}

/* As the session has it where a process forks: the child's own environment is its parent's. */
static void a_real_child_has_the_environment_of_its_parent(void **state)
{
	_cleanup_(identities_freep) struct identities *identities = new_identities();
	const char *path = getenv("PATH");
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_int_equal(process_describe(getpid(), take_record, identities), 0);
	assert_true(find(identities, getpid())->is_complete);
	assert_int_equal(process_describe(pid, take_record, identities), 0);
	end(pid);
	assert_string_equal(find(identities, pid)->exe, find(identities, getpid())->exe);
	assert_string_equal(find(identities, pid)->cgroup, find(identities, getpid())->cgroup);
	assert_string_equal(identity_environment(find(identities, pid), "PATH"), path);
	assert_string_equal(identity_environment(find(identities, getpid()), "PATH"), path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identity_is_complete_with_its_last_text),
		cmocka_unit_test(the_arguments_of_a_command_line_stand_apart),
		cmocka_unit_test(texts_may_come_before_their_process),
		cmocka_unit_test(a_program_that_is_executed_is_told_from_the_one_before),
		cmocka_unit_test(a_program_that_executes_itself_has_its_new_environment),
		cmocka_unit_test(a_child_is_what_its_parent_is_until_it_executes),
		cmocka_unit_test(a_parent_that_is_not_known_leaves_nothing),
		cmocka_unit_test(a_thread_changes_nothing),
		cmocka_unit_test(a_process_with_the_pid_of_an_earlier_one_is_another),
		cmocka_unit_test(a_process_that_is_forgotten_is_not_known),
		cmocka_unit_test(malformed_pieces_are_left_out),
		cmocka_unit_test(a_real_process_is_known_as_it_was_started),
		cmocka_unit_test(of_an_environment_that_is_too_large_the_beginning_is_known),
		cmocka_unit_test(a_program_that_was_deleted_keeps_its_path),
		cmocka_unit_test(a_container_is_known_by_a_real_cgroup),
		cmocka_unit_test(a_real_child_has_the_environment_of_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
