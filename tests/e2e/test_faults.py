#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Whatever fails, what is traced runs on unharmed, no probe stays, and what is missing is counted.

The program `churn` counts its own calls in a file: what it counted is what the trace has and what the trace says it lost.
"""
import json
import os
import random
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import (PERFFLOW, PERFFLOWD, Service, TestCase, Trace, boot_us, bpf_held, children, links, main, perfflow,  # noqa: E402
                      run, target, wait_for)
from test_users import CONFIG, STRANGER, ConfiguredService, WithUsers  # noqa: E402

WORK = "churn:work"
MEMORY = "/sys/fs/cgroup/memory"


def put(path, value):
    with open(path, "w") as file:
        file.write(str(value))


def symbol(path, name):
    """Where a function of a program begins, in the file and from its first mapping on."""
    out = subprocess.run(["readelf", "-sW", path], capture_output=True, text=True).stdout
    address, size = next((int(line.split()[1], 16), int(line.split()[2])) for line in out.splitlines()
                         if line.split()[-1:] == [name])
    out = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True).stdout
    for line in out.splitlines():
        words = line.split()
        if words[:1] == ["LOAD"] and int(words[2], 16) <= address < int(words[2], 16) + int(words[5], 16):
            return address - int(words[2], 16) + int(words[1], 16), address, size
    raise AssertionError(f"{name} is in no segment of {path}")


def changed_pages(pid):
    """How many pages of a process's code are not as in their files: each has a breakpoint."""
    n = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for address, rights, offset, _, _, *path in (line.split() for line in maps):
            if "x" not in rights or not path or not path[0].startswith("/"):
                continue
            begin, end = (int(word, 16) for word in address.split("-"))
            memory.seek(begin)
            there = memory.read(end - begin)
            with open(path[0], "rb") as file:
                file.seek(int(offset, 16))
                code = file.read(end - begin)
            n += sum(code[at:at + 4096] != there[at:at + len(code[at:at + 4096])] for at in range(0, len(code), 4096))
    return n


class Faults(TestCase):
    def setUp(self):
        super().setUp()
        self.counts = self.folder / "counts"
        self.churn = target("churn")

    def counted(self):
        """What the program says of itself."""
        with open(self.counts, "rb") as file:
            return struct.unpack("q", file.read(8))[0]

    def called_us(self):
        """When one that beats has called last, as times in traces are."""
        with open(self.counts, "rb") as file:
            return struct.unpack("qq", file.read(16))[1] / 1000

    def command(self, *words):
        return [self.churn, self.counts, *words]

    def beating(self):
        """A program that runs until end_beating()."""
        if os.path.exists(self.counts):
            os.unlink(self.counts)
        program = self.start(self.command("beats", 10 ** 6))
        program.read_until("ready")
        return program

    def end_beating(self, program):
        self.assertIsNone(program.poll(), "it has ended by itself")
        program.terminate()
        self.assertUnharmed(program.finish(), self.counted())

    def has_probe(self, pid):
        """Whether a breakpoint is in the function's code, in the memory of the process."""
        offset, address, size = symbol(self.churn, "work")
        with open(self.churn, "rb") as file:
            file.seek(offset)
            code = file.read(size)
        with open(f"/proc/{pid}/maps") as maps:
            base = next(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(self.churn))
        with open(f"/proc/{pid}/mem", "rb") as memory:
            memory.seek(base + address)
            return memory.read(size) != code

    def assertUnharmed(self, ran, calls):
        self.assertEqual(ran.status, 0, ran)
        self.assertIn(f"done {calls}\n", ran.out, ran)

    def assertAccounted(self, trace, calls):
        """Each call is in the trace, or among what it says it lost."""
        lost = trace.lost()
        self.assertLessEqual(trace.count("work"), calls)
        self.assertGreaterEqual(trace.count("work") + sum(lost.values()), calls, lost)
        self.assertEqual(trace.summary()["complete"], not lost and not trace.summary().get("warnings"))
        if not lost:
            self.assertEqual(trace.count("work"), calls)

    def check_status(self, path, *statuses):
        ran = perfflow("check", path)
        self.assertIn(ran.status, statuses, ran)

    def service(self, name="socket", **variables):
        return Service(self, self.folder / name, **variables)

    def kill(self, service):
        service.process.kill()
        service.process.wait(20)


class Killed(Faults):
    """kill -9 of the daemon, at whatever moment."""

    def attached(self, service, trace):
        """A program that runs, and a client that attaches to it now."""
        program = self.beating()
        client = service.start("attach", "--pid", program.pid, "-p", WORK, "-o", trace)
        self.addCleanup(client.kill_all)
        return program, client

    def check_after(self, program, client, trace, when):
        wait_for("the end of the probes", lambda: not self.has_probe(program.pid))
        self.end_beating(program)
        ran = client.finish()
        self.assertEqual(ran.status, 1, (when, ran))
        self.assertIn("perfflowd", ran.err)
        if os.path.exists(trace) and os.path.getsize(trace):
            self.check_status(trace, 1)

    def test_while_it_attaches(self):
        for when in [0] + [random.uniform(0, 0.3) for _ in range(5)]:
            service, trace = self.service(), self.folder / "t.json"
            program, client = self.attached(service, trace)
            time.sleep(when)
            self.kill(service)
            self.check_after(program, client, trace, when)

    def test_while_it_streams_and_the_trace_reaches_to_within_a_second_of_the_end(self):
        for _ in range(4):
            service, trace = self.service(), self.folder / "t.json"
            program, client = self.attached(service, trace)
            client.read_until("tracing", "stderr")
            wait_for("calls", lambda: self.has_probe(program.pid))
            held = bpf_held(service.process.pid)["link"]
            self.assertTrue(held)
            time.sleep(random.uniform(0.3, 1))
            called = self.called_us()
            self.kill(service)
            seen = max((span["ts"] for span in Trace(trace).spans("work")), default=0)
            # what is written goes out each 0.2 s: the rest of the second is for a machine that has other things to do
            self.assertLess(called - seen, 1e6)
            wait_for("the end of the links", lambda: not held & links())
            self.check_after(program, client, trace, "streaming")

    def test_while_it_stops(self):
        for when in [random.uniform(0, 0.1) for _ in range(5)]:
            service, trace = self.service(), self.folder / "t.json"
            program, client = self.attached(service, trace)
            client.read_until("tracing", "stderr")
            client.send_signal(signal.SIGINT)
            time.sleep(when)
            self.kill(service)
            wait_for("the end of the probes", lambda: not self.has_probe(program.pid))
            self.end_beating(program)
            client.finish()
            self.check_status(trace, 0, 1)

    def test_a_command_that_perfflow_runs_ends_as_it_would_have(self):
        for when in [random.uniform(0, 0.5) for _ in range(4)]:
            service = self.service()
            client = service.start("run", "-p", WORK, "-o", self.folder / "t.json", "--", *self.command("beats", 10 ** 6))
            self.addCleanup(client.kill_all)
            time.sleep(when)
            self.kill(service)
            client.send_signal(signal.SIGTERM)  # which goes to the command
            ran = client.finish()
            if ran.status == 125:  # before it began
                self.assertNotIn("ready", ran.out)
            elif ran.status == 0:
                self.assertUnharmed(ran, self.counted())
            else:  # or before it had its own idea of the signal
                self.assertEqual(ran.status, 128 + signal.SIGTERM, ran)
            if os.path.exists(self.counts):
                os.unlink(self.counts)


class Cut(Faults):
    """What the next daemon knows of the sessions of one that was killed."""

    def sessions(self, service):
        return json.loads(service.perfflow("list", "--json").out)["sessions"]

    def traced(self, service, *command):
        client = service.start("run", "-p", WORK, "-o", self.folder / "t.json", "--", *command)
        self.addCleanup(client.kill_all)
        client.read_until("ready")
        return client

    def end(self, client):
        client.terminate()
        self.assertUnharmed(client.finish(), self.counted())

    def test_they_are_listed_and_told(self):
        os.mkdir(self.folder / "state")
        service = self.service(STATE_DIRECTORY=self.folder / "state")
        self.traced(service, *self.command("calls", 10)).finish()  # one that ended well
        os.unlink(self.counts)
        client = self.traced(service, *self.command("beats", 10 ** 6))
        (running,) = [session for session in self.sessions(service) if session["state"] == "running"]
        self.kill(service)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder / "state/sessions.json").st_mode), 0o600)

        for _ in range(2):  # and after one that ended well, too
            service = self.service(STATE_DIRECTORY=self.folder / "state")
            (cut,) = self.sessions(service)
            self.assertEqual((cut["state"], cut["id"], cut["uid"], cut["client_pid"], cut["aspects"]),
                             ("cut", running["id"], 0, client.pid, [WORK]))
            self.assertGreater(cut["cut_us"], cut["started_us"])
            for command in ("list", "status"):
                self.assertRegex(service.perfflow(command).out, rf"(?m)^{cut['id']} +cut .*{WORK}")
            said = service.stop().err
        self.assertNotIn("was cut", said)
        self.end(client)

    def test_the_log_has_them_and_numbers_go_on(self):
        os.mkdir(self.folder / "state")
        service = self.service(STATE_DIRECTORY=self.folder / "state")
        client = self.traced(service, *self.command("beats", 10 ** 6))
        self.kill(service)
        self.end(client)
        service = self.service(STATE_DIRECTORY=self.folder / "state")
        self.traced(service, *self.command("calls", 10)).finish()
        self.assertEqual([(s["id"], s["state"]) for s in self.sessions(service)], [(1, "cut"), (2, "ended")])
        self.assertIn("session 1 of user 0 was cut", service.stop().err)

    def test_a_file_that_is_damaged_is_told_and_in_nobodys_way(self):
        os.mkdir(self.folder / "state")
        for text in ("", "{", "[]", '{"running":[1,{"id":"x"},{}],"cut":7}', "\0" * 100):
            with open(self.folder / "state/sessions.json", "w") as file:
                file.write(text)
            service = self.service(STATE_DIRECTORY=self.folder / "state")
            self.assertEqual(self.sessions(service), [])
            self.assertUnharmed(self.traced(service, *self.command("calls", 10)).finish(), 10)
            os.unlink(self.counts)
            said = service.stop().err
            self.assertEqual("cannot be read" in said, not text.startswith('{"'), said)

    def test_a_folder_that_is_not_there_is_told(self):
        service = self.service(STATE_DIRECTORY=self.folder / "none")
        self.assertEqual(self.sessions(service), [])
        self.assertIn("cannot be noted", service.stop().err)


class CutOfUsers(WithUsers):
    """Who is told of whose."""

    config = CONFIG + "allow_users = yes\n"

    def test_a_user_sees_the_own_ones_alone(self):
        os.mkdir(self.folder / "state", 0o700)
        entry = {"aspects": [WORK], "scope": {}, "client_pid": 1, "started_us": 1, "state": "running"}
        with open(self.folder / "state/sessions.json", "w") as file:
            json.dump({"last_id": 3, "running": [{**entry, "id": 1, "uid": 0}, {**entry, "id": 2, "uid": STRANGER},
                                                 {**entry, "id": 3}]}, file)
        self.service = ConfiguredService(self, self.folder / "second", self.path, STATE_DIRECTORY=self.folder / "state")
        for command in ("list", "status"):
            told = json.loads(self.stranger(command, "--json").out)["sessions"]
            self.assertEqual([session["id"] for session in told], [2])
            told = json.loads(self.service.perfflow(command, "--json").out)["sessions"]
            self.assertEqual([session["id"] for session in told], [1, 2, 3])


class Others(Faults):
    """Whoever else fails."""

    def test_a_client_that_is_killed_takes_its_probes_along(self):
        service = self.service()
        program = self.beating()
        client = service.start("attach", "--pid", program.pid, "-p", WORK, "-o", self.folder / "t.json")
        self.addCleanup(client.kill_all)
        client.read_until("tracing", "stderr")
        wait_for("the probe", lambda: self.has_probe(program.pid))
        client.kill()
        wait_for("the end of the probe", lambda: not self.has_probe(program.pid))
        wait_for("the end of the trace", lambda: Trace(self.folder / "t.json").is_whole)
        self.assertEqual(Trace(self.folder / "t.json").summary()["reason"], "client gone")
        self.end_beating(program)

    def test_a_daemon_that_hung_for_a_while_holds_programs_until_they_are_woven_again(self):
        """Its late answer for one that has gone on is not taken for that of the next."""
        for i in range(20):  # each is to be woven anew
            shutil.copy(self.churn, self.folder / f"churn{i}")
        script = 'echo ready; until [ -e "$1/go" ]; do sleep 0.05; done; for p in "$1"/churn*; do "$p" "$1/counts" calls 10; done'
        client = self.start([PERFFLOW, "run", "--allow-empty", "-p", "churn*:work", "-o", self.folder / "t.json", "--", "sh", "-c", script,
                             "sh", self.folder.path])
        client.read_until("ready")
        daemon, = children(client.pid, "perfflowd")
        os.kill(daemon, signal.SIGSTOP)
        time.sleep(3)  # longer than a program is held
        os.kill(daemon, signal.SIGCONT)
        time.sleep(1)
        put(self.folder / "go", "")
        ran = client.finish()
        self.assertEqual(ran.out.count("done"), 20, ran)
        trace = Trace(self.folder / "t.json")
        self.assertEqual((trace.count("work"), trace.ledger("late_weaving")), (200, []))

    def test_a_pipe_that_closes(self):
        client = self.start(["sh", "-c", '"$@" | head -n 20 >/dev/null', "sh", PERFFLOW, "run", "-p", WORK, "-o", "-", "--",
                             *self.command("beats", 1000)])
        ran = client.finish()
        self.assertIn("done 1000", ran.err, ran)  # with -o - the command prints there
        self.assertIn("output failed", ran.err)

    def test_a_disk_that_fills_in_the_middle_of_a_rotation(self):
        small = self.folder / "small"
        os.mkdir(small)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], check=True)
        self.addCleanup(subprocess.run, ["umount", small])
        # 4 s for 2 MB: the client makes the next file in good time, however busy the machine is.
        ran = perfflow("run", "-p", WORK, "-o", small + "/t.json", "--rotate", "256K", "--",
                       *self.command("paced", 20000, 5000))
        self.assertUnharmed(ran, 20000)
        self.assertIn("No space left", ran.err)
        pieces = sorted(os.listdir(small))
        self.assertGreater(len(pieces), 1)
        for piece in pieces[:-1]:
            self.check_status(f"{small}/{piece}", 0)
        if os.path.getsize(f"{small}/{pieces[-1]}"):
            self.check_status(f"{small}/{pieces[-1]}", 1)

    def test_rotation_under_load_loses_nothing_that_is_not_counted(self):
        ran = perfflow("run", "-p", WORK, "-o", self.folder / "t.json", "--rotate", "2M", "--", *self.command("calls", 300000))
        self.assertUnharmed(ran, 300000)
        pieces = sorted(name for name in os.listdir(self.folder.path) if name.startswith("t."))
        self.assertGreater(len(pieces), 2)
        traces = [Trace(self.folder / name) for name in pieces]
        lost = sum(sum(trace.lost().values()) for trace in traces)
        spans = sum(trace.count("work") for trace in traces)
        self.assertLessEqual(spans, 300000)
        self.assertGreaterEqual(spans + lost, 300000)
        ran = perfflow("check", *[self.folder / name for name in pieces])
        self.assertEqual(ran.status, 1 if lost else 0, ran)


class Crowds(Faults):
    def test_processes_that_come_and_go_all_the_time(self):
        """1,000 a second where the machine can; in any case a fair part of what it can untraced."""
        began = time.monotonic()
        run(self.command("forks", 2000))
        plain = 2000 / (time.monotonic() - began)
        began, rates = time.monotonic(), []
        while len(rates) < 2 or (time.monotonic() - began < 3 and len(rates) < 50):
            trace = self.traced("forks", 2000)
            self.assertAccounted(trace, 2000)
            births = sorted(span["ts"] for span in trace.spans("work"))  # each process calls at once
            rates.append((len(births) - 1) / (births[-1] - births[0]) * 1e6)
        print(f"processes a second: {max(rates):,.0f} traced, {plain:,.0f} untraced", file=sys.stderr)
        self.assertGreater(max(rates), min(1000, plain / 10))
        names = trace.process_names()
        if not trace.lost():
            self.assertEqual(len(trace.pids()), 2000)
            self.assertLessEqual(set(trace.pids()), set(names))

    def test_ten_thousand_threads_at_once(self):
        limit = resource.getrlimit(resource.RLIMIT_NPROC)
        if limit[0] != resource.RLIM_INFINITY and limit[0] < 12000:
            self.skipTest(f"only {limit[0]} threads are allowed here")
        trace = self.traced("threads", 10000, 3)
        self.assertAccounted(trace, 30000)
        if not trace.lost():
            self.assertEqual(len({span["tid"] for span in trace.all_spans}), 10000)

    def test_more_processes_at_once_than_are_followed(self):
        room, n = 16384, 16500  # the first process has one of the places
        limit = resource.getrlimit(resource.RLIMIT_NPROC)
        with open("/proc/sys/kernel/pid_max") as file:
            if int(file.read()) < 20000 or (limit[0] != resource.RLIM_INFINITY and limit[0] < 20000):
                self.skipTest("less than 20,000 processes are allowed here")
        trace = self.traced("processes", n, env={"PATH": os.environ["PATH"]})  # of each process its environment is told
        self.assertEqual(trace.lost(), {"no_process": n + 1 - room})
        entries = trace.ledger("no_process")
        left_out = {entry["pid"]: entry["n"] for entry in entries}
        self.assertEqual(set(left_out.values()), {1})
        self.assertEqual(len(left_out), n + 1 - room)
        called = set(trace.pids())
        self.assertEqual((len(called), trace.count("work")), (room - 1, room - 1))
        self.assertFalse(called & set(left_out), "it is said to be left out and is there")
        first, last = (edge(span["ts"] for span in trace.spans("work")) for edge in (min, max))
        for entry in entries:  # each was born while others called
            self.assertTrue(first <= entry["begin"] <= entry["end"] <= last + 1e6, (first, entry, last))

    def traced(self, *words, **keywords):
        path = self.folder / "crowd.json"
        if os.path.exists(self.counts):
            os.unlink(self.counts)
        ran = perfflow("run", "-p", WORK, "-o", path, "--", *self.command(*words), timeout=240, **keywords)
        self.assertUnharmed(ran, self.counted())
        self.check_status(path, 0, 1)
        return Trace(path)


@unittest.skipUnless(os.path.exists(f"{MEMORY}/memory.limit_in_bytes") or os.path.exists("/sys/fs/cgroup/cgroup.controllers"),
                     "there is no memory controller here")
class Memory(Faults):
    """Limits of control groups."""

    def group(self, mib):
        """A group of processes that may have so much memory, no swap beside it. Returns the file for their pids."""
        if os.path.exists(f"{MEMORY}/memory.limit_in_bytes"):
            folder, limits = f"{MEMORY}/perfflow-test-{os.getpid()}-{mib}", ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        else:
            folder, limits = f"/sys/fs/cgroup/perfflow-test-{os.getpid()}-{mib}", ("memory.max",)
        try:
            os.mkdir(folder)
        except OSError as error:
            self.skipTest(f"no group can be made: {error}")
        self.addCleanup(self.remove_group, folder)
        for name in limits:
            if os.path.exists(f"{folder}/{name}"):
                put(f"{folder}/{name}", mib << 20)
        if not os.path.exists(f"{folder}/{limits[0]}"):
            self.skipTest("the memory controller is not enabled for groups here")
        return f"{folder}/cgroup.procs"

    def remove_group(self, folder):
        def is_gone():
            try:
                os.rmdir(folder)
            except OSError:
                return False
            return True
        wait_for("the end of the group", is_gone)

    def leave_group(self, pid, procs):
        put(f"{os.path.dirname(os.path.dirname(procs))}/cgroup.procs", pid)

    def used_by_group(self, procs):
        used = os.path.join(os.path.dirname(procs), "memory.usage_in_bytes")
        with open(used if os.path.exists(used) else used.replace("usage_in_bytes", "current")) as file:
            return int(file.read())

    def limit_group(self, procs, n_bytes):
        """A new limit for what it has taken and has yet to take."""
        limit = os.path.join(os.path.dirname(procs), "memory.limit_in_bytes")
        put(limit if os.path.exists(limit) else limit.replace("limit_in_bytes", "max"), n_bytes)

    def inside(self, procs, *argv):
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', procs, *argv]

    def test_a_target_that_is_killed_for_its_memory(self):
        procs = self.group(64)
        path = self.folder / "t.json"
        ran = perfflow("run", "-p", WORK, "-o", path, "--", *self.inside(procs, *self.command("memory", 1000)))
        self.assertEqual(ran.status, 128 + signal.SIGKILL, ran)
        trace = Trace(path)
        self.assertTrue(trace.is_whole)
        self.assertAccounted(trace, self.counted())
        exits = [e["args"] for e in trace.events if e["name"] == "exit" and e["ph"] == "i"]
        self.assertIn("SIGKILL", [args.get("signal") for args in exits])
        self.check_status(path, 0, 1)

    def test_threads_for_which_the_kernel_has_no_memory_are_counted_by_process(self):
        """The session's maps are charged to the group that the daemon was in when it made them; nothing else is in it by then."""
        procs = self.group(256)
        socket, path = self.folder / "socket", self.folder / "t.json"
        daemon = self.start(self.inside(procs, PERFFLOWD, "--socket", socket))
        wait_for("the daemon", lambda: os.path.exists(socket))
        client = self.start([PERFFLOW, "run", "--socket", socket, "-p", WORK, "-o", path, "--", "sh", "-c",
                             'echo begun; read go; exec "$@"', "sh", *self.command("threads", 4000, 3)], stdin=subprocess.PIPE)
        client.read_until("begun")
        self.leave_group(daemon.pid, procs)
        self.limit_group(procs, self.used_by_group(procs) + (8 << 20))
        client.tell("go")
        self.assertUnharmed(client.finish(120), 12000)
        trace = Trace(path)
        self.assertEqual(set(trace.lost()), {"no_thread_state"})
        self.assertEqual(trace.count("work") + trace.lost()["no_thread_state"], 12000, "each call is there or counted")
        self.assertGreater(trace.count("work"), 0)
        entries = trace.ledger("no_thread_state")
        self.assertEqual(sum(entry["n"] for entry in entries), trace.lost()["no_thread_state"])
        self.assertEqual({(entry["function"], entry["module"], entry["pid"]) for entry in entries},
                         {("work", "churn", trace.pids()[0])})
        begin, end = min(span["ts"] for span in trace.spans("work")), boot_us()
        self.assertTrue(all(begin <= entry["begin"] <= entry["end"] <= end for entry in entries), (begin, entries, end))
        self.check_status(path, 1)

    def kill_group(self, procs):
        """All that is in it, and what they start meanwhile."""
        while True:
            with open(procs) as file:
                pids = [int(line) for line in file]
            if not pids:
                return
            for pid in reversed(pids):  # those that work for the daemon first
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def test_what_stays_when_all_of_the_service_is_killed_at_once_goes_with_the_next_session(self):
        """As the kernel does where memory runs out: also who puts breakpoints in is killed, half way."""
        left = []
        for when in (0, 0.01, 0.03):
            procs = self.group(300 + int(1000 * when))
            socket = self.folder / f"socket-{when}"
            daemon = self.start(self.inside(procs, PERFFLOWD, "--socket", socket))
            wait_for("the daemon", lambda: os.path.exists(socket))
            program = self.beating()
            many = ["attach", "--pid", program.pid, "-p", "libc.so*:*", "-o", self.folder / "t.json"]
            client = self.start([PERFFLOW, many[0], "--socket", socket, *many[1:]])
            wait_for("the first breakpoint", lambda: changed_pages(program.pid), step=0.001)
            time.sleep(when)
            self.kill_group(procs)
            daemon.wait(20)
            client.finish()
            left.append(changed_pages(program.pid))
            ran = perfflow(*many, "--duration", "100ms", timeout=120)
            self.assertEqual(ran.status, 0, ran)
            wait_for("the end of all breakpoints", lambda: not changed_pages(program.pid))
            self.end_beating(program)
        print(f"pages with breakpoints that stayed: {left}", file=sys.stderr)

    def test_a_daemon_with_too_little_memory_harms_nobody_but_its_trace(self):
        outcomes = set()
        for mib in (4, 8, 16, 128):
            procs = self.group(mib)
            socket = self.folder / f"socket-{mib}"
            daemon = self.start(self.inside(procs, PERFFLOWD, "--socket", socket))
            wait_for("the daemon", lambda: daemon.poll() is not None or os.path.exists(socket))
            path = self.folder / f"t-{mib}.json"
            program = self.beating()
            client = self.start([PERFFLOW, "attach", "--socket", socket, "--pid", program.pid, "-p", WORK, "-o", path, "--duration", "500ms"])
            ran = client.finish()
            wait_for("the end of the probe", lambda: not self.has_probe(program.pid))
            self.end_beating(program)
            outcomes.add(ran.status)
            self.assertRegex(ran.err, r"(?m)^perfflow: ", "no word of it")
            if ran.status == 0:
                self.check_status(path, 0, 1)
            if daemon.poll() is None:
                daemon.terminate()
                daemon.wait(20)
        self.assertEqual(ran.status, 0, ran)  # the last one had enough
        self.assertEqual(outcomes, {0, 1})


if __name__ == "__main__":
    main(programs=("bpftool", "readelf", "setpriv"))
