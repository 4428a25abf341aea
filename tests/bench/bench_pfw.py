#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""bench_pfw.py - what a call of an annotated function costs under `perfflow run --pfw`

In each of PerfFlowAspect's modes, with one thread and with two: the CPU time that the program itself uses more for each call
than untraced, that of perfflow's own processes for each call (without that for starting and ending), both together, what
PerfFlowAspect's runtime needs, and the bytes in the file. The same where the process wants no file, and of a program that
PerfFlowAspect's compiler pass has woven: there a call is one of each of the two functions that it has put in. At last, what
the places for probes cost that perfflow/annotate.h makes, while nobody traces. The least of ROUNDS. The functions do nothing.

Exits with 1 where the program uses more than a fifth of what PerfFlowAspect needs. PERFFLOW_BUILD names the build folder
(default: build/release). Needs root.
"""
import glob
import os
import re
import resource
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("PERFFLOW_BUILD", os.path.join(HERE, "../../build/release"))
PFW = [os.path.join(BUILD, "perfflow"), "run", "--pfw", "--"]
TARGETS = os.path.join(BUILD, "tests/targets")
# CPU nanoseconds of a call in PerfFlowAspect's C++ runtime on a machine of the same kind, by mode and threads, and the range
# that several batches had. With two threads it crashes in all modes but one.
THEIRS = {
    ("log-event=verbose", 1): (11_500, "10,000-13,000"), ("log-event=verbose", 2): (13_500, "13,000-14,000"),
    ("log-event=compact", 1): (11_000, "11,000-12,000"), ("log-event=verbose:cpu-mem-usage=True", 1): (26_000, "26,000-28,000"),
    ("log-event=compact:cpu-mem-usage=True", 1): (28_000, "28,000-32,000"), ("log-enable=False", 1): (None, "1,800-2,000"),
}
MODES = ("log-event=verbose", "log-event=compact", "log-event=verbose:cpu-mem-usage=True", "log-event=compact:cpu-mem-usage=True",
         "log-enable=False")
GOAL = 1 / 5
CALLS, UNTRACED_CALLS = 200_000, 50_000_000
WOVEN_CALLS_OF_ROUND = 11  # of woven.c, on its two threads: of both functions 22
ROUNDS = 3


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(command, program, options):
    """Seconds of CPU: of the program, and of all else; and the bytes of its file."""
    timed = ["bash", "-c", f'TIMEFORMAT="cpu %U %S"; time {TARGETS}/{program}']
    with tempfile.TemporaryDirectory() as folder:
        before = cpu_of_children()
        done = subprocess.run([*command, *timed], cwd=folder, check=True, capture_output=True, text=True,
                              env=dict(os.environ, PERFFLOW_OPTIONS=options))
        whole = cpu_of_children() - before
        user, system = map(float, re.search(r"^cpu ([\d.]+) ([\d.]+)$", done.stderr, re.M).groups())
        if command and "complete: nothing was lost" not in done.stderr:
            print(done.stderr)
        return user + system, whole - user - system, sum(os.path.getsize(path) for path in glob.glob(f"{folder}/*.pfw"))


def least(*arguments):
    return [min(values) for values in zip(*(measure(*arguments) for _ in range(ROUNDS)))]


def row(title, program, least_program, n_calls, options, theirs=(None, "")):
    """Measures and prints a row; returns whether it is within the goal. least_program has next to no calls."""
    plain, _, _ = least([], program, options)
    traced, own, size = least(PFW, program, options)
    _, start, _ = least(PFW, least_program, options)
    in_program, in_perfflow = (traced - plain) / n_calls * 1e9, (own - start) / n_calls * 1e9
    is_good = theirs[0] is None or in_program <= theirs[0] * GOAL
    print(f"{title:46} {in_program:10.0f} {in_perfflow:8.0f} {in_program + in_perfflow:8.0f} {theirs[1]:>15} {size / n_calls:7.0f}"
          f"{'' if is_good else f'   above {theirs[0] * GOAL:.0f}'}", flush=True)
    return is_good


def main():
    is_good = True
    print("                                               ns in the     ns in   ns, the  PerfFlowAspect")
    print("mode                                             program  perfflow     sum            (C++)   bytes  (each: a call)")
    for n_threads in (1, 2):
        for mode in MODES:
            is_good &= row(f"{mode}, {n_threads} thread{'s' * (n_threads > 1)}", f"pfw_one_thread_each {n_threads} {CALLS // n_threads}",
                           f"pfw_one_thread_each {n_threads} 1", CALLS, mode, THEIRS.get((mode, n_threads), (None, "-")))
    n_rounds = CALLS // WOVEN_CALLS_OF_ROUND
    row("woven by its pass, verbose, 2 threads", f"woven {n_rounds}", "woven 1", n_rounds * WOVEN_CALLS_OF_ROUND, "log-event=verbose")

    annotated, plain = (least([], f"{name} 1 {UNTRACED_CALLS}", "")[0] for name in ("pfw_one_thread_each", "pfw_unannotated"))
    print(f"\nuntraced, with perfflow/annotate.h and without: {annotated / UNTRACED_CALLS * 1e9:.2f} and "
          f"{plain / UNTRACED_CALLS * 1e9:.2f} ns a call")
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
