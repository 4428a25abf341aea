#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""perfflow run --pfw beside what PerfFlowAspect itself wrote: tests/reference has its files, and programs that make the same calls.

All is equal, event by event and key by key, but for pids, tids, times and measured values, and for what a case says: that is one of
the differences of docs/perfflowaspect.md and docs/python.md. Nothing that PerfFlowAspect wrote is ever missing.
"""
import glob
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
from collections import Counter, defaultdict

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOW, SOURCE, TestCase, environment, main, run  # noqa: E402

REFERENCE = os.path.join(SOURCE, "tests", "reference")
ANNOTATE = ["-include", os.path.join(SOURCE, "include", "perfflow", "annotate.h")]
HOST = socket.gethostname()
MODES = {"verbose": "", "compact": "log-event=compact", "verbose.cpumem": "cpu-mem-usage=True",
         "compact.cpumem": "log-event=compact:cpu-mem-usage=True"}
HEADS = {"array": ["["], "object": ["{", '  "displayTimeUnit": "us",', '  "otherData": {', "", "  },", '  "traceEvents": [']}


def named(mode, *names):
    """The phase of its end, and its counters, for each of these calls: as `Counter` has them."""
    phases = ("X" if "compact" in mode else "E") + ("CC" if "cpumem" in mode else "")
    return [phase + "." + name for name in names for phase in phases]


class File:
    """One of perfflow's or of PerfFlowAspect's, by its lines: those of its events, of each process and thread, and those before."""

    def __init__(self, path):
        lines = pathlib.Path(path).read_text().splitlines()
        compared.add(path)
        first = next(n for n, line in enumerate(lines) if '{"name": ' in line)
        self.name, self.head = os.path.basename(path), lines[:first]
        self.events = [json.loads(line.rstrip(", ")) for line in lines if '{"name": ' in line]
        self.pid = self.events[0]["pid"]

    def threads(self, normal):
        """Of each thread its events without what differs from run to run; the main threads first, the others in any order."""
        threads = defaultdict(list)
        for event in self.events:
            threads[event["pid"] != event["tid"], event["pid"], event["tid"]].append(normal(event))
        return sorted(((key[0], events) for key, events in threads.items()), key=repr)


def normal(event, ids=True):
    """Keys in their order, with the values that have to be equal."""
    event = {key: value for key, value in event.items() if key not in ("pid", "tid")}
    if event["ph"] == "C":
        event["args"] = list(event["args"]), event["args"]["memory_usage"] > 0
    if not ids or event["name"] == "flow":
        event.pop("id", None)
    return {key: "a time" if key in ("ts", "dur") else value for key, value in event.items()}


compared = set()  # paths of the reference


def tearDownModule():
    """Each file of the reference has to have been compared with, unless only some tests were to run."""
    left = {path for path in glob.glob(os.path.join(REFERENCE, "*", "*.pfw"))} - compared
    if left and len(sys.argv) == 1:
        raise AssertionError(f"nothing was compared with {sorted(left)}")


class ReferenceCase(TestCase):
    def setUp(self):
        super().setUp()
        self.out = self.folder / "out"

    def written(self, command, options="", **environ):
        """The files that a run leaves in a folder of its own."""
        shutil.rmtree(self.out, ignore_errors=True)
        os.mkdir(self.out)
        env = environment(**environ, **({"PERFFLOW_OPTIONS": options} if options else {}))
        self.ran = run([PERFFLOW, "run", "--quiet", "--pfw", "--", *command], timeout=120, cwd=self.out, env=env)
        self.assertEqual(self.ran.status, 0, self.ran)
        paths = sorted(glob.glob(os.path.join(self.out, "**", "*.pfw"), recursive=True))
        for path in paths:
            json.loads(pathlib.Path(path).read_text())  # what PerfFlowAspect wrote is none
        return [File(path) for path in paths]

    def compare(self, file, reference, added=(), normal=normal):
        """All that is in the reference, in its order, and what is added."""
        theirs, ours = (each.threads(normal) for each in (reference, file))
        rest = Counter()
        self.assertEqual([is_other for is_other, _ in ours], [is_other for is_other, _ in theirs])
        for (_, expected), (_, events) in zip(theirs, ours):
            expected = iter([(list(event), event) if self.ordered else event for event in expected])
            wanted = next(expected, None)
            for event in events:
                if ((list(event), event) if self.ordered else event) == wanted:
                    wanted = next(expected, None)
                else:
                    rest[event["ph"] + "." + event["name"]] += 1
            self.assertIsNone(wanted, f"{reference.name}: in {events}")
        self.assertEqual(rest, Counter(added), reference.name)
        self.assertEqual(file.head, [line.replace('"us"', '"ms"') for line in reference.head])


class Cpp(ReferenceCase):
    """Annotated sources, unchanged, by each of the two compilers."""
    ordered = True

    def program(self, name, compiler="g++", *flags):
        """Compiled where its source is: its path is part of what is compared."""
        path = os.path.join(self.folder.path, f"{name}-{os.path.basename(compiler)}")
        if not os.path.exists(path):
            ran = subprocess.run([compiler, "-g", "-O0", *ANNOTATE, f"{name}.cpp", *flags, "-pthread", "-o", path],
                                 cwd=os.path.join(REFERENCE, "cpp"), capture_output=True, text=True)
            self.assertEqual(ran.returncode, 0, ran.stderr)
        return path

    def reference(self, name):
        return File(os.path.join(REFERENCE, "cpp", name + ".pfw"))

    def check(self, name, mode, *arguments, added=(), compiler="g++"):
        with self.subTest(f"{name}.{mode} {compiler}"):
            (file,) = self.written([self.program(name, compiler), *arguments], MODES[mode])
            self.assertEqual(file.name, f"perfflow.array.{HOST}.{file.pid}.pfw")
            self.compare(file, self.reference(f"{name}.{mode}"), added)

    def test_its_smoke_tests_in_every_mode(self):
        for name in ("smoketest", "smoketest2", "smoketest3", "smoketest_class", "smoketest_MT"):
            for mode in MODES:
                self.check(name, mode)
            self.check(name, "verbose", compiler="clang++")

    def test_the_object_form(self):
        for mode in MODES:
            with self.subTest(mode):
                (file,) = self.written([self.program("smoketest")], f"log-format=object:{MODES[mode]}".rstrip(":"))
                self.assertEqual(file.name, f"perfflow.object.{HOST}.{file.pid}.pfw")
                self.compare(file, self.reference(f"smoketest.{mode}.object"))

    def test_names_of_files(self):
        (file,) = self.written([self.program("smoketest")], "log-filename-include=name,instance-path,hostname,pid")
        self.assertEqual(file.name, f"perfflow.array.generic.{{356a192b}}.{HOST}.{file.pid}.pfw")
        self.compare(file, self.reference("smoketest.filename-all"))
        (file,) = self.written([self.program("smoketest")],
                               "name=mycomponent:log-filename-include=name,instance-path,hostname,pid:log-dir=./logs",
                               FLUX_JOB_ID="123456", PERFFLOW_INSTANCE_PATH="fffffff.444444")
        self.assertEqual(file.name, f"perfflow.array.mycomponent.{{fffffff.444444.123456}}.{HOST}.{file.pid}.pfw")
        self.compare(file, self.reference("smoketest.filename-flux-nested"))

    def test_ranks(self):
        self.program("smoketest_MPI", "g++", "-l:libmpi.so.40")
        for mode in ("verbose", "compact.cpumem"):
            with self.subTest(mode):
                files = self.written(["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", 2,
                                      self.program("smoketest_MPI")], MODES[mode])
                self.assertEqual(len(files), 2)
                for file, number in zip(files, ("", ".2")):
                    self.compare(file, self.reference(f"smoketest_MPI.n2.{mode}{number}"))

    def test_one_sided_pointcuts(self):
        for compiler in ("g++", "clang++"):
            for mode in ("verbose", "verbose.cpumem"):
                self.check("pointcuts", mode, compiler=compiler)
        for mode in ("compact", "compact.cpumem"):  # there its program aborts
            (file,) = self.written([self.program("pointcuts")], MODES[mode])
            expected = "B.p_before E.p_after" + " C.p_around" * (2 * mode.count("mem")) + " X.p_around"
            self.assertEqual([event["ph"] + "." + event["name"] for event in file.events], expected.split() * 2)

    def test_asynchronous_calls(self):
        for compiler in ("g++", "clang++"):
            self.check("async1", "verbose", compiler=compiler)
            self.check("async1once", "verbose", compiler=compiler)
        (file,) = self.written([self.program("async1")], "log-format=object")
        self.compare(file, self.reference("async1.object"))
        (file,) = self.written([self.program("async2")])  # there its program hangs
        self.assertEqual([(event["ph"], event["id"]) for event in file.events], [("b", 0), ("e", 0), ("b", 1), ("e", 1)])
        for event in file.events:
            self.assertGreater(event["ts"], 1e15)

    def test_flows(self):
        for compiler in ("g++", "clang++"):
            self.check("flow", "verbose", compiler=compiler)

    def test_recursion(self):
        for mode in MODES:
            self.check("recur", mode)

    def test_calls_that_end_without_returning(self):
        for mode in MODES:
            # it has no ends of these
            self.check("except", mode, added=named(mode, "thrower", "thrower", "thrower", "passthrough", "outer_lj", "ljumper"))
        self.check("except", "verbose", compiler="clang++",
                   added=named("verbose", "thrower", "thrower", "thrower", "passthrough", "outer_lj", "ljumper"))
        (file,) = self.written([self.program("w6")])
        self.compare(file, self.reference("pthread_exit.verbose"), added=["E.thr"])

    def test_processes_that_fork(self):
        for name, reference, arguments in (("forker", "forker.child-exit.verbose", ["exit"]),
                                           ("forker2", "forker2.child-outlives-parent.verbose", [])):
            files = self.written([self.program(name), *arguments])
            self.assertEqual(len(files), 2)  # it has one, which the last of them writes over
            parent, child = sorted(files, key=lambda file: len(file.events), reverse=True)
            self.compare(parent, self.reference(reference))
            self.assertEqual([event["ph"] + "." + event["name"] for event in child.events], ["B.in_child", "E.in_child"])

    def test_threads_with_many_calls(self):
        for mode in ("verbose", "compact"):
            (file,) = self.written([self.program("mt"), 2, 100], MODES[mode])
            self.compare(file, self.reference(f"mt2x100.{mode}"))

    def test_counters(self):
        (file,) = self.written([self.program("memcpu", "g++", "-O1")], MODES["compact.cpumem"])
        self.compare(file, self.reference("memcpu.compact.cpumem"))
        values = {event["name"]: event["args"] for event in file.events[::3]}
        # of the call's own thread, system time with it; and what the process has, not what it had
        self.assertLess(values["idle_while_others_burn"]["cpu_usage"], 50)
        self.assertLess(values["after_free_small"]["memory_usage"], 100000)

    def test_a_program_that_wants_no_file(self):
        self.assertEqual(self.written([self.program("smoketest")], "log-enable=False"), [])
        self.assertEqual(self.ran.out, "bas\n" * 4)


class Python(ReferenceCase):
    """Decorated functions; keys, and counters beside an end, are in the order that C++ has."""
    ordered = False

    def program(self, name):
        return [sys.executable, os.path.join(REFERENCE, "python", name + ".py")]

    def reference(self, name):
        file = File(os.path.join(REFERENCE, "python", name + ".pfw"))
        for n in [n for n, event in enumerate(file.events) if event["ph"] == "E" and file.events[n - 1]["ph"] == "C"]:
            file.events[n - 2:n + 1] = file.events[n], *file.events[n - 2:n]
        return file

    def check(self, name, mode, left_out=(), **keywords):
        with self.subTest(f"{name}.{mode}"):
            (file,) = self.written(self.program(name), MODES[mode])
            reference = self.reference(f"{name}.{mode}")
            reference.events = [event for event in reference.events if event["name"] not in left_out]
            self.assertEqual(file.name, f"perfflow.array.{HOST}.{file.pid}.pfw")
            self.compare(file, reference, **keywords)
            return file

    def without_ids(self, event):
        """Its ids are those of threads, and its scopes are nothing, or left out."""
        event = normal(event, ids=False)
        if event.get("scope") is None:
            event.pop("scope", None)
        return event

    def paired(self, file):
        return Counter((event["id"], event["ph"]) for event in file.events if event["ph"] in "be")

    def test_its_smoke_tests_in_every_mode(self):
        for name in ("smoketest", "smoketest2"):
            for mode in MODES:
                self.check(name, mode)

    def test_the_object_form(self):
        for mode in ("verbose", "compact.cpumem"):
            (file,) = self.written(self.program("smoketest"), f"log-format=object:{MODES[mode]}".rstrip(":"))
            self.assertEqual(file.name, f"perfflow.object.{HOST}.{file.pid}.pfw")
            self.compare(file, self.reference(f"smoketest.{mode}.object"))

    def test_what_is_told_of_directly(self):
        self.check("smoketest_direct", "verbose")
        file = self.check("smoketest_future_direct", "verbose", normal=self.without_ids)
        self.assertEqual({event["id"] for event in file.events if event["ph"] in "be"}, {123})

    def test_futures(self):
        file = self.check("smoketest_future", "verbose", normal=self.without_ids)
        self.assertEqual(len(self.paired(file)), 2)
        file = self.check_futures_on_any_thread("smoketest_future2")
        pairs = self.paired(file)  # its begins and ends have no id in common
        self.assertEqual((len({number for number, _ in pairs}), set(pairs.values()), len(pairs)), (5, {1}, 10))

    def check_futures_on_any_thread(self, name):
        """Which thread of the pool does how much is chance."""
        (file,) = self.written(self.program(name))
        for phases in ("BEb", "e"):
            ours, theirs = ([self.without_ids(event) for event in each.events if event["ph"] in phases]
                            for each in (file, self.reference(name + ".verbose")))
            self.assertEqual(ours, theirs)
        return file

    def test_a_pointcut_that_is_none(self):
        self.check("smoketest_future_incorrect", "verbose")
        self.assertEqual(self.ran.out, "bar ran\n")
        self.assertIn("perfflow error: ('unknown pointcut', 'around_async_typo')", self.ran.err)

    def test_threads(self):
        for mode in ("verbose", "compact.cpumem"):
            self.check("smoketest_multithreading", mode)

    def test_processes(self):
        files = self.written(self.program("smoketest_multiprocessing"))
        self.assertEqual(len(files), 4)  # it has one, with a head for each
        theirs = self.reference("smoketest_multiprocessing.verbose").threads(normal)
        self.assertEqual([events for file in files for _, events in file.threads(normal)], [events for _, events in theirs])

    def test_coroutines_generators_exceptions_and_methods(self):
        for mode in ("verbose", "compact", "compact.cpumem"):
            begins = {"verbose": ["B.coro", "B.gen", "B.gen", "B.gen"]}.get(mode, [])
            regions = [] if mode == "verbose" else ["x"]  # what is told of directly is a B and an E there, in each mode
            # its coroutine and generator are what makes them, and what an exception leaves has no end
            self.check("edge", mode, normal=self.without_ids, left_out=regions, added=[
                *begins, *named(mode, "raises", "coro", "gen", "gen", "gen", *regions), "b.coro", "e.coro"])

    def test_a_program_that_wants_no_file_runs_all_the_same(self):
        self.assertEqual(self.written(self.program("smoketest"), "log-enable=False"), [])
        self.assertEqual(self.ran.out, "bas\n" * 4)  # there it does nothing


if __name__ == "__main__":
    main(programs=("mpirun", "g++", "clang++"))
