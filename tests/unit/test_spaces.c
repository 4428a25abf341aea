/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "inspect/inspection.h"
#include "session/spaces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define NOBODY (1 << 30) /* no process has such a pid */

struct fixture {
	struct modules *modules;
	struct spaces *spaces;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_int_equal(modules_new(0, &fixture->modules), 0);
	assert_int_equal(spaces_new(fixture->modules, &fixture->spaces), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	spaces_free(fixture->spaces);
	modules_free(fixture->modules);
	free(fixture);
	return 0;
}

/* A page at an address, of memory that has a name. */
static void map(const struct fixture *fixture, pid_t pid, uint64_t time_ns, uint64_t address,
		const char *name)
{
	const struct mapping mapping = {.kind = MAPPING_MEMORY,
					.time_ns = time_ns,
					.pid = NOBODY + pid,
					.address = address,
					.length = 0x1000,
					.path = name};

	assert_int_equal(spaces_note(fixture->spaces, &mapping), 0);
}

static void begin(const struct fixture *fixture, enum mapping_kind kind, pid_t pid,
		  uint64_t time_ns, pid_t parent)
{
	const struct mapping mapping = {
		.kind = kind, .time_ns = time_ns, .pid = NOBODY + pid, .parent = NOBODY + parent};

	assert_int_equal(spaces_note(fixture->spaces, &mapping), 0);
}

static void check(const struct fixture *fixture, pid_t pid, uint64_t time_ns, uint64_t address,
		  const char *expected)
{
	_cleanup_(text_done) struct text text = {0};
	struct place place;

	if (!spaces_find(fixture->spaces, NOBODY + pid, time_ns, address, &place)) {
		assert_null(expected);
		return;
	}
	assert_non_null(expected);
	assert_int_equal(modules_describe(fixture->modules, place.module, place.offset, &text), 0);
	assert_string_equal(text.data, expected);
}

static void an_address_is_of_what_was_mapped_there_last_at_that_time(void **state)
{
	const struct fixture *fixture = *state;

	map(fixture, 1, 20, 0x5000, "[b]");
	map(fixture, 1, 10, 0x5000, "[a]");
	map(fixture, 1, 30, 0x7000, "[c]");
	check(fixture, 1, 9, 0x5008, NULL);
	check(fixture, 1, 10, 0x5008, "[a+0x8]");
	check(fixture, 1, 40, 0x5fff, "[b+0xfff]");
	check(fixture, 1, 19, 0x5fff, "[a+0xfff]");
	check(fixture, 1, 40, 0x6000, NULL);
	check(fixture, 1, 40, 0x7000, "[c+0x0]");
	check(fixture, 2, 40, 0x7000, NULL);
}

static void a_program_that_is_executed_has_nothing_of_the_one_before(void **state)
{
	const struct fixture *fixture = *state;

	map(fixture, 1, 10, 0x5000, "[before]");
	map(fixture, 1, 10, 0x6000, "[before]");
	map(fixture, 1, 21, 0x5000, "[after]");
	begin(fixture, MAPPING_EXEC, 1, 20, 0);
	check(fixture, 1, 19, 0x5000, "[before+0x0]");
	check(fixture, 1, 22, 0x5000, "[after+0x0]");
	check(fixture, 1, 19, 0x6000, "[before+0x0]");
	check(fixture, 1, 22, 0x6000, NULL);
}

static void a_child_has_what_its_parent_had_when_it_was_born(void **state)
{
	const struct fixture *fixture = *state;

	map(fixture, 1, 10, 0x5000, "[shared]");
	begin(fixture, MAPPING_FORK, 2, 20, 1);
	begin(fixture, MAPPING_FORK, 3, 30, 2);
	map(fixture, 1, 25, 0x5000, "[parent]");
	map(fixture, 3, 35, 0x6000, "[child]");
	check(fixture, 1, 40, 0x5000, "[parent+0x0]");
	check(fixture, 2, 40, 0x5000, "[shared+0x0]");
	check(fixture, 3, 40, 0x5000, "[shared+0x0]");
	check(fixture, 3, 40, 0x6000, "[child+0x0]");
	check(fixture, 2, 40, 0x6000, NULL);
}

static void a_pid_that_is_used_again_has_nothing_of_the_process_before(void **state)
{
	const struct fixture *fixture = *state;

	map(fixture, 1, 10, 0x5000, "[first]");
	begin(fixture, MAPPING_FORK, 1, 20, 9);
	check(fixture, 1, 15, 0x5000, "[first+0x0]");
	check(fixture, 1, 25, 0x5000, NULL);
}

static void processes_that_are_their_own_ancestors_end_the_search(void **state)
{
	const struct fixture *fixture = *state;

	begin(fixture, MAPPING_FORK, 1, 10, 2);
	begin(fixture, MAPPING_FORK, 2, 10, 1);
	check(fixture, 1, 10, 0x5000, NULL);
}

static void one_that_maps_without_end_keeps_what_is_newest(void **state)
{
	const struct fixture *fixture = *state;

	for (uint64_t i = 1; i <= 100000; i++)
		map(fixture, 1, i, 0x1000 * i, "[x]");
	check(fixture, 1, 100000, 0x1000 * 100000 + 5, "[x+0x5]");
	check(fixture, 1, 100000, 0x1000 * 99000 + 5, "[x+0x5]");
	check(fixture, 1, 100000, 0x1000 + 5, NULL);
	for (uint64_t i = 0; i < 100000; i++)
		map(fixture, 1, 200000 + i, 0x1000 * 90000, i % 2 ? "[y]" : "//anon");
	check(fixture, 1, 300000, 0x1000 * 90000, "[y+0x0]");
}

static void what_a_sweep_finds_gone_twice_is_forgotten(void **state)
{
	const struct fixture *fixture = *state;

	map(fixture, 1, 10, 0x5000, "[a]");
	check(fixture, 1, 40, 0x5000, "[a+0x0]");
	spaces_sweep(fixture->spaces);
	check(fixture, 1, 40, 0x5000, "[a+0x0]");
	spaces_sweep(fixture->spaces);
	check(fixture, 1, 40, 0x5000, NULL);
}

static void of_a_process_that_was_there_before_proc_tells(void **state)
{
	const struct fixture *fixture = *state;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	_cleanup_(text_done) struct text text = {0};
	struct place place;

	assert_ptr_not_equal(page, MAP_FAILED);
	assert_false(spaces_find_known(fixture->spaces, getpid(), UINT64_MAX, (uintptr_t)setup + 1,
				       &place));
	assert_true(
		spaces_find(fixture->spaces, getpid(), UINT64_MAX, (uintptr_t)setup + 1, &place));
	assert_int_equal(modules_describe(fixture->modules, place.module, place.offset, &text), 0);
	assert_string_equal(text.data, "setup+0x1 (test_spaces)");

	text.size = 0;
	assert_true(
		spaces_find(fixture->spaces, getpid(), UINT64_MAX, (uintptr_t)page + 16, &place));
	assert_int_equal(modules_describe(fixture->modules, place.module, place.offset, &text), 0);
	assert_string_equal(text.data, "[anonymous+0x10]");
	assert_false(spaces_find(fixture->spaces, getpid(), UINT64_MAX, (uintptr_t)&place, &place));
	munmap(page, 4096);
}

static void a_file_that_was_prepared_is_described_without_waiting(void **state)
{
	const struct fixture *fixture = *state;
	_cleanup_(text_done) struct text text = {0};
	struct place place;

	assert_int_equal(spaces_read(fixture->spaces, getpid()), 0);
	assert_true(spaces_find_known(fixture->spaces, getpid(), UINT64_MAX, (uintptr_t)setup + 1,
				      &place));
	assert_true(modules_are_ready(fixture->modules));
	assert_int_equal(modules_prepare(fixture->modules, place.module), 0);
	modules_wait(fixture->modules);
	assert_true(modules_are_ready(fixture->modules));
	assert_int_equal(modules_describe(fixture->modules, place.module, place.offset, &text), 0);
	assert_string_equal(text.data, "setup+0x1 (test_spaces)");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_address_is_of_what_was_mapped_there_last_at_that_time, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_program_that_is_executed_has_nothing_of_the_one_before, setup, teardown),
		cmocka_unit_test_setup_teardown(a_child_has_what_its_parent_had_when_it_was_born,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_pid_that_is_used_again_has_nothing_of_the_process_before, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			processes_that_are_their_own_ancestors_end_the_search, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_maps_without_end_keeps_what_is_newest,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_sweep_finds_gone_twice_is_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(of_a_process_that_was_there_before_proc_tells,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_file_that_was_prepared_is_described_without_waiting, setup, teardown),
	};

	if (argc == 2 && strcmp(argv[1], INSPECTION_ARGUMENT) == 0)
		inspection_run(); /* it is its own inspector */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
