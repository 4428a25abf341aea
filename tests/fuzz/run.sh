#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# run.sh FUZZER CORPUS: runs it on a copy of its kept corpus, a minute where all is checked (PERFFLOW_CI=1), else five seconds;
# on the same inputs each time, so that what fails, fails again. PERFFLOW_FUZZ_SECONDS asks for so long a search with new ones.
set -eu

seconds=5
seed=1
[ "${PERFFLOW_CI:-}" != 1 ] || seconds=60
if [ -n "${PERFFLOW_FUZZ_SECONDS:-}" ]; then
	seconds=$PERFFLOW_FUZZ_SECONDS
	seed=0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir new
export ASAN_OPTIONS=allocator_may_return_null=1 # to libraries that ask for what a damaged file says, as outside
# What fails is printed, so that it can be kept.
if ! "$1" -seed=$seed -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -max_len=65536 -print_final_stats=1 \
	-verbosity=0 new "$2" >log 2>&1; then
	tail -60 log
	for input in crash-* timeout-* oom-* leak-*; do
		[ ! -e "$input" ] || { echo "$input:"; base64 "$input" | head -c 20000; }
	done
	exit 1
fi
grep -E 'stat::(number_of_executed_units|peak_rss_mb)' log || true
