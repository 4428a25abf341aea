#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What `cmake --install` gives to systemd is what systemd understands, and keeps the daemon in its sandbox."""
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import BUILD, TestCase, environment, main, run  # noqa: E402

# In tenths; what is left of the scale is what a tracer of the whole machine is there for. docs/security.md has the list.
EXPOSURE = 17
EXPOSURE_OLD_KERNEL = 50


class Units(TestCase):
    def setUp(self):
        super().setUp()
        self.root = self.folder / "root"
        ran = run(["cmake", "--install", BUILD], env=environment(DESTDIR=self.root))
        self.assertEqual(ran.status, 0, ran)
        for tree in ("/usr/lib/systemd/system", "/lib/systemd/system"):
            if os.path.isdir(tree) and not os.path.exists(self.root + "/usr/lib/systemd/system/basic.target"):
                shutil.copytree(tree, self.root + "/usr/lib/systemd/system", symlinks=True, dirs_exist_ok=True)
        os.makedirs(self.root + "/etc/systemd/system/perfflowd.service.d")
        os.makedirs(self.root + "/usr/bin", exist_ok=True)
        shutil.copy("/usr/bin/kill", self.root + "/usr/bin/kill")

    def installed(self, pattern):
        found = [path for path in glob.glob(f"{self.root}/**/{pattern}", recursive=True)]
        self.assertEqual(len(found), 1, pattern)
        return found[0]

    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", f"--root={self.root}", *arguments], capture_output=True, text=True)

    def exposure(self, limit):
        ran = self.analyze("security", "--offline=true", f"--threshold={limit}", "perfflowd.service")
        self.assertEqual(ran.returncode, 0, ran.stdout[-600:] + ran.stderr)
        return float(re.search(r"Overall exposure level.*: ([0-9.]+)", ran.stdout)[1])

    def add_drop_in(self):
        shutil.copy(self.installed("10-kernel-before-6.6.conf"), self.root + "/etc/systemd/system/perfflowd.service.d/")

    def test_systemd_finds_nothing_wrong_with_the_units(self):
        for with_drop_in in (False, True):
            if with_drop_in:
                self.add_drop_in()
            ran = self.analyze("verify", "--man=no", "perfflowd.service", "perfflowd.socket")
            self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))

    def test_the_sandbox_leaves_what_a_tracer_needs_and_no_more(self):
        self.assertLessEqual(self.exposure(EXPOSURE), EXPOSURE / 10)

    def test_what_old_kernels_need_costs_much_of_the_sandbox(self):
        before = self.exposure(EXPOSURE)
        self.add_drop_in()
        self.assertGreater(self.exposure(EXPOSURE_OLD_KERNEL), before)

    def test_the_service_runs_what_is_installed(self):
        unit = pathlib.Path(self.installed("perfflowd.service")).read_text()
        program = re.search(r"^ExecStart=(\S+)$", unit, re.M)[1]
        self.assertTrue(os.access(self.root + program, os.X_OK), program)

    def test_its_user_and_its_folder_are_made(self):
        os.makedirs(self.root + "/run", exist_ok=True)
        os.makedirs(self.root + "/proc", exist_ok=True)
        for command in (["systemd-sysusers", f"--root={self.root}", "perfflow.conf"],
                        ["systemd-tmpfiles", f"--root={self.root}", "--create", "--prefix=/run", "perfflow.conf"]):
            ran = run(command)
            self.assertEqual((ran.status, ran.err), (0, ran.err), ran)
        passwd = pathlib.Path(self.root, "etc/passwd").read_text()
        self.assertRegex(passwd, r"(?m)^perfflow:[^:]*:[0-9]+:[0-9]+:[^:]*:/:\S*nologin$")
        self.assertTrue(os.path.isdir(self.root + "/run/perfflow"))


if __name__ == "__main__":
    main(bpf=False, programs=("cmake", "systemd-analyze", "systemd-sysusers", "systemd-tmpfiles"))
