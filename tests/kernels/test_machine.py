#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What may happen to a machine under a session: its clock is set, a CPU goes and comes back.

Runs in run.sh's virtual machines alone, for it does that to the machine.
"""
import os
import shutil
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOW, TestCase, Trace, main, perfflow, skip_machine, target, wait_for  # noqa: E402

DAY = 86400
CPU = "/sys/devices/system/cpu/cpu1/online"


class Machine(TestCase):
    def traced(self, *options):
        """A program that calls and counts itself, until it is told to end."""
        client = self.start([PERFFLOW, "run", "-p", "churn:work", *options, "-o", self.folder / "t.json", "--", target("churn"),
                             self.folder / "counts", "beats", 10 ** 6])
        client.read_until("ready", timeout=120)
        return client

    def finish(self, client):
        client.terminate()
        ran = client.finish(120)
        self.assertEqual(ran.status, 0, ran)
        return ran

    def counted(self):
        with open(self.folder / "counts", "rb") as file:
            return struct.unpack("q", file.read(8))[0]

    def wait_for_calls(self, n):
        goal = self.counted() + n
        wait_for("calls", lambda: self.counted() >= goal, 60)

    def step(self, seconds):
        time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME) + seconds)

    def test_a_clock_that_is_set_moves_no_span(self):
        began = time.clock_gettime(time.CLOCK_BOOTTIME) * 1e6
        client = self.traced("--rotate", "1s", "--sched")
        self.wait_for_calls(50)
        for seconds in (DAY, -2 * DAY, DAY):
            self.step(seconds)
            self.wait_for_calls(800)
        ran = self.finish(client)
        ended = time.clock_gettime(time.CLOCK_BOOTTIME) * 1e6
        pieces = sorted(name for name in os.listdir(self.folder.path) if name.startswith("t."))
        paths = [self.folder / name for name in pieces]
        self.assertGreater(len(pieces), 1, ran)
        self.assertEqual(perfflow("check", *paths).status, 0, ran)
        traces = [Trace(path) for path in paths]
        spans = [span for trace in traces for span in trace.spans("work")]
        self.assertEqual(len(spans), self.counted())
        for span in spans:
            self.assertTrue(began <= span["ts"] <= span["ts"] + span["dur"] <= ended, span)
        clocks = [trace.events[0]["args"]["clock"] for trace in traces]
        offsets = [(int(clock["real_ns"]) - int(clock["boot_ns"])) / 1e9 for clock in clocks]
        self.assertGreater(max(offsets) - min(offsets), DAY / 2)  # which the pieces tell

    @unittest.skipUnless(os.path.exists(CPU), "there is one CPU, or it cannot be taken away")
    def test_a_cpu_that_goes_and_comes_back_loses_no_call(self):
        def switch(is_on):
            with open(CPU, "w") as file:
                file.write(str(int(is_on)))
        self.addCleanup(switch, True)
        client = self.traced("--sched")
        for is_on in (False, True, False, True):
            self.wait_for_calls(100)
            switch(is_on)
        self.wait_for_calls(100)
        self.finish(client)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.count("work"), self.counted())

    @unittest.skipUnless(os.path.exists(CPU), "there is one CPU, or it cannot be taken away")
    def test_what_is_loaded_on_a_cpu_that_came_back_is_woven(self):
        def switch(is_on):
            with open(CPU, "w") as file:
                file.write(str(int(is_on)))
        self.addCleanup(switch, True)
        shutil.copy(target("libplugin.so"), self.folder / "unknown.so")
        client = self.start([PERFFLOW, "attach", "-p", "unknown.so:plugged", "--allow-empty", "--metrics", "page-faults", "-o",
                             self.folder / "t.json"])
        client.read_until("tracing", "stderr", timeout=120)
        switch(False)
        switch(True)  # sooner than anybody looks whether it is there
        time.sleep(5)
        for _ in range(10):
            subprocess.run([target("loads"), self.folder / "unknown.so"], check=True, stdout=subprocess.DEVNULL,
                           preexec_fn=lambda: os.sched_setaffinity(0, {1}))
            time.sleep(0.2)
        client.interrupt()
        self.assertEqual(client.finish(120).status, 0)
        trace = Trace(self.folder / "t.json")
        spans = trace.spans("plugged")
        self.assertTrue(spans, trace.summary())
        last = max(spans, key=lambda span: span["ts"])["pid"]
        mine = [span for span in spans if span["pid"] == last]
        self.assertEqual(len(mine), 10)
        for span in mine:
            self.assertTrue(0 <= span["args"]["page_faults"] < 10000, span)
        self.assertIn("CPUs came", " ".join(trace.summary()["warnings"]))

    @unittest.skipUnless(os.path.exists(CPU), "there is one CPU, or it cannot be taken away")
    def test_a_session_that_begins_while_a_cpu_is_away(self):
        with open(CPU, "w") as file:
            file.write("0")
        try:
            client = self.traced()
            self.wait_for_calls(100)
        finally:
            with open(CPU, "w") as file:
                file.write("1")
        os.sched_setaffinity(client.pid, {1})
        self.wait_for_calls(100)
        self.finish(client)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.count("work"), self.counted())


if __name__ == "__main__":
    if "PERFFLOW_KERNEL" not in os.environ:
        skip_machine("sets the clock of the machine: for a virtual one")
    main()
