#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What cannot be done is refused with one clear sentence, and nothing is left attached."""
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import NOBODY, PERFFLOW, PERFFLOWD, TestCase, Trace, environment, links, main, perfflow, run, target, wait_for  # noqa: E402


class BadInput(TestCase):
    def setUp(self):
        super().setUp()
        self.before = links()
        self.addCleanup(lambda: wait_for("the end of the probes", lambda: links() <= self.before))

    def refused(self, *arguments, words=(), **keywords):
        """It fails with a sentence of one line that has the words, and leaves no output behind that was not there."""
        ran = perfflow(*arguments, **keywords)
        self.assertSentence(ran, *words)
        self.assertTrue(ran.err.startswith("perfflow"), ran)
        self.assertLess(ran.status, 126, ran)
        self.assertNotRegex(ran.err, r"Sanitizer|Assertion|core dumped|libbpf:", ran)
        return ran

    def test_a_process_that_is_not_there(self):
        self.refused("attach", "--pid", "4194200", "-p", "main", "-o", self.folder / "t.json", words=["4194200"])
        child = subprocess.Popen(["true"])
        child.wait()
        self.refused("attach", "--pid", str(child.pid), "-p", "main",
                     "-o", self.folder / "t.json", words=[str(child.pid)])

    def test_a_file_of_aspects_that_is_not_there_or_wrong(self):
        command = ("-o", self.folder / "t.json", "--", target("kinds"), "2")
        self.refused("run", "-f", "nowhere", *command, words=["/etc/perfflow/aspects.d/nowhere.aspect"])
        for text, words in (("# nothing\n", ["no aspect"]), ("  kinds:whole\n", [":1:", "go on"]), ("kinds:whole |\n", ["expected"])):
            with self.subTest(text):
                path = self.folder / "a.aspect"
                with open(path, "w") as file:
                    file.write(text)
                self.refused("run", "-f", path, *command, words=words)

    def test_who_may_open_few_files_gets_more_or_a_sentence(self):
        command = [PERFFLOW, "run", "-p", "kinds:whole", "-o", self.folder / "t.json", "--", target("kinds"), "2"]
        ran = run(["prlimit", "--nofile=24:4096", *command])
        self.assertEqual(ran.status, 3, ran)
        self.assertEqual(Trace(self.folder / "t.json").count("whole"), 2)
        for limit in (12, 18, 24, 30, 36, 42):  # each is reached elsewhere
            with self.subTest(limit=limit):
                ran = run(["prlimit", f"--nofile={limit}:{limit}", *command])
                self.assertSentence(ran, "as many files", "ulimit -n")
                self.assertEqual(ran.status, 125, ran)

    @unittest.skipUnless(os.uname().machine == "x86_64", "what it preloads is for x86-64")
    def test_who_may_not_watch_what_is_mapped_hears_of_the_setting(self):
        self.refused("run", "-p", "kinds:whole", "-o", self.folder / "t.json", "--", target("kinds"), "2",
                     env=environment(LD_PRELOAD=target("no_watching.so")), words=["perf_event_paranoid", "CAP_SYS_ADMIN"])

    def test_a_process_that_has_ended_and_was_not_waited_for(self):
        child = subprocess.Popen(["true"])
        wait_for("a zombie", lambda: re.search(r"State:\s+Z", pathlib.Path(f"/proc/{child.pid}/status").read_text()))
        self.refused("attach", "--pid", str(child.pid), "-p", "main",
                     "-o", self.folder / "t.json", words=[str(child.pid)])
        child.wait()

    def test_a_kernel_thread(self):
        if "kthreadd" not in pathlib.Path("/proc/2/comm").read_text():
            return  # in a container there is none to be seen
        self.refused("attach", "--pid", "2", "-p", "main", "-o", self.folder / "t.json", words=["2"])

    def test_a_name_that_nothing_has(self):
        self.refused("run", "-p", "recursion:befor", "-o", self.folder / "t.json", "--", target("recursion"), "1",
                     words=["'recursion:befor' matches no function", "did you mean: recursion:before", "--allow-empty"])
        self.assertFalse(os.path.exists(self.folder / "t.json"))

    def test_numbers_that_are_none(self):
        for pid in ("0", "-1", "abc", "12x", "99999999999999999999", ""):
            with self.subTest(pid):
                self.refused("attach", f"--pid={pid}", "-p", "main", "-o", self.folder / "t.json")
        for duration in ("abc", "-1s", "10parsecs", ""):
            with self.subTest(duration):
                self.refused("attach", "--pid", str(os.getpid()), "-p", "main",
                             f"--duration={duration}", "-o", self.folder / "t.json")

    def test_files_that_are_no_programs(self):
        text, empty, script, truncated = (self.folder / name for name in ("text", "empty", "script", "truncated"))
        with open(text, "w") as file:
            file.write("no program at all\n" * 100)
        open(empty, "w").close()
        with open(script, "w") as file:
            file.write("#!/bin/sh\ntrue\n")
        whole = pathlib.Path(target("threads")).read_bytes()
        for path in (text, empty, script, self.folder.path, "/no/such/file", "/dev/null"):
            with self.subTest(path):
                self.refused("attach", "--binary", path, "-p", "main", "-o", self.folder / "t.json", words=[path])
                self.refused("match", "--binary", path, "main", words=[path])
        for size in (4, 20, 64, 100, 800, len(whole) // 2, len(whole) - 100):
            with self.subTest(truncated=size):
                with open(truncated, "wb") as file:
                    file.write(whole[:size])
                self.refused("match", "--binary", truncated, "thread_main", words=[truncated])
                self.refused(
    "attach",
    "--binary",
    truncated,
    "-p",
    "thread_main",
    "-o",
    self.folder /
    "t.json",
     words=[truncated])

    def test_damaged_programs_never_crash_it(self):
        whole = pathlib.Path(target("plain_pie")).read_bytes()
        damaged = self.folder / "damaged"
        for i in range(0, 64, 1):
            data = bytearray(whole)
            data[i] ^= 0xff
            with open(damaged, "wb") as file:
                file.write(data)
            ran = perfflow("match", "--binary", damaged, "add")
            self.assertIn(ran.status, range(0, 100), (i, ran))

    def test_a_pattern_that_matches_nothing_names_what_is_near(self):
        ran = self.refused(
    "run",
    "-p",
    "threads:wrok",
    "-o",
    self.folder /
    "t.json",
    "--",
    target("threads"),
    words=[
        "wrok",
         "work"])
        self.assertNotIn("spans", ran.err)
        self.refused(
    "match",
    "--binary",
    target("plusplus"),
    "solver::Derived::compte",
     words=["solver::Derived::compute"])
        self.refused(
    "attach",
    "--binary",
    target("threads"),
    "-p",
    "leav",
    "-o",
    self.folder /
    "t.json",
     words=["leaf"])

    def test_one_aspect_of_several_that_matches_nothing_is_an_error_too(self):
        self.refused("run", "-p", "threads:work", "-p", "threads:nothing_like_it", "-o", self.folder / "t.json", "--",
                     target("threads"), words=["nothing_like_it"])

    def test_the_command_is_not_run_when_its_trace_cannot_be_made(self):
        mark = self.folder / "ran"
        self.refused("run", "-p", "libc.so.6:no_such_function", "-o", self.folder / "t.json", "--", "touch", mark)
        self.assertFalse(os.path.exists(mark))

    def test_pointcuts_that_are_not_well_formed_are_pointed_at(self):
        for pointcut in ("", "||", "a ||", "|| b", "a:b:c", "lib:", "f(", "a || || b"):
            with self.subTest(pointcut):
                self.refused("match", "--binary", target("threads"), pointcut)

    def test_what_is_refused_leaves_the_trace_of_before_alone(self):
        path = self.folder / "t.json"
        with open(path, "w") as file:
            file.write("precious" * 1000)
        for options in (["-p", "nosuch"], ["-p", "whole("], ["-p", "kinds:whole", "--metrics", "bogus"],
                        ["-p", "kinds:whole", "--scope", "nonsense"]):
            self.refused("run", *options, "-o", path, "--", target("kinds"), "2")
            with open(path) as file:
                self.assertEqual(file.read(), "precious" * 1000, options)
        self.assertEqual(perfflow("run", "-p", "kinds:whole", "-o", path, "--", target("kinds"), "2").status, 3)
        self.assertEqual(Trace(path).count("whole"), 2)

    def test_outputs_that_cannot_be_written(self):
        run_it = ("--", target("threads"), 1, 10)
        self.refused(
    "run",
    "-p",
    "threads:work",
    "-o",
    "/no/such/folder/t.json",
    *run_it,
     words=["/no/such/folder/t.json"])
        self.refused("run", "-p", "threads:work", "-o", self.folder.path, *run_it, words=[self.folder.path])
        self.refused("run", "-p", "threads:work", "-o", "/proc/version", *run_it, words=["/proc/version"])

    def test_a_full_disk_is_told_and_the_command_runs_on(self):
        ran = perfflow("run", "-p", "threads:work", "-o", "/dev/full", "--", target("threads"), 4, 1000)
        self.assertIn("no space left", ran.err.lower(), ran)
        self.assertEqual(len(re.findall("no space left", ran.err.lower())), 1, ran)
        small = self.folder / "small"
        os.mkdir(small)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small]).returncode == 0:
            try:
                ran = perfflow("run", "-p", "threads:work", "-o", small + "/t.json", "--", target("threads"), 4, 1000)
                self.assertIn("no space left", ran.err.lower(), ran)
                trace = Trace(small + "/t.json")  # what is there is whole lines
                self.assertGreater(len(trace.all_spans), 10)
            finally:
                subprocess.run(["umount", small])

    def test_a_reader_of_the_stream_that_goes_away(self):
        process = subprocess.Popen([PERFFLOW, "run", "-p", "slow:beat", "-o", "-", "--", target("slow"), "2"], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        while '"ph":"X"' not in process.stdout.readline():
            pass
        process.stdout.close()
        err = process.stderr.read()
        self.assertEqual(process.wait(20), 0, err)
        self.assertIn("\n39\n", err)  # the command, whose own output is there, ran to its end

    def test_no_rights(self):
        for program in (PERFFLOW, PERFFLOWD):
            self.folder.copy(program)
        mark = self.folder / "ran"
        ran = run([*NOBODY, self.folder / "perfflow", "run", "-p", "libc.so.6:getenv",
                  "-o", "/dev/null", "--", "touch", mark], cwd="/")
        self.assertSentence(ran, "root")
        self.assertFalse(os.path.exists(mark))
        ran = run([*NOBODY, self.folder / "perfflowd", "--socket", "/tmp/perfflow-test-nobody"])
        self.assertSentence(ran)

    def test_rights_that_are_not_enough(self):
        drop = ["setpriv", "--bounding-set=-sys_admin,-bpf,-perfmon", "--inh-caps=-all"]
        ran = run([*drop, PERFFLOW, "run", "-p", "threads:work", "-o", "/dev/null", "--", target("threads"), 1, 1])
        self.assertSentence(ran)
        self.assertEqual(len(ran.err.strip().splitlines()), 1, ran)

    def test_a_socket_that_cannot_be_reached_or_made(self):
        ran = perfflow("status", "--socket", "/no/such/socket")
        self.assertSentence(ran, "/no/such/socket")
        ran = run([PERFFLOWD, "--socket", "/proc/no/socket"])
        self.assertSentence(ran, "/proc/no")
        ran = run([PERFFLOWD, "--socket", "/tmp/" + "x" * 200])
        self.assertSentence(ran)
        file = self.folder / "file"
        with open(file, "w") as plain:
            plain.write("keep me")
        ran = run([PERFFLOWD, "--socket", file])
        self.assertSentence(ran, file)
        self.assertEqual(pathlib.Path(file).read_text(), "keep me")

    def test_arguments_that_make_no_sense_are_told_from_failures(self):
        for arguments in ((), ("nonsense",), ("run",), ("run", "-p", "x"), ("run", "--", "true"), ("attach", "--pid", "1", "--binary", "/bin/sh", "-p", "x"),
                          ("attach", "--pid", "1", "--binary", "/bin/true",
                           "-p", "x"), ("match", "x"), ("stop",), ("stop", "x"),
                          ("status", "--nonsense"), ("list", "extra")):
            with self.subTest(arguments):
                ran = self.refused(*arguments) if arguments else perfflow()
                self.assertEqual(ran.status, 125 if "run" in arguments else 2, ran)

    def test_help_and_version_are_everywhere(self):
        ran = perfflow("--version")
        self.assertEqual(ran.status, 0)
        self.assertRegex(ran.out, r"\d+\.\d+")
        self.assertEqual(run([PERFFLOWD, "--version"]).status, 0)
        self.assertIn("--socket", run([PERFFLOWD, "--help"]).out)
        for command in ("run", "attach", "match", "list", "stop", "status"):
            self.assertIn(command, perfflow("--help").out)
            ran = perfflow(command, "--help")
            self.assertEqual(ran.status, 0, ran)
            self.assertIn(f"perfflow {command}", ran.out)
            self.assertEqual(ran.err, "")


if __name__ == "__main__":
    main()
