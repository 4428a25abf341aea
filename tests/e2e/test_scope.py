#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which processes: terms of the process in aspects, and --scope."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from events import arrows, exits, last_programs, moments, named, programs  # noqa: E402
from perfflow import NOBODY, PERFFLOW, TestCase, Trace, environment, main, perfflow, target  # noqa: E402

A, B = "calls_a", "calls_b"
LAUNCHERS = { # variables by which a process knows that it is rank N
    "OMPI_COMM_WORLD_RANK": {}, "PMI_RANK": {}, "PMIX_RANK": {}, "FLUX_TASK_RANK": {}, "MV2_COMM_WORLD_RANK": {},
    "PALS_RANKID": {}, "SLURM_PROCID": {"SLURM_JOB_ID": "42", "SLURM_STEP_ID": "0"},
}


def shell(*commands):
    return ["sh", "-c", "; ".join(commands)]


def with_variables(command, **variables):
    return " ".join(["env", *(f"{name}={value}" for name, value in variables.items()), command])


class Scope(TestCase):
    def setUp(self):
        super().setUp()
        self.a, self.b = target(A), target(B)

    def groups(self, *names):
        """The folders of new cgroups, gone at the end of the test."""
        root = next((path for path in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
                     if os.path.exists(path + "/cgroup.procs")), None)
        if not root:
            self.skipTest("needs cgroup v2")
        for name in names:
            try:
                os.mkdir(f"{root}/{name}")
            except OSError as error:
                self.skipTest(f"needs rights to make a cgroup: {error}")
            self.addCleanup(os.rmdir, f"{root}/{name}")
        return [f"{root}/{name}" for name in names]

    def calls(self, trace):
        """Calls of the library by the program that made them."""
        names = {pid: os.path.basename(name.split(": ")[-1].split()[0]) for pid, name in trace.process_names().items()}
        counts = {}
        for event in trace.spans("library_call") + moments(trace, "library_call"):
            counts[names[event["pid"]]] = counts.get(names[event["pid"]], 0) + 1
        return counts


class Exe(Scope):
    def test_only_the_calls_of_the_wanted_program_into_a_library_appear(self):
        command = shell(f"{self.a} 3", f"{self.b} 5", f"{self.a} 1")
        for pointcut, expected in (("exe(calls_a)", {A: 8}), ("exe(calls_b)", {B: 10}), ("exe(*_a)", {A: 8}),
                                   (f"exe({os.path.dirname(self.a)}/calls_b)", {B: 10}), ("!exe(calls_a)", {B: 10}),
                                   ("(exe(calls_a) || exe(calls_b))", {A: 8, B: 10}), ("exe(/no/where/calls_a)", {})):
            with self.subTest(pointcut):
                trace = self.trace(f"libcalls.so:library_call && {pointcut}", command)
                self.assertEqual(self.calls(trace), expected)
                self.assertEqual(len(trace.all_spans), sum(expected.values()))

    def test_before_its_first_statement_too(self):
        trace = self.trace("libcalls.so:library_* && exe(calls_b)", shell(f"{self.a} 1", f"{self.b} 1", f"{self.b} 1"))
        self.assertCounts(trace, {"library_loaded": 2, "library_call": 4})

    def test_a_function_of_the_program_itself_needs_no_decision(self):
        trace = self.trace(["own && exe(calls_a)", "before(libcalls.so:library_call && exe(calls_b))"],
                           shell(f"{self.a} 3", f"{self.b} 5"))
        self.assertCounts(trace, {"own": 3})
        self.assertEqual(self.calls(trace), {B: 10})
        self.assertEqual(trace.summary()["marks"], 10)

    def test_of_many_short_lived_processes_all_calls_of_the_wanted_and_none_of_others(self):
        one_after_another = f"i=0; while [ $i -lt 100 ]; do {self.a} 1; {self.b} 2; i=$((i+1)); done"
        at_once = f"i=0; while [ $i -lt 100 ]; do {self.a} 1 & {self.b} 2 & i=$((i+1)); [ $((i%10)) = 0 ] && wait; done; wait"
        for script in (one_after_another, at_once):
            trace = self.trace("libcalls.so:library_* && exe(calls_b)", ["sh", "-c", script], timeout=120)
            self.assertEqual(self.calls(trace), {B: 400})
            self.assertEqual(trace.count("library_loaded"), 100)
            self.assertEqual(len(trace.pids()), 100)

    def test_execution_of_another_program_changes_it(self):
        command = [self.a, 3, "exec", self.b, 5, "exec", self.a, 2, "exec", self.b, 1]
        for program, n in ((A, 10), (B, 12)):
            trace = self.trace(f"libcalls.so:library_call && exe({program})", command)
            self.assertCounts(trace, {"library_call": n})
            self.assertEqual(len(trace.pids()), 1)

    def test_a_child_is_what_its_parent_is_until_it_executes(self):
        trace = self.trace("libcalls.so:library_call && exe(calls_a)", [self.a, "fork", 4, "fork", 1, "exec", self.b, 7])
        self.assertCounts(trace, {"library_call": 10})
        self.assertEqual(len(trace.pids()), 2)

    def test_together_with_cflow_and_sampling(self):
        command = shell(f"{self.a} 4", f"{self.b} 6")
        trace = self.trace("libcalls.so:library_call && cflow(own) && exe(calls_a)", command)
        self.assertEqual(self.calls(trace), {A: 4})
        trace = self.trace("libcalls.so:library_call && !cflow(own) && !exe(calls_a)", command)
        self.assertEqual(self.calls(trace), {B: 6})
        trace = self.trace("libcalls.so:library_call && (cflow(own) && exe(calls_a) || !cflow(own) && exe(calls_b))", command)
        self.assertEqual(self.calls(trace), {A: 4, B: 6})
        trace = self.trace("(libcalls.so:library_call && exe(calls_a)) sample=1/10", shell(f"{self.a} 5000", f"{self.b} 5000"))
        self.assertEqual(set(self.calls(trace)), {A})
        self.assertTrue(820 < trace.count("library_call") < 1180, "6 standard deviations of 30")

    def test_of_all_users_of_a_library(self):
        attached = self.start([PERFFLOW, "attach", "--binary", target("libcalls.so"), "-p", "library_call && exe(calls_b)",
                               "-o", self.folder / "t.json"])
        attached.read_until("tracing", "stderr")
        for _ in range(10):
            for program, n in ((self.a, 2), (self.b, 3)):
                self.assertEqual(self.start([program, n]).finish().status, 0)
        attached.interrupt()
        self.assertEqual(attached.finish().status, 0)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(self.calls(trace), {B: 60})
        self.assertEqual(len(trace.pids()), 10)


class Terms(Scope):
    def test_rank_by_what_each_launcher_says(self):
        for variable, more in LAUNCHERS.items():
            with self.subTest(variable):
                command = shell(*(with_variables(f"{self.a} {rank + 1}", **{variable: rank}, **more) for rank in range(4)))
                for term, n in (("rank(0)", 2), ("rank(1..2)", 10), ("rank(3..)", 8), ("rank(..1)", 6), ("!rank(0)", 18)):
                    trace = self.trace(f"libcalls.so:library_call && {term}", command)
                    self.assertCounts(trace, {"library_call": n})

    def test_who_has_no_rank_is_none_of_them(self):
        command = shell(f"{self.a} 1", with_variables(f"{self.a} 2", SLURM_PROCID=0, SLURM_JOB_ID=42),
                        with_variables(f"{self.a} 3", PMI_RANK=0), with_variables(f"{self.a} 4", PMI_RANK="x"))
        trace = self.trace("libcalls.so:library_call && rank(0..)", command)
        self.assertCounts(trace, {"library_call": 6})
        trace = self.trace("libcalls.so:library_call && !rank(0..)", command)
        self.assertCounts(trace, {"library_call": 14})

    def test_ranks_at_once(self):
        command = ["sh", "-c", "for r in 0 1 2 3 4 5 6 7; do OMPI_COMM_WORLD_RANK=$r " + self.a + " $((r+1)) & done; wait"]
        trace = self.trace("libcalls.so:library_call && rank(2..4)", command)
        self.assertCounts(trace, {"library_call": 24})
        self.assertEqual(sorted(last_programs(trace)[pid]["rank"] for pid in trace.pids()), [2, 3, 4])

    def test_job(self):
        jobs = {"SLURM_JOB_ID": "42", "FLUX_JOB_ID": "f23xyz", "PBS_JOBID": "42.server", "LSB_JOBID": "77"}
        command = shell(f"{self.a} 1", *(with_variables(f"{self.a} {i + 2}", **{name: value})
                                         for i, (name, value) in enumerate(jobs.items())))
        for term, n in (("job(42)", 4), ("job(42*)", 12), ("job(f23*)", 6), ("job(77)", 10), ("!job(*)", 2), ("job(4)", 0)):
            with self.subTest(term):
                trace = self.trace(f"libcalls.so:library_call && {term}", command)
                self.assertCounts(trace, {"library_call": n})

    def test_uid_by_number_and_name_and_as_it_is_at_the_execution(self):
        for file in (self.a, self.b, target("libcalls.so")):
            self.folder.copy(file)
        command = shell(f"{self.a} 1", " ".join([*NOBODY, self.folder / A, "2"]), f"{self.folder / A} 3 uid=65534 4",
                        f"{self.folder / A} 5 uid=65534 6 exec {self.folder / B} 7")
        for term, n in (("uid(65534)", 4 + 14), ("uid(nobody)", 18), ("uid(0)", 2 + 14 + 22), ("!uid(0)", 18)):
            with self.subTest(term):
                trace = self.trace(f"libcalls.so:library_call && {term}", command)
                self.assertCounts(trace, {"library_call": n})

    def test_uid_of_a_child_that_python_starts_as_another(self):
        for file in (self.a, target("libcalls.so")):
            self.folder.copy(file)
        script = ("import os\n"
                  "for uid in 0, 65534:\n"
                  "    if os.fork() == 0:\n"
                  "        os.setuid(uid)\n"
                  f"        os.execv({self.folder / A!r}, ['calls_a', str(3 if uid else 1)])\n"
                  "    os.wait()\n")
        trace = self.trace("libcalls.so:library_call && uid(65534)", ["/usr/bin/python3", "-c", script], allow_empty=True)
        self.assertCounts(trace, {"library_call": 6})
        self.assertEqual([last_programs(trace)[pid]["uid"] for pid in trace.pids()], [65534])

    def test_comm_is_what_it_is_called_at_the_execution(self):
        command = shell(f"{self.a} 1", f"{self.b} 2", f"{self.a} name=calls_b 3", f"{self.a} name=other exec {self.b} 4")
        for term, n in (("comm(calls_a)", 2 + 6), ("comm(calls_b)", 4 + 8), ("comm(calls_*)", 20), ("comm(other)", 0)):
            with self.subTest(term):
                trace = self.trace(f"libcalls.so:library_call && {term}", command)
                self.assertCounts(trace, {"library_call": n})

    def test_cgroup(self):
        outer = f"perfflow-test-{os.getpid()}"
        id64 = "0123456789abcdef" * 4
        groups = [outer, f"{outer}/job_42", f"{outer}/docker-{id64}.scope"]
        command = shell(f"{self.a} 1", *(f"(sh -c 'echo $$ > {path}/cgroup.procs; exec {self.a} {2 + i}')"
                                         for i, path in enumerate(self.groups(*groups))))
        for term, n in ((f"cgroup({outer})", 18), ("cgroup(job_42)", 6), ("cgroup(*/job_42)", 6), (f"cgroup(/{outer})", 18),
                        ("cgroup(docker-*)", 8), ("cgroup(/nowhere)", 0), (f"!cgroup({outer})", 2)):
            with self.subTest(term):
                trace = self.trace(f"libcalls.so:library_call && {term}", command)
                self.assertCounts(trace, {"library_call": n})
        trace = self.trace("libcalls.so:library_call && cgroup(docker-*)", command)
        told = [last_programs(trace)[pid] for pid in trace.pids()]
        self.assertEqual([(p["cgroup"], p["container"]) for p in told], [(f"/{groups[2]}", id64)])

    def test_of_processes_that_ran_before(self):
        ranks = []
        for rank in range(3):
            program = self.start([target("follows")], stdin=-1, env=environment(PMI_RANK=str(rank)))
            program.read_until("ready")
            ranks.append(program)
        attached = self.start([PERFFLOW, "attach", "--binary", target("follows"), "-p", "tick && rank(1)", "-o",
                               self.folder / "t.json"])
        attached.read_until("tracing", "stderr")
        for program in ranks:
            program.tell("tick")
            program.read_until("done")
        attached.send_signal(signal.SIGINT)
        self.assertEqual(attached.finish().status, 0)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual((trace.count("tick"), trace.pids()), (10, [ranks[1].pid]))


class ScopeOption(Scope):
    COMMAND = "for r in 0 1 2 3; do PMI_RANK=$r {} $((r+1)) & done; wait; {} 7"

    def test_processes_out_of_scope_are_not_in_the_trace_at_all(self):
        trace = self.trace(["libcalls.so:library_call", "before(calls_a:own)"],
                           ["sh", "-c", self.COMMAND.format(self.a, self.b)], options=["--scope", "rank(2)"])
        self.assertCounts(trace, {"library_call": 6})
        self.assertEqual(len(moments(trace, "own")), 3)
        pid = trace.pids()[0]
        self.assertEqual(list(trace.process_names()), [pid])
        self.assertEqual(set(trace.thread_names()), {pid})
        self.assertEqual([p["rank"] for p in programs(trace)], [2])
        self.assertEqual(set(exits(trace)), {pid})
        self.assertEqual({e["pid"] for e in named(trace, "C")} - {0}, {pid})
        self.assertEqual((trace.summary()["spans"], trace.summary()["marks"], trace.summary()["processes"]), (6, 3, 1))

    def test_the_scope_and_the_aspects_terms_both_hold(self):
        trace = self.trace("libcalls.so:library_call && exe(calls_a)", ["sh", "-c", self.COMMAND.format(self.a, self.b)],
                           options=["--scope", "rank(1..2) || exe(calls_b)"])
        self.assertEqual(self.calls(trace), {A: 10})
        self.assertEqual(len(programs(trace)), 3, "the other program is in scope, and calls nothing that is traced")

    def test_by_name_user_and_job(self):
        for file in (self.a, target("libcalls.so")):
            self.folder.copy(file)
        command = shell(f"{self.a} 1", f"{self.b} 2", " ".join([*NOBODY, self.folder / A, "3"]),
                        with_variables(f"{self.a} 4", PBS_JOBID="42.server"))
        for scope, n in (("comm(calls_b)", 4), ("uid(nobody)", 6), ("uid(0)", 14), ("job(42.*)", 8), ("!job(*) && uid(0)", 6)):
            with self.subTest(scope):
                trace = self.trace("libcalls.so:library_call", command, options=["--scope", scope])
                self.assertCounts(trace, {"library_call": n})
                self.assertLessEqual(set(trace.pids()), set(last_programs(trace)))

    def test_by_cgroup(self):
        group = self.groups(f"perfflow-test-{os.getpid()}")[0]
        command = shell(f"{self.a} 1", f"(sh -c 'echo $$ > {group}/cgroup.procs; exec {self.a} 2')")
        for scope, n in ((f"cgroup({os.path.basename(group)})", 4), (f"!cgroup({os.path.basename(group)})", 2)):
            trace = self.trace("libcalls.so:library_call", command, options=["--scope", scope])
            self.assertCounts(trace, {"library_call": n})

    def test_a_program_comes_into_scope_and_leaves_it_by_execution(self):
        trace = self.trace("libcalls.so:library_call", [self.a, 3, "exec", self.b, 5, "exec", self.a, 2],
                           options=["--scope", "exe(calls_b)"])
        self.assertCounts(trace, {"library_call": 10})
        self.assertTrue(any(p["exe"].endswith(B) for p in programs(trace)))

    def test_children_of_those_in_scope_are_and_arrows_lead_to_them(self):
        trace = self.trace("libcalls.so:library_call", shell(f"{self.b} 1", f"{self.a} 1 fork 2 fork 3"),
                           options=["--scope", "exe(calls_a)"])
        self.assertCounts(trace, {"library_call": 12})
        self.assertEqual(len(programs(trace)), 3)
        pids = [p["pid"] for p in programs(trace)]
        self.assertEqual([(a["pid"], b["pid"]) for a, b in arrows(trace, "fork")][-2:],
                         [(pids[0], pids[1]), (pids[1], pids[2])])

    def test_many_processes_with_a_scope(self):
        script = f"i=0; while [ $i -lt 50 ]; do {self.a} 1 & {self.b} 2 & i=$((i+1)); [ $((i%10)) = 0 ] && wait; done; wait"
        trace = self.trace("libcalls.so:library_*", ["sh", "-c", script], options=["--scope", "exe(calls_b)"], timeout=120)
        self.assertEqual(self.calls(trace), {B: 200})
        self.assertCounts(trace, {"library_loaded": 50})
        self.assertEqual({os.path.basename(p["exe"]) for p in programs(trace)}, {B})
        self.assertEqual(trace.summary()["processes"], 50)

    def test_a_scope_is_about_processes_and_nothing_else(self):
        for scope, word in (("main", "process"), ("cflow(main)", "process"), ("rank(", "rank"),
                            ("uid(no-such-user)", "no-such-user"), ("rank(1) && main", "process"), ("", "")):
            with self.subTest(scope):
                ran = perfflow("run", "-p", "library_call", "--scope", scope, "-o", self.folder / "t.json", "--", self.a, 1)
                self.assertSentence(ran, word)
                self.assertNotIn("spans", ran.err)


if __name__ == "__main__":
    main()
