#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is installed works without the build tree, and the scripts that install are sound."""
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import BUILD, SOURCE, TestCase, Trace, environment, main, run, target  # noqa: E402


class Install(TestCase):
    def test_an_installed_perfflow_finds_its_daemon_and_traces(self):
        prefix = self.folder / "prefix"
        ran = run(["cmake", "--install", BUILD, "--prefix", prefix])
        self.assertEqual(ran.status, 0, ran)
        installed = {os.path.relpath(os.path.join(folder, name), prefix)
                                     for folder, _, names in os.walk(prefix) for name in names}
        for name in ("bin/perfflow", "sbin/perfflowd", "share/varlink/io.perfflow.varlink",
                     "include/perfflow/annotate.h", "include/perfflow/annotation.h", "include/perfflow/aspect.h"):
            self.assertIn(name, installed)
        path = f"{prefix}/bin:{prefix}/sbin:{os.environ['PATH']}"
        ran = run([prefix + "/bin/perfflow", "run", "-p", "recursion:before", "-o", self.folder / "t.json", "--", target("recursion"), 1],
                  env=environment(PATH=path), cwd="/")
        self.assertEqual(ran.status, 0, ran)
        self.assertEqual(Trace(self.folder / "t.json").count("before"), 3)

    @unittest.skipUnless(shutil.which("ninja") and os.path.exists(os.path.join(BUILD, "build.ninja")), "not built by ninja")
    def test_what_the_quick_start_builds_can_be_installed(self):
        script = pathlib.Path(SOURCE, "deploy", "quickstart.sh").read_text()
        targets = re.search(r"--target ([\w -]+)\)", script).group(1).split()
        ran = run(["ninja", "-C", BUILD, "-t", "commands", *targets])
        self.assertEqual(ran.status, 0, ran)
        built = {os.path.basename(name) for name in re.findall(r" -o (\S+)", ran.out)}
        prefix = self.folder / "prefix"
        run(["cmake", "--install", BUILD, "--prefix", prefix])
        programs = [name for folder, _, names in os.walk(prefix) for name in names
                    if pathlib.Path(folder, name).read_bytes()[:4] == b"\x7fELF"]
        self.assertGreaterEqual(len(programs), 3)
        self.assertEqual([name for name in programs if name not in built], [])

    @unittest.skipUnless(os.path.realpath(BUILD) == os.path.join(SOURCE, "build", "release"), "what it builds is not what is tested")
    def test_the_quick_start_traces_its_sample_and_what_it_is_given(self):
        script = os.path.join(SOURCE, "deploy", "quickstart.sh")
        ran = run([script], cwd=self.folder.path, timeout=300)
        self.assertEqual(ran.status, 0, ran)
        trace = Trace(glob.glob(f"{self.folder.path}/perfflow.*.json")[0])
        self.assertTrue(trace.summary()["complete"])
        for name in ("heat::Plate::relax", "pack_block", "compress2", "analyse"):
            self.assertGreater(trace.count(name), 0, name)

        ran = run([script, "-p", "recursion:before", "-o", "own.json", "--", target("recursion"), 1], cwd=self.folder.path, timeout=300)
        self.assertEqual(ran.status, 0, ran)
        self.assertEqual(Trace(self.folder / "own.json").count("before"), 3)

        ran = run([script, target("recursion"), 1], cwd=self.folder.path, timeout=300)
        self.assertEqual(ran.status, 0, ran)
        newest = max(glob.glob(f"{self.folder.path}/perfflow.*.json"), key=os.path.getmtime)
        self.assertEqual(Trace(newest).count("before"), 3)

    def test_the_scripts_are_sound(self):
        scripts = glob.glob(f"{SOURCE}/deploy/*.sh") + \
                            [f"{SOURCE}/.ci/run", f"{SOURCE}/tests/targets/workflow/workflow"]
        self.assertGreaterEqual(len(scripts), 5)
        for script in scripts:
            with self.subTest(os.path.basename(script)):
                self.assertTrue(os.access(script, os.X_OK))
                self.assertEqual(subprocess.run(["bash", "-n", script]).returncode, 0)
                text = pathlib.Path(script).read_text()
                if "bash" in text.splitlines()[0]:
                    self.assertRegex(text, re.compile(r"^set -euo pipefail$", re.M))
                if shutil.which("shellcheck"):
                    found = subprocess.run(["shellcheck", "-x", script], capture_output=True, text=True, cwd=SOURCE)
                    self.assertEqual(found.stdout, "")

    def test_setup_is_quick_and_changes_nothing_where_all_is_there(self):
        ran = run([f"{SOURCE}/deploy/setup.sh"], timeout=60)
        self.assertEqual(ran.status, 0, ran)
        self.assertNotIn("Setting up", ran.out)

    def test_the_compile_commands_are_there_for_tools(self):
        self.assertTrue(os.path.exists(os.path.join(BUILD, "compile_commands.json")))


if __name__ == "__main__":
    main(programs=("cmake",))
