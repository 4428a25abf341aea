#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""
Arguments and what is returned, of functions with all kinds of them, as gcc, clang and gfortran pass them with and without
optimisation. The names of parameters tell what they are called with: see tests/unit/fixtures/arguments.h.
"""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import TestCase, main, perfflow, run, target  # noqa: E402

BUILD = os.environ["PERFFLOW_BUILD"]
TIMES = 3


def library(name):
    return os.path.join(BUILD, "tests", f"libpf_{name}.so")


def calls(name, n=TIMES):
    return [target("invokes"), library(name), "pf_cases_run", n]


def expected(name):
    """The value that a parameter's name tells, or None."""
    match = re.fullmatch(r"([vnhst])(\d+)_?", name)
    if not match:
        return None
    kind, number = match[1], int(match[2])
    return {"v": number, "n": -number, "h": number + 0.5, "s": f"s{number}", "t": f"t{number}"}[kind]


def as_number(value, like):
    """A bool, a character and an address that a number is shown as."""
    if isinstance(like, str) or value is None:
        return value
    if isinstance(value, str):
        return int(value, 16) if value.startswith("0x") else ord(value)
    return value if isinstance(value, float) else int(value)


def copied(path):
    """Functions that have a copy for callers of which clang knows what they pass: it need not be told there."""
    listed = run(["nm", "-C", path]).out.splitlines()
    return {line.split(" ", 2)[2].split("(")[0] for line in listed if "[clone .specialized." in line}


class Values(TestCase):
    def values(self, name):
        """(function, parameter or what its name says of the result, value) of each call."""
        trace = self.trace(f"(libpf_{name}.so:*pf_case_*) args=* ret=*", calls(name))
        for span in trace.all_spans:
            result = re.search(r"pf_case_\w+?__([a-z]\d*_?)\b", span["name"])
            for key, value in span["args"].items():
                yield span["name"], result[1] if key == "return" else key, value

    def check_library(self, name, n_least):
        n_right, functions = 0, copied(library(name))
        for function, key, value in self.values(name):
            wanted = expected(key)
            if wanted is None or (value is None and (function in functions or not isinstance(wanted, str))):
                continue
            self.assertEqual(as_number(value, wanted), wanted, f"{name}: {function}: {key}")
            n_right += 1
        self.assertGreaterEqual(n_right, n_least * TIMES, name)

    def check_libraries(self, pattern, n_least):
        libraries = glob.glob(library(pattern))
        self.assertTrue(libraries)
        for path in libraries:
            self.check_library(os.path.basename(path)[len("libpf_"):-len(".so")], n_least)

    def test_of_c(self):
        self.check_libraries("arguments_c_[0-9u]*", 95)
        self.check_libraries("arguments_c_clang_*", 95)

    def test_of_cplusplus(self):
        self.check_libraries("arguments_cxx_[0-9]*", 55)
        self.check_libraries("arguments_cxx_clang_*", 50)

    def test_of_fortran(self):
        if not glob.glob(library("arguments_fortran_*")):
            self.skipTest("no gfortran")
        self.check_libraries("arguments_fortran_*", 35)


class Choice(TestCase):
    def one(self, function, options, name="arguments_c_2"):
        trace = self.trace(f"(libpf_{name}.so:{function}) {options}", calls(name, 1))
        self.assertEqual(len(trace.all_spans), 1)
        return trace.all_spans[0]["args"]

    def test_by_name_by_position_and_by_type(self):
        args = self.one("pf_case_pointers__v200", "args=(s1, third@3, p17:*i32) ret=*")
        self.assertEqual((args["s1"], args["third"], args["p17"], args["return"]), ("s1", "s2", 17, 200))

    def test_without_debug_information_the_abi_is_counted(self):
        args = self.one("pf_case_widths__n7", "args=(first:i8@1, @2, last:u32@6) ret=i32", "arguments_bare")
        self.assertEqual((args["first"], args["last"], args["return"]), (-1, 4000000000, -7))
        self.assertEqual(int(args["arg2"], 16) & 0xff, 200)

    def test_what_is_in_a_vector_register_is_shown_as_unreadable(self):
        args = self.one("pf_case_floats__x", "args=*")
        self.assertIsNone(args["h2"])
        self.assertIn("h2", args["unreadable"])
        self.assertEqual((args["v1"], args["v3"], args["v5"]), (1, 3, 5))

    def refuse(self, aspect, name, *words):
        ran = perfflow("run", "-p", aspect, "-o", self.folder / "refused.json", "--", *calls(name))
        self.assertSentence(ran, *words)

    def test_what_can_be_captured_nowhere_is_a_mistake(self):
        libc = "libc.so*:getenv"
        self.refuse(f"({libc}) args=(no_such_argument)", "arguments_c_2", "no_such_argument")


if __name__ == "__main__":
    main()
