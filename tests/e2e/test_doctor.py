#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""perfflow doctor: a line for each thing that this kernel and machine can do or lack, and whether perfflow can trace."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import TestCase, environment, main, perfflow, target  # noqa: E402

NEEDED = ("attach_cookies", "tp_btf")  # of those that can be switched off
SPARED = ("uprobe_multi", "multi_pid_filter", "uprobe_session", "run_context", "current_task", "gate")


class Doctor(TestCase):
    def doctor(self, *options, disabled=""):
        return perfflow("doctor", *options, env=environment(PERFFLOW_DISABLE=disabled))

    def test_each_feature_has_a_line_and_a_field(self):
        ran, report = self.doctor(), json.loads(self.doctor("--json").out)
        self.assertEqual(ran.status, 0, ran)
        self.assertTrue(report["works"])
        self.assertEqual(ran.out.splitlines()[-1], "perfflow can trace here.")
        words = {"present": "ok", "absent": "-"}
        for name, state in report["features"].items():
            self.assertRegex(ran.out, rf"(?m)^{words[state]} +{name} +\S.*$")
        self.assertGreater(report["costs"]["emulated_ns"], 0)

    def test_a_feature_that_is_switched_off_is_told_with_what_follows(self):
        for name in NEEDED + SPARED:
            with self.subTest(name):
                ran, report = self.doctor(disabled=name), json.loads(self.doctor("--json", disabled=name).out)
                self.assertEqual(report["features"][name], "disabled")
                self.assertRegex(ran.out, rf"(?m)^off +{name} +\S.*$")
                self.assertEqual((ran.status, report["works"]), (1, False) if name in NEEDED else (0, True))
                traced = perfflow("run", "-p", "recursion:before", "-o", self.folder / f"{name}.json", "--",
                                  target("recursion"), "1", env=environment(PERFFLOW_DISABLE=name))
                if name in NEEDED:
                    self.assertSentence(traced, name.split("_")[0])
                    self.assertEqual(report["why_not"], f"{name} is switched off by PERFFLOW_DISABLE")
                else:
                    self.assertEqual(traced.status, 0, traced)


if __name__ == "__main__":
    main()
