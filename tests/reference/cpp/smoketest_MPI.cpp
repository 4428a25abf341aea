/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A rank, all of whose work is an annotated function. It does without mpi.h, which few machines
 * have. */
#include <cstdio>

extern "C" int MPI_Init(int *argc, char ***argv);
extern "C" int MPI_Finalize();

__attribute__((annotate("@critical_path(pointcut='around')"))) int foo(int *argc, char ***argv)
{
	std::puts("a rank");
	return MPI_Init(argc, argv) || MPI_Finalize();
}

int main(int argc, char **argv)
{
	return foo(&argc, &argv);
}
