#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""How fast `perfflow convert` and `perfflow check` read a trace, and in how much memory.

    bench_convert.py [MEGABYTES]        256 by default; needs no rights

Prints a line for each format: seconds, CPU seconds, MB of trace for each of these, the most memory that was used; and how
fast a Python reader (json, line by line) gets through a hundredth of the same trace.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from made_trace import MadeTrace  # noqa: E402
from perfflow import PERFFLOW  # noqa: E402

THREADS = 32


def write_trace(path, megabytes):
    """Calls three deep in 32 threads, inside of one that lasts from begin to end: formatted once, times put in."""
    head = MadeTrace()
    head.process(100, "app", {100 + i: f"thread {i}" for i in range(THREADS)})
    call = ('{"name":"%s","cat":"libapp.so.1","ph":"X","ts":%d.%03d,"dur":%s,"pid":100,"tid":%d,"args":{"cpu_usage":99.10,'
            '"oncpu_us":12.264,"runnable_us":0.000,"blocked_us":0.111}}')
    n = size = 0
    with open(path, "w") as file:
        file.write("[\n" + ",\n".join(head.lines))
        while size < megabytes << 20:
            lines = []
            for _ in range(1000):
                at, tid = 80_000_000_000_000 + n * 40_000, 100 + n % THREADS
                for name, start, dur in (("ns::Pair::compute", 3_001, "2.500"), ("ns::Force::step", 2_001, "9.125"),
                                         ("ns::Run::iterate", 1_001, "30.250")):
                    t = at + start
                    lines.append(call % (name, t // 1000, t % 1000, dur, tid))
                n += 1
            text = ",\n" + ",\n".join(lines)
            size += len(text)
            file.write(text)
        for i in range(THREADS):
            file.write(",\n" + call % ("main", 80_000_000_000, 0, f"{n * 40 + 100}.000", 100 + i))
        calls = n * 3 + THREADS
        head.n_spans = head.ends["return"] = calls
        head.now = 80_000_000_000_000 + n * 40_000 + 200_000
        head.summary()
        file.write(",\n" + head.lines[-1] + "\n]\n")
    return calls


def run(arguments):
    """Seconds, CPU seconds and the most memory of a run of perfflow."""
    began, peak, pid = time.monotonic(), 0, 0
    child = subprocess.Popen([PERFFLOW, *arguments], stdout=subprocess.DEVNULL)
    while not pid:
        with open(f"/proc/{child.pid}/status") as status:
            peak = max([peak] + [int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM")])
        time.sleep(0.02)
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"perfflow {' '.join(arguments)}: status {child.returncode}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, peak


def python_speed(path, size):
    began, done = time.process_time(), 0
    with open(path) as file:
        for line in file:
            done += len(line)
            if line.startswith("{"):
                json.loads(line.rstrip(",\n"))
            if done > size // 100:
                break
    return done / (time.process_time() - began) / 1e6


def main(argv):
    megabytes = int(argv[0]) if argv else 256
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        path = os.path.join(folder, "trace.json")
        calls = write_trace(path, megabytes)
        size = os.path.getsize(path)
        print(f"a trace of {size / 1e6:.0f} MB, {calls} calls of {THREADS} threads")
        runs = [("check", ["check", path])]
        for to in ("csv", "dftracer", "folded", "perfflowaspect", "hatchet"):
            out = os.path.join(folder, "out/" if to == "hatchet" else "out.txt")
            runs.append((to, ["convert", "--quiet", "--to", to, path, "-o", out]))
        print(f"{'':16}{'seconds':>9}{'of CPU':>9}{'MB a CPU second':>18}{'memory':>10}")
        for name, arguments in runs:
            seconds, cpu, peak = run(arguments)
            print(f"{name:16}{seconds:9.1f}{cpu:9.1f}{size / cpu / 1e6:18.1f}{peak / 1e6:7.0f} MB", flush=True)
        print(f"{'json in Python':16}{'':18}{python_speed(path, size):18.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
