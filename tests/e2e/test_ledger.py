#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Each trace says what it lacks: how much, of which function, in which process, and when. Each loss is provoked for real."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from late import calls_of, check_late, held_up  # noqa: E402
from perfflow import PERFFLOW, Service, TestCase, Trace, environment, main, ns, perfflow, target, wait_for  # noqa: E402


class LedgerCase(TestCase):
    def verdict(self, path, status):
        ran = perfflow("check", "--json", path)
        self.assertEqual(ran.status, status, ran)
        return json.loads(ran.out)

    def entry(self, said, reason, function):
        found = [e for e in said["ledger"] if e["reason"] == reason and e["function"] == function]
        self.assertEqual(len(found), 1, said["ledger"])
        return found[0]


class Ledger(LedgerCase):
    def stalled(self, options, command):
        """The trace of a command whose reader takes nothing before it has ended: pipe, output and rings fill up one after another."""
        read_fd, write_fd = os.pipe()
        done = self.folder / "done"
        program = subprocess.Popen([PERFFLOW, "run", *options, "-o", "-", "--", "sh", "-c", f'"$@"; touch {done}', "sh",
                                    *map(str, command)], stdin=subprocess.DEVNULL, stdout=write_fd, stderr=subprocess.PIPE,
                                   env=environment(), text=True)
        os.close(write_fd)
        self.addCleanup(program.kill)
        wait_for("the command to end", lambda: os.path.exists(done), 120)
        path = self.folder / "stalled.json"
        with open(read_fd, "rb") as pipe, open(path, "wb") as file:
            shutil.copyfileobj(pipe, file)
        self.err = program.communicate(timeout=60)[1]
        self.assertEqual(program.returncode, 0, self.err)
        return Trace(path)

    def test_a_trace_that_lacks_nothing_is_complete(self):
        trace = self.trace("hot:hot_push", [target("hot"), "push", 100])
        self.assertEqual([e for e in trace.events if e["name"] == "perfflow_ledger"], [])
        self.assertEqual(self.verdict(trace.path, 0)["ledger"], [])
        self.assertIn(": complete", perfflow("check", trace.path).out)

    def test_records_that_found_no_room_are_counted_by_function_and_process(self):
        n = 1500000
        trace = self.stalled(["-p", "hot:hot_push"], [target("hot"), "push", n])
        lost = trace.summary()["losses"]["ring_full"]
        self.assertGreater(lost, 0)
        entries = [e for e in trace.ledger("ring_full") if e.get("function") == "hot_push"]
        self.assertEqual(trace.count("hot_push") + sum(e["n"] for e in entries), n)
        self.assertEqual(sum(e["n"] for e in trace.ledger("ring_full")), lost, "names and states are records, too")
        self.assertEqual({(e["module"], e["pid"]) for e in entries}, {("hot", trace.pids()[0])})
        said = self.verdict(trace.path, 1)
        entry = self.entry(said, "ring_full", "hot_push")
        self.assertEqual(entry["n"], n - trace.count("hot_push"))
        gaps = [(e["begin"], e["end"]) for e in entries]
        self.assertTrue(all(begin <= end for begin, end in gaps), gaps)
        self.assertIn("records that found no room in a ring", self.err)

    def test_calls_nested_too_deep_are_counted_by_function_and_process(self):
        trace = self.trace("recursion:recurse", [target("recursion"), 200], lost={"too_deep": 200 - 64})
        said = self.verdict(trace.path, 1)
        entry = self.entry(said, "too_deep", "recurse")
        self.assertEqual([entry["n"], entry["pid"]], [trace.summary()["losses"]["too_deep"], trace.pids()[0]])
        spans = trace.spans("recurse")
        first, last = min(ns(s["ts"]) for s in spans), max(ns(s["ts"]) + ns(s["dur"]) for s in spans)
        self.assertLessEqual(first, entry["begin_ns"])
        self.assertLessEqual(entry["begin_ns"], entry["end_ns"])
        self.assertLessEqual(entry["end_ns"], last)
        self.assertIn("calls nested too deep", trace.ran.err)

    def test_what_was_left_out_as_asked_for_is_noted_and_nothing_is_missing(self):
        n = 20000
        trace = self.trace("(hot:hot_push) sample=1/10", [target("hot"), "push", n])
        said = self.verdict(trace.path, 0)
        entry = self.entry(said, "sampled_out", "hot_push")
        self.assertEqual(entry["n"], n - trace.count("hot_push"))
        self.assertEqual(entry["pid"], trace.pids()[0])
        self.assertTrue(any("of 'hot_push' (hot)" in note for note in said["notes"]), said)
        trace = self.trace("(hot:hot_push) min=1s", [target("hot"), "push", n])
        self.assertEqual(self.entry(self.verdict(trace.path, 0), "short", "hot_push")["n"], n)

    def test_calls_that_had_begun_before_are_noted(self):
        program = self.start([target("rates"), 60])
        program.read_until(" ")
        output = self.folder / "trace.json"
        ran = perfflow("attach", "--pid", program.pid, "-p", "(rates:rate_outer) returns=sites", "--duration", "1s", "-o", output)
        self.assertEqual(ran.status, 0, ran)
        said = self.verdict(output, 0)
        entry = self.entry(said, "entered_before", "rate_outer")
        self.assertEqual([entry["n"], entry["pid"]], [1, program.pid])


class Late(LedgerCase):
    """What is loaded that nobody knew of, while the daemon is held up."""

    def setUp(self):
        super().setUp()
        self.service = Service(self, self.folder / "socket")
        self.library = shutil.copy(target("libplugin.so"), self.folder / "unknown.so")

    def start_late(self):
        program = self.start([target("late")], stdin=subprocess.PIPE)
        program.read_until("ready")
        return program

    def traced(self, programs, *scope):
        """All of them load the library while they are traced."""
        client = self.service.start("attach", *scope, "--allow-empty", "-p", "unknown.so:plugged", "-o", self.folder / "t.json")
        self.addCleanup(client.kill_all)
        client.read_until("tracing", "stderr")
        with held_up(self.service.process.pid):
            for program in programs:
                program.tell(f"load {self.library}")
        for program in programs:
            program.read_until("done")
        client.interrupt()
        self.assertEqual(client.finish().status, 0)
        return Trace(self.folder / "t.json")

    def check_missing(self, trace, program):
        calls = calls_of(program.output().out)[program.pid]
        n = check_late(self, trace, "plugged", program.pid, calls, function="plugged", module="unknown.so", n=1)
        self.assertTrue(0 < n < len(calls), (n, len(calls)))

    def test_calls_before_a_library_was_woven_are_missing_in_the_time_that_the_ledger_says(self):
        program = self.start_late()
        trace = self.traced([program], "--pid", program.pid)
        self.check_missing(trace, program)
        said = self.verdict(trace.path, 1)
        entry = self.entry(said, "late_weaving", "plugged")
        self.assertEqual((entry["n"], entry["pid"]), (1, program.pid))
        self.assertFalse(trace.summary()["complete"])
        self.assertRegex(str(trace.summary()["warnings"]), rf"unknown.so' were woven after process {program.pid} had begun")

    def test_of_processes_that_load_a_library_at_once_each_has_a_time_of_its_own(self):
        programs = [self.start_late() for _ in range(4)]
        trace = self.traced(programs)
        for program in programs:
            self.check_missing(trace, program)


if __name__ == "__main__":
    main()
