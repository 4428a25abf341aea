#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""soak.py [--seconds N]

Sessions that begin and end, on processes that are born, hit, load libraries, execute and end meanwhile, for ten minutes: what is
left then in the daemon of descriptors, BPF links, programs and maps, threads and memory, and what the kernel has complained of.

The exit status is 1 where something is left, or the daemon has ended. PERFFLOW_BUILD names the build folder (default:
build/release). Needs root.
"""
import argparse
import contextlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

for name in ("lib", "e2e"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name))
from perfflow import PERFFLOW, TARGETS, Program, bpf_held, no_bpf, skip_machine, target, wait_for  # noqa: E402
from test_users import CONFIG, STRANGER, ConfiguredService, as_user  # noqa: E402

PLUGIN = os.path.join(TARGETS, "libplugin.so")
MORE_KIB = 16 << 10  # what memory may grow by after the first round of everything
COMPLAINT = re.compile(r"WARNING:|BUG:|Oops|refcount_t|general protection|uprobe.*(fail|leak)|unable to handle", re.I)


class Scope(contextlib.ExitStack):
    """What the helpers of the tests want of a test."""
    addCleanup = contextlib.ExitStack.callback


class Soak:
    def __init__(self, scope, folder):
        self.folder = folder
        os.chmod(folder, 0o777)  # for the plain user
        with open(f"{folder}/perfflowd.conf", "w") as file:
            file.write(CONFIG + "allow_users = yes\n[limits]\nread_seconds_per_user = 60\n")  # they do nothing else here
        self.users_perfflow, self.users_churn = (shutil.copy(path, folder) for path in (PERFFLOW, target("churn")))
        self.service = ConfiguredService(scope, f"{folder}/socket", f"{folder}/perfflowd.conf")
        self.pid = self.service.process.pid
        self.is_over = threading.Event()
        self.lock = threading.Lock()
        self.done = {}
        self.errors = []

    def note(self, what):
        with self.lock:
            self.done[what] = self.done.get(what, 0) + 1

    def output(self):
        return f"{self.folder}/{threading.get_ident()}.json"

    def finish(self, client, *statuses):
        """A client, or what it runs, that has to end; a daemon that has gone is an error."""
        ran = client.finish(120)
        if ran.status not in statuses or "perfflowd has gone" in ran.err:
            raise AssertionError(ran)

    # What happens all the time, a function each: one round of it.

    def attach_and_detach(self):
        program = Program([target("churn"), f"{self.output()}.counts", "beats", 10 ** 7])
        try:
            program.read_until("ready")
            for _ in range(3):
                client = self.service.start("attach", "--pid", program.pid, "-p", "churn:work", "-p", "libc.so*:*usleep", "-o",
                                            self.output(), "--duration", f"{random.randint(1, 200)}ms")
                self.finish(client, 0)
                self.note("attached and detached")
        finally:
            program.kill_all()

    def end_while_attaching(self):
        """The target ends, at some moment of the attaching."""
        program = Program([target("churn"), f"{self.output()}.counts", "beats", 10 ** 7])
        client = self.service.start("attach", "--pid", program.pid, "-p", "churn:work", "-o", self.output())
        time.sleep(random.uniform(0, 0.2))
        program.kill_all()
        self.finish(client, 0, 1)
        self.note("targets killed")

    def kill_clients(self):
        client = self.service.start("run", "-p", "churn:work", "--rotate", "64K", "--keep", "2", "-o", self.output(), "--",
                                    target("churn"), f"{self.output()}.counts", "beats", 10 ** 7)
        time.sleep(random.uniform(0, 0.5))
        client.kill_all()
        self.note("clients killed")

    def fork_often(self):
        client = self.service.start("run", "-p", "churn:work", "-o", self.output(), "--", target("churn"),
                                    f"{self.output()}.counts", "forks", 200)
        self.finish(client, 0)
        self.note("runs with 200 processes")

    def thread_often(self):
        client = self.service.start("run", "-p", "around(churn:*) stack", "-o", self.output(), "--", target("churn"),
                                    f"{self.output()}.counts", "threads", 200, 10)
        self.finish(client, 0)
        self.note("runs with 200 threads")

    def execute(self):
        client = self.service.start("run", "-p", "exec:*", "--sched", "-o", self.output(), "--", target("exec"),
                                    *random.choice([[], ["thread"]]))
        self.finish(client, 6)  # as it ends untraced
        self.note("programs that execute")

    def load_libraries(self):
        """A library that is loaded while every process of it is traced."""
        client = self.service.start("attach", "--binary", PLUGIN, "-p", "plugged", "-o", self.output())
        try:
            for _ in range(5):
                Program([target("loads"), PLUGIN]).finish(60)
                self.note("libraries loaded")
            client.read_until("tracing", "stderr", 120)
        finally:
            client.terminate()
            self.finish(client, 0)

    def refuse(self):
        client = self.service.start("run", "-p", "churn:no_such_function", "-o", self.output(), "--", target("churn"), "x", "calls", 1)
        self.finish(client, 125)
        self.note("refused")

    def keep_to_a_budget(self):
        """Functions are sampled, paused, tried and resumed: links come and go while their probes are hit."""
        client = self.service.start("run", "--budget", "5%", "-p", "rates:rate_*", "-o", self.output(), "--", target("rates"), 3, 1)
        self.finish(client, 0)
        self.note("runs with a budget" + ("" if "is paused" in client.output().err else " that was kept without a pause"))

    def trace_as_a_plain_user(self):
        """Each process has links of its own, those that are born and those that execute."""
        path = f"{self.output()}.user"
        script = f"{self.users_churn} {path}.counts forks 30; for i in 1 2 3 4 5; do {self.users_churn} {path}.counts calls 10; done"
        client = Program(as_user(STRANGER, self.users_perfflow, "run", "--socket", self.service.socket, "-p", "churn:work", "-o", path,
                                 "--allow-empty", "--", "sh", "-c", script))
        self.finish(client, 0)
        self.note("plain users' runs with 36 processes")

    def leave_as_a_plain_user(self):
        """The client is killed while its processes are born."""
        path = f"{self.output()}.user"
        client = Program(as_user(STRANGER, self.users_perfflow, "run", "--socket", self.service.socket, "-p", "churn:work", "-o", path,
                                 "--", self.users_churn, f"{path}.counts", "forks", 100000))
        time.sleep(random.uniform(0, 1))
        client.kill_all()
        self.note("plain users' clients killed")

    KINDS = (attach_and_detach, end_while_attaching, kill_clients, fork_often, thread_often, execute, load_libraries, refuse, keep_to_a_budget,
             trace_as_a_plain_user, leave_as_a_plain_user)

    def work(self, kind):
        while not self.is_over.is_set():
            try:
                kind(self)
            except Exception as error:  # told at the end, whatever it is
                self.errors.append(f"{kind.__name__}: {error}")
                return

    def quiet(self):
        return "running" not in self.service.perfflow("list").out and not bpf_held(self.pid)["link"]

    def n_descriptors(self):
        """Without the connection of who asked last, which may stay for a moment."""
        def count():
            time.sleep(0.05)
            return len(os.listdir(f"/proc/{self.pid}/fd"))
        return min(count() for _ in range(20))

    def measure(self):
        """What the daemon has while it does nothing."""
        wait_for("the end of all sessions", self.quiet, 120)
        n_descriptors = self.n_descriptors()  # for a second: a session leaves the list before the last of it is freed
        held = bpf_held(self.pid)
        with open(f"/proc/{self.pid}/status") as file:
            status = dict(line.split(":", 1) for line in file)
        return {"descriptors": n_descriptors, "links": len(held["link"]),
                "programs": len(held["prog"]), "maps": len(held["map"]), "threads": int(status["Threads"]),
                "KiB of memory": int(status["VmRSS"].split()[0])}

    def one_round(self):
        for kind in self.KINDS:
            kind(self)
        return self.measure()

    def measure_again(self, before):
        """Sessions that ran at once may leave the heap in pieces, which the next ones give back: what grows is left over."""
        after = self.measure()
        for _ in range(2):
            if self.errors or not has_grown(before, after):
                break
            after = self.one_round()
        return after

    def run(self, seconds):
        before = self.one_round()  # so that all is loaded that stays
        self.done.clear()
        workers = [threading.Thread(target=self.work, args=[kind]) for kind in self.KINDS]
        for worker in workers:
            worker.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.errors and self.service.process.poll() is None:
            time.sleep(0.2)
        self.is_over.set()
        for worker in workers:
            worker.join()
        if self.service.process.poll() is not None:
            sys.exit(f"perfflowd has ended: {self.service.process.output()}")
        return before, self.measure_again(before)


def has_grown(before, after):
    return after["KiB of memory"] > before["KiB of memory"] + MORE_KIB


def complaints():
    """Lines of the kernel's log that tell of trouble. One that cannot be read is no clean one."""
    ran = subprocess.run(["dmesg"], capture_output=True, text=True, errors="replace")
    if ran.returncode:
        sys.exit(f"the kernel's log cannot be read: {ran.stderr.strip()}")
    return [line for line in ran.stdout.splitlines() if COMPLAINT.search(line)]


def judge(before, after, new_complaints, errors):
    """Prints it all; returns whether it is well."""
    is_well = not errors and not new_complaints
    print("\n| the daemon has | before | after |\n|---|---|---|")
    for name, n in before.items():
        room = MORE_KIB if name == "KiB of memory" else 0
        is_well &= after[name] <= n + room
        print(f"| {name} | {n:,} | {after[name]:,}{'' if after[name] <= n + room else ' LEFT OVER'} |")
    print(f"| complaints of the kernel | | {len(new_complaints)} |")
    for line in [*new_complaints, *errors]:
        print(line)
    return is_well


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    options = parser.parse_args()
    reason = no_bpf()
    if reason:
        skip_machine(reason)
    earlier = complaints()
    with tempfile.TemporaryDirectory() as folder, Scope() as scope:
        soak = Soak(scope, folder)
        before, after = soak.run(options.seconds)
        print(f"{options.seconds} s: " + ", ".join(f"{n} {what}" for what, n in sorted(soak.done.items())))
        is_well = judge(before, after, [line for line in complaints() if line not in earlier], soak.errors)
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
