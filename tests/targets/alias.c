// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * alias - calls one function of libalias.so under its three names
 *
 * PREFIX_send(), SHORT_send() and SHORT_send_too() are one: 3 + 4 + 5 = 12 calls. SHORT_other(): 2 calls.
 */
int PREFIX_send(int x);
int SHORT_send(int x);
int SHORT_send_too(int x);
int SHORT_other(int x);

int main(void)
{
	int sum = 0;

	for (int i = 0; i < 3; i++)
		sum += PREFIX_send(0);
	for (int i = 0; i < 4; i++)
		sum += SHORT_send(0);
	for (int i = 0; i < 5; i++)
		sum += SHORT_send_too(0);
	for (int i = 0; i < 2; i++)
		sum += SHORT_other(0);
	return sum != 16;
}
