/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "binary/process.h"

/* A child that waits until it is killed. */
static pid_t start_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool has_pid(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++) {
		if (pids[i] == pid)
			return true;
	}
	return false;
}

static void a_process_that_runs_is_fine_and_others_are_told_apart(void **state)
{
	struct why why = {};
	char expected[64];
	pid_t pid;

	(void)state;
	assert_int_equal(process_check(getpid(), NULL), 0);
	assert_int_equal(process_check(INT_MAX, &why), -ESRCH);
	assert_string_equal(why.text, "there is no process 2147483647");
	why = (struct why){};
	assert_int_equal(process_check(-1, &why), -ESRCH);
	assert_string_equal(why.text, "there can be no process -1");

	pid = start_child();
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, pid, &(siginfo_t){}, WEXITED | WNOWAIT), 0);
	why = (struct why){};
	assert_int_equal(process_check(pid, &why), -ESRCH);
	snprintf(expected, sizeof(expected),
		 "process %d ('test_process') has ended: it is a zombie", pid);
	assert_string_equal(why.text, expected);
	end_child(pid);
}

static void *check_own_thread(void *ret_why)
{
	process_check(gettid(), ret_why);
	return NULL;
}

static void a_thread_is_no_process(void **state)
{
	char expected[64];
	pthread_t thread;
	struct why why = {};

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, check_own_thread, &why), 0);
	pthread_join(thread, NULL);
	snprintf(expected, sizeof(expected), "is no process, but a thread of process %d", getpid());
	assert_non_null(strstr(why.text, expected));
}

static void the_files_of_a_process_begin_with_its_program(void **state)
{
	_cleanup_(strings_done) struct strings paths = {};
	struct stat own, first;

	(void)state;
	assert_int_equal(process_files(getpid(), &paths, NULL), 0);
	assert_true(paths.n_items > 1);
	assert_int_equal(stat("/proc/self/exe", &own), 0);
	assert_int_equal(stat(paths.items[0], &first), 0);
	assert_int_equal(own.st_ino, first.st_ino);
	assert_int_equal(own.st_dev, first.st_dev);
	for (size_t i = 0; i < paths.n_items; i++) {
		assert_int_equal(strncmp(paths.items[i], "/proc/", 6), 0);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(paths.items[i], paths.items[j]);
	}
}

static void *map_code(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *code;

	assert_true(fd >= 0);
	code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(code, MAP_FAILED);
	return code;
}

static bool has_prefix(const struct strings *paths, const char *prefix)
{
	for (size_t i = 0; i < paths->n_items; i++) {
		if (strncmp(paths->items[i], prefix, strlen(prefix)) == 0)
			return true;
	}
	return false;
}

static void a_file_with_a_newline_in_its_name_is_found(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();
	_cleanup_(strings_done) struct strings paths = {};
	char path[PATH_MAX], expected[PATH_MAX + 32];
	void *code;

	(void)state;
	snprintf(path, sizeof(path), "%s/a\nb \\040 (deleted)", folder);
	fixture_copy(FIXTURE_FUNCTIONS, path);
	code = map_code(path);
	assert_int_equal(process_files(getpid(), &paths, NULL), 0);
	munmap(code, 4096);
	snprintf(expected, sizeof(expected), "/proc/%d/", getpid());
	assert_true(has_prefix(&paths, expected));

	/* its end looks as if it was deleted: then it is reached by its mapping */
	snprintf(expected, sizeof(expected), "/proc/%d/map_files/%lx-", getpid(),
		 (unsigned long)code);
	assert_true(has_prefix(&paths, expected));
	strings_done(&paths);

	snprintf(path, sizeof(path), "%s/a\nb", folder);
	fixture_copy(FIXTURE_FUNCTIONS, path);
	code = map_code(path);
	assert_int_equal(process_files(getpid(), &paths, NULL), 0);
	munmap(code, 4096);
	snprintf(expected, sizeof(expected), "/proc/%d/root%s", getpid(), path);
	assert_true(strings_contain(&paths, expected));
}

static void a_file_that_was_deleted_or_replaced_is_reached_by_its_mapping(void **state)
{
	_cleanup_folder_ char *folder = fixture_folder();
	_cleanup_(strings_done) struct strings deleted = {}, replaced = {};
	char path[PATH_MAX], expected[64];
	void *code;

	(void)state;
	snprintf(path, sizeof(path), "%s/library", folder);
	fixture_copy(FIXTURE_FUNCTIONS, path);
	code = map_code(path);
	snprintf(expected, sizeof(expected), "/proc/%d/map_files/%lx-", getpid(),
		 (unsigned long)code);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(process_files(getpid(), &deleted, NULL), 0);
	assert_true(has_prefix(&deleted, expected));
	fixture_copy(FIXTURE_FUNCTIONS, path);
	assert_int_equal(process_files(getpid(), &replaced, NULL), 0);
	assert_true(has_prefix(&replaced, expected));
	munmap(code, 4096);
}

static void descendants_are_children_and_theirs(void **state)
{
	_cleanup_free_ pid_t *pids = NULL;
	int pipe_fds[2];
	pid_t child, grandchild;
	size_t n = 0;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		grandchild = start_child();
		if (write(pipe_fds[1], &grandchild, sizeof(grandchild)) != sizeof(grandchild))
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipe_fds[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	assert_int_equal(process_descendants(getpid(), &pids, &n), 0);
	assert_true(has_pid(pids, n, child));
	assert_true(has_pid(pids, n, grandchild));
	assert_false(has_pid(pids, n, getpid()));
	assert_false(has_pid(pids, n, getppid()));
	kill(grandchild, SIGKILL);
	end_child(child);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void variables_and_the_working_directory_can_be_asked_for(void **state)
{
	_cleanup_free_ char *path = NULL, *directory = NULL, *none = NULL;
	char expected[PATH_MAX];

	(void)state;
	assert_int_equal(process_environment(getpid(), "PATH", &path), 0);
	assert_string_equal(path, getenv("PATH"));
	assert_int_equal(process_environment(getpid(), "PAT", &none), -ENOENT);
	assert_int_equal(process_environment(getpid(), "PERFFLOW_NEVER_SET", &none), -ENOENT);
	assert_int_equal(process_directory(getpid(), &directory), 0);
	assert_string_equal(directory, getcwd(expected, sizeof(expected)));
	assert_int_equal(process_directory(INT_MAX, &none), -ESRCH);
}

struct description {
	struct pf_process_seen seen;
	struct pf_process_text texts[100];
	size_t n_texts, n_wanted;
};

static int keep_record(const void *record, size_t size, void *userdata)
{
	struct description *description = userdata;
	const struct pf_event *event = record;

	assert_int_equal(event->size, size);
	if (event->kind == PF_EVENT_PROCESS) {
		assert_int_equal(size, sizeof(description->seen));
		memcpy(&description->seen, record, size);
		return 0;
	}
	assert_int_equal(event->kind, PF_EVENT_PROCESS_TEXT);
	assert_int_equal(size, sizeof(description->texts[0]));
	assert_true(description->n_texts < ARRAY_SIZE(description->texts));
	memcpy(&description->texts[description->n_texts++], record, size);
	return description->n_texts == description->n_wanted ? -ECANCELED : 0;
}

static void a_process_is_described_as_the_kernel_side_would(void **state)
{
	static struct description description;
	const struct pf_process_seen *seen = &description.seen;
	struct timespec now;
	uint64_t now_ns;
	pid_t child;

	(void)state;
	prctl(PR_SET_NAME, "a) R 1 (\n\\");
	child = start_child();
	assert_int_equal(process_describe(child, keep_record, &description), 0);
	prctl(PR_SET_NAME, "test_process");
	end_child(child);
	clock_gettime(CLOCK_BOOTTIME, &now);
	now_ns = now.tv_sec * 1000000000ULL + now.tv_nsec;

	assert_int_equal(seen->event.size, sizeof(*seen));
	assert_int_equal(seen->event.kind, PF_EVENT_PROCESS);
	assert_int_equal(seen->event.pid, child);
	assert_int_equal(seen->event.tid, child);
	assert_true(seen->event.time_ns <= now_ns);
	assert_int_equal(seen->ppid, getpid());
	assert_int_equal(seen->uid, getuid());
	assert_int_equal(seen->gid, getgid());
	assert_string_equal(seen->comm, "a) R 1 (\n\\");
	assert_true(seen->start_ns <= now_ns && now_ns - seen->start_ns < 10000000000ULL);
	assert_int_equal(seen->start_ns % 10000000, 0); /* whole ticks of 10 ms */
	assert_true(seen->command_line_bytes > 0);
	assert_int_equal(seen->command_line[seen->command_line_bytes - 1], '\0');
	assert_non_null(strstr(seen->command_line, "test_process"));
	assert_int_equal(process_describe(child, keep_record, &description), -ESRCH);
}

/* The pieces of a text joined; freed by the caller. */
static char *join(const struct description *description, enum pf_text what, size_t *ret_size)
{
	char *whole = calloc(1, PF_MAX_ENVIRONMENT_BYTES + 1);
	bool is_last = false;

	*ret_size = 0;
	for (size_t i = 0; i < description->n_texts; i++) {
		const struct pf_process_text *text = &description->texts[i];

		if (text->what != what)
			continue;
		assert_false(is_last);
		assert_int_equal(text->offset, *ret_size);
		assert_int_equal(text->event.time_ns, description->seen.event.time_ns);
		assert_int_equal(text->event.pid, description->seen.event.pid);
		memcpy(whole + *ret_size, text->text, text->bytes);
		*ret_size += text->bytes;
		is_last = text->is_last;
		assert_false(text->is_cut);
	}
	assert_true(is_last);
	return whole;
}

static void a_description_holds_the_texts_in_pieces(void **state)
{
	static struct description description, cancelled = {.n_wanted = 2};
	_cleanup_free_ char *exe = NULL, *environment = NULL, *expected = NULL, *path = NULL;
	_cleanup_free_ char *directory = NULL, *own = getcwd(NULL, 0);
	size_t directory_size, exe_size, environment_size, expected_size = 0, at = 0;
	FILE *file;

	(void)state;
	assert_int_equal(process_describe(getpid(), keep_record, &description), 0);
	environment = join(&description, PF_TEXT_ENVIRONMENT, &environment_size);
	expected = calloc(1, PF_MAX_ENVIRONMENT_BYTES);
	file = fopen("/proc/self/environ", "re");
	assert_non_null(file);
	expected_size = fread(expected, 1, PF_MAX_ENVIRONMENT_BYTES, file);
	fclose(file);
	assert_int_equal(environment_size, expected_size);
	assert_memory_equal(environment, expected, expected_size);

	exe = join(&description, PF_TEXT_EXE, &exe_size);
	path = realpath("/proc/self/exe", NULL);
	while (at < exe_size) { /* part by part, from the end of the path on */
		char *slash = strrchr(path, '/');

		assert_string_equal(exe + at, slash + 1);
		at += strlen(exe + at) + 1;
		*slash = '\0';
	}
	assert_string_equal(path, "");

	directory = join(&description, PF_TEXT_DIRECTORY, &directory_size);
	assert_true(directory_size > 0);
	assert_string_equal(directory, strrchr(own, '/') + 1);

	assert_int_equal(process_describe(getpid(), keep_record, &cancelled), -ECANCELED);
	assert_int_equal(cancelled.n_texts, 2);
	assert_int_equal(process_describe(INT_MAX, keep_record, &cancelled), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_that_runs_is_fine_and_others_are_told_apart),
		cmocka_unit_test(a_thread_is_no_process),
		cmocka_unit_test(the_files_of_a_process_begin_with_its_program),
		cmocka_unit_test(a_file_with_a_newline_in_its_name_is_found),
		cmocka_unit_test(a_file_that_was_deleted_or_replaced_is_reached_by_its_mapping),
		cmocka_unit_test(descendants_are_children_and_theirs),
		cmocka_unit_test(variables_and_the_working_directory_can_be_asked_for),
		cmocka_unit_test(a_process_is_described_as_the_kernel_side_would),
		cmocka_unit_test(a_description_holds_the_texts_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
