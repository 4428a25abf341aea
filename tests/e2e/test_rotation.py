#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""A trace that goes on in another file: each piece is a trace for itself, and together they lack nothing."""
import collections
import csv
import glob
import io
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOW, Program, TestCase, Trace, main, perfflow, pfwlint, target  # noqa: E402

CALLS = 200000
SIZE = 1 << 20
ENDED = ("target exited", "stopped")  # whoever sees it first


class Rotation(TestCase):
    def pieces(self, pattern):
        return sorted(glob.glob(self.folder / pattern))

    def numbers(self, paths):
        return [int(os.path.basename(path).split(".")[1]) for path in paths]

    def traced(self, *options, output="x.json", command=("hot", "push", CALLS)):
        ran = perfflow("run", *options, "-o", self.folder / output, "--", target(command[0]), *command[1:])
        self.assertEqual(ran.status, 0, ran)
        return ran

    def first(self, trace):
        return trace.events[0]["args"]

    def summary(self, trace):
        self.assertEqual(trace.events[-1]["name"], "perfflow_summary")
        return trace.events[-1]["args"]

    def check_pieces(self, paths, calls):
        """Sound each for itself by every rule, and nothing is missing between them."""
        traces = []
        for path in paths:
            self.assertEqual(pfwlint.findings(path), [], path)
            ran = perfflow("check", path)
            self.assertEqual(ran.status, 0, ran)
            traces.append(Trace(path))
            self.assertTrue(traces[-1].is_whole)
            self.assertEqual(self.summary(traces[-1])["spans"], len(traces[-1].all_spans))
            self.assertLessEqual(set(traces[-1].pids()), set(traces[-1].process_names()))
        self.assertEqual(sum(len(trace.all_spans) for trace in traces), calls)
        self.assertEqual([self.first(trace)["piece"]["number"] for trace in traces], list(range(1, len(paths) + 1)))
        self.assertEqual(len({self.first(trace)["piece"]["began_ns"] for trace in traces}), 1)
        self.assertEqual({self.summary(trace)["reason"] for trace in traces[:-1]}, {"continued"})
        self.assertIn(self.summary(traces[-1])["reason"], ENDED)
        ran = perfflow("check", *paths)
        self.assertEqual(ran.status, 0, ran)
        self.assertIn(f"all {len(paths)} together: complete", ran.out)
        return traces

    def test_by_size_every_call_is_in_one_piece(self):
        ran = self.traced("-p", "hot_push", "--rotate", "1M")
        paths = self.pieces("*")
        self.assertGreater(len(paths), 2)
        self.assertEqual(self.numbers(paths), list(range(1, len(paths) + 1)))
        self.assertIn(f"{len(paths)} pieces", ran.err)
        for path in paths[:-1]:
            self.assertGreaterEqual(os.path.getsize(path), SIZE)
        self.check_pieces(paths, CALLS)

    def test_compressed_pieces_are_gzip_files_of_their_own(self):
        self.traced("-p", "hot_push", "--rotate", "64K", output="deep.name.json.gz")
        paths = self.pieces("deep.name.*.json.gz")
        self.assertGreaterEqual(len(paths), 2)
        self.assertEqual(paths, self.pieces("*"))
        for trace in self.check_pieces(paths, CALLS):
            self.assertTrue(trace.is_gzip)

    def test_the_newest_are_kept_and_what_is_missing_is_told(self):
        self.traced("-p", "hot_push", "--rotate", "1M", "--keep", "2")
        paths = self.pieces("*")
        self.assertEqual(len(paths), 2)
        numbers = self.numbers(paths)
        self.assertGreater(numbers[0], 2)
        ran = perfflow("check", "--json", *paths)
        self.assertEqual(ran.status, 1, ran)
        told = json.loads(ran.out)
        self.assertEqual((told["verdict"], told["missing"]), ("incomplete", [f"pieces 1 to {numbers[0] - 1}"]))
        self.assertEqual([piece["verdict"] for piece in told["pieces"]], ["complete", "complete"])
        self.assertEqual(perfflow("check", paths[0]).status, 0)
        ran = perfflow("check", paths[0])
        self.assertIn(f"piece {numbers[0]} of a trace", ran.out)
        self.assertIn(f"the pieces behind number {numbers[0]}", perfflow("check", paths[0], paths[0]).out)

    def test_one_that_is_kept_is_the_last_one_that_was_written(self):
        self.traced("-p", "hot_push", "--rotate", "1M", "--keep", "1")
        (path,) = self.pieces("*")
        self.assertIn(self.summary(Trace(path))["reason"], ENDED)

    def test_by_time_with_states_and_asynchronous_work_that_is_open_at_the_cut(self):
        self.traced("-p", "around_async(slow:main)", "-p", "around(slow:*)", "--sched", "--rotate", "2s", command=("slow", 5))
        paths = self.pieces("*")
        self.assertGreaterEqual(len(paths), 2)
        traces = [Trace(path) for path in paths]
        for path, trace in zip(paths, traces):
            self.assertEqual(pfwlint.findings(path), [], path)
            self.assertIn(target("slow"), " ".join(trace.process_names().values()))
        works = [[e for e in trace.events if e["ph"] in "be"] for trace in traces]
        self.assertEqual([[e["ph"] for e in work] for work in works], [["b", "e"]] * len(paths))
        self.assertEqual([work[1]["args"].get("end") for work in works], ["continued"] * (len(paths) - 1) + [None])
        self.assertEqual([work[0]["args"].get("begin") for work in works], [None] + ["continued"] * (len(paths) - 1))
        self.assertEqual(len({json.dumps(work[0]["id2"]) for work in works}), 1)
        for one, next_one in zip(works, works[1:]):
            self.assertEqual(one[1]["ts"], next_one[0]["ts"])
        self.assertEqual(perfflow("check", *paths).status, 0)

    def test_several_pieces_are_converted_as_one_trace(self):
        self.traced("-p", "hot_push", "--rotate", "1M")
        paths = self.pieces("*")
        ran = perfflow("convert", "--to", "csv", *paths)
        self.assertEqual(ran.status, 0, ran)
        kinds = collections.Counter(row["kind"] for row in csv.DictReader(io.StringIO(ran.out)) if row["category"] != "__overhead")
        self.assertEqual(kinds, {"call": CALLS, "process": 2})
        ran = perfflow("convert", "--to", "csv", *paths, "-o", paths[1])
        self.assertNotEqual(ran.status, 0)
        self.assertIn("is the trace itself", ran.err)

    def test_pieces_that_do_not_belong_together_are_told_apart(self):
        self.traced("-p", "hot_push", "--rotate", "1M", output="x.json")
        self.traced("-p", "hot_push", "--rotate", "1M", output="y.json")
        self.traced("-p", "hot_push", output="whole.json", command=("hot", "push", 10))
        x, y = self.pieces("x.*"), self.pieces("y.*")
        for paths, words in (((x[0], y[1]), "a piece of another trace"), ((x[1], x[0]), "stands behind piece 2"),
                             ((x[0], self.folder / "whole.json"), "does not tell which piece")):
            ran = perfflow("check", *paths)
            self.assertEqual(ran.status, 2, ran)
            self.assertIn(words, ran.out)
        self.assertIn("missing: piece 2", perfflow("check", x[0], x[2], *x[3:]).out)

    def test_what_is_no_rotation_is_refused(self):
        os.symlink("/dev/null", self.folder / "x.000001.json")
        run = ("run", "-p", "hot_push")
        for options, words in ((("--rotate", "1"), "--rotate takes"), (("--rotate", "10K"), "from 64K on"),
                               (("--rotate", "10ms"), "from 1s"), (("--rotate", "big"), "--rotate takes"),
                               (("--keep", "3"), "belongs to --rotate"), (("--rotate", "1M", "--keep", "0"), "--keep takes"),
                               (("--rotate", "1M", "-o", "-"), "-o FILE"),
                               (("--rotate", "1M", "-o", "x.json"), "no plain file")):
            ran = perfflow(*run, *options, "--", target("hot"), "push", 1, cwd=self.folder.path)
            self.assertEqual(ran.status, 125, ran)
            self.assertIn(words, ran.err, ran)

    def test_a_file_that_cannot_be_made_lengthens_the_piece_and_is_told(self):
        os.mkdir(self.folder / "x.000002.json")
        ran = self.traced("-p", "hot_push", "--rotate", "1M")
        self.assertIn("Is a directory", ran.err)
        trace = Trace(self.folder / "x.000001.json")
        self.assertEqual(trace.count("hot_push"), CALLS)
        self.assertFalse(self.summary(trace)["complete"])

    def test_whoever_makes_the_files_may_be_gone(self):
        program = Program([PERFFLOW, "run", "-p", "slow:*", "--rotate", "1s", "-o", self.folder / "x.json", "--",
                           target("slow"), 4])
        self.addCleanup(program.kill_all)
        program.read_until("1\n")
        makers = [pid for pid in os.listdir("/proc") if pid.isdigit() and self.is_maker_of(pid, program.pid)]
        self.assertEqual(len(makers), 1)
        os.kill(int(makers[0]), 9)
        ran = program.finish()
        self.assertEqual(ran.status, 0, ran)
        self.assertIn("nobody makes files for it any more", ran.err)
        written = [path for path in self.pieces("*") if os.path.getsize(path)]
        self.assertIn(self.summary(Trace(written[-1]))["reason"], ENDED)

    def is_maker_of(self, pid, parent):
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read()
        except OSError:
            return False
        return "(perfflow-pieces)" in fields and fields.rsplit(")", 1)[1].split()[1] == str(parent)


if __name__ == "__main__":
    main()
