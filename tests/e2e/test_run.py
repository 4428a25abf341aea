#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""perfflow run: the command behaves as if it were not traced, and the trace is whole however it ends."""
import gzip
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from events import named  # noqa: E402
from perfflow import PERFFLOW, TestCase, Trace, environment, links, main, ns, perfflow, run, target, wait_for  # noqa: E402

OPENAT = 56 if os.uname().machine == "aarch64" else 257


class Run(TestCase):
    def test_the_exit_status_is_that_of_the_command(self):
        for command, status in ((["true"], 0), (["false"], 1), (["sh", "-c", "exit 77"], 77), (["sh", "-c", "kill -TERM $$"], 143),
                                (["sh", "-c", "kill -KILL $$"], 137)):
            with self.subTest(command):
                ran = perfflow("run", "-p", "libc.so.6:getenv", "-o", self.folder / "t.json", "--", *command)
                self.assertEqual(ran.status, status, ran)
                self.check(Trace(self.folder / "t.json"))

    def test_a_command_that_is_not_there_or_cannot_be_executed_fails_as_in_a_shell(self):
        plain = self.folder / "plain"
        open(plain, "w").close()
        for command, status in (("/no/such/program", 127), ("no-such-program", 127), (plain, 126)):
            with self.subTest(command):
                ran = perfflow("run", "-p", "getenv", "-o", self.folder / "t.json", "--", command)
                self.assertEqual(ran.status, status, ran)
                self.assertSentence(ran, os.path.basename(command))

    def test_input_output_and_environment_reach_the_command_untouched(self):
        script = 'cat; echo "err $HELLO" >&2; pwd'
        process = self.start([PERFFLOW, "run", "-p", "libc.so.6:getenv", "-o", "t.json", "--", "sh", "-c", script],
                             stdin=subprocess.PIPE, cwd=self.folder.path, env=environment(HELLO="world"))
        process.tell("line")
        ran = process.finish()
        self.assertEqual(ran.out, f"line\n{self.folder.path}\n")
        self.assertIn("err world\n", ran.err)

    def test_the_command_sees_the_arguments_and_descriptors_that_it_would_see_untraced(self):
        script = 'printf "%s|" "$@"; ls /proc/self/fd | tr "\\n" " "; ulimit -n; umask; grep -E "^(SigBlk|SigIgn)" /proc/self/status'
        command = ["sh", "-c", script, "name", "two words", "--", "-o", ""]
        untraced = run(command)
        traced = perfflow("run", "-p", "libc.so.6:getenv", "-o", self.folder / "t.json", "--", *command)
        self.assertEqual(traced.out, untraced.out)

    def test_who_waits_for_a_reader_of_its_output_can_be_interrupted(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        sleeper = self.start(["sleep", "60"])
        for words in (["run", "-p", "getenv", "-o", pipe, "--", "true"],
                      ["attach", "--pid", sleeper.pid, "-p", "libc.so.6:getenv", "-o", pipe]):
            with self.subTest(words[0]):
                waits = self.start([PERFFLOW, *words])
                wait_for("it to wait for one to read", lambda: pathlib.Path(f"/proc/{waits.pid}/syscall").read_text().split()[0] ==
                         str(OPENAT))
                waits.interrupt()
                self.assertEqual(waits.finish(10).status, 128 + signal.SIGINT)

    def test_a_script_is_run_all_the_same_and_told_what_matched_nothing(self):
        script = self.folder / "job.sh"
        with open(script, "w") as file:
            file.write(f"#!/bin/sh\n{target('recursion')} 1\n")
        os.chmod(script, 0o755)
        ran = perfflow("run", "-p", "recursion:befor", "-o", self.folder / "t.json", "--", script)
        self.assertEqual(ran.status, 0, ran)
        self.assertIn("'recursion:befor' matched no function of any program that ran", ran.err)

    def test_everything_is_traced_from_the_first_instruction(self):
        trace = self.trace("recursion:before", [target("recursion"), 1])
        self.assertEqual(trace.count("before"), 3)
        trace = self.trace("recursion:main", [target("recursion"), 1])
        self.assertEqual(trace.count("main"), 1)

    def test_descendants_are_traced_through_shells_and_the_background(self):
        recursion = target("recursion")
        trace = self.trace("recursion:before", ["sh", "-c", f"{recursion} 1 & ({recursion} 1; {recursion} 1); wait"],
                           env=environment(PATH=os.path.dirname(recursion) + ":" + os.environ["PATH"]))
        self.assertEqual(trace.count("before"), 9)
        self.assertEqual(len(trace.pids()), 3)

    def test_a_summary_on_stderr_tells_what_was_woven_where_the_trace_is_and_what_to_do_with_it(self):
        trace = self.trace("recursion:before || recursion:after", [target("recursion"), 1])
        for word in ("2 functions", "6 spans", trace.path, "perfetto"):
            self.assertIn(word, trace.ran.err.lower())
        self.assertEqual(trace.ran.out, "")

    def test_without_an_output_the_trace_is_named_by_host_and_process(self):
        ran = perfflow("run", "-p", "recursion:before", "--", target("recursion"), 1, cwd=self.folder.path)
        self.assertEqual(ran.status, 0, ran)
        names = os.listdir(self.folder.path)
        self.assertEqual(len(names), 1, names)
        trace = Trace(self.folder / names[0])
        self.check(trace)
        self.assertEqual(names[0], f"perfflow.{socket.gethostname()}.{trace.pids()[0]}.json")

    def test_a_name_that_ends_in_gz_gives_one_gzip_member(self):
        ran = perfflow("run", "-p", "threads:work", "-o", self.folder / "t.json.gz", "--", target("threads"), 4, 500)
        self.assertEqual(ran.status, 0, ran)
        trace = Trace(self.folder / "t.json.gz")
        self.assertTrue(trace.is_gzip)
        self.check(trace)
        self.assertEqual(trace.count("work"), 2000)

    def test_interrupt_goes_to_the_command_and_the_trace_is_complete(self):
        process = self.start([PERFFLOW, "run", "-p", "slow:beat", "-o",
                             self.folder / "t.json", "--", target("slow"), 30])
        process.read_until("4\n")
        process.interrupt()
        ran = process.finish()
        self.assertEqual(ran.status, 42, ran)  # what slow makes of SIGINT
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertGreaterEqual(trace.count("beat"), 5)

    def test_interrupt_of_a_command_that_dies_of_it_gives_130_and_a_complete_trace(self):
        process = self.start([PERFFLOW, "run", "-p", "libc.so.6:clock_nanosleep",
                             "-o", self.folder / "t.json", "--", "sleep", "30"])
        wait_for("sleep", lambda: subprocess.run(
            ["pgrep", "-s", str(process.pid), "-x", "sleep"], capture_output=True).stdout)
        time.sleep(0.2)
        process.interrupt()
        ran = process.finish()
        self.assertEqual(ran.status, 130, ran)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.ends("clock_nanosleep"), {"process_exit": 1})

    def test_each_event_is_on_standard_output_within_a_second_of_its_end(self):
        process = subprocess.Popen([PERFFLOW, "run", "-p", "slow:beat", "-o", "-", "--", target("slow"), "4"], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
        late, seen, lines = [], 0, []
        for line in process.stdout:
            now_us = time.clock_gettime(time.CLOCK_BOOTTIME) * 1e6
            lines.append(line)
            if '"ph":"X"' in line:
                event = json.loads(line.strip().strip(",[]"))
                seen += event["name"] == "beat"  # others are ends of arrows
                late.append(now_us - event["ts"] - event["dur"])
        self.assertEqual(process.wait(20), 0)
        self.assertEqual(seen, 80)
        self.assertLess(max(late), 1e6)
        json.loads("".join(lines))

    def test_events_of_all_cpus_and_processes_stand_in_order_of_time(self):
        threads = f"{target('threads')} 3 2000"
        trace = self.trace(["threads:work || threads:leaf || forks:*", "before_async(kinds:enters) name=rest",
                            "after_async(kinds:leaves) name=rest", "before(kinds:nested)"],
                           ["sh", "-c", f"{threads} & {threads} & {target('forks')} & {target('kinds')} 5; wait"],
                           options=["--sched"])
        self.assertGreater(len(trace.pids()), 3)
        self.assertGreater(len({e["args"]["cpu"] for e in named(trace, "T", "Running")}), 1)
        youngest, late = 0, []
        for event in trace.events:  # as docs/trace-format.md says
            if event["ph"] in "MC" or event["name"] in ("program", "wakes") or event["cat"] == "__overhead":
                continue
            known_ns = ns(event["ts"]) + ns(event.get("dur", 0))
            if known_ns < youngest:
                late.append((youngest - known_ns, event))
            youngest = max(youngest, known_ns)
        self.assertLessEqual(len(late), 2 * trace.summary()["out_of_order"], f"{len(late)}: {late[:3]}")
        self.assertLess(trace.summary()["out_of_order"], trace.summary()["spans"] / 100)

    def test_a_plain_trace_cut_off_at_any_line_still_loads(self):
        trace = self.trace("threads:thread_main || threads:work", [target("threads"), 2, 20])
        units = pathlib.Path(trace.path).read_text().split(",\n")  # what is written at once ends before a comma
        for n in range(1, len(units)):
            with open(self.folder / "cut.json", "w") as file:
                file.write(",\n".join(units[:n]))
            cut = Trace(self.folder / "cut.json")
            self.assertEqual(len(cut.events), n)
            self.assertEqual(cut.complaints(), [])

    def test_a_trace_is_readable_at_every_moment_of_its_making(self):
        process = self.start([PERFFLOW, "run", "-p", "slow:beat", "-o",
                             self.folder / "t.json", "--", target("slow"), 3])
        process.read_until("20\n")
        growing = Trace(self.folder / "t.json")
        self.assertFalse(growing.is_whole)
        self.assertGreaterEqual(growing.count("beat"), 1)
        self.assertEqual(process.finish().status, 0)
        self.assertEqual(Trace(self.folder / "t.json").count("beat"), 60)

    def test_programs_of_others_that_come_and_go_meanwhile_are_not_its_concern(self):
        others = self.start(["sh", "-c", f"while :; do {target('calls_b')} 1; done"])
        trace = self.trace("libcalls.so:library_call", [target("slow"), 3], allow_empty=True)
        self.assertIsNone(others.poll())
        self.assertEqual([w for w in trace.summary().get("warnings", []) if "woven" in w], [])
        self.assertEqual(trace.ran.err.count("woven after"), 0, trace.ran)

    def test_nothing_stays_attached(self):
        before = links()
        self.trace("threads:work", [target("threads"), 2, 10])
        wait_for("the end of the probes", lambda: links() <= before)

    def test_a_compressed_trace_holds_what_the_plain_one_does(self):
        plain = self.trace("threads:leaf", [target("threads"), 2, 50])
        perfflow("run", "-p", "threads:leaf", "-o", self.folder / "t.json.gz", "--", target("threads"), 2, 50)
        with gzip.open(self.folder / "t.json.gz", "rt") as file:
            packed = json.load(file)
        self.assertEqual(plain.count("leaf"), sum(event["name"] == "leaf" for event in packed))


if __name__ == "__main__":
    main()
