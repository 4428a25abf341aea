/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sink/put.h - formatting by hand: each of these writes at p and returns what is behind it */
#ifndef PERFFLOW_SINK_PUT_H
#define PERFFLOW_SINK_PUT_H

#include <stdint.h>
#include <string.h>

#define put_literal(p, literal)                                                                    \
	((char *)memcpy((p), (literal), sizeof(literal) - 1) + sizeof(literal) - 1)

#define PUT_NUMBER_BYTES 24 /* the most that a number takes, with its decimals */

static inline char *put_pair(char *p, unsigned int value)
{
	static const char digit_pairs[200] = "00010203040506070809101112131415161718192021222324"
					     "25262728293031323334353637383940414243444546474849"
					     "50515253545556575859606162636465666768697071727374"
					     "75767778798081828384858687888990919293949596979899";

	memcpy(p, &digit_pairs[2 * value], 2);
	return p + 2;
}

static inline unsigned int count_digits(uint64_t value)
{
	unsigned int n = 1;

	for (; value >= 10000; value /= 10000)
		n += 4;
	return n + (value >= 10) + (value >= 100) + (value >= 1000);
}

static inline char *put_number(char *p, uint64_t value)
{
	char *end = p + count_digits(value);

	for (p = end; value >= 100; value /= 100)
		put_pair(p -= 2, value % 100);
	if (value >= 10)
		put_pair(p - 2, value);
	else
		p[-1] = '0' + value;
	return end;
}

static inline char *put_signed(char *p, int64_t value)
{
	if (value >= 0)
		return put_number(p, value);
	*p++ = '-';
	return put_number(p, 0 - (uint64_t)value);
}

static inline char *put_hex(char *p, uint64_t value)
{
	unsigned int shift = 60;

	p = put_literal(p, "0x");
	while (shift && !(value >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		*p++ = "0123456789abcdef"[value >> shift & 15];
		if (!shift)
			return p;
	}
}

/* A number of thousandths, with its three decimals. */
static inline char *put_thousandths(char *p, uint64_t value)
{
	unsigned int rest = value % 1000;

	p = put_number(p, value / 1000);
	*p++ = '.';
	*p++ = '0' + rest / 100;
	return put_pair(p, rest % 100);
}

static inline char *put_string(char *p, const char *string)
{
	size_t size = strlen(string);

	memcpy(p, string, size);
	return p + size;
}

#endif
