#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""perfflowd on a socket: several sessions, other people's clients, and nothing left when it goes."""
import json
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import (NOBODY, PERFFLOWD, Service, TestCase, Trace, bpf_held, environment, links, main, perfflow,  # noqa: E402
                      programs, run, target, wait_for)

try:
    import varlink
except ImportError:
    varlink = None


def message(method, parameters=None, **more):
    return json.dumps({"method": method, "parameters": parameters or {}, **more}).encode() + b"\0"


class Connection:
    """Varlink by hand, to say what no library would."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.left = b""

    def send(self, data, fds=()):
        if fds:
            socket.send_fds(self.socket, [data], list(fds))
        else:
            self.socket.sendall(data)

    def receive(self):
        """The next message, or None at the end."""
        while b"\0" not in self.left:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.left += data
        first, self.left = self.left.split(b"\0", 1)
        return json.loads(first)

    def call(self, method, parameters=None, fds=(), **more):
        self.send(message(method, parameters, **more), fds)
        return self.receive()


def settled(read):
    """What it reads, twice in a row."""
    values = []

    def is_settled():
        values.append(read())
        return len(values) > 1 and values[-1] == values[-2]

    wait_for("quiet", is_settled)
    return values[-1]


class WithService(TestCase):
    def setUp(self):
        super().setUp()
        self.before = links()
        self.service = Service(self, self.folder / "socket")
        self.assertEqual(self.service.perfflow("status").status, 0)
        self.held = settled(self.holds)

    def sessions(self):
        ran = self.service.perfflow("list", "--json")
        self.assertEqual(ran.status, 0, ran)
        listed = json.loads(ran.out)
        return listed["sessions"] if isinstance(listed, dict) else listed

    def running(self):
        return [session for session in self.sessions() if session["state"] == "running"]

    def traced(self, *arguments):
        """A `perfflow run` of the slow target, once its session runs."""
        n = len(self.running())
        process = self.service.start("run", *arguments, "--", target("slow"), 60)
        self.addCleanup(process.kill_all)
        wait_for("the session", lambda: len(self.running()) > n)
        process.read_until("1\n")
        return process

    def follows(self):
        """A target that does what it is told."""
        program = self.start([target("follows")], stdin=subprocess.PIPE)
        program.read_until("ready")
        return program

    def holds(self):
        """How many descriptors the daemon has, and to how many BPF objects of each kind."""
        pid = self.service.process.pid
        return {"descriptors": len(os.listdir(f"/proc/{pid}/fd")), **{kind: len(ids) for kind, ids in bpf_held(pid).items()}}

    def assertServes(self, connections=0):
        """The daemon is well: it answers, nothing is attached, and nothing has leaked. connections: that the test has open."""
        self.assertEqual(self.service.perfflow("status").status, 0)
        wait_for("the end of the probes", lambda: links() <= self.before)
        most = self.held | {"descriptors": self.held["descriptors"] + connections}
        try:
            wait_for("what it holds to be let go", lambda: all(n <= most[kind] for kind, n in self.holds().items()), 5)
        except AssertionError as error:
            raise AssertionError(f"{error}: {most} at first, {self.holds()} now") from None


class Sessions(WithService):
    def test_several_sessions_run_at_once_and_are_listed_and_stopped_by_number(self):
        one = self.traced("-p", "slow:beat", "-o", self.folder / "one.json")
        two = self.traced("-p", "slow:beat", "-o", self.folder / "two.json")
        running = self.running()
        self.assertEqual(len(running), 2)
        self.assertEqual(len({session["id"] for session in running}), 2)
        for session in running:
            self.assertEqual(session["aspects"], ["slow:beat"])
            self.assertEqual(session["functions"], 1)
            self.assertEqual(session["lost"], 0)
        stopped = self.service.perfflow("stop", str(running[0]["id"]), "--json")
        self.assertEqual(stopped.status, 0, stopped)
        json.loads(stopped.out)
        self.assertEqual([session["id"] for session in self.running()], [running[1]["id"]])
        trace = Trace(self.folder / "one.json")
        self.check(trace)
        for process in (one, two):
            process.interrupt()
            self.assertEqual(process.finish().status, 42)
        self.check(Trace(self.folder / "two.json"))
        self.assertServes()

    def test_many_sessions_trace_one_program_correctly(self):
        sessions = [self.service.start("run", "-p", "threads:work", "-o", self.folder / f"{i}.json", "--", target("threads"), 2, 100)
                    for i in range(6)]
        for i, process in enumerate(sessions):
            self.assertEqual(process.finish().status, 0)
            trace = Trace(self.folder / f"{i}.json")
            self.check(trace)
            self.assertEqual(trace.count("work"), 200)
            self.assertEqual(len(trace.pids()), 1)
        self.assertServes()

    def test_status_and_list_are_for_people_and_for_programs(self):
        process = self.traced("-p", "slow:beat", "-o", self.folder / "t.json")
        for command in ("status", "list"):
            ran = self.service.perfflow(command)
            self.assertEqual(ran.status, 0, ran)
            self.assertIn("slow:beat", ran.out)
        status = json.loads(self.service.perfflow("status", "--json").out)
        self.assertEqual(status["pid"], self.service.process.pid)
        self.assertIn("uprobe_multi", status["features"])
        self.assertEqual(set(status["sessions"][0]["losses"]), {"ring_full", "too_deep", "no_thread_state", "no_process", "items",
                                                                "over_rate", "bad_records", "not_written", "missed_runs"})
        process.interrupt()
        process.finish()

    def test_the_socket_is_named_by_the_environment_as_well(self):
        ran = perfflow("status", "--json", env=environment(PERFFLOW_SOCKET=self.service.socket))
        self.assertEqual(json.loads(ran.out)["pid"], self.service.process.pid)

    def test_the_daemon_listens_where_the_environment_says_unless_an_option_does(self):
        where, other = self.folder / "where", self.folder / "other"
        for options, path in ((), where), (("--socket", other), other):
            daemon = self.start([PERFFLOWD, *options], env=environment(PERFFLOW_SOCKET=where))
            ran = wait_for("the socket", lambda: (ran := perfflow("status", "--json", "--socket", path)).status == 0 and ran)
            self.assertEqual(json.loads(ran.out)["pid"], daemon.pid)
            self.assertEqual([os.path.exists(name) for name in (where, other)], [path == where, path == other])
            daemon.terminate()
            self.assertEqual(daemon.finish().status, 0)

    def test_a_session_that_is_not_there_cannot_be_stopped(self):
        ran = self.service.perfflow("stop", "4711")
        self.assertSentence(ran, "4711")
        self.assertEqual(ran.status, 1)

    def test_a_service_that_is_not_there_is_a_failure(self):
        for command in ("attach", "-p", "slow:beat"), ("list",), ("status",), ("stop", "1"):
            ran = perfflow(command[0], "--socket", self.folder / "nobody", *command[1:])
            self.assertSentence(ran, "nobody")
            self.assertEqual(ran.status, 1)

    def test_the_service_opens_no_path_of_a_client(self):
        output = self.folder / "t.json"
        self.service.perfflow("run", "-p", "recursion:before", "-o", output, "--", target("recursion"), 1)
        self.assertEqual(Trace(output).count("before"), 3)
        reply = Connection(self.service.socket).call(
            "io.perfflow.Start", {"aspects": ["recursion:before"], "scope": {"pid": os.getpid()}, "output": "/etc/passwd"})
        self.assertIn("error", reply)

    def test_termination_completes_the_traces_and_takes_the_socket_away(self):
        process = self.traced("-p", "slow:beat", "-o", self.folder / "t.json")
        self.service.stop()
        self.assertEqual(self.service.process.returncode, 0)
        self.assertFalse(os.path.exists(self.service.socket))
        self.check(Trace(self.folder / "t.json"))
        wait_for("the end of the probes", lambda: links() <= self.before)
        process.interrupt()
        self.assertEqual(process.finish().status, 42)

    def test_a_killed_service_leaves_no_probe_a_readable_trace_and_a_whole_program(self):
        process = self.traced("-p", "slow:beat", "-o", self.folder / "t.json")
        process.read_until("30\n")
        self.service.process.kill()
        self.service.process.wait(20)
        wait_for("the end of the probes", lambda: links() <= self.before)
        trace = Trace(self.folder / "t.json")
        self.assertGreater(trace.count("beat"), 0)
        process.read_until("40\n")  # it goes on
        process.interrupt()
        self.assertEqual(process.finish().status, 42)
        again = Service(self, self.service.socket)  # what it left of its socket is in nobody's way
        self.assertEqual(again.perfflow("status").status, 0)

    def share_of_waiting(self, seconds):
        """Of so long, how much is spent in calls that are not answered at once."""
        connection, start, waited = Connection(self.service.socket), time.monotonic(), 0
        while time.monotonic() < start + seconds:
            asked = time.monotonic()
            self.assertIn("parameters", connection.call("org.varlink.service.GetInfo"))
            took = time.monotonic() - asked
            waited += took if took > 0.02 else 0
            time.sleep(0.005)
        return waited / (time.monotonic() - start)

    def test_others_are_served_while_functions_are_tried(self):
        shares = []
        for _ in range(5):  # the machine may have other things to do
            running = self.service.start("run", "--budget", "5%", "-p", "rates:warm_*", "-o", self.folder / "trace.json", "--",
                                         target("rates"), 60, 0, "warm")
            self.addCleanup(running.kill_all)
            running.read_until("also paused", "stderr", 60)
            time.sleep(2)  # from here on some function or other is being tried all the time
            shares.append(self.share_of_waiting(3))
            running.interrupt()
            running.finish()
            if shares[-1] < 0.2:
                return
        self.fail(f"shares of the time in which nobody answered: {shares}")


class OtherClients(WithService):
    def test_a_varlink_library_that_we_did_not_write_works(self):
        if varlink is None:
            self.skipTest("python3-varlink is not installed")
        client = varlink.Client(f"unix:{self.service.socket}")
        self.assertIn("io.perfflow", client.get_interfaces())
        info = client.info if hasattr(client, "info") else None
        self.assertTrue(info is None or info)
        program = self.follows()
        with client.open("io.perfflow") as connection:
            status = connection.Status()
            self.assertEqual(status["pid"], self.service.process.pid)
            started = connection.Start(["follows:tick"], {"pid": program.pid})
            session = started["session"]
            self.assertEqual(session["functions"], 1)
            program.tell("tick")
            program.read_until("done")
            wait_for("the spans", lambda: connection.List()["sessions"][0]["spans"] == 10)
            ended = connection.Stop(session["id"])["session"]
            self.assertEqual((ended["state"], ended["spans"]), ("ended", 10))
            with self.assertRaises(varlink.VarlinkError) as raised:
                connection.Stop(session["id"] + 1)
            self.assertEqual(raised.exception.error(), "io.perfflow.NoSuchSession")
        self.assertServes()

    def test_errors_are_those_of_the_interface(self):
        connection = Connection(self.service.socket)
        slow = {"binary": target("slow")}
        for error, method, parameters in (
                ("io.perfflow.BadAspect", "Start", {"aspects": ["||"], "scope": slow}),
                ("io.perfflow.NoMatch", "Start", {"aspects": ["no_such_function"], "scope": slow}),
                ("io.perfflow.BadScope", "Start", {"aspects": ["beat"], "scope": {"pid": 2 ** 22 + 1}}),
                ("io.perfflow.BadScope", "Start", {"aspects": ["beat"], "scope": {"binary": "/no/such/file"}}),
                ("io.perfflow.BadScope", "Start", {"aspects": ["beat"], "scope": {"pid": 1, "binary": "/bin/sh"}}),
                ("io.perfflow.BadOutput", "Start", {"aspects": ["beat"], "scope": slow, "output": 3}),
                ("org.varlink.service.InvalidParameter", "Start", {"scope": slow}),
                ("org.varlink.service.InvalidParameter", "Stop", {"id": "one"}),
                ("org.varlink.service.MethodNotFound", "Nothing", {})):
            with self.subTest(method=method, parameters=parameters):
                reply = connection.call("io.perfflow." + method, parameters)
                self.assertEqual(reply.get("error"), error, reply)
                if error.startswith("io.perfflow"):
                    self.assertTrue(reply["parameters"]["message"])
        self.assertEqual(connection.call("com.example.Method")["error"], "org.varlink.service.InterfaceNotFound")
        self.assertServes(connections=1)

    def test_start_with_more_answers_when_it_is_armed_and_at_the_end(self):
        program = self.follows()
        connection = Connection(self.service.socket)
        with open(self.folder / "t.json", "w") as output:
            first = connection.call("io.perfflow.Start", {"aspects": ["follows:tick"], "scope": {"pid": program.pid}, "output": 0},
                                    [output.fileno()], more=True)
        self.assertTrue(first["continues"], first)
        program.tell("tick")
        program.read_until("done")
        connection.socket.shutdown(socket.SHUT_WR)
        last = connection.receive()
        self.assertFalse(last.get("continues", False))
        self.assertEqual(last["parameters"]["session"]["spans"], 10)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.count("tick"), 10)

    def test_a_detached_session_outlives_its_client(self):
        program = self.follows()
        connection = Connection(self.service.socket)
        with open(self.folder / "t.json", "w") as output:
            reply = connection.call("io.perfflow.Start", {"aspects": ["follows:tick"], "scope": {"pid": program.pid}, "output": 0,
                                                          "detach": True}, [output.fileno()])
        connection.socket.close()
        time.sleep(0.3)
        program.tell("tick")
        program.read_until("done")
        self.assertEqual(self.service.perfflow("stop", str(reply["parameters"]["session"]["id"])).status, 0)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.count("tick"), 10)


class Abuse(WithService):
    def test_malformed_messages_end_their_connection_and_nothing_else(self):
        good = Connection(self.service.socket)
        for data in (b"\0", b"{\0", b"[]\0", b"null\0", b"{}\0", b'{"method":1}\0', b'{"method":"x"}\0', b'{"method":""}\0',
                     b'{"method":"io.perfflow.Status","parameters":[]}\0', b"\xff\xfe\x00", b"[" * 100000 + b"\0",
                     b'{"method":"io.perfflow.Status","more":7}\0'):
            with self.subTest(data[:40]):
                bad = Connection(self.service.socket)
                bad.send(data)
                reply = bad.receive()
                self.assertTrue(reply is None or "error" in reply or data.endswith(b'"more":7}\0'), reply)
                bad.socket.close()
        self.assertNotIn("error", good.call("io.perfflow.Status"))
        self.assertServes(connections=1)

    def test_an_oversized_message_is_refused_before_it_is_all_there(self):
        bad = Connection(self.service.socket)
        sent = 0
        try:
            bad.send(b'{"method":"io.perfflow.Status","parameters":{"x":"')
            while sent < 64 << 20:
                sent += bad.socket.send(b"x" * 65536)
        except (ConnectionError, socket.timeout):
            pass
        self.assertLess(sent, 64 << 20)
        self.assertServes()

    def test_half_a_message_keeps_nobody_waiting(self):
        half = Connection(self.service.socket)
        half.send(b'{"method":"io.perf')
        self.assertServes(connections=1)

    def test_more_connections_than_are_allowed_are_refused_and_the_others_served(self):
        held = []
        while len(held) < 450:  # more than root may have
            try:
                held.append(Connection(self.service.socket))
            except BlockingIOError:  # as many wait already as the kernel lets wait
                time.sleep(0.01)
        self.assertIn("LimitReached", held[-1].call("io.perfflow.Status")["error"])
        self.assertNotIn("error", held[0].call("io.perfflow.Status"))
        for connection in held:
            connection.socket.close()
        self.assertServes()

    def test_descriptors_that_nobody_asked_for_are_closed(self):
        count = lambda: len(os.listdir(f"/proc/{self.service.process.pid}/fd"))  # noqa: E731
        connection = Connection(self.service.socket)
        connection.call("io.perfflow.Status")
        before = count()
        with open("/dev/null") as null:
            for _ in range(50):
                connection.call("io.perfflow.Status", fds=[null.fileno()] * 3)
        wait_for("the descriptors to be closed", lambda: count() <= before, 5)

    def test_a_client_killed_in_mid_session_ends_it_and_leaves_nothing(self):
        process = self.traced("-p", "slow:beat", "-o", self.folder / "t.json")
        os.kill(process.pid, signal.SIGKILL)
        wait_for("the end of the session", lambda: not self.running())
        ended = [session for session in self.sessions() if session["state"] == "ended"]
        self.assertIn("client", ended[-1]["reason"])
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertServes()
        process.kill_all()

    def test_sessions_that_come_and_go_leave_no_descriptor_program_or_map(self):
        self.service.perfflow("run", "-p", "recursion:before", "-o", "/dev/null", "--", target("recursion"), 1)
        count = lambda: len(os.listdir(f"/proc/{self.service.process.pid}/fd"))  # noqa: E731
        fds, loaded = settled(lambda: (count(), len(programs())))
        for i in range(8):
            arguments = ("-p", "recursion:before") if i % 2 else ("-p", "recursion:no_such_function_here")
            self.service.perfflow("run", *arguments, "-o", "/dev/null", "--", target("recursion"), 1)
        wait_for("its descriptors to be closed", lambda: count() <= fds)
        wait_for("its programs to be unloaded", lambda: len(programs()) <= loaded)
        self.assertServes()

    def test_a_second_daemon_on_the_socket_is_refused(self):
        second = run([PERFFLOWD, "--socket", self.service.socket])
        self.assertSentence(second, self.service.socket)
        self.assertServes()

    def test_users_without_rights_are_told_so(self):
        os.chmod(self.service.socket, 0o666)
        ran = run([*NOBODY, sys.executable, "-c", f"""
import json, socket
s = socket.socket(socket.AF_UNIX)
s.connect({self.service.socket!r})
s.sendall({message("io.perfflow.Start", {"aspects": ["beat"], "scope": {"binary": target("slow")}})!r})
print(s.recv(65536)[:-1].decode())
"""])
        self.assertEqual(json.loads(ran.out)["error"], "io.perfflow.PermissionDenied", ran)
        self.assertServes()


if __name__ == "__main__":
    main()
