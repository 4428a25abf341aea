#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a trace says of processes and threads: who they are, where they come from, how they end."""
import os
import pwd
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from events import arrows, exits, last_programs, named, programs  # noqa: E402
from perfflow import NOBODY, TestCase, environment, main, ns, target  # noqa: E402

A, B = target("calls_a"), target("calls_b")
CALLS = "libcalls.so:library_call"


def sort_indexes(trace):
    """The last that is said of each process; not of the machine, which is shown as process 0."""
    return {e["pid"]: e["args"]["sort_index"] for e in named(trace, "M", "process_sort_index") if e["pid"]}


def thread_names(trace, tid):
    """The names that a thread had one after another; one may be said again."""
    names = [e["args"]["name"] for e in sorted(named(trace, "M", "thread_name", tid=tid), key=lambda e: e["ts"])]
    return [name for name, before in zip(names, [None, *names]) if name != before]


class Labels(TestCase):
    def test_the_command_line_the_program_and_the_rest_of_what_is_known(self):
        trace = self.trace(CALLS, [A, "1", "exit=0"])
        pid = trace.pids()[0]
        told = programs(trace, pid)[-1]
        self.assertEqual(told["command_line"], f"{A} 1 exit=0")
        self.assertEqual(told["exe"], os.path.realpath(A))
        self.assertEqual((told["uid"], told["host"]), (0, socket.gethostname()))
        self.assertNotIn("partial", told)
        for key in ("rank", "job", "step", "scheduler", "container"):
            self.assertNotIn(key, told)
        self.assertEqual(trace.process_names()[pid], f"{A} 1 exit=0")
        self.assertEqual(trace.thread_names()[pid], "calls_a")

    def test_the_parent_and_the_user(self):
        for file in (A, target("libcalls.so")):
            self.folder.copy(file)
        trace = self.trace(CALLS, ["sh", "-c", f"{A} 1; {' '.join(NOBODY)} {self.folder / 'calls_a'} 1; {A} fork 1"])
        told = last_programs(trace)
        shell = next(pid for pid in told if told[pid]["command_line"].startswith("sh "))
        self.assertEqual(sorted((told[pid]["uid"], told[pid]["user"]) for pid in trace.pids()),
                         [(0, "root"), (0, "root"), (65534, pwd.getpwuid(65534).pw_name)])
        parents = [told[pid]["parent"] for pid in trace.pids()]
        self.assertEqual(parents[:2], [shell, shell])
        self.assertEqual(told[parents[2]]["parent"], shell)

    def test_a_relative_path_a_symbolic_link_and_arguments_of_any_bytes(self):
        link = self.folder / "link"
        os.symlink(A, link)
        trace = self.trace(CALLS, ["./link", "exit=0", "a\tb", 'quo"te', "\udce9\udcff", ""], cwd=self.folder.path,
                           allow_empty=True)
        told = programs(trace)[-1]
        self.assertEqual(told["exe"], os.path.realpath(A))
        self.assertTrue(told["command_line"].startswith('./link exit=0 a\tb quo"te '), told["command_line"])

    def test_a_long_command_line_is_cut_and_a_large_environment_is_read_to_its_end(self):
        many = {f"VARIABLE_{i}": "x" * 1000 for i in range(40)}
        trace = self.trace(CALLS, [A, *["1"] * 400], env=environment(**many, ZZZ="1", PMI_RANK="5", PMI_SIZE="6"))
        told = programs(trace)[-1]
        self.assertEqual((told["rank"], told["ranks"]), (5, 6))
        self.assertTrue(told["command_line"].startswith(f"{A} 1 1 1"))
        self.assertLess(len(told["command_line"]), 500)

    def test_job_step_rank_and_their_place_in_labels(self):
        env = environment(SLURM_JOB_ID="42", SLURM_STEP_ID="3", SLURM_PROCID="2", SLURM_STEP_NUM_TASKS="4",
                          SLURM_LOCALID="0")
        trace = self.trace(CALLS, [A, "1"], env=env)
        told, pid = programs(trace)[-1], trace.pids()[0]
        self.assertEqual({k: told[k] for k in ("scheduler", "job", "step", "rank", "ranks", "local_rank")},
                         {"scheduler": "slurm", "job": "42", "step": "3", "rank": 2, "ranks": 4, "local_rank": 0})
        self.assertEqual(trace.process_names()[pid], f"rank 2: {A} 1")
        labels = named(trace, "M", "process_labels", pid)[-1]["args"]["labels"].split(",")
        for label in ("rank 2", "slurm job 42.3", f"host {socket.gethostname()}"):
            self.assertIn(label, labels)

    def test_jobs_of_every_scheduler(self):
        for variables, job, rank in (
                ({"FLUX_JOB_ID": "f23xyz", "FLUX_TASK_RANK": "1", "FLUX_JOB_SIZE": "4", "FLUX_TASK_LOCAL_ID": "0"}, ("flux", "f23xyz"), (1, 4, 0)),
                ({"PBS_JOBID": "42[3].server", "PMI_RANK": "2", "PMI_SIZE": "3"}, ("pbs", "42[3].server"), (2, 3, None)),
                ({"LSB_JOBID": "77", "LSB_JOBINDEX": "0"}, ("lsf", "77"), (None, None, None)),
                ({"LSB_JOBID": "77", "LSB_JOBINDEX": "5", "JSM_NAMESPACE_RANK": "0", "JSM_NAMESPACE_SIZE": "2"}, ("lsf", "77[5]"), (0, 2, None))):
            with self.subTest(variables):
                trace = self.trace(CALLS, [A, "1"], env=environment(**variables))
                told, pid = programs(trace)[-1], trace.pids()[0]
                self.assertEqual((told["scheduler"], told["job"]), job)
                self.assertEqual(tuple(told.get(key) for key in ("rank", "ranks", "local_rank")), rank)
                self.assertNotIn("step", told, "only Slurm has them")
                labels = named(trace, "M", "process_labels", pid)[-1]["args"]["labels"].split(",")
                self.assertIn("{} job {}".format(*job), labels)
                self.assertEqual([label for label in labels if label.startswith("rank ")],
                                 [] if rank[0] is None else [f"rank {rank[0]}"])

    def test_processes_sort_by_rank_and_then_by_their_start(self):
        script = (f"{A} rest=1 1; for r in 3 1 2 0; do PMI_RANK=$r {A} rest=20 $((r+1)) & done; {B} rest=1 1; wait; "
                  f"PMI_RANK=1 {B} 5")
        trace = self.trace(CALLS, ["sh", "-c", script])
        index, told = sort_indexes(trace), last_programs(trace)
        order = [(told[pid].get("rank", -1), pid) for pid in sorted(index, key=index.get)]
        self.assertEqual(len(set(index.values())), len(index), "no two have one place")
        self.assertEqual([rank for rank, _ in order], sorted(rank for rank, _ in order))
        starts = {}
        for event in trace.events:
            if event["ph"] == "M" and event["name"] == "process_name":
                starts.setdefault(event["pid"], event["ts"])
        for rank in (-1, 0, 1, 2, 3):
            own = [starts[pid] for r, pid in order if r == rank]
            self.assertEqual(own, sorted(own), f"of rank {rank}")
        self.assertEqual(sum(rank == 1 for rank, _ in order), 2)


class Arrows(TestCase):
    def test_from_the_parent_to_each_child_and_to_each_thread(self):
        trace = self.trace("libcalls.so:library_call || calls_a:own",
                           [A, "1", "thread=helper", "fork", "2", "fork", "thread=other", "3"])
        first, second, third = last_programs(trace) # in the order in which they began
        forks, clones = arrows(trace, "fork"), arrows(trace, "clone")
        self.assertEqual([(a["pid"], a["tid"], b["pid"], b["tid"]) for a, b in forks],
                         [(first, first, second, second), (second, second, third, third)])
        self.assertEqual([(a["pid"], a["tid"], b["pid"]) for a, b in clones], [(first, first, first), (third, third, third)])
        for start, end in forks:
            self.assertEqual((start["args"]["child"], end["args"]["parent"]), (end["pid"], start["tid"]))
            self.assertTrue(ns(start["ts"]) < ns(end["ts"]) < ns(start["ts"]) + 1000000)
        for start, end in clones:
            self.assertEqual(start["args"]["child"], end["tid"])
            self.assertNotEqual(end["tid"], end["pid"])
            names = thread_names(trace, end["tid"])
            self.assertIn(names[-1], ("helper", "other"))

    def test_of_a_thread_that_is_not_the_first(self):
        trace = self.trace(CALLS, [A, "1", "leader", "fork", "2"])
        (clone, cloned), = arrows(trace, "clone")
        (fork, forked), = arrows(trace, "fork")
        self.assertEqual((fork["pid"], fork["tid"]), (clone["pid"], cloned["tid"]))
        self.assertEqual(last_programs(trace)[forked["pid"]]["parent"], fork["pid"])

    def test_every_child_of_a_shell_that_starts_many(self):
        script = f"i=0; while [ $i -lt 60 ]; do {A} 1 & i=$((i+1)); [ $((i%10)) = 0 ] && wait; done; wait"
        trace = self.trace(CALLS, ["sh", "-c", script], timeout=120)
        self.assertEqual(len(trace.pids()), 60)
        forks = {b["pid"]: a["pid"] for a, b in arrows(trace, "fork")}
        shell = next(args["pid"] for args in programs(trace) if args["command_line"].startswith("sh "))
        for pid in trace.pids():
            self.assertEqual(forks[pid], shell)
            self.assertEqual([os.path.basename(p["exe"]) for p in programs(trace, pid)][1:], ["calls_a"])

    def test_execution_tells_of_the_program_again_and_keeps_the_process(self):
        trace = self.trace(CALLS, [A, "1", "exec", B, "2", "exec", A, "3", "name=last", "4"])
        pid, = trace.pids()
        told = programs(trace, pid)
        self.assertEqual([os.path.basename(p["exe"]) for p in told], ["calls_a", "calls_b", "calls_a"])
        self.assertEqual([p["command_line"].split(" ", 1)[1][0] for p in told], ["1", "2", "3"])
        self.assertEqual(trace.process_names()[pid], told[-1]["command_line"])
        self.assertEqual(thread_names(trace, pid), ["calls_a", "calls_b", "calls_a", "last"])
        begins = [ns(e["ts"]) for e in named(trace, "i", "program", pid)]
        executed = arrows(trace, "exec")
        self.assertEqual([(a["pid"], a["tid"], b["name"], b["pid"], b["tid"]) for a, b in executed],
                         [(pid, pid, "executed", pid, pid)] * 3, "the first by perfflow")
        self.assertEqual([ns(start["ts"]) for start, _ in executed], begins)

    def test_execution_by_a_thread_leads_to_the_first_of_the_new_program(self):
        trace = self.trace("exec:*", [target("exec"), "thread"], status=6)
        (clone, cloned), = arrows(trace, "clone")
        first, last = arrows(trace, "exec") # of perfflow itself, and of the program's thread
        self.assertEqual((first[0]["tid"], first[1]["tid"]), (clone["pid"], clone["pid"]))
        self.assertEqual((last[0]["tid"], last[1]["tid"]), (cloned["tid"], clone["pid"]))
        inner, = trace.spans("inner")
        self.assertEqual((inner["tid"], inner["args"]["end"]), (cloned["tid"], "exec"))
        self.assertTrue(ns(inner["ts"]) + ns(inner["dur"]) <= ns(last[0]["ts"]) < ns(trace.spans("second_life")[0]["ts"]))

    def test_posix_spawn_and_vfork_are_births_too(self):
        trace = self.trace("spawns:by_* || spawns:in_child", [target("spawns")])
        parent = min(trace.pids())
        self.assertEqual([a["pid"] for a, _ in arrows(trace, "fork")], [parent] * 4)
        self.assertEqual(len(last_programs(trace)), 5)


class Ends(TestCase):
    def how(self, *words, **keywords):
        trace = self.trace(CALLS, [A, "1", *words], **keywords)
        ends = exits(trace)
        return [{k: v for k, v in ends[pid].items() if k != "oncpu_us"} for pid in sorted(ends)]

    def test_the_status_or_the_signal(self):
        self.assertEqual(self.how(), [{"status": 0}])
        self.assertEqual(self.how("exit=7", status=7), [{"status": 7}])
        self.assertEqual(self.how("exit=255", status=255), [{"status": 255}])
        for number, name in ((9, "SIGKILL"), (15, "SIGTERM"), (10, "SIGUSR1")):
            self.assertEqual(self.how(f"kill={number}", status=128 + number), [{"signal": name}])
        for number, name in ((6, "SIGABRT"), (11, "SIGSEGV")):
            end, = self.how(f"kill={number}", status=128 + number)
            self.assertEqual(end["signal"], name)
            self.assertIn(end.get("core_dumped", True), (True,))

    def test_of_children_each(self):
        self.assertEqual(self.how("fork", "fork", "exit=3", status=3), [{"status": 3}] * 3)
        self.assertEqual(self.how("fork", "kill=9", status=137), [{"status": 137}, {"signal": "SIGKILL"}])

    def test_where_the_first_thread_ends_before_the_last(self):
        self.assertEqual(self.how("leader", "rest=20", "1", "exit=9", status=9), [{"status": 9}])
        self.assertEqual(self.how("leader", "rest=20", "kill=15", status=143), [{"signal": "SIGTERM"}])

    def test_every_process_that_ended_has_one_end_after_all_else(self):
        trace = self.trace(CALLS, ["sh", "-c", f"{A} 3 & {B} 4 exit=1 & {A} thread=x 1 & wait; {A} 1"])
        for pid in last_programs(trace):
            end, = named(trace, "i", "exit", pid)
            last = max(ns(s["ts"]) + ns(s["dur"]) for s in trace.spans(pid=pid)) if trace.spans(pid=pid) else 0
            self.assertGreaterEqual(ns(end["ts"]), last)


class Names(TestCase):
    def test_a_process_that_renames_itself(self):
        trace = self.trace(CALLS, [A, "1", "name=solver", "1", "name=writer", "1"])
        self.assertEqual(thread_names(trace, trace.pids()[0]), ["calls_a", "solver", "writer"])

    def test_a_thread_that_another_names(self):
        trace = self.trace("calls_a:own", [A, "1", "thread=helper"])
        helper, = {span["tid"] for span in trace.spans()} - set(trace.pids())
        self.assertEqual(thread_names(trace, helper), ["calls_a", "helper"])

    def test_a_name_of_quotes_and_bytes(self):
        trace = self.trace(CALLS, [A, "1", 'name=a"b\\c', "1", "name=\udcff\udcfe!", "1"])
        self.assertEqual(thread_names(trace, trace.pids()[0]), ["calls_a", 'a"b\\c', "\ufffd\ufffd!"])

    def test_a_thread_that_no_probe_met_is_named_where_it_is_shown(self):
        trace = self.trace(CALLS, [A, "1", "quiet=bystander", "1"], options=["--sched"])
        (_, cloned), = arrows(trace, "clone")
        self.assertTrue(named(trace, "T", tid=cloned["tid"]), "its states are there")
        self.assertEqual(thread_names(trace, cloned["tid"])[-1:], ["bystander"])


if __name__ == "__main__":
    main()
