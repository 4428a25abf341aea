#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs on overlayfs, as containers have them: uprobes go to the file beneath, which many overlays may share."""
import ctypes
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOW, TestCase, Trace, main, skip_machine, target  # noqa: E402

CLONE_NEWNS = 0x00020000


def leave_mount_namespace():
    """What is mounted from here on is seen by this process and its children alone, and goes with them."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) < 0:
        skip_machine(f"needs a mount namespace of its own: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


class Overlay(TestCase):
    def setUp(self):
        super().setUp()
        self.n_overlays = 0
        self.fresh = self.folder / "fresh"  # a file system of its own for what is written
        os.mkdir(self.fresh)
        subprocess.run(["mount", "-t", "tmpfs", "none", self.fresh], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.fresh])
        self.beneath = {"two file systems": self.folder / "image", "one file system": os.path.join(self.fresh, "image")}
        for image in self.beneath.values():
            os.mkdir(image)
            for name, source in (("solver", "plain_pie"), ("static", "plain_static"), ("waits", "follows")):
                shutil.copy(target(source), os.path.join(image, name))

    def overlay(self, image):
        """The folder of a new overlay over the image."""
        self.n_overlays += 1
        folders = [os.path.join(self.fresh, f"{name}{self.n_overlays}") for name in ("upper", "work", "merged")]
        for folder in folders:
            os.mkdir(folder)
        ran = subprocess.run(["mount", "-t", "overlay", "none", "-o",
                              "lowerdir={},upperdir={},workdir={}".format(image, *folders[:2]), folders[2]],
                             capture_output=True, text=True)
        if ran.returncode:
            self.skipTest(f"overlayfs cannot be mounted here: {ran.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", folders[2]])
        return folders[2]

    def on_each(self, check):
        """Calls it with an overlay over each kind of image."""
        for kind, image in self.beneath.items():
            with self.subTest(kind):
                check(self.overlay(image))

    def test_a_program_of_the_image_is_traced(self):
        def check(merged):
            trace = self.trace("solver:add", [f"{merged}/solver"])
            self.assertEqual(trace.counts(), {"add": 100})
            self.assertIn(f"{merged}/solver", trace.process_names()[trace.pids()[0]])
        self.on_each(check)

    def test_a_program_that_was_changed_in_the_overlay_is_traced(self):
        def check(merged):
            with open(f"{merged}/solver", "ab") as file:  # which copies it up
                file.write(b"\0")
            self.assertEqual(self.trace("solver:add", [f"{merged}/solver"]).counts(), {"add": 100})
        self.on_each(check)

    def test_a_process_whose_root_is_an_overlay_is_traced(self):
        def check(merged):
            trace = self.trace("static:add", ["unshare", "--mount", "chroot", merged, "/static"], allow_empty=True)
            self.assertEqual(trace.counts(), {"add": 100})
        self.on_each(check)

    def test_a_process_that_runs_on_an_overlay_is_attached_to(self):
        def check(merged):
            program = self.start([f"{merged}/waits"], stdin=subprocess.PIPE)
            program.read_until("ready")
            trace = self.attached(["--pid", program.pid, "-p", "waits:tick"], lambda: self.tick(program))
            self.assertEqual(trace.counts(), {"tick": 10})
        self.on_each(check)

    def test_a_program_is_attached_to_by_its_path_on_an_overlay(self):
        def check(merged):
            trace = self.attached(["--binary", f"{merged}/solver", "-p", "add"],
                                  lambda: subprocess.run([f"{merged}/solver"], check=True, stdout=subprocess.DEVNULL))
            self.assertEqual(trace.counts(), {"add": 100})
        self.on_each(check)

    def test_two_containers_of_one_image_have_each_call_counted_once(self):
        for kind, image in self.beneath.items():
            with self.subTest(kind):
                first, second = self.overlay(image), self.overlay(image)
                trace = self.trace("solver:add", ["sh", "-c", f"{first}/solver; {second}/solver; {image}/solver"],
                                   allow_empty=True)
                self.assertEqual(trace.counts(), {"add": 300})
                self.assertEqual(len(trace.pids()), 3)

    def tick(self, program):
        program.tell("tick")
        program.read_until("done")

    def attached(self, arguments, action):
        """The trace of what happens while it is attached."""
        self.n_traces += 1
        path = self.folder / f"trace-{self.n_traces}.json"
        attached = self.start([PERFFLOW, "attach", *arguments, "-o", path])
        attached.read_until("tracing", "stderr")
        action()
        attached.interrupt()
        ran = attached.finish()
        self.assertEqual(ran.status, 0, ran)
        trace = Trace(path)
        self.check(trace)
        return trace


if __name__ == "__main__":
    leave_mount_namespace()
    main(programs=("unshare", "chroot", "mount", "umount"))
