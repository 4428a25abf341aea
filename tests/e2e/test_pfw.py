#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""perfflow run --pfw: what a user of PerfFlowAspect gets, for each of its own tests and for what it does wrong.

The expectations are what it wrote itself for programs like these, event by event; where perfflow differs on purpose, as
docs/perfflowaspect.md has it, a comment says so.
"""
import glob
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections import defaultdict

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import (NOBODY, PERFFLOW, SOURCE, Trace, children, environment, main, perfflow, run, target,  # noqa: E402
                      wait_for)
from pfw_files import MODES, File, PfwTestCase  # noqa: E402

HOST = socket.gethostname()
SOURCES = os.path.join(SOURCE, "tests", "targets", "pfw")


class Pfw(PfwTestCase):
    # Its own smoke tests

    def test_nested_calls(self):
        file = self.one([target("pfw_smoketest")])
        pid = file.events[0]["pid"]
        self.assertEqual(file.name, f"perfflow.array.{HOST}.{pid}.pfw")
        self.assertEqual(file.shape(), " ".join(["B.foo B.bar B.bas E.bas E.bar E.foo"] * 4))
        for event in file.events:
            self.assertEqual((event["pid"], event["tid"]), (pid, pid))
            self.assertEqual(event["cat"], os.path.join(SOURCES, "smoketest.cpp"))
        times = [event["ts"] for event in file.events]
        self.assertEqual(times, sorted(times))
        self.assertEqual(file.n_lines, 25)

    def test_nested_calls_in_all_modes_and_forms(self):
        phases = {"log-event=verbose": "BBBEEE", "log-event=compact": "XXX",
                  "log-event=verbose:cpu-mem-usage=True": "BBBECCECCECC",
                  "log-event=compact:cpu-mem-usage=True": "CCXCCXCCX"}
        for mode in MODES:
            for form, n_head in (("array", 1), ("object", 6)):
                file = self.one([target("pfw_smoketest")], options=f"{mode}:log-format={form}")
                self.assertEqual(file.name, f"perfflow.{form}.{HOST}.{file.events[0]['pid']}.pfw")
                self.assertEqual(file.phases(), phases[mode] * 4)
                self.assertEqual(file.n_lines, n_head + 4 * len(phases[mode]))
                self.assertEqual({name: len(calls) for name, calls in file.spans().items()}, {"foo": 4, "bar": 4, "bas": 4})
                self.check_counters(file)

    def check_counters(self, file):
        """Two for each call: its values at its begin, zeros at its end. Readers find them by exact times."""
        counters = [event for event in file.events if event["ph"] == "C"]
        spans = {(name, begin, end) for name, calls in file.spans().items() for _, begin, end in calls}
        if counters:
            self.assertEqual({(a["name"], a["ts"], b["ts"]) for a, b in zip(counters[::2], counters[1::2])}, spans)
        for event in counters[::2]:
            self.assertGreater(event["args"]["memory_usage"], 500)
            self.assertLess(event["args"]["memory_usage"], 500000)
            self.assertTrue(0 <= event["args"]["cpu_usage"] <= 100, event)
        for event in counters[1::2]:
            self.assertEqual(event["args"], {"cpu_usage": 0.0, "memory_usage": 0})

    def test_members_of_a_class(self):
        file = self.one([target("pfw_members")])
        self.assertEqual(file.shape(), "B.solver::outer B.solver::inner E.solver::inner E.solver::outer")

    def test_threads(self):
        file = self.one([target("pfw_one_thread_each"), 3])
        self.assertEqual(len(file.tids()), 3)
        for tid in file.tids():
            self.assertEqual(file.shape(tid), "B.work E.work")
            self.assertNotEqual(tid, file.events[0]["pid"])

    def test_ranks(self):
        mpirun = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", 2]
        for options in (None, "name=ranks:log-filename-include=name"):
            files = self.pfw([*mpirun, target("pfw_smoketest")], options=options, timeout=120)
            self.assertEqual(len(files), 2)  # PerfFlowAspect's ranks write over each other without their pids in the name
            for file in files:
                self.assertEqual(file.shape(), " ".join(["B.foo B.bar B.bas E.bas E.bar E.foo"] * 4))
            self.assertEqual(len({file.events[0]["pid"] for file in files}), 2)

    def test_futures(self):
        file = self.one([target("pfw_futures"), 5])
        begins = [event for event in file.events if event["ph"] == "b"]
        ends = [event for event in file.events if event["ph"] == "e"]
        self.assertEqual([event["id"] for event in begins], [0, 1, 2, 3, 4])
        self.assertEqual(sorted(event["id"] for event in ends), [0, 1, 2, 3, 4])
        self.assertEqual({event["name"] for event in begins}, {"begin_request"})
        self.assertEqual({event["name"] for event in ends}, {"end_request"})
        self.assertEqual({event["scope"] for event in begins + ends}, {"request"})
        self.assertEqual(len({event["tid"] for event in ends}), 5)
        self.assertEqual(file.shape(file.events[0]["pid"]), "B.all_requests" + " b.begin_request" * 5 + " E.all_requests")
        for begin in begins:
            self.assertLess(begin["ts"], next(end["ts"] for end in ends if end["id"] == begin["id"]))

    # Its pointcuts and flows

    POINTCUTS = ("B.before E.after {around} b.begins b.transfer e.transfer b.without_scope e.without_scope e.ends "
                 "B.before E.after {around} b.begins b.transfer e.transfer b.without_scope e.without_scope e.ends ")

    def test_every_pointcut(self):
        shape = self.one([target("pfw_pointcuts")]).shape()
        self.assertTrue(shape.startswith(self.POINTCUTS.format(around="B.around E.around")), shape)

    def test_every_pointcut_when_compact(self):
        # PerfFlowAspect leaves `before` out then, and `after` ends the program
        shape = self.one([target("pfw_pointcuts")], options="log-event=compact").shape()
        self.assertTrue(shape.startswith(self.POINTCUTS.format(around="X.around")), shape)

    def test_asynchronous_calls_have_their_times_their_scopes_and_ids_that_pair(self):
        # PerfFlowAspect's times are garbage, and a second `e` holds the program for good
        file = self.one([target("pfw_pointcuts")])
        events = [(event["ph"], event["name"], event["scope"], event["id"]) for event in file.events if event["ph"] in "be"]
        expected = []
        for n in (0, 3):
            expected += [("b", "begins", "request", n), ("b", "transfer", "io", n + 1), ("e", "transfer", "io", n + 1),
                         ("b", "without_scope", "NA", n + 2), ("e", "without_scope", "NA", n + 2), ("e", "ends", "request", n)]
        self.assertEqual(events, expected)

    def test_flows(self):
        file = self.one([target("pfw_pointcuts")])
        shape = file.shape()
        self.assertTrue(shape.endswith(
            "B.producer s.flow E.producer B.relay f.flow s.flow E.relay B.consumer f.flow E.consumer "
            "B.asks s.flow f.flow E.asks B.sends s.flow f.flow E.receives"), shape)
        flows = [(event["ph"], event["id"]) for event in file.events if event["name"] == "flow"]
        # all of PerfFlowAspect's have the number 100, so that each begin leads to every end
        self.assertEqual(flows, [("s", 100), ("f", 100), ("s", 101), ("f", 101), ("s", 102), ("f", 102), ("s", 103), ("f", 103)])
        self.assertEqual({event["cat"] for event in file.events if event["name"] == "flow"}, {"flow"})

    def test_names(self):
        file = self.one([target("pfw_names")])
        # PerfFlowAspect: "", "solver::", "solver::functor::operator", and `float` for f
        self.assertEqual([event["name"] for event in file.events if event["ph"] == "B"],
                         ["(anonymous namespace)::anonymous", "solver::(anonymous namespace)::hidden",
                          "solver::functor::operator()", "solver::overloaded", "solver::overloaded", "int templated<int>", "f"])

    # What goes wrong with it

    def test_threads_in_every_mode(self):
        # compact or with counters its programs crash
        for mode in MODES:
            file = self.one([target("pfw_one_thread_each"), 2, 20000], options=mode, timeout=120)
            calls = file.spans()["work"]
            self.assertEqual(len(calls), 40000)
            self.assertEqual(len({tid for tid, _, _ in calls}), 2)

    def test_recursion_has_each_calls_own_duration(self):
        # compact its durations are those of the epoch, or negative
        for mode in MODES:
            file = self.one([target("pfw_one_thread_each"), 1, 1, "recursive"], options=mode)
            calls = sorted(file.spans()["work"], key=lambda call: call[1])
            self.assertEqual(len(calls), 3)
            for outer, inner in zip(calls, calls[1:]):
                self.assertLess(outer[1], inner[1])
                self.assertGreater(outer[2], inner[2])
            self.assertLess(calls[0][2] - calls[0][1], 1e6)

    def test_calls_that_are_left_without_a_return_have_their_ends(self):
        # exceptions, longjmp and pthread_exit leave its calls open, and what follows nests wrongly
        expected = ("B.passes B.throws E.throws E.passes B.cleans_up B.throws E.throws E.cleans_up "
                    "B.catches B.throws E.throws E.catches B.is_jumped_out_of B.jumps E.jumps E.is_jumped_out_of")
        file = self.one([target("pfw_leaves")])
        pid = file.events[0]["pid"]
        self.assertEqual(file.shape(pid), expected)
        other = next(tid for tid in file.tids() if tid != pid)
        self.assertEqual(file.shape(other), "B.thread E.thread")
        for mode in MODES:
            self.assertEqual({name: len(calls) for name, calls in self.one([target("pfw_leaves")], options=mode).spans().items()},
                             {"passes": 1, "throws": 3, "cleans_up": 1, "catches": 1, "jumps": 1, "is_jumped_out_of": 1, "thread": 1})

    def test_after_is_after_a_return_and_not_after_an_exception(self):
        # its C++ has an `E` for such a call if there is something to clean up
        self.loose = "async"
        for mode, throws in (("verbose", "B.throws E.throws"), ("compact", "X.throws")):
            file = self.one([target("pfw_leaves"), "after"], options=f"log-event={mode}")
            self.assertEqual(file.shape(), f"{throws} E.after {throws} e.after_async")

    def test_nothing_is_lost_however_the_program_ends(self):
        # it loses up to 16 MiB of events, and the whole file of a short program
        for how, status in (("return", 0), ("exit", 0), ("_exit", 0), ("quick_exit", 0), ("abort", 128 + signal.SIGABRT),
                            ("kill", 128 + signal.SIGKILL), ("term", 128 + signal.SIGTERM),
                            ("segv", 128 + signal.SIGSEGV), ("throw", 128 + signal.SIGABRT)):
            file = self.one([target("pfw_ends"), 100, how], status=status)
            self.assertEqual(file.shape(), "B.run" + " B.call E.call" * 100 + " E.run", how)

    def test_another_program_goes_on_in_the_file(self):
        file = self.one([target("pfw_ends"), 10, "exec"])
        self.assertEqual(file.shape(), " ".join(["B.run" + " B.call E.call" * 10 + " E.run"] * 2))

    def test_many_calls_that_were_killed(self):
        file = self.one([target("pfw_ends"), 100000, "kill"], status=128 + signal.SIGKILL, timeout=120)
        self.assertEqual(len(file.spans()["call"]), 100000)

    def test_memory_is_measured_of_those_who_ask_for_it_alone(self):
        """In the kernel, too, from when it is known who does: the trace beside the files has what was measured."""
        folder = self.new_folder()
        script = "; ".join(f"PERFFLOW_OPTIONS={options} {target('pfw_lasts')} 100 1000" for options in ("cpu-mem-usage=True", "name=x"))
        ran = perfflow("run", "--pfw", "-o", "trace.json", "--", "sh", "-c", script, cwd=folder)
        self.assertEqual(ran.status, 0, ran)
        spans = Trace(os.path.join(folder, "trace.json")).spans("step")
        asked, other = ([span for span in spans if span["pid"] == pid] for pid in sorted({span["pid"] for span in spans}))
        self.assertEqual((len(asked), len(other)), (100, 100))
        self.assertTrue(all(span["args"]["memory_usage"] > 0 for span in asked))
        self.assertLess(sum("memory_usage" in span["args"] for span in other), 50)

    def test_a_child_has_its_own_file(self):
        # its child writes over its parent's file
        files = self.pfw([target("pfw_children"), 3])
        self.assertEqual(sorted(file.shape() for file in files),
                         ["B.before_fork E.before_fork B.in_parent E.in_parent"] + ["B.in_child E.in_child"] * 3)
        for file in files:
            self.assertEqual(file.name, f"perfflow.array.{HOST}.{file.events[0]['pid']}.pfw")

    def test_a_function_that_a_signal_handler_calls(self):
        # it waits for a lock that its own thread holds
        for mode in MODES:
            file = self.one([target("pfw_signals"), 200], options=mode)
            self.assertEqual(set(file.spans()), {"handles", "works"})
            self.assertGreaterEqual(len(file.spans()["handles"]), 200)

    def test_a_call_that_lasts_is_where_it_belongs(self):
        for mode in MODES:
            file = self.one([target("pfw_lasts"), 50], options=mode)
            if "verbose" in mode:
                self.assertEqual([event["ph"] + event["name"] for event in file.events if event["ph"] != "C"],
                                 ["Brun"] + ["Bstep", "Estep"] * 50 + ["Erun"])
            ((_, begin, end),) = file.spans()["run"]
            self.assertTrue(2.5e6 < end - begin < 10e6)
            for _, step_begin, step_end in file.spans()["step"]:
                self.assertTrue(begin < step_begin < step_end < end)

    def test_the_file_can_be_read_while_it_is_written(self):
        folder = self.new_folder()
        process = self.start([PERFFLOW, "run", "--pfw", "--", target("pfw_lasts"), 200], cwd=folder)
        n_seen = set()
        while process.poll() is None:
            for path in glob.glob(os.path.join(folder, "*.pfw")):
                text = pathlib.Path(path).read_text()
                n_seen.add(len(json.loads(text)) if text else 0)  # empty while it is on its way to the daemon
            time.sleep(0.05)
        self.assertEqual(process.finish().status, 0)
        self.assertEqual(len(self.files_in(folder)[0].events), 402)
        self.assertGreater(len([n for n in n_seen if 0 < n < 402]), 0, n_seen)

    def test_a_daemon_that_is_killed_leaves_whole_files_and_the_program_running(self):
        folder = self.new_folder()
        process = self.start([PERFFLOW, "run", "--pfw", "--", target("pfw_lasts"), 300, 6000], cwd=folder)
        (path,) = wait_for("the file", lambda: glob.glob(os.path.join(folder, "*.pfw")))
        wait_for("events in it", lambda: pathlib.Path(path).read_text().count('"E"') > 20)
        (daemon,) = children(process.pid, "perfflowd")
        (program,) = children(process.pid, "pfw_lasts")
        os.kill(daemon, signal.SIGKILL)
        time.sleep(0.3)
        self.assertEqual(children(process.pid, "pfw_lasts"), [program])
        self.assertEqual(process.finish().status, 0)  # that of the program
        self.assertIn("perfflowd has gone", process.output().err)
        events = json.loads(pathlib.Path(path).read_text())
        self.assertEqual({event["name"] for event in events}, {"step"})  # `run` was open: nobody knows of it yet
        self.assertTrue(40 < len(events) < 602)

    def test_the_daemons_memory_does_not_grow_with_what_is_written(self):
        # its runtime keeps 450 to 4,700 bytes of each call
        for mode in ("log-event=verbose", "log-event=compact:cpu-mem-usage=True"):
            folder = self.new_folder()
            process = self.start([PERFFLOW, "run", "--pfw", "--", target("pfw_one_thread_each"), 1, 600000], cwd=folder,
                                 env=environment(PERFFLOW_OPTIONS=mode))
            (path,) = wait_for("the file", lambda: glob.glob(os.path.join(folder, "*.pfw")))
            (daemon,) = children(process.pid, "perfflowd")
            kib = []
            while process.poll() is None:
                kib.append((os.path.getsize(path), self.resident_kib(daemon)))
                time.sleep(0.02)
            self.assertEqual(process.finish().status, 0)
            size = os.path.getsize(path)
            early = max(n for at, n in kib if at < size / 4)
            late = max(n for at, n in kib)
            self.assertGreater(size, 100e6)
            self.assertLess(late, early + 32 * 1024)

    @staticmethod
    def resident_kib(pid):
        try:
            return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
        except (OSError, TypeError):
            return 0  # it has ended

    # Programs that its own compiler pass has woven

    ROUND = ("B.factorial B.factorial B.factorial E.factorial E.factorial E.factorial "
             "b.io::send f.flow s.flow e.io::send {one_sided}")

    def woven(self, program, n_rounds, **keywords):
        self.loose = r"flow \d+"
        return self.one([target(program), n_rounds], **keywords)

    def check_woven(self, file, n_rounds, one_sided):
        """A longjmp leaves `throws`: its end is where that shows, which is somewhere behind."""
        self.assertEqual(len(file.tids()), 2)
        self.assertEqual({event["cat"] for event in file.events}, {"src/woven.cpp", "flow"})
        for tid in file.tids():
            shape = file.shape(tid).replace(" B.throws f.flow", "").replace(" E.throws", "")
            self.assertEqual(shape, " ".join([self.ROUND.format(one_sided=one_sided)] * n_rounds))
        self.assertEqual((file.count("throws"), file.count("throws", "E")), (2 * n_rounds, 2 * n_rounds))

    def test_a_program_that_its_compiler_pass_has_woven(self):
        self.check_woven(self.woven("woven", 3), 3, "B.starts s.flow E.ends")
        self.assertIn("36 before, 30 after", self.ran.out)  # its own runtime saw them too

    def test_a_woven_program_that_has_the_runtime_inside(self):
        self.check_woven(self.woven("woven_static", 3), 3, "B.starts s.flow E.ends")
        self.assertIn("36 before, 30 after", self.ran.out)

    def test_a_program_that_was_woven_when_the_pointcut_was_not_passed(self):
        # nobody can tell that `starts` has no end: it lasts until the next call of its caller
        self.check_woven(self.woven("woven_old", 3), 3, "B.starts s.flow E.ends E.starts")

    def test_a_woven_program_in_every_mode(self):
        for program in ("woven", "woven_old"):
            for mode in MODES:
                file = self.woven(program, 200, options=mode)
                self.assertEqual((file.count("factorial"), file.count("throws")), (1200, 400))
                self.check_pairs(file, 400)

    def check_pairs(self, file, n):
        """Each call of an asynchronous function has one number, at both its ends and in one thread."""
        ends = defaultdict(list)
        for event in file.events:
            if event["name"] == "io::send":
                self.assertEqual(event["scope"], "io")
                ends[event["id"]].append((event["ph"], event["tid"]))
        self.assertEqual(len(ends), n)
        for (begin, tid), (end, other) in ends.values():
            self.assertEqual((begin, end, tid), ("b", "e", other))

    def test_woven_functions_that_were_inlined_into_each_other(self):
        file = self.one([target("woven_inlined"), 301])
        name = "_Z300" + "x" * 251  # too long to be read, and so to be told apart from others by more
        inside = f"B.inner B.{name} E.{name} E.inner"
        whole, left = f"B.outer {inside} B.second E.second E.outer", f"B.outer {inside} E.outer"
        self.assertEqual(file.shape(), " ".join([whole, left] * 150 + [whole]))
        for mode in MODES:
            file = self.one([target("woven_inlined"), 301], options=mode)
            self.assertEqual([file.count(name, "BX") for name in ("outer", "inner", "second")], [301, 301, 151])

    def test_an_exception_leaves_a_woven_function(self):
        # its own runtime has no end of `throws`, and what follows is inside of it
        file = self.one([target("woven_catches")])
        self.assertEqual(file.shape(), " ".join(["B.catches B.throws E.throws B.follows E.follows E.catches"] * 3))

    def test_a_woven_program_in_a_trace(self):
        trace = self.trace("annotated()", [target("woven"), 3])
        self.assertEqual((trace.count("factorial"), trace.count("throws")), (18, 6))
        self.assertEqual(sum(event["ph"] == "b" and event["name"] == "io::send" for event in trace.events), 6)
        self.assertEqual([event["args"]["moment"] for event in trace.events if event["name"] in ("starts", "ends")].count("return"), 6)

    def test_a_woven_program_has_the_advice_of_its_annotations_alone(self):
        matched = perfflow("match", "--binary", target("libperfflow_runtime.so"), "before(annotated())")
        self.assertEqual(matched.err.count("each by the advice of its own annotation"), 2, matched)

    # PERFFLOW_OPTIONS

    def test_the_name_has_what_is_asked_for(self):
        for options, name in (("name=mine:log-filename-include=name,hostname,pid", f"perfflow.array.mine.{HOST}.PID.pfw"),
                              ("log-filename-include=pid,name", "perfflow.array.PID.generic.pfw"),
                              ("log-filename-include=instance-path", "perfflow.array.{356a192b}.pfw")):
            file = self.one([target("pfw_smoketest")], options=options)
            self.assertEqual(file.name, name.replace("PID", str(file.events[0]["pid"])))

    def test_the_instance_path_is_that_of_the_jobs(self):
        file = self.one([target("pfw_smoketest")],
                        options="name=mycomponent:log-filename-include=name,instance-path,hostname,pid:log-dir=./logs",
                        env={"FLUX_JOB_ID": "123456", "PERFFLOW_INSTANCE_PATH": "fffffff.444444"})
        self.assertEqual(file.name, f"perfflow.array.mycomponent.{{fffffff.444444.123456}}.{HOST}.{file.events[0]['pid']}.pfw")
        self.assertEqual(os.path.basename(os.path.dirname(file.path)), "logs")

    def test_the_instance_path_is_handed_on_by_programs_that_are_annotated(self):
        # PerfFlowAspect's runtime extends the variable in the environment
        options = "name=x:log-filename-include=name,instance-path"
        child = target("pfw_smoketest")
        files = self.pfw([target("pfw_children"), 1, child], options=options, env={"FLUX_JOB_ID": "a"})
        self.assertEqual(self.paths(files), {("a", "before_fork in_parent"), ("a", "in_child"), ("a.a", "bar bas foo")})
        files = self.pfw(["sh", "-c", f"{child}; true"], options=options, env={"FLUX_JOB_ID": "a"})
        self.assertEqual(self.paths(files), {("a", "bar bas foo")})
        files = self.pfw([target("pfw_children"), 1, self.script(f"PERFFLOW_INSTANCE_PATH=b {child}; FLUX_JOB_ID=c {child}")],
                         options=options, env={"FLUX_JOB_ID": "a"})
        self.assertEqual(self.paths(files), {("a", "before_fork in_parent"), ("a", "in_child"), ("b.a", "bar bas foo"),
                                             ("a.c", "bar bas foo")})
        files = self.pfw([target("pfw_ends"), 2, "exec"], options=options, env={"PERFFLOW_INSTANCE_PATH": "z", "FLUX_JOB_ID": "a"})
        self.assertEqual(self.paths(files), {("z.a", "call run"), ("z.a.a", "call run")})

    def script(self, text):
        path = self.folder / "script.sh"
        pathlib.Path(path).write_text(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)
        return path

    def paths(self, files):
        """The instance path in each file's name, and the functions in it."""
        return {(re.search(r"{(.*)}", file.name).group(1), " ".join(sorted(file.spans()))) for file in files}

    def test_log_dir_is_made(self):
        absolute = self.folder / "elsewhere/logs"
        for directory in ("./logs", "a/b/c/", absolute):
            folder = self.new_folder()
            self.pfw([target("pfw_smoketest")], options=f"log-dir={directory}", folder=folder)
            self.assertEqual(len(self.files_in(os.path.join(folder, directory))), 1)
            self.assertEqual(glob.glob(os.path.join(folder, "*.pfw")), [])

    def test_a_program_that_wants_no_file_runs_all_the_same(self):
        # its Python decorators then leave out what they decorate
        for word in ("False", "false", "FALSE"):
            self.assertEqual(self.pfw([target("pfw_smoketest")], options=f"log-enable={word}"), [])
            self.assertEqual(self.ran.out.split(), ["bas", "bar", "foo"] * 4)

    def test_ill_formed_options_get_the_sentence_and_the_default(self):
        for options, sentence in (
                ("log-enable=no", "perfflow invalid option: log-enable=[True|False]"),
                ("cpu-mem-usage=yes", "perfflow invalid option: cpu-mem-usage=[True|False]"),
                ("log-event=short", "perfflow invalid option: log-event=[Verbose|Compact]"),
                ("log-format=xml", "perfflow invalid option: log-format=[Array|Object]"),
                ("log-filename-include=rank,hostname,pid", "perfflow warning: unknown option param=rank"),
                ("nonsense", "Ill-formed option: nonsense")):
            file = self.one([target("pfw_smoketest")], options=options, warnings=1)
            self.assertIn(sentence, self.ran.err)
            self.assertRegex(self.ran.err, r"warning: process \d+ \(pfw_smoketest\): ")
            self.assertEqual(file.name, f"perfflow.array.{HOST}.{file.events[0]['pid']}.pfw")
            self.assertEqual(file.phases(), "BBBEEE" * 4)

    def test_options_behind_much_else_in_the_environment_are_found(self):
        many = {f"A_{n:04}": "x" * 1000 for n in range(200)}
        self.assertEqual(self.one([target("pfw_smoketest")], options="log-event=compact", env=many).phases(), "XXX" * 4)

    def test_options_that_cannot_be_known_are_told_of(self):
        many = {f"A_{n:04}": "x" * 1000 for n in range(400)}
        file = self.one([target("pfw_smoketest")], options="log-event=compact", env=many, warnings=1)
        self.assertIn("only a part of its environment is known", self.ran.err)
        self.assertEqual(file.phases(), "BBBEEE" * 4)

    def test_each_process_has_its_own_options_and_folder(self):
        smoketest = target("pfw_smoketest")
        files = self.pfw(["sh", "-c", f"mkdir sub; PERFFLOW_OPTIONS=log-event=compact {smoketest}; cd sub; "
                                      f"PERFFLOW_OPTIONS=log-format=object {smoketest}; log=1 {smoketest}"],
                         options="log-enable=False")
        self.assertEqual(sorted((file.phases()[:1], file.name.split(".")[1], os.path.basename(os.path.dirname(file.path)))
                                for file in files), [("B", "object", "sub"), ("X", "array", "run-1")])

    def test_an_array_can_be_opened_for_programs_that_close_it_themselves(self):
        with open(os.path.join(SOURCE, "docs", "perfflowaspect.md")) as file:
            command = re.search(r"`(sed [^`]*)`", file.read())[1]
        for mode in MODES:
            file = self.one([target("pfw_smoketest")], options=mode)
            subprocess.run(["sh", "-c", command], cwd=os.path.dirname(file.path), check=True)
            text = pathlib.Path(file.path).read_text()
            self.assertTrue(text.endswith("},\n"), text[-100:])
            self.assertEqual(json.loads(text + " {}]"), [*file.events, {}])

    # How it is asked for

    def test_a_folder_for_all_files(self):
        folder = self.new_folder()
        files = self.pfw(["sh", "-c", f"cd /; {target('pfw_smoketest')}; {target('pfw_members')}; true"],
                         words=("--pfw=out/here",), options="log-dir=/nonexistent:name=x", folder=folder)
        self.assertEqual(len(files), 2)
        self.assertEqual({os.path.dirname(file.path) for file in files}, {os.path.join(folder, "out/here")})

    def test_a_trace_and_files_at_once(self):
        folder = self.new_folder()
        file = self.one([target("pfw_smoketest")], words=("--pfw", "-o", "t.json"), folder=folder)
        trace = Trace(os.path.join(folder, "t.json"))
        self.check(trace)
        self.assertEqual(trace.counts(), {"foo": 4, "bar": 4, "bas": 4})
        self.assertEqual({name: len(calls) for name, calls in file.spans().items()}, trace.counts())
        for word in ("t.json", "1 file of PerfFlowAspect's form"):
            self.assertIn(word, self.ran.err)

    def test_other_functions_than_those_that_are_annotated(self):
        file = self.one([target("plain_pie")], words=("--pfw", "-p", "plain_pie:main"))
        self.assertEqual(file.shape(), "B.main E.main")
        self.assertEqual(os.path.basename(file.events[0]["cat"]), "plain.c")

    def test_an_explicit_advice_is_stronger_than_the_annotation(self):
        file = self.one([target("pfw_smoketest")], words=("--pfw", "-p", "before(annotated())"))
        self.assertEqual(file.phases(), "B" * 12)

    def test_regions_that_nobody_ends_do_not_hide_what_follows(self):
        trace = self.trace(["annotated()", "open_regions:called"], [target("open_regions"), 300])
        self.assertEqual(trace.counts(), {"open": 300, "closed": 1, "called": 1})
        (called,), (closed,) = trace.spans("called"), trace.spans("closed")
        self.assertEqual(trace.parent_of(called)["name"], "closed")
        self.assertNotIn("end", closed["args"])
        self.assertTrue(all(span["args"]["end"] in ("unwound", "process_exit") for span in trace.spans("open")))

    def test_annotations_decide_in_a_trace_too(self):
        trace = self.trace("annotated()", [target("pfw_pointcuts")])
        self.assertEqual(trace.count("around"), 2)
        moments = [event for event in trace.events if event["ph"] == "i" and event["name"] in ("before", "after")]
        self.assertEqual([(event["name"], event["args"]["moment"]) for event in moments],
                         [("before", "entry"), ("after", "return")] * 2)
        self.assertEqual(sum(event["ph"] == "b" and event["name"] == "transfer" for event in trace.events), 2)

    def test_a_program_without_annotations_is_refused_with_the_reason(self):
        folder = self.new_folder()
        ran = perfflow("run", "--pfw", "--", target("plain_pie"), cwd=folder)
        self.assertSentence(ran, "annotated()", "matches no function")
        self.assertEqual(os.listdir(folder), [])

    def test_bad_folders_get_a_sentence(self):
        for word, expected in (("--pfw=", "folder"), ("--pfw=/dev/null", "/dev/null"), ("--pfw=/proc/nowhere", "/proc/nowhere")):
            self.assertSentence(perfflow("run", word, "--", target("pfw_smoketest")), expected)

    def test_a_running_process_is_attached_to(self):
        folder = self.new_folder()
        program = self.start([target("pfw_lasts"), 10000, 100000], cwd=folder, env=environment(PERFFLOW_OPTIONS="log-event=compact"))
        ran = perfflow("attach", "--pid", program.pid, "--pfw", "--duration", "1s")
        self.assertEqual(ran.status, 0, ran)
        (file,) = self.files_in(folder)
        self.assertEqual(file.name, f"perfflow.array.{HOST}.{program.pid}.pfw")
        self.assertEqual(set(file.spans()), {"step"})  # `run` had begun before

    # Whose files they are

    def open_to_nobody(self):
        """A copy of a program that nobody may execute, and a folder of nobody's."""
        folder = self.new_folder()
        os.chown(folder, 65534, 65534)
        return self.folder.copy(target("pfw_smoketest")), folder

    def test_the_file_of_a_users_process_is_the_users(self):
        program, folder = self.open_to_nobody()
        (file,) = self.pfw([*NOBODY, program], options="log-dir=logs/deep", folder=folder)
        for path in (file.path, os.path.dirname(file.path), os.path.join(folder, "logs")):
            self.assertEqual((os.stat(path).st_uid, os.stat(path).st_gid), (65534, 65534), path)

    def test_no_file_goes_where_the_user_may_not_write(self):
        forbidden = self.new_folder()
        for options in (f"log-dir={forbidden}", f"log-dir={forbidden}/sub", "log-dir=/proc/self/fd"):
            program, folder = self.open_to_nobody()
            file = self.one([*NOBODY, program], options=options, folder=folder, warnings=1)
            self.assertEqual(os.listdir(forbidden), [])
            # where perfflow was started it may be: nothing is lost
            self.assertIn("cannot be made where it wants it", self.ran.err)
            self.assertIn(f"it is '{file.path}'", self.ran.err)
            self.assertEqual(len(file.events), 24)

    def test_no_link_is_followed_and_no_file_of_others_written_over(self):
        program, folder = self.open_to_nobody()
        precious = self.folder / "precious"
        for plant in (lambda path: os.symlink(precious, path), lambda path: os.link(precious, path), os.mkfifo, os.mkdir,
                      lambda path: pathlib.Path(path).write_text("root's own")):
            path = os.path.join(folder, "perfflow.array.x.pfw")
            pathlib.Path(precious).write_text("precious")
            os.chmod(precious, 0o666)
            plant(path)
            (file,) = self.pfw_beside(path, [*NOBODY, program], folder)
            self.assertEqual(file.name, f"perfflow.array.x.{file.events[0]['pid']}.pfw")
            self.assertEqual(pathlib.Path(precious).read_text(), "precious")
            if stat.S_ISREG(os.lstat(path).st_mode):
                self.assertIn(pathlib.Path(path).read_text(), ("precious", "root's own"))
            os.unlink(file.path)
            os.rmdir(path) if os.path.isdir(path) else os.unlink(path)

    def pfw_beside(self, path, command, folder):
        """The same where something is there already."""
        ran = perfflow("run", "--pfw", "--", *command, cwd=folder,
                       env=environment(PERFFLOW_OPTIONS="name=x:log-filename-include=name"))
        self.assertEqual(ran.status, 0, ran)
        return [File(other, self) for other in glob.glob(os.path.join(folder, "*.pfw")) if other != path]

    def test_an_old_file_of_the_users_own_is_written_over(self):
        folder = self.new_folder()
        for _ in range(2):
            self.pfw([target("pfw_smoketest")], options="name=x:log-filename-include=name", folder=folder)
        self.assertEqual(len(self.files_in(folder)[0].events), 24)

    def test_two_sessions_do_not_write_to_one_file(self):
        folder = self.new_folder()
        program = self.start([target("pfw_lasts"), 1000, 100000], cwd=folder)
        attached = [self.start([PERFFLOW, "attach", "--pid", program.pid, "--pfw"]) for _ in range(2)]
        for process in attached:
            process.read_until("tracing", "stderr")
        wait_for("both files", lambda: len(glob.glob(os.path.join(folder, "*.pfw"))) == 2)
        program.terminate()
        for process in attached:
            self.assertEqual(process.finish().status, 0)
        self.assertEqual([file.name for file in self.files_in(folder)],
                         [f"perfflow.array.{HOST}.{program.pid}.2.pfw", f"perfflow.array.{HOST}.{program.pid}.pfw"])

    def test_a_folder_that_is_gone_loses_nothing(self):
        folder = self.new_folder()
        self.pfw(["sh", "-c", f"mkdir gone; cd gone; rmdir ../gone; exec {target('pfw_smoketest')}"], folder=folder, warnings=1)
        self.assertIn("cannot be made where it wants it", self.ran.err)
        self.assertEqual(len(self.files_in(folder)), 1)

    def test_a_process_in_another_mount_namespace_writes_there(self):
        folder, seen = self.new_folder(), self.new_folder()
        self.pfw(["unshare", "--mount", "sh", "-c",
                  f"mount -t tmpfs none {folder} && cd {folder} && {target('pfw_smoketest')}; sleep 1; "
                  f"cp {folder}/*.pfw {seen}"], folder=self.new_folder())
        self.assertEqual(os.listdir(folder), [])
        self.assertEqual(len(self.files_in(seen)), 1)

    def test_a_user_who_may_not_trace_leaves_nothing_behind(self):
        program, folder = self.open_to_nobody()
        ran = run([*NOBODY, PERFFLOW, "run", "--pfw", "--", program], cwd=folder)
        self.assertNotEqual(ran.status, 0)  # there is none, and only root may start one
        self.assertEqual(os.listdir(folder), [])

    def test_a_full_disk_keeps_what_there_is_and_the_program_runs(self):
        mount = self.new_folder()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", mount], check=True)
        self.addCleanup(subprocess.run, ["umount", mount])
        ran = perfflow("run", "--pfw", "--", target("pfw_one_thread_each"), 1, 20000, cwd=mount)
        self.assertEqual(ran.status, 0, ran)
        self.assertIn("No space left on device", ran.err)
        (path,) = glob.glob(os.path.join(mount, "*.pfw"))
        self.assertGreater(len(json.loads(pathlib.Path(path).read_text())), 100)

    def test_a_client_that_is_killed_leaves_whole_files_and_no_process(self):
        folder = self.new_folder()
        process = self.start([PERFFLOW, "run", "--pfw", "--", target("pfw_lasts"), 200], cwd=folder)
        wait_for("the file", lambda: glob.glob(os.path.join(folder, "*.pfw")))
        keepers = subprocess.run(["pgrep", "-P", str(process.pid), "perfflow-files"], capture_output=True, text=True).stdout.split()
        self.assertEqual(len(keepers), 1)
        process.kill()
        process.wait()
        wait_for("the end of the process that makes files", lambda: not os.path.exists(f"/proc/{keepers[0]}"))
        wait_for("the file to be whole", lambda: json.loads(pathlib.Path(glob.glob(os.path.join(folder, "*.pfw"))[0]).read_text()))


if __name__ == "__main__":
    main(programs=("mpirun", "unshare", "pgrep"))
