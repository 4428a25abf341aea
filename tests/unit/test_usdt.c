/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <elf.h>

#include "binary/section.h"
#include "binary/symbol.h"
#include "binary/usdt.h"

static void a_binary_without_notes_has_no_static_probes(void **state)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct usdt_probes probes = {.n_items = 3};

	(void)state;
	assert_int_equal(binary_open("/proc/self/exe", &binary, NULL), 0);
	assert_int_equal(usdt_read(binary, &probes, NULL), 0);
	assert_int_equal(probes.n_items, 0);
	usdt_done(&probes);
}

/* The C++ library of every distribution marks where exceptions are thrown. */
static void the_probes_of_the_cplusplus_library_are_found(void **state)
{
	static const char *const paths[] = {"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
					    "/usr/lib/aarch64-linux-gnu/libstdc++.so.6",
					    "/usr/lib64/libstdc++.so.6"};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_(usdt_done) struct usdt_probes probes = {};
	int n_throws = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths) && !binary; i++)
		binary_open(paths[i], &binary, NULL);
	if (!binary)
		skip();
	assert_int_equal(usdt_read(binary, &probes, NULL), 0);
	for (size_t i = 0; i < probes.n_items; i++) {
		assert_string_equal(probes.items[i].provider, "libstdcxx");
		n_throws += strcmp(probes.items[i].name, "throw") == 0;
	}
	assert_int_equal(n_throws, 1);
}

#if defined(FIXTURE_HAS_STATIC_PROBES)
static struct usdt_probes read_bytes(const uint8_t *bytes, size_t size)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_close_ int fd = fixture_memory(bytes, size);
	struct usdt_probes probes = {};

	assert_int_equal(binary_open_fd(fd, "x", &binary, NULL), 0);
	assert_int_equal(usdt_read(binary, &probes, NULL), 0);
	return probes;
}

static void a_probe_has_its_place_its_semaphore_and_its_arguments(void **state)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_(symbols_done) struct symbols symbols = {};
	_cleanup_(usdt_done) struct usdt_probes probes = {};
	const struct symbol *function = NULL;
	int n_steps = 0;
	uint8_t byte;

	(void)state;
	assert_int_equal(binary_open(FIXTURE_MARKED, &binary, NULL), 0);
	assert_int_equal(symbols_read(binary, &symbols, NULL), 0);
	assert_int_equal(usdt_read(binary, &probes, NULL), 0);
	for (size_t i = 0; i < symbols.n_items; i++) {
		if (strcmp(symbols.items[i].linker_name, "with_static_probes") == 0)
			function = &symbols.items[i];
	}
	assert_non_null(function);
	assert_int_equal(probes.n_items, 3);
	for (size_t i = 0; i < probes.n_items; i++) {
		const struct usdt_probe *probe = &probes.items[i];

		assert_string_equal(probe->provider, "pf_test");
		assert_true(probe->address >= function->address &&
			    probe->address < function->address + function->size);
		assert_int_equal(probe->file_offset,
				 function->file_offset + (probe->address - function->address));
		assert_int_equal(binary_read(binary, probe->file_offset, &byte, 1), 1);
#if defined(__x86_64__)
		assert_int_equal(byte, 0x90);
#endif
		assert_true(probe->semaphore_offset > 0);
		if (strcmp(probe->name, "done") == 0) {
			assert_string_equal(probe->arguments, "");
			continue;
		}
		assert_string_equal(probe->name, "step");
		assert_non_null(strchr(probe->arguments, '@'));
		assert_non_null(strchr(probe->arguments, ' '));
		n_steps++;
	}
	assert_int_equal(n_steps, 2);
}

static Elf64_Shdr *section_named(uint8_t *bytes, const char *name)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;
	Elf64_Shdr *sections = (Elf64_Shdr *)(bytes + header->e_shoff);
	const char *names = (const char *)bytes + sections[header->e_shstrndx].sh_offset;

	for (size_t i = 0; i < header->e_shnum; i++) {
		if (strcmp(names + sections[i].sh_name, name) == 0)
			return &sections[i];
	}
	fail();
	return NULL;
}

static void a_binary_that_was_moved_has_its_probes_moved(void **state)
{
	_cleanup_(usdt_done) struct usdt_probes before = {}, after = {};
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_MARKED, &size);
	before = read_bytes(bytes, size);
	/* as if the notes had been written for a place 16 bytes lower */
	section_named(bytes, ".stapsdt.base")->sh_addr += 16;
	after = read_bytes(bytes, size);
	assert_int_equal(before.n_items, 3);
	assert_int_equal(after.n_items, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(after.items[i].address, before.items[i].address + 16);
		assert_int_equal(after.items[i].file_offset, before.items[i].file_offset + 16);
	}
}

static void notes_that_make_no_sense_are_passed_over(void **state)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	Elf64_Shdr *section;
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_MARKED, &size);
	section = section_named(bytes, ".note.stapsdt");
	/* the last three bytes may be padding */
	for (size_t cut = 0; cut + 3 < section->sh_size; cut++) {
		uint64_t whole = section->sh_size;
		struct usdt_probes probes;

		section->sh_size = cut;
		probes = read_bytes(bytes, size);
		assert_true(probes.n_items < 3);
		usdt_done(&probes);
		section->sh_size = whole;
	}
	for (size_t i = 0; i < section->sh_size; i++) {
		uint8_t *byte = bytes + section->sh_offset + i, saved = *byte;
		struct usdt_probes probes;

		*byte = 0xff;
		probes = read_bytes(bytes, size);
		assert_true(probes.n_items <= 3);
		usdt_done(&probes);
		*byte = saved;
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_binary_without_notes_has_no_static_probes),
		cmocka_unit_test(the_probes_of_the_cplusplus_library_are_found),
#if defined(FIXTURE_HAS_STATIC_PROBES)
		cmocka_unit_test(a_probe_has_its_place_its_semaphore_and_its_arguments),
		cmocka_unit_test(a_binary_that_was_moved_has_its_probes_moved),
		cmocka_unit_test(notes_that_make_no_sense_are_passed_over),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
