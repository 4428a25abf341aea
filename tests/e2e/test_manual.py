#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The manual pages and the completion have what the programs have."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOW, PERFFLOWD, SOURCE, TestCase, main, perfflow, run  # noqa: E402

PAGES = {"perfflow": f"{SOURCE}/deploy/man/perfflow.1", "perfflowd": f"{SOURCE}/deploy/man/perfflowd.8"}
COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_perfflow "$PERFFLOW" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def page(name):
    with open(PAGES[name]) as file:
        return file.read().replace("\\-", "-")


def options(text):
    """Those that a help text lists, each at the beginning of its line."""
    return set(re.findall(r"(?m)^ +(?:-[a-z], )?(--[a-z][a-z-]*)", text))


def commands():
    return re.findall(r"(?m)^  ([a-z]+) ", perfflow("help").out)


class Manual(TestCase):
    def test_each_command_has_a_section_with_all_of_its_options_and_no_others(self):
        sections = dict(re.findall(r"(?ms)^\.SS (\w+)$(.*?)(?=^\.S)", page("perfflow")))
        self.assertEqual(set(sections), set(commands()) - {"help"})
        for command, section in sections.items():
            with self.subTest(command):
                listed = set(re.findall(r"(?m)^\.B (?:-[a-z], )?(--[a-z][a-z-]*)", section))
                self.assertEqual(listed, options(perfflow("help", command).out))

    def test_the_daemons_options_are_all_there(self):
        listed = set(re.findall(r"(?m)^\.BI? (--[a-z][a-z-]*)", page("perfflowd")))
        self.assertEqual(listed, options(run([PERFFLOWD, "--help"]).out))

    def test_the_pages_are_well_formed(self):
        for path in PAGES.values():
            ran = subprocess.run(["groff", "-man", "-Tutf8", "-wall", "-z", path], capture_output=True, text=True)
            self.assertEqual((ran.returncode, ran.stderr), (0, ""))


class Completion(TestCase):
    def complete(self, *words):
        ran = subprocess.run(["bash", "-c", COMPLETE, "bash", f"{SOURCE}/deploy/completions/perfflow", "perfflow", *words],
                             capture_output=True, text=True, env=dict(os.environ, PERFFLOW=PERFFLOW), cwd=self.folder.path)
        self.assertEqual(ran.stderr, "")
        return ran.stdout.split()

    def test_commands_and_their_options_are_completed(self):
        self.assertEqual(set(self.complete("")), set(commands()))
        self.assertEqual(self.complete("at"), ["attach"])
        self.assertEqual(self.complete("help", "do"), ["doctor"])
        for command in commands():
            if command != "help":
                self.assertEqual(set(self.complete(command, "--")), options(perfflow("help", command).out), command)

    def test_values_are_completed_where_they_are_known(self):
        self.assertEqual(self.complete("run", "--returns", "s"), ["sites"])
        self.assertEqual(self.complete("convert", "--to", "fo"), ["folded"])
        self.assertIn(str(os.getpid()), self.complete("attach", "--pid", str(os.getpid())))

    def test_behind_two_dashes_is_a_command(self):
        self.assertIn("bash", self.complete("run", "-p", "x", "--", "bas"))


if __name__ == "__main__":
    main(bpf=False, programs=("bash", "groff"))
