/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <elf.h>
#include <errno.h>

#include "binary/binary.h"
#include "binary/symbol.h"

static int open_bytes(const void *bytes, size_t size, struct why *why)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_close_ int fd = fixture_memory(bytes, size);

	return binary_open_fd(fd, "x", &binary, why);
}

static void a_library_tells_what_it_is(void **state)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;

	(void)state;
	assert_int_equal(binary_open(FIXTURE_FUNCTIONS, &binary, NULL), 0);
	assert_string_equal(binary->soname, "libpf_functions.so.1");
	assert_false(binary->is_program);
	assert_false(binary->is_go);
	assert_null(binary->interpreter);
	assert_int_equal(strlen(binary->build_id), 40);
	assert_true(binary->n_segments > 0);
}

static void a_program_tells_what_it_needs_and_where_to_look(void **state)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;

	(void)state;
	assert_int_equal(binary_open(FIXTURE_PROGRAM, &binary, NULL), 0);
	assert_true(binary->is_program);
	assert_non_null(binary->interpreter);
	assert_true(strings_contain(&binary->needed, "libpf_functions.so.1"));
	assert_true(binary->runpath || binary->rpath);
	assert_string_equal(binary->name, text_file_name(FIXTURE_PROGRAM));
}

static void a_link_in_proc_is_called_what_it_points_to(void **state)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;

	(void)state;
	assert_int_equal(binary_open("/proc/self/exe", &binary, NULL), 0);
	assert_string_equal(binary->name, "test_binary");
	assert_string_equal(binary->path, "/proc/self/exe");
}

static void addresses_become_offsets_of_code_alone(void **state)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	uint8_t byte;
	uint64_t offset;

	(void)state;
	assert_int_equal(binary_open(FIXTURE_FUNCTIONS, &binary, NULL), 0);
	for (size_t i = 0; i < binary->n_segments; i++) {
		const struct binary_segment *segment = &binary->segments[i];

		if (!segment->executable)
			continue;
		assert_int_equal(binary_file_offset(binary, segment->address + 1, &offset), 0);
		assert_int_equal(offset, segment->file_offset + 1);
		assert_int_equal(binary_read(binary, offset, &byte, 1), 1);
	}
	assert_int_equal(binary_file_offset(binary, UINT64_MAX, &offset), -ENOENT);
	assert_int_equal(binary_read(binary, UINT64_MAX, &byte, 1), 0);
	assert_int_equal(binary_read(binary, binary->size, &byte, 1), 0);
}

static void what_is_no_elf_file_is_refused_with_a_sentence(void **state)
{
	static const struct {
		const char *bytes, *sentence;
	} cases[] = {
		{"", "'x' is empty"},
		{"hello", "'x' is not an ELF file"},
		{"#!/bin/sh\necho",
		 "'x' is a script, run by /bin/sh: name the program that it runs"},
		{"#! /usr/bin/env python3\n",
		 "'x' is a script, run by /usr/bin/env: name the program that it runs"},
		{"#!", "'x' is a script: name the program that it runs"},
		{"!<arch>\nlibx",
		 "'x' is a static library: name the program that it is linked into"},
		{"\177ELF\2\1\1", "'x' is truncated: its header is cut off"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct why why = {};

		assert_int_equal(open_bytes(cases[i].bytes, strlen(cases[i].bytes), &why),
				 -ENOEXEC);
		assert_string_equal(why.text, cases[i].sentence);
	}
}

static void other_machines_and_kinds_are_refused_with_a_sentence(void **state)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct why why = {};
	Elf64_Ehdr *header;
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_FUNCTIONS, &size);
	header = (Elf64_Ehdr *)bytes;

	header->e_machine = EM_S390;
	assert_int_equal(open_bytes(bytes, size, &why), -ENOEXEC);
	assert_non_null(strstr(why.text, "'x' is made for S/390, but this machine is "));

	why = (struct why){};
	header->e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(open_bytes(bytes, size, &why), -ENOEXEC);
	assert_string_equal(why.text, "'x' is a 32-bit binary: only 64-bit ones can be traced");

	free(bytes);
	bytes = fixture_read(FIXTURE_FUNCTIONS, &size);
	header = (Elf64_Ehdr *)bytes;
	why = (struct why){};
	header->e_type = ET_CORE;
	assert_int_equal(open_bytes(bytes, size, &why), -ENOEXEC);
	assert_string_equal(why.text, "'x' is a core dump, not a program");
}

static void folders_devices_and_missing_files_are_refused(void **state)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct why why = {};

	(void)state;
	assert_int_equal(binary_open("/", &binary, &why), -EISDIR);
	assert_string_equal(why.text, "'/' is a folder");
	why = (struct why){};
	assert_int_equal(binary_open("/dev/null", &binary, &why), -ENOEXEC);
	assert_string_equal(why.text, "'/dev/null' is not a regular file");
	why = (struct why){};
	assert_int_equal(binary_open("/does/not/exist", &binary, &why), -ENOENT);
	assert_string_equal(why.text, "cannot open '/does/not/exist': No such file or directory");
}

static void a_truncated_file_is_an_error_wherever_it_ends(void **state)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct why why;
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_FUNCTIONS, &size);
	for (size_t cut = 1; cut < size; cut += 61) {
		why = (struct why){};
		assert_int_equal(open_bytes(bytes, size - cut, &why), -ENOEXEC);
		assert_true(why.text[0]);
	}
}

static void a_file_that_is_cut_off_while_open_gives_no_signal(void **state)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_free_ uint8_t *bytes = NULL;
	_cleanup_close_ int fd = -1;
	struct symbols symbols = {};
	uint8_t byte;
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_FUNCTIONS, &size);
	fd = fixture_memory(bytes, size);
	assert_int_equal(binary_open_fd(fd, "x", &binary, NULL), 0);
	assert_int_equal(ftruncate(fd, 64), 0);
	assert_int_equal(symbols_read(binary, &symbols, NULL), -ENOEXEC);
	assert_int_equal(binary_read(binary, 4096, &byte, 1), 0);
}

static void what_is_read_is_what_the_file_has_wherever_it_is(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 4095, 4096, 4097, 10000};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_free_ uint8_t *bytes = NULL;
	uint8_t buffer[10000];
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_FUNCTIONS, &size);
	assert_true(size > 3 * 4096);
	assert_int_equal(binary_open(FIXTURE_FUNCTIONS, &binary, NULL), 0);
	for (size_t i = 0; i < 2000; i++) {
		size_t offset = i * 7919 % (size + 100), wanted = sizes[i % ARRAY_SIZE(sizes)];
		size_t left = offset < size ? size - offset : 0, expected = wanted < left ? wanted : left;

		assert_int_equal(binary_read(binary, offset, buffer, wanted), expected);
		assert_memory_equal(buffer, bytes + offset, expected);
	}
	assert_int_equal(binary_read(binary, UINT64_MAX, buffer, 16), 0);
	assert_int_equal(binary_read(binary, INT64_MAX - 16, buffer, 16), 0);
}

/* Each byte of the tables set to what hurts most: whatever comes out, it must come out. */
static void damage(const uint8_t *bytes, size_t size, size_t start, size_t length,
		   size_t *n_refused)
{
	static const uint8_t values[] = {0x00, 0x7f, 0xff};
	_cleanup_close_ int fd = fixture_memory(bytes, size);

	for (size_t i = start; i < start + length && i < size; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(values); j++) {
			_cleanup_(binary_freep) struct binary *binary = NULL;
			struct symbols symbols = {};
			struct why why = {};
			int r;

			assert_int_equal(pwrite(fd, &values[j], 1, i), 1);
			r = binary_open_fd(fd, "x", &binary, &why);
			if (r == 0)
				r = symbols_read(binary, &symbols, &why);
			if (r < 0)
				assert_true(why.text[0]);
			*n_refused += r < 0;
			symbols_done(&symbols);
		}
		assert_int_equal(pwrite(fd, &bytes[i], 1, i), 1);
	}
}

static void damaged_tables_do_no_harm(void **state)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	const Elf64_Ehdr *header;
	const Elf64_Phdr *segments;
	size_t size, n_refused = 0;

	(void)state;
	bytes = fixture_read(FIXTURE_FUNCTIONS, &size);
	header = (const Elf64_Ehdr *)bytes;
	segments = (const Elf64_Phdr *)(bytes + header->e_phoff);
	damage(bytes, size, 0, sizeof(*header), &n_refused);
	damage(bytes, size, header->e_phoff, header->e_phnum * sizeof(Elf64_Phdr), &n_refused);
	damage(bytes, size, header->e_shoff, header->e_shnum * sizeof(Elf64_Shdr), &n_refused);
	for (size_t i = 0; i < header->e_phnum; i++) {
		if (segments[i].p_type == PT_DYNAMIC || segments[i].p_type == PT_NOTE)
			damage(bytes, size, segments[i].p_offset, segments[i].p_filesz, &n_refused);
	}
	assert_true(n_refused > 100);
}

static void a_module_is_named_by_its_file_its_soname_or_its_path(void **state)
{
	(void)state;
	assert_true(binary_is_named("libmpi.so*", "/usr/lib/libmpi.so.40.30.4", "libmpi.so.40"));
	assert_true(binary_is_named("libmpi.so", "/usr/lib/libmpi.so.40.30.4", NULL));
	assert_true(binary_is_named("libmpi.so.40", "/usr/lib/libmpi.so.40.30.4", "libmpi.so.40"));
	assert_true(binary_is_named("lib*.so", "/usr/lib/libmpi.so.40.30.4", NULL));
	assert_true(binary_is_named("/opt/*/libmpi.so", "/opt/mpi/libmpi.so.40", NULL));
	assert_true(binary_is_named("/usr/bin/lmp", "/proc/12/root/usr/bin/lmp", NULL));
	assert_true(binary_is_named("lmp", "lmp", NULL));
	assert_false(binary_is_named("libmpi", "/usr/lib/libmpi.so.40", NULL));
	assert_false(binary_is_named("libmpi.so.4", "/usr/lib/libmpi.so.40", NULL));
	assert_false(binary_is_named("/usr/lib/libmpi.so", "/opt/mpi/libmpi.so.40", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_library_tells_what_it_is),
		cmocka_unit_test(a_program_tells_what_it_needs_and_where_to_look),
		cmocka_unit_test(a_link_in_proc_is_called_what_it_points_to),
		cmocka_unit_test(addresses_become_offsets_of_code_alone),
		cmocka_unit_test(what_is_no_elf_file_is_refused_with_a_sentence),
		cmocka_unit_test(other_machines_and_kinds_are_refused_with_a_sentence),
		cmocka_unit_test(folders_devices_and_missing_files_are_refused),
		cmocka_unit_test(a_truncated_file_is_an_error_wherever_it_ends),
		cmocka_unit_test(a_file_that_is_cut_off_while_open_gives_no_signal),
		cmocka_unit_test(what_is_read_is_what_the_file_has_wherever_it_is),
		cmocka_unit_test(damaged_tables_do_no_harm),
		cmocka_unit_test(a_module_is_named_by_its_file_its_soname_or_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
