// SPDX-License-Identifier: LGPL-3.0-or-later
/* libplugin.so - a library that programs load while they run */
int plugged(int x);

int plugged(int x)
{
	return x * 2;
}
