#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""bench_load.py [sessions|joinpoints|rate]... [--seconds N] [--sessions N] [--functions N] [--rate N]

What the service carries, each with every call accounted for: in the trace, or among what the trace says it lost.

sessions:   64 sessions at once, each with a program of its own.
joinpoints: one session with 20,000 functions, each of which is called.
rate:       500,000 spans a second for a minute, into files of 256 MB of which two are kept; the daemon's resident memory after a
            tenth of the time, at the end, and at most.

The exit status is 1 where a call is neither there nor counted, where the program reaches less than 95% of the rate that it reaches
untraced (or of the one that was asked for, if that is less), or where the daemon holds more than 8 MiB more at the end than after a
tenth of the time. PERFFLOW_BUILD names the build folder (default: build/release).
Needs root.
"""
import argparse
import contextlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import Program, Service, bpf_held, run, target, wait_for  # noqa: E402

CHURN = target("churn")
SHARE = 0.95  # of the rate that has to be reached
MORE_KIB = 8 << 10  # what memory may grow by: pieces of heap that the kernel has not got back yet


class Scope(contextlib.ExitStack):
    """What the helpers of the tests want of a test."""
    addCleanup = contextlib.ExitStack.callback


def memory_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("VmRSS:")), 0)


def counted(path):
    with open(path, "rb") as file:
        return struct.unpack("q", file.read(8))[0]


def told(err):
    """Spans and losses, as the client's summary has them."""
    spans = re.search(r"processe?s?, ([\d,]+) spans?", err)
    missing = re.search(r"missing: (.*)", err)
    if not spans:
        sys.exit(f"no summary: {err}")
    lost = [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", missing.group(1))] if missing else []
    return int(spans.group(1).replace(",", "")), sum(lost)


def account(calls, spans, lost):
    """Whether each call is there or counted, in words."""
    is_right = spans <= calls <= spans + lost
    return is_right, f"{spans:,} spans, {lost:,} lost, of {calls:,} calls: {'all accounted for' if is_right else 'WRONG'}"


def sessions(options):
    with tempfile.TemporaryDirectory() as folder, Scope() as scope:
        service = Service(scope, f"{folder}/socket")
        pid = service.process.pid
        idle_kib, clients = memory_kib(pid), []
        start = time.monotonic()
        for i in range(options.sessions):
            client = service.start("run", "-p", "churn:work", "-o", f"{folder}/{i}.json", "--", CHURN, f"{folder}/{i}", "beats",
                                   10 ** 7)
            scope.callback(client.kill_all)
            clients.append(client)
        for client in clients:
            client.read_until("ready", timeout=300)
        started = time.monotonic() - start
        time.sleep(options.seconds / 10)
        at_once_kib, held = memory_kib(pid), bpf_held(pid)
        start = time.monotonic()
        for client in clients:
            client.terminate()
        sums = [0, 0, 0]
        for i, client in enumerate(clients):
            spans, lost = told(client.finish(300).err)
            for at, n in enumerate((counted(f"{folder}/{i}"), spans, lost)):
                sums[at] += n
        stopped = time.monotonic() - start
        wait_for("quiet", lambda: not bpf_held(pid)["link"], 60)
        is_right, words = account(*sums)
        print(f"| {options.sessions} sessions at once | |\n|---|---|")
        print(f"| start all; stop all | {started:.2f} s; {stopped:.2f} s |")
        print(f"| calls | {words} |")
        print(f"| BPF links, programs, maps | {len(held['link'])}, {len(held['prog'])}, {len(held['map'])} |")
        print(f"| resident memory before, with all, after | {idle_kib / 1024:.1f}, {at_once_kib / 1024:.1f}, "
              f"{memory_kib(pid) / 1024:.1f} MiB |\n")
    return is_right


def many_functions(folder, n):
    """A program with so many functions; it calls each ten times, and prints how often it called."""
    with open(f"{folder}/many.c", "w") as file:
        for i in range(n):
            file.write(f"__attribute__((noinline)) void many_{i}(void) {{ __asm__ volatile(\"\"); }}\n")
        file.write("int main(void)\n{\n\tfor (int i = 0; i < 10; i++) {\n")
        file.writelines(f"\t\tmany_{i}();\n" for i in range(n))
        file.write(f"\t}}\n\treturn 0;\n}}\n")
    subprocess.run(["cc", "-O0", "-o", f"{folder}/many", f"{folder}/many.c"], check=True)
    return [f"{folder}/many"], 10 * n


def joinpoints(options):
    with tempfile.TemporaryDirectory() as folder, Scope() as scope:
        command, calls = many_functions(folder, options.functions)
        service = Service(scope, f"{folder}/socket")
        pid = service.process.pid
        plain = time.monotonic()
        run(command)
        plain = time.monotonic() - plain
        client = service.start("run", "-p", "many:many_*", "-o", f"{folder}/t.json", "--", *command)
        scope.callback(client.kill_all)
        start, most_kib = time.monotonic(), 0
        while client.poll() is None:
            most_kib = max(most_kib, memory_kib(pid))
            time.sleep(0.01)
        whole = time.monotonic() - start
        is_right, words = account(calls, *told(client.finish(300).err))
        with open(f"{folder}/t.json") as file:
            names = len({event["name"] for event in json.load(file) if event["ph"] == "X"})
        print(f"| {options.functions:,} join points | |\n|---|---|")
        print(f"| calls | {words}, of {names:,} functions |")
        print(f"| the command untraced; traced, with start and end of the session | {plain:.2f} s; {whole:.2f} s |")
        print(f"| resident memory at most | {most_kib / 1024:.1f} MiB |\n")
    return is_right


def watch(pid, samples, is_over):
    while not is_over.wait(0.5):
        samples.append(memory_kib(pid))


def rate_of(program, calls, timeout):
    """Calls a second of a program that paces itself."""
    program.read_until("ready")
    start = time.monotonic()
    program.read_until("done", timeout=timeout)
    return calls / (time.monotonic() - start)


def untraced_rate(folder, options):
    """What the machine can do by itself, in a few seconds."""
    calls = options.rate * min(options.seconds, 5)
    program = Program([CHURN, f"{folder}/plain", "paced", calls, options.rate])
    try:
        return rate_of(program, calls, 60)
    finally:
        program.kill_all()


def rate(options):
    calls = int(options.rate * options.seconds)
    with tempfile.TemporaryDirectory() as folder, Scope() as scope:
        plain = untraced_rate(folder, options)
        service = Service(scope, f"{folder}/socket")
        samples, is_over = [], threading.Event()
        watcher = threading.Thread(target=watch, args=(service.process.pid, samples, is_over))
        client = service.start("run", "-p", "churn:work", "-o", f"{folder}/t.json", "--rotate", "256M", "--keep", "2", "--",
                               CHURN, f"{folder}/count", "paced", calls, options.rate)
        scope.callback(client.kill_all)
        watcher.start()
        reached = rate_of(client, calls, 600 + 20 * options.seconds)
        ran = client.finish(600)
        is_over.set()
        watcher.join()
        spans, lost = told(ran.err)
        is_right, words = account(calls, spans, lost)
        size = re.search(r"trace: (.*), the first", ran.err)
    early = samples[min(len(samples) - 1, max(2, len(samples) // 10))]
    print(f"| {options.rate:,} spans a second for {options.seconds} s | |\n|---|---|")
    is_fast, is_flat = reached >= SHARE * min(plain, options.rate), samples[-1] <= early + MORE_KIB
    print(f"| reached; untraced | {reached:,.0f} a second for {calls / reached:.1f} s{'' if is_fast else ' TOO FEW'}; {plain:,.0f} |")
    print(f"| pieces | {size.group(1) if size else ''} |")
    print(f"| calls | {words} |")
    print(f"| resident memory after a tenth, at the end, at most | {early / 1024:.1f}, {samples[-1] / 1024:.1f}, "
          f"{max(samples) / 1024:.1f} MiB{'' if is_flat else ' NOT FLAT'} |\n")
    return is_right and is_fast and is_flat


def main():
    kinds = {"sessions": sessions, "joinpoints": joinpoints, "rate": rate}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*kinds, []])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--sessions", type=int, default=64)
    parser.add_argument("--functions", type=int, default=20000)
    parser.add_argument("--rate", type=int, default=500000)
    options = parser.parse_args()
    results = [kinds[kind](options) for kind in options.kinds or kinds]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
