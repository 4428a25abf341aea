# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the tests of whole programs share: to run perfflow and perfflowd, and to read what they wrote.

The build tree comes in PERFFLOW_BUILD. A test file ends in `main(needs)`: it exits with 77 and says why where the
machine cannot do what it needs. With PERFFLOW_CI=1 only the machine is an excuse: what setup.sh could have installed
has to be there.
"""
import ctypes
import gzip
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PERFFLOW_BUILD", os.path.join(SOURCE, "build", "release"))
PERFFLOW = os.path.join(BUILD, "perfflow")
PERFFLOWD = os.path.join(BUILD, "perfflowd")
TARGETS = os.path.join(BUILD, "tests", "targets")
READERS = os.path.join(SOURCE, "tests", "readers")
IN_CI = os.environ.get("PERFFLOW_CI") == "1"
SKIPPED = 77

sys.path.insert(0, READERS)
import pfwlint  # noqa: E402


# What a machine may lack --------------------------------------------------------------------------------------------

def no_bpf():
    """The sentence that says why BPF programs cannot be loaded here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    libc = ctypes.CDLL(None, use_errno=True)
    attr = ctypes.create_string_buffer(bytes([1, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0]), 120)
    number = {"x86_64": 321, "aarch64": 280}.get(os.uname().machine)
    fd = libc.syscall(number, 0, attr, 120) if number else -1  # BPF_MAP_CREATE
    if fd < 0:
        return f"needs BPF: bpf() says {os.strerror(ctypes.get_errno())}"
    os.close(fd)
    return None


def missing(*programs):
    """The programs that are not installed."""
    return [p for p in programs if not shutil.which(p, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")]


def skip_machine(reason):
    print(f"SKIPPED: {reason}")
    sys.exit(SKIPPED)


def skip_package(reason):
    """Something that setup.sh --tests installs is not there."""
    print(f"{'FAILED' if IN_CI else 'SKIPPED'}: {reason}; deploy/setup.sh --tests installs it")
    sys.exit(1 if IN_CI else SKIPPED)


def main(bpf=True, programs=(), files=()):
    """Runs the tests of the file that calls it and exits."""
    reason = no_bpf() if bpf else None
    if reason:
        skip_machine(reason)
    for program in missing(*programs):
        skip_package(f"needs {program}")
    for path in files:
        if not os.path.exists(path):
            skip_package(f"needs {path}")
    outcome = unittest.main(exit=False, verbosity=2, module="__main__").result
    if outcome.skipped and IN_CI:
        print("FAILED: a test was skipped, which must not be in CI")
        sys.exit(1)
    if outcome.testsRun and len(outcome.skipped) == outcome.testsRun:
        sys.exit(SKIPPED)
    sys.exit(0 if outcome.wasSuccessful() else 1)


# Running ------------------------------------------------------------------------------------------------------------

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def target(name):
    return os.path.join(TARGETS, name)


def environment(**changes):
    env = {k: v for k, v in os.environ.items() if k != "PERFFLOW_SOCKET"}
    env.update(changes)
    return env


class Ran:
    """A program that has ended: status (128+N after signal N), out, err."""

    def __init__(self, returncode, out, err):
        self.status = returncode if returncode >= 0 else 128 - returncode
        self.out, self.err = out, err

    def __repr__(self):
        return f"status {self.status}\n--- stdout\n{self.out[-2000:]}\n--- stderr\n{self.err[-4000:]}"


class Program(subprocess.Popen):
    """A program that runs, in a session of its own so that signals can be sent to its group. What it prints is collected."""

    def __init__(self, argv, **keywords):
        keywords.setdefault("stdin", subprocess.DEVNULL)
        keywords.setdefault("env", environment())
        super().__init__([str(a) for a in argv], text=True, start_new_session=True, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, errors="replace", **keywords)
        self.collected = {"stdout": [], "stderr": []}
        self.seen = {"stdout": 0, "stderr": 0}  # by read_until()
        self.more = threading.Condition()
        self.readers = [threading.Thread(target=self.collect, args=[name], daemon=True) for name in self.collected]
        for reader in self.readers:
            reader.start()

    def collect(self, name):
        with getattr(self, name) as stream:
            for line in stream:
                with self.more:
                    self.collected[name].append(line)
                    self.more.notify_all()
        with self.more:
            self.collected[name].append(None)
            self.more.notify_all()

    def read_until(self, text, stream="stdout", timeout=20):
        """Waits for a line that contains the text, after those that an earlier call has read."""
        end = time.monotonic() + timeout
        lines = self.collected[stream]
        with self.more:
            while True:
                while self.seen[stream] < len(lines):
                    line = lines[self.seen[stream]]
                    if line is None:
                        raise AssertionError(f"{self.args} ended without {text!r}: {self.output()}")
                    self.seen[stream] += 1
                    if text in line:
                        return line
                if not self.more.wait(end - time.monotonic()):
                    raise AssertionError(f"waited {timeout} s for {text!r}: {self.output()}")

    def tell(self, line):
        self.stdin.write(line + "\n")
        self.stdin.flush()

    def output(self):
        out, err = ("".join(line for line in self.collected[name] if line) for name in ("stdout", "stderr"))
        return Ran(self.returncode or 0, out, err)

    def interrupt(self):
        """SIGINT to it and all that it started, as a terminal does at Ctrl-C."""
        os.killpg(self.pid, signal.SIGINT)

    def kill_all(self):
        """Ends it with all that it started, for the end of a test."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if self.stdin:
            self.stdin.close()
        self.wait()

    def finish(self, timeout=60):
        """Waits for its end; one that hangs is ended with its whole group, and the test fails."""
        if self.stdin and not self.stdin.closed:
            self.stdin.close()
        try:
            self.wait(timeout)
            for reader in self.readers:
                reader.join(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()
            raise AssertionError(f"{self.args} did not end within {timeout} s\n{self.output()}")
        return self.output()


def run(argv, timeout=60, **keywords):
    return Program(argv, **keywords).finish(timeout)


def perfflow(*arguments, timeout=60, **keywords):
    return run([PERFFLOW, *arguments], timeout, **keywords)


def wait_for(what, condition, timeout=20, step=0.02):
    """Waits until condition() is true, and returns what it gave."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s for {what}")
        time.sleep(step)


def bpftool_list(what):
    """What bpftool lists of links or programs; again where one of them went away meanwhile, which it says is an error."""
    tool = shutil.which("bpftool") or "/usr/sbin/bpftool"
    for _ in range(20):
        out = subprocess.run([tool, "-j", what], capture_output=True, text=True).stdout
        try:
            listed = json.loads(out or "[]")
        except ValueError:
            continue
        if isinstance(listed, list) and all("id" in item for item in listed):
            return listed
    raise AssertionError(f"bpftool cannot list the BPF {what}s: {out}")


def children(pid, name):
    """The processes of that name whose parent is pid."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            comm, fields = (folder / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
            if comm == name and int(fields.split()[1]) == pid:
                found.append(int(folder.name))
        except (OSError, IndexError):
            pass
    return found


def links():
    """The BPF programs that are attached to something on this machine, by the ids of their links."""
    return {link["id"] for link in bpftool_list("link")}


def programs():
    """The BPF programs that are loaded on this machine, by id."""
    return {program["id"] for program in bpftool_list("prog")}


def bpf_held(pid):
    """The ids of the BPF links, maps and programs to which a process has descriptors."""
    held = {"link": set(), "map": set(), "prog": set()}
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}") as file:
                words = dict(line.split(":", 1) for line in file.read().splitlines() if ":" in line)
        except OSError:
            continue  # closed meanwhile
        for kind, ids in held.items():
            if f"{kind}_id" in words and not (kind != "link" and "link_id" in words):
                ids.add(int(words[f"{kind}_id"]))
    return held


class Folder:
    """A temporary folder, gone at the end of the test."""

    def __init__(self, test):
        self.path = tempfile.mkdtemp(prefix="perfflow-test-")
        os.chmod(self.path, 0o755)
        test.addCleanup(shutil.rmtree, self.path, True)

    def __truediv__(self, name):
        return os.path.join(self.path, name)

    def copy(self, path):
        """A copy that everybody may execute, wherever the build tree is."""
        return shutil.copy(path, self.path)


class Service:
    """A perfflowd on a socket of its own, ended with the test."""

    def __init__(self, test, path, **variables):
        self.socket = str(path)
        self.process = Program([PERFFLOWD, "--socket", self.socket], env=environment(**variables))
        test.addCleanup(self.stop)
        wait_for("the socket", lambda: self.answers() or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise AssertionError(f"perfflowd ended at once: {self.process.finish()}")

    def answers(self):
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(self.socket) == 0

    def perfflow(self, *arguments, **keywords):
        return perfflow(arguments[0], "--socket", self.socket, *arguments[1:], **keywords)

    def start(self, *arguments, **keywords):
        return Program([PERFFLOW, arguments[0], "--socket", self.socket, *arguments[1:]], **keywords)

    def stop(self):
        """SIGTERM, and what it said until its end."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.finish(20)


# Traces -------------------------------------------------------------------------------------------------------------

class Trace:
    """A trace, whole or cut off at the end of a line."""

    def __init__(self, path):
        self.path = str(path)
        raw = pathlib.Path(self.path).read_bytes()
        self.is_gzip = raw[:2] == b"\x1f\x8b"
        text = (gzip.decompress(raw) if self.is_gzip else raw).decode()
        try:
            self.events = json.loads(text)
            self.is_whole = True
        except ValueError:
            self.events = json.loads(text.rstrip().rstrip(",") + "]")
            self.is_whole = False
        # "__process" and "__sched": ends of arrows
        self.all_spans = [e for e in self.events if e["ph"] == "X" and e["cat"] not in ("__process", "__sched")]

    def spans(self, name=None, pid=None, tid=None, cat=None):
        return [e for e in self.all_spans if (name is None or e["name"] == name) and (pid is None or e["pid"] == pid) and
                (tid is None or e["tid"] == tid) and (cat is None or e["cat"] == cat)]

    def count(self, name, **which):
        return len(self.spans(name, **which))

    def counts(self):
        """Spans by name."""
        counts = {}
        for span in self.all_spans:
            counts[span["name"]] = counts.get(span["name"], 0) + 1
        return counts

    def ends(self, name=None, **which):
        """How the spans of a function ended, by kind; a plain return is 'return'."""
        ends = {}
        for span in self.spans(name, **which):
            end = span["args"].get("end", "return")
            ends[end] = ends.get(end, 0) + 1
        return ends

    def pids(self):
        return sorted({span["pid"] for span in self.all_spans})

    def process_names(self):
        """But for the machine's, which is shown as process 0."""
        return {e["pid"]: e["args"]["name"] for e in self.events if e["ph"] == "M" and e["name"] == "process_name" and e["pid"]}

    def thread_names(self):
        return {e["tid"]: e["args"]["name"] for e in self.events if e["ph"] == "M" and e["name"] == "thread_name"}

    def counters(self):
        return [e for e in self.events if e["ph"] == "C"]

    def summary(self):
        """The args of the last record, or None in a trace that was cut off."""
        last = [e for e in self.events if e["name"] == "perfflow_summary"]
        return last[-1]["args"] if last else None

    def lost(self):
        """The losses in the summary by reason, those that are not 0."""
        losses = {}

        def walk(value, name):
            if isinstance(value, dict):
                for key, inner in value.items():
                    walk(inner, key)
            elif name in LOSSES and int(value):
                losses[name] = int(value)

        walk(self.summary() or {}, "")
        return losses

    def ledger(self, reason):
        """What the trace said all along that it lacks, for that reason."""
        return [e["args"] for e in self.events if e["name"] == "perfflow_ledger" and e["args"]["reason"] == reason]

    def parent_of(self, span):
        """The innermost other span of its thread that contains it, or None."""
        start, end = ns(span["ts"]), ns(span["ts"]) + ns(span["dur"])
        around = [s for s in self.spans(tid=span["tid"], pid=span["pid"]) if s is not span and
                  ns(s["ts"]) <= start and ns(s["ts"]) + ns(s["dur"]) >= end]
        return min(around, key=lambda s: ns(s["dur"]), default=None)

    def depth(self):
        """The deepest nesting of spans in any thread."""
        deepest, open_spans, lane = 0, [], None
        for span in sorted(self.all_spans, key=lambda s: (s["pid"], s["tid"], ns(s["ts"]), -ns(s["dur"]))):
            if (span["pid"], span["tid"]) != lane:
                lane, open_spans = (span["pid"], span["tid"]), []
            while open_spans and open_spans[-1] <= ns(span["ts"]):
                open_spans.pop()
            open_spans.append(ns(span["ts"]) + ns(span["dur"]))
            deepest = max(deepest, len(open_spans))
        return deepest

    def complaints(self):
        """What is wrong with it by the rules of docs/trace-format.md, and with the times of its spans."""
        found = pfwlint.findings(self.path)
        for span in self.all_spans:
            args = span["args"]
            parts = ns(args["oncpu_us"]) + ns(args["runnable_us"]) + ns(args["blocked_us"])
            if abs(parts - ns(span["dur"])) > 2:
                found.append(f"{span['name']}: oncpu + runnable + blocked is {parts} ns, the span {ns(span['dur'])} ns")
            if ns(args.get("io_us", 0)) > ns(args["blocked_us"]):
                found.append(f"{span['name']}: more time for I/O than blocked")
            if not 0 <= args["cpu_usage"] <= 100.1:
                found.append(f"{span['name']}: cpu_usage {args['cpu_usage']}")
        return found[:20]


LOSSES = ("ring_full", "too_deep", "no_thread_state", "no_process", "items", "over_rate", "bad_records", "not_written", "missed_runs")


def boot_us():
    """The present, as times in traces are."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1000


def ns(us):
    return round(us * 1000)


# What may stand below a sentence that says why something was refused.
ADVICE = ("perfflow: did you mean: ", "perfflow: --allow-empty begins all the same", "Try 'perfflow help")


class TestCase(unittest.TestCase):
    """With a folder of its own, programs that end with it, and long messages."""

    maxDiff = None

    def setUp(self):
        self.folder = Folder(self)
        self.n_traces = 0

    def start(self, argv, **keywords):
        program = Program(argv, **keywords)
        self.addCleanup(program.kill_all)
        return program

    def check(self, trace, lost=None):
        """A whole trace, right by every rule, that lost nothing but what is given."""
        self.assertTrue(trace.is_whole, "the trace is cut off")
        self.assertEqual(trace.complaints(), [])
        self.assertIsNotNone(trace.summary(), "no perfflow_summary at the end")
        self.assertEqual(trace.events[-1]["name"], "perfflow_summary")
        self.assertEqual(trace.lost(), lost or {})
        self.assertEqual(trace.summary()["spans"], len(trace.all_spans))
        self.assertEqual({end: n for end, n in trace.summary()["ends"].items() if n}, trace.ends())

    def trace(self, pointcuts, command, status=0, lost=None, allow_empty=False, options=(), **keywords):
        """Runs the command under `perfflow run` and returns its trace, checked."""
        self.n_traces += 1
        output = self.folder / f"trace-{self.n_traces}.json"
        aspects = [word for pointcut in ([pointcuts] if isinstance(pointcuts, str) else pointcuts)
                   for word in ("-p", pointcut)]
        options = [*options, *(["--allow-empty"] if allow_empty else [])]
        ran = perfflow("run", *options, *aspects, "-o", output, "--", *command, **keywords)
        self.assertEqual(ran.status, status, ran)
        trace = Trace(output)
        self.check(trace, lost)
        trace.ran = ran
        return trace

    def assertCounts(self, trace, expected):
        self.assertEqual({name: trace.count(name) for name in expected}, expected)

    def assertSentence(self, ran, *words):
        """It failed and said why: one sentence on one line of stderr, no traceback, no usage text. Only where in an aspect it
        went wrong may stand below, and what to do."""
        self.assertNotEqual(ran.status, 0, ran)
        lines = [line for line in ran.err.splitlines() if not line.startswith("perfflow: functions: ")]  # what match found
        sentence, *below = lines or [""]
        self.assertRegex(sentence, r"^perfflowd?( [a-z]+)?: \S.*\S$", ran)
        if below and below[0].startswith("  "):
            aspect, caret, *below = below
            self.assertRegex(caret, r"^ *\^$", ran)
            self.assertLessEqual(len(caret), len(aspect) + 1, ran)
        self.assertEqual([line for line in below if not line.startswith(ADVICE)], [], ran)
        self.assertLessEqual(len(below), len(ADVICE), ran)
        for word in words:
            self.assertIn(word.lower(), ran.err.lower(), ran)
