/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* As FIPS 180-4 has it: blocks of 64 bytes, the last one filled up by a bit, zeros and the length.
 */
#include "util/sha1.h"

#include <stdint.h>
#include <string.h>

#define BLOCK_BYTES 64

struct state {
	uint32_t a, b, c, d, e;
};

static uint32_t rotate(uint32_t word, unsigned int bits)
{
	return word << bits | word >> (32 - bits);
}

static uint32_t read_word(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static uint32_t mix(const struct state *state, unsigned int round)
{
	if (round < 20)
		return 0x5a827999 + ((state->b & state->c) | (~state->b & state->d));
	if (round < 40)
		return 0x6ed9eba1 + (state->b ^ state->c ^ state->d);
	if (round < 60)
		return 0x8f1bbcdc +
		       ((state->b & state->c) | (state->b & state->d) | (state->c & state->d));
	return 0xca62c1d6 + (state->b ^ state->c ^ state->d);
}

static void take_block(struct state *sum, const unsigned char block[BLOCK_BYTES])
{
	struct state state = *sum;
	uint32_t words[80], next;

	for (unsigned int i = 0; i < 16; i++)
		words[i] = read_word(block + 4 * i);
	for (unsigned int i = 16; i < 80; i++)
		words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
	for (unsigned int i = 0; i < 80; i++) {
		next = rotate(state.a, 5) + mix(&state, i) + state.e + words[i];
		state = (struct state){next, state.a, rotate(state.b, 30), state.c, state.d};
	}
	sum->a += state.a;
	sum->b += state.b;
	sum->c += state.c;
	sum->d += state.d;
	sum->e += state.e;
}

static void take_end(struct state *sum, const unsigned char *rest, size_t n_rest, uint64_t size)
{
	unsigned char blocks[2 * BLOCK_BYTES] = {0};
	size_t n = n_rest + 1 + sizeof(size) > BLOCK_BYTES ? 2 : 1;

	memcpy(blocks, rest, n_rest);
	blocks[n_rest] = 0x80;
	for (unsigned int i = 0; i < sizeof(size); i++)
		blocks[n * BLOCK_BYTES - 1 - i] = size * 8 >> 8 * i;
	for (size_t i = 0; i < n; i++)
		take_block(sum, blocks + i * BLOCK_BYTES);
}

void sha1(const void *data, size_t size, unsigned char ret_digest[SHA1_BYTES])
{
	struct state sum = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	const unsigned char *bytes = data;
	size_t n_left = size;
	uint32_t words[5];

	for (; n_left >= BLOCK_BYTES; bytes += BLOCK_BYTES, n_left -= BLOCK_BYTES)
		take_block(&sum, bytes);
	take_end(&sum, bytes, n_left, size);

	memcpy(words, (uint32_t[]){sum.a, sum.b, sum.c, sum.d, sum.e}, sizeof(words));
	for (unsigned int i = 0; i < SHA1_BYTES; i++)
		ret_digest[i] = words[i / 4] >> (24 - 8 * (i % 4));
}
