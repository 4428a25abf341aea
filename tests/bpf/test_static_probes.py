#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Static probes: their semaphores are raised while they are woven, and lowered after, however that ends."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOW, TestCase, Trace, environment, main, perfflow, target, wait_for  # noqa: E402

PYTHON = os.path.realpath("/usr/bin/python3")
STEP = "usdt(pf_target:step)"


def marks(trace, name):
    return [event for event in trace.events if event["ph"] == "i" and event["name"] == name]


class StaticProbes(TestCase):
    def marked(self):
        program = self.start([target("marked")], stdin=subprocess.PIPE)
        self.assertEqual(self.answer(program, ask=False), "0 0")
        return program

    def answer(self, program, ask=True):
        """The semaphore, and how often the program passed its probe."""
        if ask:
            program.tell("")
        return program.read_until(" ").strip()

    def attach(self, program, name="t.json", **keywords):
        attached = self.start([PERFFLOW, "attach", "--pid", program.pid, "-p", STEP, "-o", self.folder / name], **keywords)
        attached.read_until("tracing", "stderr")
        return attached

    def end(self, attached):
        attached.interrupt()
        ran = attached.finish()
        self.assertEqual(ran.status, 0, ran)

    def wait_until_lowered(self, program):
        wait_for("the semaphore to be lowered", lambda: self.answer(program) == "0 0")

    def test_a_semaphore_is_raised_while_somebody_looks_and_lowered_after(self):
        for disabled in ("", "uprobe_multi"):
            with self.subTest(without=disabled):
                program = self.marked()
                attached = self.attach(program, env=environment(PERFFLOW_DISABLE=disabled))
                self.assertEqual([self.answer(program) for _ in range(4)], ["1 3"] * 4)
                self.end(attached)
                self.wait_until_lowered(program)
                trace = Trace(self.folder / "t.json")
                self.check(trace)
                self.assertEqual(len(marks(trace, "pf_target:step")), 12)

    def test_it_stays_raised_until_the_last_one_has_looked(self):
        program = self.marked()
        first, second = self.attach(program, "first.json"), self.attach(program, "second.json")
        self.assertEqual(self.answer(program), "1 3")
        self.end(first)
        self.assertEqual([self.answer(program) for _ in range(20)], ["1 3"] * 20)
        self.end(second)
        self.wait_until_lowered(program)
        self.assertEqual(len(marks(Trace(self.folder / "second.json"), "pf_target:step")), 63)

    def test_it_is_lowered_when_the_daemon_is_killed(self):
        program = self.marked()
        attached = self.attach(program)
        self.assertEqual(self.answer(program), "1 3")
        attached.kill_all()
        self.wait_until_lowered(program)

    def test_a_program_that_is_started_finds_it_raised(self):
        trace = self.trace(STEP, [target("marked")])
        self.assertEqual(trace.ran.out, "1 3\n")
        self.assertEqual(len(marks(trace, "pf_target:step")), 3)

    def test_a_probe_that_was_mistyped_is_an_error_that_names_what_is_near(self):
        for wrong in ("usdt(pf_target:stpe)", "usdt(pf_taget:step)"):
            ran = perfflow("run", "-p", wrong, "-o", self.folder / "t.json", "--", target("marked"))
            self.assertSentence(ran, "matches no function", STEP)

    def test_probes_of_python_that_ask_for_their_semaphore_are_seen(self):
        if perfflow("match", "--binary", PYTHON, "usdt(python:gc__done)").status:
            self.skipTest(f"{PYTHON} is not there, or has no static probes")
        trace = self.trace(["usdt(python:gc__start)", "usdt(python:gc__done)"],
                           [PYTHON, "-c", "import gc; gc.disable(); [gc.collect() for _ in range(7)]"])
        starts, dones = len(marks(trace, "python:gc__start")), len(marks(trace, "python:gc__done"))
        self.assertGreaterEqual(starts, 7)
        self.assertEqual(starts, dones)


if __name__ == "__main__":
    main(files=[target("marked")])
