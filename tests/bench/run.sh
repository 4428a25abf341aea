#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# All benchmarks, one after another: the tables of the README and the docs; at last the ten minutes of soak.py. Needs root, and a
# machine that has nothing else to do.
#
#     tests/bench/run.sh
set -euo pipefail

build=${PERFFLOW_BUILD:-$(dirname "$0")/../../build/release}
status=0

"$build/tests/bench_span" || status=$?
echo
"$build/tests/bench_metrics" || status=$?
echo
"$build/tests/bench_sched" || status=$?
echo
"$build/tests/bench_aspect" || status=$?
echo
"$build/tests/bench_pipeline" || status=$?
echo
PERFFLOW_BUILD=$build "$(dirname "$0")/bench_match.py" || status=$?
echo
PERFFLOW_BUILD=$build "$(dirname "$0")/bench_convert.py" || status=$?
echo
PERFFLOW_BUILD=$build "$(dirname "$0")/bench_python.py" || status=$?
echo
PERFFLOW_BUILD=$build "$(dirname "$0")/bench_pfw.py" || status=$?
echo
PERFFLOW_BUILD=$build "$(dirname "$0")/bench_system.py" || status=$?
echo
PERFFLOW_BUILD=$build "$(dirname "$0")/bench_budget.py" || status=$?
echo
PERFFLOW_BUILD=$build "$(dirname "$0")/bench_load.py" || status=$?
echo
PERFFLOW_BUILD=$build "$(dirname "$0")/soak.py" || status=$?
exit "$status"
