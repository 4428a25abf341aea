#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# Installs what is missing, builds, and runs all tests: the unit tests under the sanitizers, what has threads
# under that for threads, then everything in release.
#
#     deploy/test.sh [CTEST-OPTION...]
#
# The tests that trace need root. With PERFFLOW_CI=1 a test that skips for want of a package fails. In release those that wait for
# the machine have a second try, and what they said at the first is shown: one whose CPUs are taken away for a while is late with
# everything. What is found by chance, as by fuzzers, or may not happen even once, has none. The summary of a part that failed is
# shown again at the end.
set -euo pipefail

cd "$(dirname "$0")/.."
root=()
[ "$(id -u)" = 0 ] || root=(sudo --preserve-env)

deploy/setup.sh --tests
for preset in sanitize tsan release; do
	cmake --preset "$preset"
	cmake --build --preset "$preset"
done

late='bpf|e2e|kernels'
beside='unit|fuzz|truth' # which may run beside each other
status=0
failures=

run_ctest() {
	local r=0 output

	output=$(mktemp)
	"$@" 2>&1 | tee "$output" || r=$?
	if [ "$r" != 0 ]; then
		status=$r
		failures+=$(sed -n '/^[0-9]*% tests passed/,$p' "$output")$'\n'
	fi
	rm -f "$output"
}

run_ctest ctest --preset sanitize "$@"
run_ctest "${root[@]}" ctest --preset tsan "$@"
run_ctest "${root[@]}" ctest --preset release --label-regex "^($beside)$" --parallel 2 "$@"
run_ctest "${root[@]}" ctest --preset release --label-exclude "^($beside|$late)$" "$@"
run_ctest "${root[@]}" ctest --preset release --label-regex "^($late)$" --repeat until-pass:2 "$@"
printf '%s' "$failures"
exit "$status"
