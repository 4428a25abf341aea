#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# Installs what is missing, builds, and runs all tests: the unit tests under the sanitizers, what has threads
# under that for threads, then everything in release.
#
#     deploy/test.sh [CTEST-OPTION...]
#
# The tests that trace need root. With PERFFLOW_CI=1 a test that skips for want of a package fails. In release each has a second
# try, and what it said at the first is shown: a machine whose CPUs are taken away for a while is late with everything.
set -euo pipefail

cd "$(dirname "$0")/.."
root=()
[ "$(id -u)" = 0 ] || root=(sudo --preserve-env)

deploy/setup.sh --tests
for preset in sanitize tsan release; do
	cmake --preset "$preset"
	cmake --build --preset "$preset"
done

status=0
ctest --preset sanitize "$@" || status=$?
"${root[@]}" ctest --preset tsan "$@" || status=$?
"${root[@]}" ctest --preset release --repeat until-pass:2 "$@" || status=$?
exit "$status"
