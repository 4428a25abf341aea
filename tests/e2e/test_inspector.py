#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Those who read binaries for the daemon: without rights; where one hangs or dies, the session says so and goes on."""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOWD, Program, Service, TestCase, Trace, children, environment, main, target, wait_for  # noqa: E402


def status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


class LimitedService(Service):
    """One whose readers have so many seconds."""

    def __init__(self, test, path, seconds, **variables):
        config = pathlib.Path(f"{path}.conf")
        config.write_text(f"[limits]\nread_seconds = {seconds}\n")
        self.socket = str(path)
        self.process = Program([PERFFLOWD, "--socket", self.socket, "--config", str(config)], env=environment(**variables))
        test.addCleanup(self.stop)
        wait_for("the socket", lambda: self.answers() or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise AssertionError(f"perfflowd ended at once: {self.process.finish()}")


class WithReader(TestCase):
    seconds = 2
    variables = {}

    def setUp(self):
        super().setUp()
        self.service = LimitedService(self, self.folder / "socket", self.seconds, **self.variables)
        self.session = None

    def begin(self, n):
        """A session of a process that executes a copy of its target for each line that it is given; the reader of it."""
        self.programs = [self.folder / f"program{i}" for i in range(n)]
        for program in self.programs:
            shutil.copy(target("calls_a"), program)
        self.trace_path = self.folder / "trace.json"
        self.target = Program(["/bin/sh", "-c", "echo ready; while read -r program; do $program; echo done; done"],
                              stdin=subprocess.PIPE)
        self.addCleanup(self.target.kill_all)
        self.target.read_until("ready\n")
        self.session = self.service.start("attach", "--pid", self.target.pid, "--allow-empty", "-p", "program*:main",
                                          "-o", self.trace_path)
        self.addCleanup(self.session.kill_all)
        wait_for("the session", lambda: '"running"' in self.service.perfflow("list", "--json").out)
        return self.reader()

    def reader(self):
        found = []

        def look():
            found[:] = children(self.service.process.pid, "pf-inspector")
            return len(found) == 1

        wait_for("one reader", look)
        return found[0]

    def execute(self, i):
        self.target.tell(str(self.programs[i]))
        self.target.read_until("done\n")

    def n_functions(self):
        return json.loads(self.service.perfflow("list", "--json").out)["sessions"][0]["functions"]

    def end(self):
        self.target.stdin.close()
        ran = self.session.finish(60)
        self.assertEqual(ran.status, 0, ran)
        return ran, Trace(self.trace_path)

    def sessions(self):
        return json.loads(self.service.perfflow("list", "--json").out)["sessions"]

    def assertOthersAreServed(self):
        began = time.monotonic()
        ran = self.service.perfflow("run", "-p", "calls_a:main", "-o", self.folder / "other.json", "--", target("calls_a"))
        self.assertEqual(ran.status, 0, ran)
        self.assertTrue(Trace(self.folder / "other.json").all_spans)
        self.assertLess(time.monotonic() - began, self.seconds / 2)

    def waits_for_an_answer(self):
        """
        The session's thread is in poll(), for the answer or that it is enough, and not for its loop alone; nor, for 2 ms, for a
        file system.
        """
        tasks = pathlib.Path(f"/proc/{self.service.process.pid}/task").iterdir()
        try:
            waiting = [(task / "syscall").read_text().split() for task in tasks if (task / "comm").read_text() == "pf-session\n"]
        except (FileNotFoundError, ProcessLookupError):  # one that has just ended
            return False
        poll = {"x86_64": "7", "aarch64": "73"}[os.uname().machine]
        return [words[0] == poll and words[2] == "0x2" and words[3] != "0x2" for words in waiting] == [True]

    def hang(self):
        """One that waits for its reader, which does not answer."""
        pid = self.begin(1)
        os.kill(pid, signal.SIGSTOP)
        self.target.tell(str(self.programs[0]))
        wait_for("a request", self.waits_for_an_answer)


class Readers(WithReader):
    def open_files(self, pid):
        """Those that it reads are among them while it does."""
        try:
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except FileNotFoundError:
            return []
        return sorted(link.split(":")[0] for link in links)

    def test_a_reader_has_no_rights(self):
        pid = self.begin(1)
        self.execute(0)
        told = status(pid)
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(told[capabilities], 16), 0, capabilities)
        self.assertNotIn("0", told["Uid"].split())
        self.assertNotIn("0", told["Gid"].split())
        self.assertEqual(told["NoNewPrivs"], "1")
        self.assertEqual(told["Seccomp"], "2")
        wait_for("nothing but its socket", lambda: self.open_files(pid) == ["/dev/null"] * 3 + ["socket"])
        self.end()

    def test_one_that_hangs_is_ended_and_the_next_file_is_read(self):
        pid = self.begin(2)
        os.kill(pid, signal.SIGSTOP)
        self.execute(0)
        wait_for("its end", lambda: not os.path.exists(f"/proc/{pid}"))
        wait_for("a function", lambda: self.execute(1) or self.n_functions())  # whoever waited too long at its start passes
        self.execute(1)
        ran, trace = self.end()
        self.assertIn("program0' was not read: its reader took more than 2 s and was ended", ran.err)
        self.assertNotIn("program1' was not read", ran.err)
        self.assertEqual({span["cat"] for span in trace.all_spans}, {"program1"})

    def test_one_that_crashes_while_it_reads_is_an_error_of_that_file_alone(self):
        pid = self.begin(2)
        os.kill(pid, signal.SIGSTOP)
        self.target.tell(str(self.programs[0]))
        wait_for("a request", self.waits_for_an_answer)
        os.kill(pid, signal.SIGKILL)
        self.target.read_until("done\n")
        self.execute(1)
        ran, trace = self.end()
        self.assertIn("program0' was not read: its reader crashed (Killed)", ran.err)
        self.assertEqual({span["cat"] for span in trace.all_spans}, {"program1"})

    def test_one_that_dies_between_two_files_is_not_missed(self):
        pid = self.begin(1)
        os.kill(pid, signal.SIGKILL)
        wait_for("its end", lambda: not os.path.exists(f"/proc/{pid}") or status(pid)["State"].startswith("Z"))
        self.execute(0)
        ran, trace = self.end()
        self.assertNotIn("was not read", ran.err)
        self.assertTrue(trace.all_spans)

    def test_no_reader_is_left_when_a_session_has_ended(self):
        self.begin(1)
        self.end()
        wait_for("the end of the reader", lambda: not children(self.service.process.pid, "pf-inspector"))

    def test_none_outlives_the_daemon(self):
        pid = self.begin(1)
        os.kill(self.service.process.pid, signal.SIGKILL)
        wait_for("its end", lambda: not os.path.exists(f"/proc/{pid}"))


class Meanwhile(WithReader):
    """What others do while somebody waits for a reader that hangs."""

    seconds = 60
    library = f"/usr/lib/{os.uname().machine}-linux-gnu/liblammps.so.0"  # one that is read for long enough to be caught

    def starting(self):
        """A client whose session is about to start, and is held up by its reader."""
        def hold():
            for pid in children(self.service.process.pid, "pf-inspector"):
                os.kill(pid, signal.SIGSTOP)
                return self.waits_for_an_answer()
            return False

        client = self.service.start("attach", "--binary", self.library, "-p", "LAMMPS_NS::*", "-o", self.folder / "start.json")
        self.addCleanup(client.kill_all)
        wait_for("a reader", hold, step=0)
        return client

    def has_no_reader(self):
        return not children(self.service.process.pid, "pf-inspector")

    def test_others_are_served_while_a_session_reads(self):
        self.hang()
        self.assertOthersAreServed()
        self.assertTrue(self.waits_for_an_answer())

    def test_others_are_served_while_one_starts(self):
        self.starting()
        self.assertOthersAreServed()
        self.assertEqual([session["state"] for session in self.sessions()], ["ended"])

    def test_who_is_stopped_does_not_wait_and_says_so(self):
        self.hang()
        ran = self.service.perfflow("stop", str(self.sessions()[0]["id"]))
        self.assertEqual(ran.status, 0, ran)
        self.target.stdin.close()
        ran = self.session.finish(20)
        self.assertIn("program0' was not read: the session was stopped meanwhile", ran.err)
        self.assertTrue(Trace(self.folder / "trace.json").is_whole)
        wait_for("the end of the reader", self.has_no_reader)

    def test_one_that_starts_is_given_up_with_its_client(self):
        self.starting().kill()
        wait_for("the end of the reader", self.has_no_reader)
        self.assertEqual(self.sessions(), [])
        self.assertOthersAreServed()

    def test_one_that_starts_is_given_up_with_the_daemon(self):
        client = self.starting()
        self.assertEqual(self.service.stop().status, 0)
        ran = client.finish(20)
        self.assertEqual(ran.status, 1, ran)
        self.assertIn("the session was not started: perfflowd was stopped", ran.err)


class WithFarFolder(WithReader):
    """Files of a server that does not answer: a FUSE file system without anybody behind it."""

    def setUp(self):
        super().setUp()
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.far = self.folder / "far"
        os.mkdir(self.far)
        try:
            self.server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            self.skipTest(f"needs FUSE: /dev/fuse: {error.strerror}")
        self.addCleanup(self.unmount)
        options = f"fd={self.server},rootmode=40000,user_id=0,group_id=0,allow_other"
        if self.libc.mount(b"far", self.far.encode(), b"fuse.far", 0, options.encode()) < 0:
            self.skipTest(f"needs FUSE: mount() says {os.strerror(ctypes.get_errno())}")

    def unmount(self):
        self.libc.umount2(self.far.encode(), 3)  # MNT_FORCE | MNT_DETACH: who waits gets an error
        os.close(self.server)

    def run_far(self, *command):
        client = self.service.start("run", "-p", "calls_a:main", "-o", self.folder / "far.json", "--", *command)
        self.addCleanup(client.kill_all)
        return client

    def run_with_far_word(self):
        """Words of a command that are programs are looked for. It does not touch the file itself."""
        return self.run_far("sh", "-c", f"{target('calls_a')} >/dev/null; : {self.far}/solver")


class FarFiles(WithFarFolder):
    def n_threads(self):
        return len(os.listdir(f"/proc/{self.service.process.pid}/task"))

    def test_a_word_of_the_command_that_cannot_be_reached_is_left_out(self):
        ran = self.run_with_far_word().finish(60)
        self.assertEqual(ran.status, 0, ran)
        self.assertIn(f"'{self.far}' was left out: its file system does not answer", ran.err)
        self.assertTrue(Trace(self.folder / "far.json").all_spans)
        self.assertGreater(self.n_threads(), 1)
        self.libc.umount2(self.far.encode(), 3)
        wait_for("the end of who still waited", lambda: self.n_threads() == 1)


class FarFilesMeanwhile(WithFarFolder):
    """What others do while somebody waits for one. Whoever holds programs at their start looks at all file systems."""

    seconds = 10
    variables = {"PERFFLOW_DISABLE": "gate"}

    def test_others_are_served(self):
        self.run_with_far_word()
        wait_for("who waits for it", self.waits_for_an_answer)
        self.assertOthersAreServed()

    def test_the_daemon_ends_nevertheless(self):
        client = self.run_with_far_word()
        wait_for("who waits for it", self.waits_for_an_answer)
        self.assertEqual(self.service.stop().status, 0)
        self.assertSentence(client.finish(20), "the session was not started: perfflowd was stopped")


if __name__ == "__main__":
    main()
