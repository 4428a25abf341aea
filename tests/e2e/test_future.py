#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What runs later, elsewhere, or under another root: it is woven all the same, and the trace says where that was late."""
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOW, TestCase, Trace, main, perfflow, target  # noqa: E402


class Future(TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.folder / "")

    def script(self, text):
        path = self.folder / "script.sh"
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return path

    def test_what_a_script_starts_is_woven_before_its_first_call(self):
        shutil.copy(target("plain_pie"), self.folder / "hidden")
        trace = self.trace("hidden:add || hidden:twice", [self.script(f"cd {self.folder}\nfor i in 1 2 3; do ./hidden; done\n")])
        self.assertCounts(trace, {"add": 300, "twice": 150})
        self.assertEqual(trace.summary()["warnings"], [])

    def test_a_chain_of_execs_is_followed(self):
        shutil.copy(target("plain_pie"), self.folder / "last")
        trace = self.trace("last:add", [self.script(f"exec env sh -c 'exec nice {self.folder}/last'\n")])
        self.assertCounts(trace, {"add": 100})

    def test_a_library_that_is_loaded_later_and_was_known_misses_no_call(self):
        trace = self.trace("libplugin.so*:plugged", [target("loads"), target("libplugin.so")])
        self.assertCounts(trace, {"plugged": 10})

    def assertLastIsWhole(self, trace, name, calls):
        """How soon a file is woven depends on the machine; but at some time it is, and then no call is missed."""
        last = max(trace.spans(name), key=lambda span: span["ts"])["pid"]
        self.assertEqual(len([span for span in trace.spans(name) if span["pid"] == last]), calls)

    def test_a_library_that_nothing_tells_of_is_woven_when_it_is_mapped(self):
        shutil.copy(target("libplugin.so"), self.folder / "unknown.so")
        ran = perfflow("run", "--allow-empty", "-p", "unknown.so:plugged", "-o", self.folder / "t.json", "--", "sh", "-c",
                       f"F={self.folder}; for i in $(seq 20); do {target('loads')} $F/unknown.so; sleep 0.1; done")
        self.assertEqual(ran.status, 0, ran)
        trace = Trace(self.folder / "t.json")
        self.assertLastIsWhole(trace, "plugged", 10)
        if trace.count("plugged") < 200:
            self.assertRegex(" ".join(trace.summary()["warnings"]), r"unknown.so.* were woven after .* ms are missing")
            self.assertFalse(trace.summary()["complete"])
        whole = [pid for pid in trace.pids() if trace.count("plugged", pid=pid) == 10]
        late = {entry["pid"] for entry in trace.ledger("late_weaving")}
        self.assertLessEqual(20, len(whole) + len(late), "somebody lacks calls, and the ledger has nothing of it")

    def test_without_a_target_every_process_is_traced_that_the_aspect_fits(self):
        shutil.copy(target("plain_pie"), self.folder / "everywhere")
        shutil.copy(target("follows"), self.folder / "present")
        present = self.start([self.folder / "present"], stdin=subprocess.PIPE)
        present.read_until("ready")
        attached = self.start([PERFFLOW, "attach", "-p", "present:tick", "-p", "everywhere:add", "--allow-empty", "-o",
                               self.folder / "t.json"])
        attached.read_until("tracing", "stderr")
        present.tell("tick")
        present.read_until("done")
        for _ in range(20):
            subprocess.run([self.folder / "everywhere"], check=True, stdout=subprocess.DEVNULL)
            time.sleep(0.1)
        attached.interrupt()
        self.assertEqual(attached.finish().status, 0)
        trace = Trace(self.folder / "t.json")
        self.assertEqual(trace.count("tick"), 10)
        self.assertLastIsWhole(trace, "add", 100)

    def test_a_program_that_was_replaced_is_traced_as_it_runs(self):
        program = self.folder / "replaced"
        shutil.copy(target("follows"), program)
        process = self.start([program], stdin=subprocess.PIPE)
        process.read_until("ready")
        program.unlink()
        shutil.copy(target("plain_pie"), program)
        attached = self.start([PERFFLOW, "attach", "--pid", str(process.pid), "-p", "tick", "-o", self.folder / "t.json"])
        attached.read_until("tracing", "stderr")
        process.tell("tick")
        process.read_until("done")
        attached.interrupt()
        self.assertEqual(attached.finish().status, 0)
        self.assertEqual(Trace(self.folder / "t.json").count("tick"), 10)

    def test_a_process_under_another_root_is_reached_through_itself(self):
        root = self.folder / "root"
        root.mkdir()
        shutil.copy(target("plain_static"), root / "solver")
        trace = self.trace("solver:add", ["chroot", root, "/solver"], allow_empty=True)
        self.assertCounts(trace, {"add": 100})

    def test_a_process_in_another_mount_namespace_is_reached_through_itself(self):
        inside = self.folder / "inside"
        inside.mkdir()
        command = (f"mount -t tmpfs none {inside} && cp {target('plain_pie')} {inside}/solver && "
                   f"for i in $(seq 20); do {inside}/solver; sleep 0.1; done")
        trace = self.trace("solver:add", ["unshare", "--mount", "sh", "-c", command], allow_empty=True)
        self.assertLastIsWhole(trace, "add", 100)


if __name__ == "__main__":
    main(programs=("unshare", "chroot"))
