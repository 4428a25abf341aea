#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""perfflow attach: what runs already is traced from then on, and does not notice."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import NOBODY, PERFFLOW, TestCase, Trace, environment, links, main, perfflow, run, target, wait_for  # noqa: E402


class Attach(TestCase):
    def follows(self):
        """A target that does what it is told."""
        process = self.start([target("follows")], stdin=subprocess.PIPE)
        process.read_until("ready")
        return process

    def tell(self, process, word, answer="done"):
        process.tell(word)
        process.read_until(answer)

    def attach(self, *arguments, output="t.json"):
        """Starts `perfflow attach` and waits until it is armed."""
        process = self.start([PERFFLOW, "attach", *arguments, "-o", self.folder / output])
        process.read_until("tracing", "stderr")
        return process

    def end(self, process, status=0):
        process.interrupt()
        ran = process.finish()
        self.assertEqual(ran.status, status, ran)
        return ran

    def test_a_running_process_its_threads_and_its_later_children_are_traced(self):
        program = self.follows()
        self.tell(program, "tick")
        attached = self.attach("--pid", str(program.pid), "-p", "follows:tick")
        for word in ("tick", "thread", "fork"):
            self.tell(program, word)
        ran = self.end(attached)
        self.tell(program, "tick")
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.count("tick"), 30)
        self.assertEqual(len(trace.pids()), 2)
        self.assertEqual(len({span["tid"] for span in trace.all_spans}), 3)
        for word in ("1 function", "30 spans", "t.json"):
            self.assertIn(word, ran.err)
        program.stdin.close()
        self.assertEqual(program.wait(20), 0)

    def test_the_trace_is_named_after_the_host_and_the_process(self):
        program = self.follows()
        for options, expected in ((("--pid", str(program.pid)), program), (("--binary", target("follows")), None)):
            ran = self.start([PERFFLOW, "attach", *options, "-p", "follows:tick", "--duration", "300ms"], cwd=self.folder.path)
            name = f"perfflow.{os.uname().nodename}.{(expected or ran).pid}.json"
            self.assertEqual(ran.finish().status, 0)
            self.check(Trace(self.folder / name))

    def test_what_it_cannot_do_and_what_makes_no_sense_have_statuses_of_their_own(self):
        for arguments, status in ((("--pid", "0", "-p", "x"), 2), (("--duration", "soon", "-p", "x"), 2), (("extra", "-p", "x"), 2),
                                  (("--binary", "/no/such/file", "-p", "x"), 1),
                                  (("--binary", target("follows"), "-p", "follows:no_such_function"), 1)):
            ran = perfflow("attach", *arguments, "-o", self.folder / "t.json")
            self.assertSentence(ran)
            self.assertEqual(ran.status, status, ran)

    def test_the_end_of_the_process_ends_it(self):
        program = self.follows()
        attached = self.attach("--pid", str(program.pid), "-p", "follows:tick")
        self.tell(program, "tick")
        program.stdin.close()
        ran = attached.finish()
        self.assertEqual(ran.status, 0, ran)
        self.assertEqual(program.wait(20), 0)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.count("tick"), 10)

    def test_a_duration_ends_it(self):
        program = self.follows()
        begin = time.monotonic()
        ran = perfflow("attach", "--pid", str(program.pid), "-p", "follows:tick", "-o", self.folder / "t.json",
                       "--duration", "1500ms")
        self.assertEqual(ran.status, 0, ran)
        self.assertTrue(1.4 < time.monotonic() - begin < 10)
        self.check(Trace(self.folder / "t.json"))
        self.assertIsNone(program.poll())
        self.tell(program, "tick")

    def test_a_call_that_is_open_at_the_end_of_the_session_says_so(self):
        program = self.follows()
        attached = self.attach("--pid", str(program.pid), "-p", "follows:blocks || follows:tick")
        self.tell(program, "block", "inside")
        self.end(attached)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.ends("blocks"), {"session_stop": 1})
        self.tell(program, "go on")
        self.tell(program, "tick")

    def test_a_call_that_began_before_the_session_is_no_span_and_upsets_none(self):
        program = self.follows()
        self.tell(program, "block", "inside")
        attached = self.attach("--pid", str(program.pid), "-p", "follows:blocks || follows:tick")
        self.tell(program, "go on")
        self.tell(program, "tick")
        self.end(attached)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.counts(), {"tick": 10})

    def test_every_present_and_future_process_of_a_binary_is_traced(self):
        program = self.follows()
        attached = self.attach("--binary", target("follows"), "-p", "tick")
        self.tell(program, "tick")
        late = self.follows()
        self.tell(late, "tick")
        self.tell(late, "fork")
        self.end(attached)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.count("tick"), 30)
        self.assertEqual(trace.count("tick", pid=program.pid), 10)
        self.assertEqual(trace.count("tick", pid=late.pid), 10)

    def test_every_user_of_a_library_is_traced(self):
        attached = self.attach("--binary", target("libalias.so"), "-p", "SHORT_*")
        for _ in range(3):
            self.assertEqual(run([target("alias")]).status, 0)
        self.end(attached)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.counts(), {"SHORT_send": 36, "SHORT_other": 6})
        self.assertEqual(len(trace.pids()), 3)

    def test_two_sessions_see_the_same_process_each_for_itself(self):
        program = self.follows()
        one = self.attach("--pid", str(program.pid), "-p", "follows:tick", output="one.json")
        self.tell(program, "tick")
        two = self.attach("--pid", str(program.pid), "-p", "follows:tick", output="two.json")
        self.tell(program, "tick")
        self.end(one)
        self.tell(program, "tick")
        self.end(two)
        for name in ("one.json", "two.json"):
            trace = Trace(self.folder / name)
            self.check(trace)
            self.assertEqual(trace.count("tick"), 20, name)

    def test_nothing_stays_attached_when_the_command_line_is_killed(self):
        program = self.follows()
        before = links()
        attached = self.attach("--pid", str(program.pid), "-p", "follows:tick")
        self.tell(program, "tick")
        attached.kill()
        attached.wait(20)
        wait_for("the end of the probes", lambda: links() <= before)
        trace = Trace(self.folder / "t.json")
        self.assertEqual([f for f in trace.complaints() if not f.startswith("F2")], [])
        self.tell(program, "tick")

    def test_a_target_killed_inside_of_a_span_ends_the_span_and_the_session(self):
        before = links()
        program = self.follows()
        attached = self.attach("--pid", str(program.pid), "-p", "follows:blocks")
        self.tell(program, "block", "inside")
        program.kill()
        ran = attached.finish()
        self.assertEqual(ran.status, 0, ran)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.ends("blocks"), {"process_exit": 1})
        wait_for("the end of the probes", lambda: links() <= before)

    def test_match_lists_join_points_without_rights_or_daemon(self):
        ran = run([*NOBODY, self.folder.copy(PERFFLOW), "match", "--binary", self.folder.copy(target("plusplus")),
                   "solver::*::compute || plain_c"],
                  env=environment(PERFFLOW_SOCKET="/nonexistent/socket"), cwd="/")
        self.assertEqual(ran.status, 0, ran)
        for name in ("solver::Base::compute", "solver::Derived::compute", "plain_c"):
            self.assertEqual(len(re.findall(rf"\b{name}\b", ran.out)), 1, ran)
        self.assertNotIn("sweep", ran.out)

    def test_match_looks_into_the_files_of_a_running_process(self):
        program = self.follows()
        ran = perfflow("match", "--pid", str(program.pid), "follows:tick || libc.so*:getenv")
        self.assertEqual(ran.status, 0, ran)
        self.assertIn("tick", ran.out)
        self.assertIn("getenv", ran.out)


if __name__ == "__main__":
    main()
