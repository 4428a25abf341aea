// SPDX-License-Identifier: LGPL-3.0-or-later
// across - exceptions cross from a shared library into the program, back, and through both
#include "across.h"

CALLED static void own(int n)
{
	Guard guard("own", n);

	if (n % 2)
		throw Problem(n);
}

CALLED static void to_and_fro(int n)
{
	Guard guard("to_and_fro", n);

	if (n > 0)
		across_call(to_and_fro, n - 1);
	else
		across_throw(n);
}

int main()
{
	for (int i = 0; i < 4; i++) {
		try {
			across_throw(i);
		} catch (const Problem &problem) {
			say("program caught %d", problem.number);
		}
		try {
			to_and_fro(i);
		} catch (const Problem &problem) {
			say("program caught %d from afar", problem.number);
		}
		say("library %s it", across_catch(own, i) ? "caught" : "did not see");
	}
	return 0;
}
