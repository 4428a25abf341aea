#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""A program that was stripped is traced by the names that its debug information has, wherever that is."""
import ctypes
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import TestCase, main, perfflow, target  # noqa: E402

DEBUG = "/usr/lib/debug/.build-id"


class Symbols(TestCase):
    def setUp(self):
        super().setUp()
        if not shutil.which("objcopy"):
            self.skipTest("no objcopy (binutils)")
        self.program = str(self.folder / "stripped")
        self.debug = str(self.folder / "stripped.debug")
        self.make("objcopy", "--only-keep-debug", target("plain_pie"), self.debug)
        self.make("objcopy", "--strip-all", target("plain_pie"), self.program)
        notes = subprocess.run(["readelf", "-n", self.program], capture_output=True, text=True, check=True).stdout
        self.build_id = re.search(r"Build ID: (\w+)", notes)[1]

    def make(self, *command):
        subprocess.run(command, check=True, cwd=self.folder.path)

    def assertTraced(self, **keywords):
        trace = self.trace("stripped:add", [self.program], **keywords)
        self.assertGreater(trace.count("add"), 0)

    def assertUnknown(self, **keywords):
        ran = perfflow("run", "-o", self.folder / "none.json", "-p", "stripped:add", "--", self.program, **keywords)
        self.assertSentence(ran, "matches no function")

    def test_without_any_the_function_is_not_known(self):
        self.assertUnknown()

    def test_by_the_small_table_in_the_program(self):
        if not shutil.which("xz"):
            self.skipTest("no xz")
        self.make("objcopy", "-S", "--remove-section", ".comment", "--keep-symbol=add", target("plain_pie"), "mini")
        self.make("xz", "mini")
        self.make("objcopy", "--add-section", ".gnu_debugdata=mini.xz", self.program)
        self.assertTraced()

    def test_by_the_debug_file_with_its_build_id(self):
        folder = f"{DEBUG}/{self.build_id[:2]}"
        was_there = os.path.exists(folder)
        os.makedirs(folder, exist_ok=True)
        file = f"{folder}/{self.build_id[2:]}.debug"
        shutil.copy(self.debug, file)
        try:
            self.assertTraced()
        finally:
            os.unlink(file)
            if not was_there:
                os.rmdir(folder)

    def test_by_a_debuginfod_server_if_that_is_switched_on(self):
        try:
            ctypes.CDLL("libdebuginfod.so.1")
        except OSError:
            self.skipTest("no libdebuginfod.so.1")
        served = self.folder / f"server/buildid/{self.build_id}"
        os.makedirs(served)
        shutil.copy(self.debug, f"{served}/debuginfo")
        env = dict(os.environ, DEBUGINFOD_URLS=f"file://{self.folder.path}/server", DEBUGINFOD_CACHE_PATH=str(self.folder / "cache"))
        self.assertUnknown(env=env)
        self.assertTraced(env=dict(env, PERFFLOW_DEBUGINFOD="1"))


if __name__ == "__main__":
    main()
