#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""More sessions at once than one hook at the scheduler's switches can call: all are told of each switch that concerns them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import Service, TestCase, Trace, main, run, target  # noqa: E402

MORE_THAN_ONE_CALLS = 34  # PF_MAX_DISPATCHED is 32


class Sessions(TestCase):
    def begin(self, service, name):
        session = service.start("attach", "--binary", target("clocks"), "-p", "clocks:sleeps", "-o", f"{name}.json",
                                cwd=self.folder.path)
        self.addCleanup(session.kill_all)
        session.read_until("tracing", "stderr", timeout=60)
        return session

    def end(self, session):
        session.interrupt()
        ran = session.finish(60)
        self.assertEqual(ran.status, 0, ran)
        self.assertIn("complete: nothing was lost", ran.err)

    def assertSlept(self, name, n_runs):
        """Without the switches the thread would seem to be on its CPU all the time."""
        trace = Trace(self.folder / f"{name}.json")
        spans = trace.spans("sleeps")
        self.assertEqual(len(spans), 4 * n_runs, name)
        for span in spans:
            self.assertGreaterEqual(span["args"]["blocked_us"], 35000, (name, span))

    def test_each_of_many_knows_when_the_same_threads_slept_while_others_come_and_go(self):
        service = Service(self, self.folder / "socket")
        sessions = [self.begin(service, i) for i in range(MORE_THAN_ONE_CALLS)]
        self.assertEqual(run([target("clocks")]).status, 0)
        for session in sessions[::3]:
            self.end(session)
        self.assertEqual(run([target("clocks")]).status, 0)
        late = self.begin(service, "late")  # in the place of one that has gone
        self.assertEqual(run([target("clocks")]).status, 0)
        for i, session in enumerate(sessions):
            if i % 3:
                self.end(session)
        self.end(late)
        for i in range(MORE_THAN_ONE_CALLS):
            self.assertSlept(i, 3 if i % 3 else 1)
        self.assertSlept("late", 1)


if __name__ == "__main__":
    main()
