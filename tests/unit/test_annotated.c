/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture_symbols.h"

#include "binary/annotated.h"
#include "binary/annotation.h"

#define MAGIC	   "perfflow note 1\n"
#define NOTE_BYTES 136
#define NOTE_LINE  16 /* where it is in a note */
#define NOTE_KIND  20

struct opened {
	struct binary *binary;
	struct symbols symbols;
	struct annotated annotated;
};

static void close_opened(struct opened *opened)
{
	annotated_done(&opened->annotated);
	fixture_close_binary(opened->binary, &opened->symbols);
}

static struct opened open_annotated(const char *path)
{
	struct opened opened = {};

	fixture_open_binary(path, &opened.binary, &opened.symbols);
	assert_int_equal(annotated_read(opened.binary, &opened.symbols, &opened.annotated), 0);
	return opened;
}

static struct opened open_bytes(const uint8_t *bytes, size_t size)
{
	_cleanup_close_ int fd = fixture_memory(bytes, size);
	struct opened opened = {};

	assert_int_equal(binary_open_fd(fd, "x", &opened.binary, NULL), 0);
	assert_int_equal(symbols_read(opened.binary, &opened.symbols, NULL), 0);
	assert_int_equal(annotated_read(opened.binary, &opened.symbols, &opened.annotated), 0);
	return opened;
}

static const struct annotated_function *find(const struct opened *opened, const char *name)
{
	return annotated_find(&opened->annotated, fixture_find(&opened->symbols, name)->address);
}

static void expect(const struct opened *opened, const char *name, const char *text)
{
	const struct annotated_function *function = find(opened, name);
	_cleanup_(annotation_done) struct annotation found = {}, expected = {};

	if (!function || function->fault)
		fail_msg("%s: %s", name, function ? function->fault : "not annotated");
	assert_int_equal(annotation_parse(function->annotation, &found, NULL), 0);
	assert_int_equal(annotation_parse(text, &expected, NULL), 0);
	assert_int_equal(found.pointcut, expected.pointcut);
	assert_int_equal(found.flow, expected.flow);
	if (expected.scope)
		assert_string_equal(found.scope, expected.scope);
	else
		assert_null(found.scope);
}

static void functions_have_the_names_of_their_sections(void **state)
{
	_cleanup_(close_opened) struct opened opened = open_annotated(FIXTURE_MARKED);

	(void)state;
	assert_string_equal(find(&opened, "annotated_long")->annotation,
			    "@critical_path(pointcut='around_async', scope='io')");
	assert_string_equal(find(&opened, "annotated_short")->annotation,
			    "@perfflowaspect.aspect.critical_path()");
	assert_string_equal(find(&opened, "annotated_plainly")->annotation,
			    "@critical_path(pointcut=97round41");
	assert_null(find(&opened, "not_annotated"));
	assert_int_equal(opened.annotated.n_items, 3);
}

static void functions_have_the_annotations_of_their_lines(void **state)
{
	_cleanup_(close_opened) struct opened opened = open_annotated(FIXTURE_LINES);

	(void)state;
	assert_null(opened.annotated.fault);
	expect(&opened, "lines_before", "@critical_path(pointcut='before')");
	expect(&opened, "lines_below",
	       "@critical_path(pointcut='after_async', scope='disk', flow='outin')");
	assert_null(find(&opened, "lines_plain"));
	assert_null(find(&opened, "lines_aligned"));
	assert_string_equal(find(&opened, "lines_malformed")->fault,
			    "Ignoring @critical_path(pointcut='never'): its pointcut is none of "
			    "around, before, after, "
			    "around_async, before_async and after_async");
}

#if defined(FIXTURE_LINES_HAS_NOTES)
static void a_long_scope_is_cut_and_shows_it(void **state)
{
	_cleanup_(close_opened) struct opened opened = open_annotated(FIXTURE_LINES);

	(void)state;
	expect(&opened, "lines_long",
	       "@critical_path(pointcut='around_async', "
	       "scope='0123456789012345678901234567890123456789012345678901234567890123...')");
}

/* The note before it in the file is another function's. */
static void an_annotation_elsewhere_is_not_guessed(void **state)
{
	_cleanup_(close_opened) struct opened opened = open_annotated(FIXTURE_LINES);

	(void)state;
	assert_string_equal(find(&opened, "lines_declared")->fault,
			    "Ignoring its annotation: it stands on a declaration elsewhere, or in "
			    "a line with others");
}

static uint8_t *next_note(uint8_t *from, uint8_t *bytes, size_t size)
{
	return memmem(from, (size_t)(bytes + size - from), MAGIC, strlen(MAGIC));
}

static void an_annotation_elsewhere_is_the_one_that_all_notes_agree_on(void **state)
{
	_cleanup_(close_opened) struct opened opened = {};
	_cleanup_free_ uint8_t *bytes = NULL;
	uint8_t *first, *note;
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_LINES, &size);
	first = next_note(bytes, bytes, size);
	assert_non_null(first);
	for (note = first; note; note = next_note(note + 1, bytes, size)) {
		memset(note + NOTE_KIND, 0, 4); /* and its flags: no scope */
		note[NOTE_KIND] = 6;		/* before */
	}
	opened = open_bytes(bytes, size);
	expect(&opened, "lines_declared", "@critical_path(pointcut='before')");
	expect(&opened, "lines_long", "@critical_path(pointcut='before')");
}

static void notes_about_other_lines_are_nobodys(void **state)
{
	_cleanup_(close_opened) struct opened opened = {};
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_LINES, &size);
	for (uint8_t *note = next_note(bytes, bytes, size); note;
	     note = next_note(note + 1, bytes, size))
		note[NOTE_LINE + 2] = 1; /* 65536 lines below */
	opened = open_bytes(bytes, size);
	assert_int_equal(opened.annotated.n_items, 5);
	for (size_t i = 0; i < opened.annotated.n_items; i++)
		assert_non_null(
			strstr(opened.annotated.items[i].fault, "on a declaration elsewhere"));
}

static void notes_that_make_no_sense_are_passed_over(void **state)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	uint8_t *note;
	size_t size;

	(void)state;
	bytes = fixture_read(FIXTURE_LINES, &size);
	for (size_t at = NOTE_LINE; at < NOTE_BYTES; at++) {
		_cleanup_free_ uint8_t *damaged = malloc(size);
		_cleanup_(close_opened) struct opened opened = {};

		assert_non_null(damaged);
		memcpy(damaged, bytes, size);
		for (note = next_note(damaged, damaged, size); note;
		     note = next_note(note + 1, damaged, size))
			note[at] ^= 0xff;
		opened = open_bytes(damaged, size);
	}
}

static void without_debug_information_it_is_said_what_is_lacking(void **state)
{
	_cleanup_(close_opened) struct opened opened = open_annotated(FIXTURE_LINES_STRIPPED);

	(void)state;
	assert_int_equal(opened.annotated.n_items, 0);
	assert_non_null(strstr(opened.annotated.fault,
			       "has no debug information (it was compiled without -g)"));
}
#endif

static void a_binary_without_annotations_has_none(void **state)
{
	_cleanup_(close_opened) struct opened opened = open_annotated(FIXTURE_FUNCTIONS);

	(void)state;
	assert_int_equal(opened.annotated.n_items, 0);
	assert_null(opened.annotated.fault);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_have_the_names_of_their_sections),
		cmocka_unit_test(functions_have_the_annotations_of_their_lines),
#if defined(FIXTURE_LINES_HAS_NOTES)
		cmocka_unit_test(a_long_scope_is_cut_and_shows_it),
		cmocka_unit_test(an_annotation_elsewhere_is_not_guessed),
		cmocka_unit_test(an_annotation_elsewhere_is_the_one_that_all_notes_agree_on),
		cmocka_unit_test(notes_about_other_lines_are_nobodys),
		cmocka_unit_test(notes_that_make_no_sense_are_passed_over),
		cmocka_unit_test(without_debug_information_it_is_said_what_is_lacking),
#endif
		cmocka_unit_test(a_binary_without_annotations_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
