// SPDX-License-Identifier: LGPL-3.0-or-later
/* libalias.so - one function under three names, as MPI libraries have theirs */
int PREFIX_send(int x);
int SHORT_send(int x) __attribute__((alias("PREFIX_send")));
int SHORT_send_too(int x) __attribute__((weak, alias("PREFIX_send")));
int SHORT_other(int x);

int PREFIX_send(int x)
{
	return x + 1;
}

int SHORT_other(int x)
{
	return x + 2;
}
