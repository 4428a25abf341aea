/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <elf.h>

#include "binary/unwind.h"

static struct unwind read_fd(int fd)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct unwind unwind;

	assert_int_equal(binary_open_fd(fd, "a file", &binary, NULL), 0);
	assert_int_equal(unwind_read(binary, &unwind), 0);
	return unwind;
}

static struct unwind read_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return read_fd(fd);
}

/* A copy that has lost its section table, as some strippers leave it. */
static uint8_t *without_sections(const char *path, size_t *ret_size)
{
	uint8_t *bytes = fixture_read(path, ret_size);
	Elf64_Ehdr *header = (Elf64_Ehdr *)bytes;

	header->e_shoff = 0;
	header->e_shnum = header->e_shstrndx = 0;
	return bytes;
}

static void plain_c_lets_nothing_pass_through(void **state)
{
	_cleanup_(unwind_done) struct unwind unwind = read_file(FIXTURE_FUNCTIONS);

	(void)state;
	assert_false(unwind.may_unwind);
	assert_false(unwind.uses_several_stacks);
	assert_string_equal(unwind.reason, "nothing in it throws, catches or cleans up after exceptions");
	assert_true(unwind.n_ranges > 0);
}

static void cplusplus_may_be_unwound(void **state)
{
	_cleanup_(unwind_done) struct unwind unwind = read_file(FIXTURE_NAMES);

	(void)state;
	assert_true(unwind.may_unwind);
	assert_non_null(unwind.reason);
}

static void c_with_cleanups_may_be_unwound(void **state)
{
	_cleanup_(unwind_done) struct unwind unwind = read_file(FIXTURE_CLEANUPS);

	(void)state;
	assert_true(unwind.may_unwind);
}

static void without_sections_the_frames_still_tell(void **state)
{
	static const char *const files[] = {FIXTURE_CLEANUPS, FIXTURE_FUNCTIONS};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ uint8_t *bytes = NULL;
		_cleanup_close_ int fd = -1;
		size_t size;

		bytes = without_sections(files[i], &size);
		fd = fixture_memory(bytes, size);
		_cleanup_(unwind_done) struct unwind whole = read_file(files[i]);
		_cleanup_(unwind_done) struct unwind unwind = read_fd(fd);

		assert_int_equal(unwind.may_unwind, i == 0);
		assert_int_equal(unwind.n_ranges, whole.n_ranges);
	}
}

static void code_of_other_languages_may_be_unwound(void **state)
{
	const struct {
		const char *path, *reason;
	} languages[] = {
		{FIXTURE_RUST, "Rust panics unwind through it"},
		{FIXTURE_GNAT, "Ada exceptions pass through it"},
		{FIXTURE_GDC, "D exceptions pass through it"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(languages); i++) {
		_cleanup_(unwind_done) struct unwind unwind = read_file(languages[i].path);

		assert_true(unwind.may_unwind);
		assert_string_equal(unwind.reason, languages[i].reason);
	}
}

static void who_switches_stacks_is_known(void **state)
{
	_cleanup_(unwind_done) struct unwind unwind = read_file(FIXTURE_STACKS);

	(void)state;
	assert_true(unwind.uses_several_stacks);
	assert_false(unwind.may_unwind);
}

static void ranges_are_sorted_and_found_by_address(void **state)
{
	_cleanup_(unwind_done) struct unwind unwind = read_file(FIXTURE_FUNCTIONS);

	(void)state;
	for (size_t i = 0; i < unwind.n_ranges; i++) {
		const struct unwind_range *range = &unwind.ranges[i];

		assert_true(range->start < range->end);
		if (i)
			assert_true(range->start >= unwind.ranges[i - 1].start);
		assert_ptr_equal(unwind_find_range(&unwind, range->start), range);
		assert_ptr_equal(unwind_find_range(&unwind, range->end - 1), range);
	}
	assert_null(unwind_find_range(&unwind, 0));
	assert_null(unwind_find_range(&unwind, UINT64_MAX));
}

/* Every byte that is not what it was may be anything, but never more than that. */
static void damage_tells_nothing_and_harms_nothing(void **state)
{
	static const char *const files[] = {FIXTURE_FUNCTIONS, FIXTURE_CLEANUPS};
	unsigned int seed = 1;

	(void)state;
	for (int round = 0; round < 300; round++) {
		_cleanup_free_ uint8_t *bytes = NULL;
		_cleanup_close_ int fd = -1;
		struct binary *binary = NULL;
		size_t size;

		bytes = round & 2 ? without_sections(files[round & 1], &size) : fixture_read(files[round & 1], &size);
		for (int i = 0; i < 40; i++)
			bytes[sizeof(Elf64_Ehdr) + rand_r(&seed) % (size - sizeof(Elf64_Ehdr))] = rand_r(&seed);
		fd = fixture_memory(bytes, size);
		if (binary_open_fd(fd, "a file", &binary, NULL) == 0) {
			struct unwind unwind;

			assert_int_equal(unwind_read(binary, &unwind), 0);
			unwind_done(&unwind);
		}
		binary_free(binary);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_c_lets_nothing_pass_through),
		cmocka_unit_test(cplusplus_may_be_unwound),
		cmocka_unit_test(c_with_cleanups_may_be_unwound),
		cmocka_unit_test(without_sections_the_frames_still_tell),
		cmocka_unit_test(code_of_other_languages_may_be_unwound),
		cmocka_unit_test(who_switches_stacks_is_known),
		cmocka_unit_test(ranges_are_sorted_and_found_by_address),
		cmocka_unit_test(damage_tells_nothing_and_harms_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
