#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# trace.sh [OPTION...] - traces study.py as one session, with all that perfflow can add to it
#
# The options are perfflow's: -o FILE says where the trace goes. $PERFFLOW names the program, if it is not in PATH.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PERFFLOW:-perfflow}" run "$@" \
	-p '(liblammps.so*:LAMMPS_NS::Run::command) args=(steps:*str@3) cat=lammps' \
	-p '(liblammps.so*:LAMMPS_NS::*::compute || LAMMPS_NS::Verlet::setup || LAMMPS_NS::Verlet::run ||
	     LAMMPS_NS::Neighbor::build || LAMMPS_NS::Dump::write || /CommBrick::(\w+_comm|exchange|borders)$/) cat=lammps' \
	-p '(lib*rte.so*:/^(orte|prte)_(init|odls_base_spawn_proc)$/) cat=mpirun' \
	-p '(libmpi.so*:MPI_Send) args=(count:i32@2, to:i32@4, tag:i32@5) cat=mpi' \
	-p '(libmpi.so*:MPI_Irecv) args=(count:i32@2, from:i32@4, tag:i32@5) cat=mpi' \
	-p '(libmpi.so*:MPI_Allreduce) args=(count:i32@3) cat=mpi' \
	-p '(libmpi.so*:MPI_* && !/_(Send|Irecv|Allreduce|Wtime)$/ || libmpi.so*:ompi_mpi_finalize) cat=mpi' \
	-p '(libsqlite3.so*:sqlite3_prepare_v2) args=(sql:str[200]@2) ret=i32 cat=sqlite' \
	-p '(libsqlite3.so*:sqlite3_step) args=(statement:ptr@1) ret=i32 cat=sqlite' \
	-p '(libc.so*:pwrite64 && cflow(libsqlite3.so*:sqlite3_step)) args=(fd:i32@1, bytes:u64@3, offset:i64@4) ret=i64 cat=sqlite' \
	-p '(libc.so*:fdatasync) args=(fd:i32@1) stack cat=sqlite' \
	-p '(libz.so*:deflate) min=10us args=(flush:i32@2) ret=i32 cat=zlib' \
	-p '(liblzma.so*:lzma_code) min=10us args=(action:i32@2) ret=i32 cat=lzma' \
	-p 'before_async(usdt(python:import__find__load__start)) args=(module:str@1) name=import cat=python' \
	-p 'after_async(usdt(python:import__find__load__done)) args=(module:str@1) name=import cat=python' \
	-p 'after(py(study:*)) cat=python' \
	--metrics mem,faults,ctxsw,io,page-faults --sched -- /usr/bin/python3 "$here/study.py" "$folder"
