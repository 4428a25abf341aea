/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The digests of the standard's own examples, and of what sha1sum says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "util/sha1.h"

static void assert_sha1(const char *text, size_t size, const char *hex)
{
	unsigned char digest[SHA1_BYTES];
	char shown[2 * SHA1_BYTES + 1];

	sha1(text, size, digest);
	for (size_t i = 0; i < SHA1_BYTES; i++)
		snprintf(shown + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(shown, hex);
}

static void the_standards_examples_come_out(void **state)
{
	const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

	(void)state;
	assert_sha1("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	assert_sha1("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
	assert_sha1(two_blocks, strlen(two_blocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}

/* Up to 55 bytes fit into the last block beside what fills it up. */
static void texts_about_as_long_as_a_block_come_out(void **state)
{
	char text[129];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_sha1(text, 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a");
	assert_sha1(text, 56, "c2db330f6083854c99d4b5bfb6e8f29f201be699");
	assert_sha1(text, 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d");
	assert_sha1(text, 128, "ad5b3fdbcb526778c2839d2f151ea753995e26a0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_standards_examples_come_out),
		cmocka_unit_test(texts_about_as_long_as_a_block_come_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
