#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a kernel offers is found and used; one that lacks what is needed is refused with a sentence.

Runs where PERFFLOW_KERNEL says which kernel this is: in run.sh's virtual machines.
"""
import json
import os
import pathlib
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import TestCase, main, perfflow, target  # noqa: E402

KERNEL = os.environ.get("PERFFLOW_KERNEL")
TOO_OLD = "this kernel lacks BPF attach cookies (Linux 5.15 is needed)"
# uprobe_multi, multi_pid_filter, uprobe_session
OFFERS = {"6.1": (False, False, False), "6.12": (True, True, False), "7.3": (True, True, True)}


class Kernel(TestCase):
    def doctor(self):
        ran = perfflow("doctor", "--json")
        return ran, json.loads(ran.out)

    @unittest.skipUnless(KERNEL == "5.10", "for a kernel that is too old")
    def test_a_kernel_that_is_too_old_is_refused_with_a_sentence_and_the_command_is_not_run(self):
        ran = perfflow("run", "-o", self.folder / "t.json", "-p", "recursion:recurse", "--", target("recursion"))
        self.assertSentence(ran, TOO_OLD)
        self.assertEqual(ran.out, "")
        self.assertFalse(os.path.exists(self.folder / "t.json"))

    @unittest.skipUnless(KERNEL == "5.10", "for a kernel that is too old")
    def test_doctor_says_that_the_kernel_is_too_old(self):
        ran, report = self.doctor()
        self.assertEqual(ran.status, 1, ran)
        self.assertFalse(report["works"])
        self.assertEqual(report["features"]["attach_cookies"], "absent")

    @unittest.skipUnless(KERNEL in OFFERS, "for a kernel that works")
    def test_doctor_finds_what_the_kernel_offers(self):
        ran, report = self.doctor()
        self.assertEqual(ran.status, 0, ran)
        names = ("uprobe_multi", "multi_pid_filter", "uprobe_session")
        found = tuple(report["features"][name] == "present" for name in names)
        self.assertEqual(found, OFFERS[KERNEL])

    @unittest.skipUnless(KERNEL == "6.1", "for a kernel where each probe is a perf event")
    def test_who_traces_does_not_wait_until_the_kernel_has_removed_the_probes(self):
        def removers():
            return {pid for pid in os.listdir("/proc") if pid.isdigit() and name_of(pid) == "perfflow-detach"}

        def name_of(pid):
            try:
                return pathlib.Path("/proc", pid, "comm").read_text().strip()
            except OSError:
                return None

        before = removers()
        program = [sys.executable, "-S", "-c", "import time; print(time.monotonic())"]
        ran = perfflow("run", "--returns=never", "-o", self.folder / "t.json", "-p", "libc.so.6:/^[i-z]/", "--", *program, timeout=600)
        back = time.monotonic()
        left = removers() - before
        self.assertEqual(ran.status, 0, ran)
        functions = re.search(r"of ([\d,]+) functions", ran.err)
        self.assertGreaterEqual(int(functions[1].replace(",", "")) if functions else 0, 1000, ran)
        self.assertTrue(left, "either nobody removes the probes, or the command has waited for it")
        waited = back - float(ran.out)
        print(f"perfflow was back {waited:.1f} s after the program", flush=True)
        time.sleep(2 * waited + 5)  # the removal takes minutes
        self.assertTrue(left & removers(), "the removal has ended already")


if __name__ == "__main__":
    main()
