/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <errno.h>

#include "trace/pieces.h"

/* A piece of the whole, from `begin` up to before `end`. */
static struct pf_process_text piece_of(const char *whole, size_t begin, size_t end, bool is_last)
{
	struct pf_process_text text = {
		.what = PF_TEXT_ENVIRONMENT,
		.bytes = end - begin,
		.offset = begin,
		.is_last = is_last,
	};

	memcpy(text.text, whole + begin, end - begin);
	return text;
}

static void add(struct pieces *pieces, const char *whole, size_t begin, size_t end, bool is_last)
{
	struct pf_process_text text = piece_of(whole, begin, end, is_last);

	assert_int_equal(pieces_add(pieces, &text), 0);
}

static struct pieces *new_pieces(void)
{
	struct pieces *pieces;

	assert_int_equal(pieces_new(&pieces), 0);
	return pieces;
}

static void pieces_make_a_whole_in_any_order(void **state)
{
	static const char whole[] = "HOME=/root\0RANK=12\0EMPTY=\0LAST=x";
	_cleanup_(pieces_freep) struct pieces *pieces = new_pieces();

	(void)state;
	assert_false(pieces_have_ended(pieces));
	add(pieces, whole, 20, sizeof(whole), true);
	add(pieces, whole, 0, 8, false);
	assert_false(pieces_have_ended(pieces));
	add(pieces, whole, 8, 20, false);
	assert_true(pieces_have_ended(pieces));
	assert_false(pieces_are_cut(pieces));
	assert_string_equal(pieces_variable(pieces, "HOME"), "/root");
	assert_string_equal(pieces_variable(pieces, "RANK"), "12");
	assert_string_equal(pieces_variable(pieces, "EMPTY"), "");
	assert_string_equal(pieces_variable(pieces, "LAST"), "x");
	assert_null(pieces_variable(pieces, "RAN"));
	assert_null(pieces_variable(pieces, "MISSING"));
}

static void what_a_gap_may_have_taken_a_part_of_is_not_handed_out(void **state)
{
	/*                            0         10          20         30 */
	static const char whole[] = "A=1\0MY_RANK=12\0OUTER_RANK=34\0B=2";
	_cleanup_(pieces_freep) struct pieces *pieces = new_pieces();

	(void)state;
	add(pieces, whole, 0, 13, false); /* "A=1", "MY_RANK=1" */
	assert_string_equal(pieces_variable(pieces, "A"), "1");
	assert_null(pieces_variable(pieces, "MY_RANK"));
	add(pieces, whole, 21, sizeof(whole), true); /* "RANK=34", "B=2" */
	assert_string_equal(pieces_variable(pieces, "B"), "2");
	assert_null(pieces_variable(pieces, "RANK"));
	assert_null(pieces_variable(pieces, "OUTER_RANK"));
	assert_false(pieces_have_ended(pieces));
	add(pieces, whole, 13, 21, false);
	assert_true(pieces_have_ended(pieces));
	assert_string_equal(pieces_variable(pieces, "MY_RANK"), "12");
	assert_string_equal(pieces_variable(pieces, "OUTER_RANK"), "34");
}

static void the_last_variable_of_a_text_that_was_cut_is_not_known(void **state)
{
	static const char whole[] = "A=1\0RANK=1";
	_cleanup_(pieces_freep) struct pieces *cut = new_pieces(), *unended = new_pieces();
	struct pf_process_text text =
		piece_of(whole, 0, strlen("A=1") + 1 + strlen("RANK=1"), true);

	(void)state;
	text.is_cut = 1;
	assert_int_equal(pieces_add(cut, &text), 0);
	assert_true(pieces_have_ended(cut));
	assert_true(pieces_are_cut(cut));
	assert_string_equal(pieces_variable(cut, "A"), "1");
	assert_null(pieces_variable(cut, "RANK"));

	/* a process may have written over the end of its last one */
	text.is_cut = 0;
	assert_int_equal(pieces_add(unended, &text), 0);
	assert_string_equal(pieces_variable(unended, "RANK"), "1");
}

static void an_empty_text_ends_at_once(void **state)
{
	_cleanup_(pieces_freep) struct pieces *pieces = new_pieces();

	(void)state;
	add(pieces, "", 0, 0, true);
	assert_true(pieces_have_ended(pieces));
	assert_null(pieces_variable(pieces, "A"));
}

static void what_reaches_beyond_the_limits_is_refused(void **state)
{
	_cleanup_(pieces_freep) struct pieces *pieces = new_pieces();
	static const char whole[PF_TEXT_BYTES];
	struct pf_process_text text = piece_of(whole, 0, 1, false);

	(void)state;
	text.offset = PF_MAX_ENVIRONMENT_BYTES;
	assert_int_equal(pieces_add(pieces, &text), -EBADMSG);
	text.offset = UINT32_MAX;
	assert_int_equal(pieces_add(pieces, &text), -EBADMSG);
	text.offset = 0;
	text.bytes = PF_TEXT_BYTES + 1;
	assert_int_equal(pieces_add(pieces, &text), -EBADMSG);

	text.bytes = 1; /* every other byte: as many islands as there may be, and one more */
	for (int i = 0; i < 64; i++) {
		text.offset = 2 * i;
		assert_int_equal(pieces_add(pieces, &text), 0);
	}
	text.offset = 2 * 64;
	assert_int_equal(pieces_add(pieces, &text), -EBADMSG);
	text.offset = 1; /* one that joins two takes no room */
	assert_int_equal(pieces_add(pieces, &text), 0);
}

static char *path_of(const struct pieces *pieces)
{
	char *path;

	assert_int_equal(pieces_path(pieces, &path), 0);
	return path;
}

static void a_path_is_turned_round(void **state)
{
	static const char whole[] = "sim\0bin\0usr"; /* and the '\0' of the literal */
	_cleanup_(pieces_freep) struct pieces *pieces = new_pieces(), *root = new_pieces();
	_cleanup_(pieces_freep) struct pieces *named = new_pieces();
	_cleanup_free_ char *path = NULL, *begun = NULL, *none = NULL, *of_kernel = NULL;

	(void)state;
	assert_int_equal(pieces_path(pieces, &none), -ENODATA);
	add(pieces, whole, 0, 10, false);
	begun = path_of(pieces);
	assert_string_equal(begun, ".../bin/sim");
	add(pieces, whole, 10, sizeof(whole), true);
	path = path_of(pieces);
	assert_string_equal(path, "/usr/bin/sim");

	add(root, "", 0, 0, true);
	none = path_of(root);
	assert_string_equal(none, "/");
	add(named, "sim\0/", 0, 6, true); /* the root, as the kernel names it */
	of_kernel = path_of(named);
	assert_string_equal(of_kernel, "/sim");
}

static void a_path_without_its_beginning_says_so(void **state)
{
	static const char whole[] = "sim\0bin";
	_cleanup_(pieces_freep) struct pieces *pieces = new_pieces(), *nothing = new_pieces();
	struct pf_process_text text = piece_of(whole, 0, sizeof(whole), true);
	_cleanup_free_ char *path = NULL;

	(void)state;
	text.is_cut = 1;
	assert_int_equal(pieces_add(pieces, &text), 0);
	path = path_of(pieces);
	assert_string_equal(path, ".../bin/sim");
	text.bytes = 0;
	assert_int_equal(pieces_add(nothing, &text), 0);
	assert_int_equal(pieces_path(nothing, &path), -ENODATA);
}

static void a_text_that_is_shared_lives_until_its_last_owner_is_gone(void **state)
{
	struct pieces *pieces = new_pieces(), *shared = pieces_share(pieces);

	(void)state;
	add(pieces, "A=1", 0, 4, true);
	pieces_free(pieces);
	assert_string_equal(pieces_variable(shared, "A"), "1");
	pieces_free(shared);
	pieces_free(NULL);
}

#define N_VARIABLES 40
#define MAX_WHOLE   4096

struct whole { /* an environment, and where its variables lie */
	char text[MAX_WHOLE];
	size_t size, begins[N_VARIABLES + 1];
};

static void make_whole(struct whole *whole)
{
	whole->size = 0;
	for (int i = 0; i < N_VARIABLES; i++) {
		whole->begins[i] = whole->size;
		whole->size += 1 + sprintf(whole->text + whole->size, "%.*sV%d=%0*d",
					   (int)(rand() % 8), "PREFIX__", i, 1 + rand() % 60, i);
	}
	whole->begins[N_VARIABLES] = whole->size;
}

/* Whatever is said of the environment is true, and what lies between two ends that are known is
 * said. */
static void check(const struct whole *whole, const bool *has, const struct pieces *pieces)
{
	size_t cursor = 0, n_said = 0, n_certain = 0;
	const char *variable;
	int at = 0;

	while ((variable = pieces_next_variable(pieces, &cursor))) {
		while (at < N_VARIABLES && strcmp(whole->text + whole->begins[at], variable) != 0)
			at++;
		assert_true(at++ < N_VARIABLES);
		n_said++;
	}
	for (int i = 0; i < N_VARIABLES; i++) {
		bool is_certain = i == 0 || has[whole->begins[i] - 1];

		for (size_t byte = whole->begins[i]; byte < whole->begins[i + 1]; byte++)
			is_certain &= has[byte];
		n_certain += is_certain;
	}
	assert_int_equal(n_said, n_certain);
}

static void of_random_pieces_in_random_order_all_that_is_certain_is_known(void **state)
{
	(void)state;
	srand(7);
	for (int round = 0; round < 2000; round++) {
		_cleanup_(pieces_freep) struct pieces *pieces = new_pieces();
		bool has[MAX_WHOLE] = {};
		struct whole whole;

		make_whole(&whole);
		for (int i = rand() % 60; i > 0; i--) {
			size_t begin = rand() % whole.size, end = begin + 1 + rand() % 200;

			if (end > whole.size)
				end = whole.size;
			add(pieces, whole.text, begin, end, end == whole.size);
			memset(has + begin, true, end - begin);
		}
		check(&whole, has, pieces);
		assert_int_equal(pieces_have_ended(pieces), !memchr(has, false, whole.size));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_make_a_whole_in_any_order),
		cmocka_unit_test(what_a_gap_may_have_taken_a_part_of_is_not_handed_out),
		cmocka_unit_test(the_last_variable_of_a_text_that_was_cut_is_not_known),
		cmocka_unit_test(an_empty_text_ends_at_once),
		cmocka_unit_test(what_reaches_beyond_the_limits_is_refused),
		cmocka_unit_test(a_path_is_turned_round),
		cmocka_unit_test(a_path_without_its_beginning_says_so),
		cmocka_unit_test(a_text_that_is_shared_lives_until_its_last_owner_is_gone),
		cmocka_unit_test(of_random_pieces_in_random_order_all_that_is_certain_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
