#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The daemon under the thread sanitizer: its pipelines, its symbolizer and its loop share nothing that they should not.

For a build with PERFFLOW_TSAN=ON, whose programs say on standard error, and by their exit status, what they found.
"""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOWD, TARGETS, Service, TestCase, main, run, target, wait_for  # noqa: E402

RACE = 66  # the exit status


class Threads(TestCase):
    def setUp(self):
        super().setUp()
        # not of leaks: a process that it forks would be blamed for threads that are the daemon's
        self.service = Service(self, self.folder / "socket", TSAN_OPTIONS=f"exitcode={RACE} report_thread_leaks=0",
                               LD_LIBRARY_PATH=os.path.join(TARGETS, "fake_nvml"))

    def tearDown(self):
        ran = self.service.stop()
        self.assertNotIn("ThreadSanitizer", ran.err)
        self.assertEqual(ran.status, 0, ran)

    def traced(self, *options, command=("hot", "push", 20000), output="t.json"):
        return self.service.perfflow("run", *options, "-o", self.folder / output, "--", target(command[0]), *command[1:],
                                     timeout=240)

    def beating(self, number, *options):
        program = self.start([target("churn"), self.folder / f"counts-{number}", "beats", 10 ** 6])
        program.read_until("ready")
        client = self.service.start("attach", "--pid", program.pid, "-p", "churn:work", "-o", self.folder / f"{number}.json",
                                    *options)
        self.addCleanup(client.kill_all)
        client.read_until("tracing", "stderr") # one after another: sessions are numbered as they come
        return program, client

    def test_the_sanitizer_is_there(self):
        ran = run([PERFFLOWD, "--version"], env=dict(os.environ, TSAN_OPTIONS="help=1"))
        self.assertIn("ThreadSanitizer", ran.err + ran.out)

    def test_all_kinds_of_records(self):
        self.assertEqual(self.traced("-p", "hot_push").status, 0)
        self.assertEqual(self.traced("-p", "hot_push", "--rotate", "64K", "--sched", "--metrics", "mem,faults,gpu").status, 0)
        self.assertEqual(self.traced("-p", "around(libstacks.so:alloc) stack", command=("stacks", "fork")).status, 0)
        self.assertEqual(self.traced("-p", "threads:work", "--pfw=" + self.folder.path, command=("threads", 8, 500)).status, 0)
        self.assertEqual(self.traced("-p", "forks:*", "--scope", "exe(*forks)", command=("forks",)).status, 0)

    def test_sessions_that_are_looked_at_stopped_and_cut_off_while_they_run(self):
        beating = [self.beating(i, *(["--rotate", "1s"] if i % 2 else [])) for i in range(4)]
        for _ in range(20):
            self.assertEqual(self.service.perfflow("status").status, 0)
        beating[0][1].send_signal(signal.SIGINT)
        beating[1][1].kill()
        beating[2][0].terminate()
        self.service.perfflow("stop", "4")
        wait_for("the end of all", lambda: " running " not in self.service.perfflow("list").out)

    def test_an_output_that_fails(self):
        ran = self.service.perfflow("run", "-p", "hot_push", "-o", "/dev/full", "--", target("hot"), "push", 20000)
        self.assertIn("No space left", ran.err)


if __name__ == "__main__":
    main()
