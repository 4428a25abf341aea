#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""bench_budget.py [--seconds N] [--runs N] [--budget SHARE]... [--cpu]

By how much a function that is called some 10,000,000 times a second slows its program down under `perfflow run --budget`.

The program calls it for nine tenths of the time, and for one tenth, spread over the whole, a twin that is not traced: what a call
of either takes is compared within the run, from the first second on and with all that trials take: time that passes, or with
--cpu, for a machine that has other things to do, time of the CPU. The first half second shows what it is like before.

The exit status is 1 where the mean of the runs is past the budget. PERFFLOW_BUILD names the build folder (default:
build/release). Needs root, and a machine that has nothing else to do.
"""
import argparse
import os
import statistics
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOW, Trace, run, target  # noqa: E402

SLOTS_PER_SECOND = 10


def slots(text):
    """[(calls, ns, CPU ns, then those of the twin)] of each tenth of a second."""
    return [tuple(int(word) for word in line.split()) for line in text.splitlines()]


def rates(slots_, by_cpu):
    """Calls a second of each twin."""
    calls, time_ns, cpu_ns, bare_calls, bare_ns, bare_cpu_ns = (sum(column) for column in zip(*slots_))
    return calls / (cpu_ns if by_cpu else time_ns) * 1e9, bare_calls / (bare_cpu_ns if by_cpu else bare_ns) * 1e9


def untraced(seconds, by_cpu):
    """The same without perfflow: calls a second, and how much faster the twin is."""
    hot, bare = rates(slots(run([target("twins"), str(seconds)], timeout=seconds + 60).out), by_cpu)
    return hot, bare / hot - 1


def traced(share, seconds, by_cpu):
    """The slow-down from the first second on and in the first half of it, and what became of the function."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.json")
        ran = run([PERFFLOW, "run", "--quiet", "--budget", share, "-p", "twins:twin_hot", "-o", path, "--", target("twins"),
                   str(seconds)], timeout=seconds + 120)
        if ran.status:
            sys.exit(f"{ran}")
        steps = [event["name"] for event in Trace(path).events if event["cat"] == "__overhead"]
    measured = slots(ran.out)
    hot, bare = rates(measured[SLOTS_PER_SECOND:], by_cpu)
    first_hot, _ = rates(measured[:SLOTS_PER_SECOND // 2], by_cpu)
    return bare / hot - 1, bare / first_hot - 1, bare, steps


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=31, help="of a run, with the first one")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--budget", action="append")
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    is_good = True
    hot, differ = untraced(max(options.seconds // 3, 2), options.cpu)
    print(f"untraced: {hot:,.0f} calls a second; the twin is {100 * differ:.2f}% faster")
    print("| budget | calls a second of the twin | slow-down in the first 0.5 s | after 1 s, mean | each run | steps |")
    print("|---|---|---|---|---|---|")
    for share in options.budget or ["5%", "1%"]:
        runs = [traced(share, options.seconds, options.cpu) for _ in range(options.runs)]
        mean = statistics.mean(after for after, *_ in runs)
        each = ", ".join(f"{100 * after:.2f}%" for after, *_ in runs)
        print(f"| {share} | {statistics.mean(bare for _, _, bare, _ in runs):,.0f} | "
              f"{100 * statistics.mean(first for _, first, _, _ in runs):.0f}% | {100 * mean:.2f}% | {each} | "
              f"{', '.join(runs[-1][3])} |", flush=True)
        is_good &= 100 * mean <= float(share.rstrip("%"))
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
