#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""bench_system.py [lammps|memory]... - what a whole traced run costs

lammps: LAMMPS's melt on two ranks, traced and not, in turn; the ratios of the least times: that of the time loop as LAMMPS
        itself reports it, that of the whole command, perfflow's start and end included, and that of the CPU.
memory: a program that calls one function 10,000,000 times, traced; the daemon's resident memory while the spans stream
        through it, and the rate. Exit status 1 if it grows or a span is lost.

PERFFLOW_BUILD names the build folder (default: build/release). Needs root.
"""
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("PERFFLOW_BUILD", os.path.join(HERE, "../../build/release"))
PERFFLOW = os.path.join(BUILD, "perfflow")
TARGETS = os.path.join(BUILD, "tests/targets")
MELT = "/usr/share/lammps/examples/melt/in.melt"
ROUNDS = 5
CALLS = 10_000_000
MORE_KIB = 1 << 10  # what memory may grow by in the second half


def measure(argv, folder):
    """Returns seconds: LAMMPS's own loop, the whole command, and the CPU time of it and all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    whole = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    loop = float(re.search(r"^Loop time of ([0-9.]+)", done.stdout, re.M).group(1))
    return loop, whole, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def spans_of(trace):
    with open(trace) as file:
        return json.load(file)[-1]["args"]["spans"]


def lammps():
    command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2", "lmp", "-in", "in.melt"]
    with tempfile.TemporaryDirectory() as folder:
        with open(MELT) as file: # ten times as long, so that the ratio is not that of starting and ending
            script = re.sub(r"^run\s+\d+", "run 2500", file.read(), flags=re.M)
        with open(os.path.join(folder, "in.melt"), "w") as file:
            file.write(script)
        trace = os.path.join(folder, "melt.json")
        traced = [PERFFLOW, "run", "-p", "liblammps.so*:LAMMPS_NS::*::compute", "-p", "libmpi.so*:MPI_*", "-o", trace,
                  "--"] + command
        plain_runs, traced_runs = [], []
        for _ in range(ROUNDS):
            plain_runs.append(measure(command, folder))
            traced_runs.append(measure(traced, folder))
        spans = spans_of(trace)
    print(f"| LAMMPS melt, 2,500 steps on 2 ranks, {spans:,} spans | untraced | traced | ratio |\n|---|---|---|---|")
    for i, name in enumerate(("time loop", "whole command", "CPU time, perfflow's own included")):
        plain, with_trace = min(run[i] for run in plain_runs), min(run[i] for run in traced_runs)
        print(f"| {name} | {plain:.2f} s | {with_trace:.2f} s | {with_trace / plain:.3f} |")


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def daemon_of(cli):
    """The private daemon is a child of the command line's process."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        if name == "perfflowd" and int(rest.split()[1]) == cli:
            return int(pid)
    return None


def memory():
    samples = []
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "hot.json")
        process = subprocess.Popen([PERFFLOW, "run", "-p", "hot_push", "-o", trace, "--", os.path.join(TARGETS, "hot"),
                                    "push", str(CALLS)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        start = time.monotonic()
        said = []
        reader = threading.Thread(target=lambda: said.append(process.stderr.read()))
        reader.start()
        while process.poll() is None:
            time.sleep(0.25)
            daemon = daemon_of(process.pid)
            try:
                if daemon:
                    samples.append(resident_kib(daemon))
            except OSError:
                pass
        seconds = time.monotonic() - start
        reader.join()
        size = os.path.getsize(trace)
    samples = [sample for sample in samples if sample]
    half = len(samples) // 2
    early, late = max(samples[:half]), max(samples[half:])
    print(f"| {CALLS:,} spans through the daemon | |\n|---|---|")
    print(f"| time | {seconds:.1f} s, {CALLS / seconds:,.0f} spans/s, {size / 1e9:.2f} GB written |")
    print(f"| resident memory, highest in the first half | {early / 1024:.1f} MiB |")
    print(f"| resident memory, highest in the second half | {late / 1024:.1f} MiB |")
    print("\n" + "".join(said), file=sys.stderr)
    return late > early + MORE_KIB or "nothing was lost" not in "".join(said) or f"{CALLS:,} spans" not in "".join(said)


def main():
    wanted = sys.argv[1:] or ["lammps", "memory"]
    for name in wanted:
        if name not in ("lammps", "memory"):
            sys.exit(__doc__)
    missed = False
    for name in wanted:
        missed |= bool({"lammps": lammps, "memory": memory}[name]())
        print()
    return missed


if __name__ == "__main__":
    sys.exit(main())
