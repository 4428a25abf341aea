# SPDX-License-Identifier: LGPL-3.0-or-later
"""The compilers of this machine, and how the tests of annotations compile with them."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import SOURCE, TestCase  # noqa: E402

INCLUDE = os.path.join(SOURCE, "include")
SOURCES = os.path.join(SOURCE, "tests", "targets", "annotated")
ANNOTATE = ["-include", os.path.join(INCLUDE, "perfflow", "annotate.h")]
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", "-Wno-unused-command-line-argument"]


def found(names):
    """The commands that exist, each compiler once."""
    paths = {os.path.realpath(path): name for name in reversed(names) for path in [shutil.which(name)] if path}
    return sorted(paths.values())


VERSIONS = [f"-{n}" for n in range(11, 23)]
C = found(["gcc", "clang", *(name + version for name in ("gcc", "clang") for version in VERSIONS)])
CPP = found(["g++", "clang++", *(name + version for name in ("g++", "clang++") for version in VERSIONS)])


def is_clang(compiler):
    return compiler.startswith("clang")


def ways(compiler):
    """Of compiling; clang leaves link-time optimization to its own linker, which only knows its own version."""
    number = compiler.partition("-")[2]
    linker = f"lld-{number}" if shutil.which(f"ld.lld-{number}") else "lld" if not number else None
    lto = [["-O2", flag, f"-fuse-ld={linker}"] for flag in ("-flto", "-flto=thin")] if is_clang(compiler) else [["-O2", "-flto"]]
    return [["-O0"], ["-O2"], ["-O3", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"], ["-Os", "-fuse-ld=gold"],
            ["-O2", "-fuse-ld=lld"], ["-O1", "-no-pie", "-fno-pie"],
            *(lto if linker or not is_clang(compiler) else [])]


class CompilerTestCase(TestCase):
    def compile(self, compiler, *arguments, fails=False):
        ran = subprocess.run([compiler, *map(str, arguments)], capture_output=True, text=True, errors="replace",
                             env={**os.environ, "LC_ALL": "C"})
        self.assertEqual(ran.returncode != 0, fails, f"{compiler} {' '.join(map(str, arguments))}\n{ran.stderr[-4000:]}")
        return ran.stderr

    def output(self, program):
        ran = subprocess.run([program], capture_output=True, text=True, timeout=60)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return ran.stdout

    def write(self, name, text):
        path = self.folder / name
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path
