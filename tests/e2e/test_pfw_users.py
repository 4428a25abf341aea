#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""PerfFlowAspect's files for a plain user, whom the site lets trace: by the service, and with that user's own rights."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import test_own_processes  # noqa: E402
from perfflow import environment, main, run, target  # noqa: E402
from pfw_files import PfwTestCase  # noqa: E402
from test_users import STRANGER, as_user  # noqa: E402

ROUND = "B.foo B.bar B.bas E.bas E.bar E.foo"


class PlainUser(test_own_processes.OwnProcesses, PfwTestCase):
    def setUp(self):
        super().setUp()
        self.smoketest = self.folder.copy(target("pfw_smoketest"))

    def own_folder(self):
        folder = self.new_folder()
        os.chown(folder, STRANGER, STRANGER)
        return folder

    def pfw_of(self, uid, *command, words=(), folder=None, **options):
        """What a user gets: the files, in the order of their names."""
        self.where = folder or self.own_folder()
        self.ran = run(self.command(uid, "run", "--pfw", *words, "--", *command), cwd=self.where, env=environment(**options))
        self.assertEqual(self.ran.status, 0, self.ran)
        return self.files_in(self.where)

    def check_owner(self, *paths):
        for path in paths:
            self.assertEqual((os.stat(path).st_uid, os.stat(path).st_gid), (STRANGER, STRANGER), path)


class Files(PlainUser):
    def test_a_command_has_its_file_and_the_file_is_the_users(self):
        (file,) = self.pfw_of(STRANGER, self.smoketest, PERFFLOW_OPTIONS="log-dir=logs/deep:log-event=compact")
        self.assertEqual(file.shape(), " ".join(["X.bas X.bar X.foo"] * 4))
        self.assertEqual(os.path.dirname(file.path), os.path.join(self.where, "logs/deep"))
        self.check_owner(file.path, os.path.dirname(file.path), os.path.join(self.where, "logs"))
        self.assertIn("complete: nothing was lost", self.ran.err)

    def test_each_process_that_the_command_starts_has_one(self):
        files = self.pfw_of(STRANGER, "sh", "-c", f"{self.smoketest}; {self.smoketest}; true")
        self.assertEqual([file.shape() for file in files], [" ".join([ROUND] * 4)] * 2)
        self.check_owner(*(file.path for file in files))

    def test_a_process_that_runs_already_is_attached_to(self):
        lasts, folder = self.folder.copy(target("pfw_lasts")), self.own_folder()
        program = self.start(as_user(STRANGER, lasts, 10000, 100000), cwd=folder)
        ran = run(self.command(STRANGER, "attach", "--pid", program.pid, "--pfw", "--duration", "1s"), cwd=folder)
        self.assertEqual(ran.status, 0, ran)
        (file,) = self.files_in(folder)
        self.assertEqual(set(file.spans()), {"step"})
        self.check_owner(file.path)

    def test_where_the_user_may_not_write_there_is_none_and_nothing_is_lost(self):
        forbidden = self.new_folder()
        (file,) = self.pfw_of(STRANGER, self.smoketest, PERFFLOW_OPTIONS=f"log-dir={forbidden}")
        self.assertEqual((os.listdir(forbidden), len(file.events)), ([], 24))
        self.assertIn("cannot be made where it wants it", self.ran.err)
        self.check_owner(file.path)

    def test_who_may_not_trace_leaves_nothing_behind(self):
        self.configure(test_own_processes.CONFIG)
        self.reload("read again")
        folder = self.own_folder()
        ran = run(self.command(STRANGER, "run", "--pfw", "--", self.smoketest), cwd=folder)
        self.assertSentence(ran, "serves only root and the members")
        self.assertEqual(os.listdir(folder), [])


class UnderTheUnit(PlainUser):
    """Nobody is held when a program is executed."""

    start_service = test_own_processes.FourCapabilities.start_service

    def test_the_command_and_what_it_names_are_woven_before_they_run(self):
        files = self.pfw_of(STRANGER, "sh", "-c", f"{self.smoketest}; {self.smoketest}; true")
        self.assertEqual([file.shape() for file in files], [" ".join([ROUND] * 4)] * 2, self.ran)

    def with_unnamed(self, *words):
        """The file of a program that stands in no word of the command, and that of one that does."""
        self.unnamed = shutil.copy(target("pfw_lasts"), self.folder / "unnamed")
        put_together = f"{self.smoketest}; folder=$0; exec $folder/un*ed 100"
        files = self.pfw_of(STRANGER, "sh", "-c", put_together, self.folder.path, words=words)
        return sorted(files, key=lambda file: file.count("foo"))

    def test_what_an_aspect_names_is_woven_before_it_runs(self):
        file, _ = self.with_unnamed("-p", "annotated()", "-p", f"annotated() && within({self.folder / 'unnamed'})")
        self.assertEqual(file.shape(), "B.run " + "B.step E.step " * 100 + "E.run")

    def test_what_nobody_has_named_may_lack_its_first_calls_and_a_warning_says_so(self):
        late, whole = self.with_unnamed()
        self.assertEqual(whole.shape(), " ".join([ROUND] * 4))
        self.assertTrue(50 < late.count("step") <= 100, late.count("step"))
        self.assertRegex(self.ran.err, r"2 functions of 'unnamed' were woven after process \d+ had begun to use it: calls of [\d.]+ ms are")


if __name__ == "__main__":
    main(programs=("setpriv", "nm"))
