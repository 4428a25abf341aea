#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""bench_pfw.py - what a call of an annotated function costs under `perfflow run --pfw`

In each of PerfFlowAspect's modes, with one thread and with two: the CPU time that the program itself uses more for each call
than untraced, that of perfflow's own processes for each call (without that for starting and ending), and the bytes in the
file. The least of ROUNDS. The function does nothing.

PERFFLOW_BUILD names the build folder (default: build/release). Needs root.
"""
import glob
import os
import re
import resource
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("PERFFLOW_BUILD", os.path.join(HERE, "../../build/release"))
PERFFLOW = os.path.join(BUILD, "perfflow")
TARGET = os.path.join(BUILD, "tests/targets/pfw_one_thread_each")
MODES = ("log-event=verbose", "log-event=compact", "log-event=verbose:cpu-mem-usage=True", "log-event=compact:cpu-mem-usage=True")
CALLS = 200_000
ROUNDS = 3


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(command, n_threads, n_calls, options):
    """Seconds of CPU: of the program, and of all else; and the bytes of its file."""
    timed = ["bash", "-c", f'TIMEFORMAT="cpu %U %S"; time {TARGET} {n_threads} {n_calls // n_threads}']
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


def main():
    print("mode                                  threads   ns in the program   ns in perfflow   bytes  (each: a call)")
    for n_threads in (1, 2):
        plain, _, _ = least([], n_threads, CALLS, "")
        for mode in MODES:
            program, own, size = least([PERFFLOW, "run", "--pfw", "--"], n_threads, CALLS, mode)
            _, start, _ = least([PERFFLOW, "run", "--pfw", "--"], n_threads, 2, mode)
            print(f"{mode:37} {n_threads:7} {(program - plain) / CALLS * 1e9:19.0f} {(own - start) / CALLS * 1e9:16.0f} {size / CALLS:7.0f}")


if __name__ == "__main__":
    main()
