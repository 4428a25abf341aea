# SPDX-License-Identifier: LGPL-3.0-or-later
"""PerfFlowAspect's files as `perfflow run --pfw` makes them: to run a program, and to read what was written, line by line."""
import glob
import json
import os
import pathlib
import re
import time
from collections import defaultdict

from perfflow import TestCase, environment, perfflow, pfwlint

MODES = ("log-event=verbose", "log-event=compact", "log-event=verbose:cpu-mem-usage=True",
         "log-event=compact:cpu-mem-usage=True")

# A line of each kind: keys, their order, the blanks and the forms of numbers are part of the schema.
HEAD = r'\{"name": "[^"]+", "cat": "[^"]+", "pid": \d+, "tid": \d+, "ts": \d{16}\.0, "ph": '
LINES = [re.compile(HEAD + rest + r'\}') for rest in (
    r'"[BE]"', r'"X", "dur": \d+\.0', r'"[bne]", "scope": "[^"]*", "id": \d+', r'"[sf]", "bp": "e", "id": \d+',
    r'"C", "args": \{"cpu_usage": \d+\.\d+, "memory_usage": \d+\}')]
ARRAY = ["["], ["]"]
OBJECT = ["{", '  "displayTimeUnit": "ms",', '  "otherData": {', "", "  },", '  "traceEvents": ['], ["  ]", "}"]


class File:
    """A file that was written, checked line by line."""

    def __init__(self, path, test):
        self.path, self.name = path, os.path.basename(path)
        text = pathlib.Path(path).read_text()
        head, tail = OBJECT if text[0] == "{" else ARRAY
        lines = text.split("\n")
        test.assertEqual((lines[:len(head)], lines[-1]), (head, ""), path)
        test.assertEqual(lines[-1 - len(tail):-1], tail, path)
        for line in lines[len(head):-1 - len(tail)]:
            line = line.rstrip(", ")
            test.assertTrue(any(known.fullmatch(line) for known in LINES), line)
        events = json.loads(text)
        self.events = events if isinstance(events, list) else events["traceEvents"]
        self.n_lines = len(lines) - 1 - len(tail)
        test.assertEqual([finding for finding in pfwlint.findings(path, pfw=True)
                          if not (test.loose and re.search(test.loose, finding))], [], path)

    def phases(self):
        return "".join(event["ph"] for event in self.events)

    def shape(self, tid=None):
        """Phases and names in the order of the file, of one thread if that is said."""
        return " ".join(event["ph"] + "." + event["name"] for event in self.events if tid in (None, event["tid"]))

    def tids(self):
        return list(dict.fromkeys(event["tid"] for event in self.events))

    def count(self, name, phases="BX"):
        return sum(event["name"] == name and event["ph"] in phases for event in self.events)

    def spans(self):
        """Of each name the calls, as (tid, begin, end), by their B and E or their X."""
        spans, stacks = defaultdict(list), defaultdict(list)
        for event in self.events:
            if event["ph"] == "X":
                spans[event["name"]].append((event["tid"], event["ts"], event["ts"] + event["dur"]))
            elif event["ph"] == "B":
                stacks[event["tid"]].append(event)
            elif event["ph"] == "E":
                begin = stacks[event["tid"]].pop()
                assert begin["name"] == event["name"], (begin, event)
                spans[event["name"]].append((event["tid"], begin["ts"], event["ts"]))
        assert not any(stacks.values()), stacks
        return spans


class PfwTestCase(TestCase):
    def setUp(self):
        super().setUp()
        self.n_folders = 0
        self.loose = None  # what has only one end in the program

    def new_folder(self, mode=0o755):
        self.n_folders += 1
        path = self.folder / f"run-{self.n_folders}"
        os.mkdir(path)
        os.chmod(path, mode)
        return path

    def files_in(self, folder):
        return [File(path, self) for path in sorted(glob.glob(os.path.join(folder, "**", "*.pfw"), recursive=True))]

    def pfw(self, command, options=None, words=("--pfw",), status=0, warnings=0, env=None, folder=None, **keywords):
        """Runs it in a folder of its own; returns what it wrote. All warnings are expected ones."""
        folder = folder or self.new_folder()
        env = environment(**(env or {}), **({"PERFFLOW_OPTIONS": options} if options is not None else {}))
        began = time.time()
        self.ran = perfflow("run", *words, "--", *command, cwd=folder, env=env, **keywords)
        self.assertEqual(self.ran.status, status, self.ran)
        self.assertEqual(self.ran.err.count("perfflow: warning:"), warnings, self.ran)
        self.assertNotIn("lost", self.ran.err.replace("nothing was lost", ""), self.ran)
        files = self.files_in(folder)
        for file in files:
            for event in file.events:
                self.assertTrue(began - 1 < event["ts"] / 1e6 < time.time() + 1, event)
        return files

    def one(self, *arguments, **keywords):
        (file,) = self.pfw(*arguments, **keywords)
        return file
