#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""A plain user, whom the site lets trace: what is the user's own, and nothing of anybody else's."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from late import calls_of, check_late, held_up  # noqa: E402
from perfflow import PERFFLOWD, Trace, boot_us, children, main, run, target, wait_for  # noqa: E402
from test_users import CONFIG, STRANGER, ConfiguredService, WithUsers, as_user  # noqa: E402

OTHER = STRANGER + 1
TICKS = ("-p", "kin:tick")
# VFS_CAP_REVISION_2, effective: CAP_NET_BIND_SERVICE
A_CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
KERNEL_FILES = [path for path in ("/proc/kcore", "/sys/kernel/btf/vmlinux", "/proc/kallsyms") if os.path.exists(path)]


def tick_bytes(pid, path):
    """The first bytes of tick() in the memory of a process that has the file mapped."""
    symbols = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    offset = int(re.search(r"^([0-9a-f]+) t tick$", symbols, re.M)[1], 16)
    base = next(int(line.split("-")[0], 16) for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
                if line.endswith(path) and line.split()[2] == "00000000")
    with open(f"/proc/{pid}/mem", "rb") as memory:
        memory.seek(base + offset)
        return memory.read(16)


class OwnProcesses(WithUsers):
    config = CONFIG + "allow_users = yes\n"

    def setUp(self):
        super().setUp()
        self.kin = self.folder.copy(target("kin"))
        self.untouched = tick_bytes(self.start_kin(OTHER).pid, self.kin)
        self.trace_path = self.folder / "t.json"

    def start_kin(self, uid, path=None):
        program = self.start(as_user(uid, path or self.kin), stdin=subprocess.PIPE)
        program.read_until("ready")
        return program

    def attach(self, program, *options, uid=STRANGER):
        return self.session_of(uid, "attach", "--pid", program.pid, *TICKS, *options, "-o", self.trace_path)

    def run_kin(self, *options):
        process = self.start(self.command(STRANGER, "run", *TICKS, *options, "-o", self.trace_path, "--", self.kin),
                             stdin=subprocess.PIPE)
        process.kin = self.pid_after(process, "ready")
        return process

    def pid_after(self, process, word):
        return int(process.read_until(word).split()[1])

    def do(self, process, line, word="done"):
        """Has it do a line, and returns the pid of who says that it is done."""
        process.tell(line)
        return self.pid_after(process, word)

    def end(self, process, status=0):
        process.ran = process.finish()
        self.assertEqual(process.ran.status, status, process.ran)
        return Trace(self.trace_path)

    def interrupt(self, process):
        process.interrupt()
        return self.end(process)

    def has_probe(self, pid, path=None):
        return tick_bytes(pid, path or self.kin) != self.untouched

    def privileged_kin(self, mode, owner):
        path = shutil.copy(self.kin, self.folder / "kin-with-rights")
        os.chown(path, owner, owner)
        os.chmod(path, mode)
        return path

    def refused(self, sentence, *arguments, uid=STRANGER):
        ran = run(self.command(uid, *arguments))
        self.assertSentence(ran, sentence)
        return ran


class Traces(OwnProcesses):
    def test_a_command_is_traced_from_its_first_call_on(self):
        process = self.run_kin()
        self.do(process, "tick")
        trace = self.end(process)
        self.check(trace)
        self.assertEqual((trace.count("tick"), trace.pids()), (10, [process.kin]))
        self.assertEqual(os.stat(self.trace_path).st_uid, STRANGER)

    def test_a_running_process_is_traced(self):
        program = self.start_kin(STRANGER)
        process = self.attach(program)
        self.do(program, "tick")
        trace = self.interrupt(process)
        self.check(trace)
        self.assertEqual(trace.count("tick"), 10)
        self.assertIn(f"user {STRANGER}", process.audit)
        self.assertIn("of processes that are the user's own", process.audit)

    def test_nobody_else_has_a_breakpoint_or_a_record(self):
        own, others = self.start_kin(STRANGER), self.start_kin(OTHER)
        also_own = self.start_kin(STRANGER)  # and not in the scope
        process = self.attach(own)
        self.assertTrue(self.has_probe(own.pid))
        self.assertFalse(self.has_probe(others.pid))
        self.assertFalse(self.has_probe(also_own.pid))
        later = self.start_kin(OTHER)
        self.assertFalse(self.has_probe(later.pid))
        for program in (own, others, also_own, later):
            self.do(program, "tick")
        trace = self.interrupt(process)
        self.check(trace)
        self.assertEqual((trace.count("tick"), trace.pids()), (10, [own.pid]))
        text = pathlib.Path(self.trace_path).read_text()
        for program in (others, also_own, later):
            self.assertNotRegex(text, rf'"(pid|tid)":{program.pid}\b')
        wait_for("the breakpoint to go", lambda: not self.has_probe(own.pid))

    def test_a_child_has_probes_of_its_own_once_it_is_seen(self):
        process = self.run_kin()
        child = self.do(process, "fork", "ready")
        wait_for("the child's links", lambda: self.n_links() > 1)
        self.do(process, "tick")
        self.do(process, "end")  # the parent says that it is done
        wait_for("the child's links to be closed", lambda: self.n_links() == 1)
        self.do(process, "tick")
        trace = self.end(process)
        self.check(trace)
        self.assertEqual({pid: trace.count("tick", pid=pid) for pid in trace.pids()}, {process.kin: 10, child: 10})
        self.assertRegex(str(trace.summary()["warnings"]), rf"process {child} was woven [0-9.]+ ms after it was born")

    def test_the_calls_of_a_child_before_it_was_seen_are_missing_in_the_time_that_the_ledger_says(self):
        process = self.start(self.command(STRANGER, "run", "-p", "late:called", "-o", self.trace_path, "--",
                                          self.folder.copy(target("late"))), stdin=subprocess.PIPE)
        process.read_until("ready")
        with held_up(self.service.process.pid):
            process.tell("fork")
        process.read_until("done")
        trace = self.end(process)
        self.check(trace)
        ((child, calls),) = calls_of(process.ran.out).items()
        n = check_late(self, trace, "called", child, calls, n=1)
        self.assertTrue(0 < n < len(calls), (n, len(calls)))
        self.assertFalse(trace.summary()["complete"])

    def n_links(self):
        """Descriptors of links that the service holds."""
        found = 0
        folder = f"/proc/{self.service.process.pid}/fd"
        for fd in os.listdir(folder):
            try:
                info = pathlib.Path(f"/proc/{self.service.process.pid}/fdinfo/{fd}").read_text()
                found += "link_type:\tuprobe_multi" in info
            except FileNotFoundError:
                pass
        return found

    def test_what_a_child_executes_has_probes_from_the_start(self):
        process = self.run_kin()
        child = self.do(process, f"run {self.kin}", "ready")
        self.do(process, "tick")
        self.do(process, f"exec {self.kin}", "ready")
        self.do(process, "tick")
        self.do(process, "end")
        trace = self.end(process)
        self.check(trace)
        self.assertEqual(trace.count("tick", pid=child), 20)

    def test_many_children_are_followed_and_leave_nothing_behind(self):
        script = f"for i in $(seq 60); do printf 'tick\\n' | {self.kin} >/dev/null; done; echo over; read end"
        process = self.start(self.command(STRANGER, "run", *TICKS, "-o", self.trace_path, "--", "sh", "-c", script),
                             stdin=subprocess.PIPE)
        process.read_until("over", timeout=120)
        wait_for("the links of all that ended to be closed", lambda: self.n_links() == 1)
        process.tell("")
        trace = self.end(process)
        self.check(trace)
        self.assertEqual({trace.count("tick", pid=pid) for pid in trace.pids()}, {10})
        wait_for("all links to be closed", lambda: self.n_links() == 0)

    def test_stacks_have_the_names_of_what_the_user_may_read(self):
        process = self.start(self.command(STRANGER, "run", "-p", "around(kin:tick) stack", "-o", self.trace_path, "--", self.kin),
                             stdin=subprocess.PIPE)
        self.pid_after(process, "ready")
        self.do(process, "tick")
        trace = self.end(process)
        self.check(trace)
        self.assertRegex(str(trace.spans("tick")[0]["args"]["stack"]), r"main\+0x[0-9a-f]+ \(kin\)")

    def test_a_program_that_another_thread_executes_goes_on_being_traced(self):
        process = self.run_kin()
        self.do(process, "tick")
        self.do(process, f"exec-thread {self.kin}", "ready")
        wait_for("the new links", lambda: self.has_probe(process.kin))
        self.do(process, "tick")
        trace = self.end(process)
        self.check(trace)
        self.assertEqual(trace.count("tick"), 20)


class WithOtherRights(OwnProcesses):
    def check_leaves(self, path):
        """A child executes a program with other rights, and comes back: nothing of it is seen from there on."""
        process = self.run_kin()
        self.do(process, "tick")
        child = self.do(process, f"run {path}", "ready")
        wait_for("the breakpoint to go", lambda: not self.has_probe(child, path))
        self.do(process, "tick")
        self.do(process, "hide")
        back = self.do(process, f"exec {self.kin}", "ready")
        self.assertEqual(back, child)
        self.do(process, "tick")
        self.do(process, "end")
        self.do(process, "tick")
        trace = self.end(process)
        self.check(trace)
        self.assertEqual({pid: trace.count("tick", pid=pid) for pid in trace.pids()}, {process.kin: 20})
        self.assertRegex(str(trace.summary()["warnings"]),
                         rf"process {child} is not traced from [0-9.]+ s on: it executed a program with other rights")
        self.assertNotIn("kin-with-rights", json.dumps([e for e in trace.events if e["name"] != "perfflow_summary"]))


class OtherRights(WithOtherRights):
    def test_a_child_with_roots_rights_leaves_the_session(self):
        self.check_leaves(self.privileged_kin(0o4755, 0))

    def test_a_child_with_another_users_rights_leaves_the_session(self):
        self.check_leaves(self.privileged_kin(0o4755, OTHER))

    def test_a_child_with_another_groups_rights_leaves_the_session(self):
        self.check_leaves(self.privileged_kin(0o2755, OTHER))

    def test_a_child_with_a_capability_leaves_the_session(self):
        path = self.privileged_kin(0o755, 0)
        os.setxattr(path, "security.capability", A_CAPABILITY)
        self.check_leaves(path)

    def test_a_child_that_runs_what_its_user_may_not_read_leaves_the_session(self):
        self.check_leaves(self.privileged_kin(0o711, 0))

    def test_a_process_that_becomes_another_user_in_its_namespace_leaves_the_session(self):
        process = self.run_kin()
        self.do(process, "namespace")
        for kind in ("uid", "gid"):
            pathlib.Path(f"/proc/{process.kin}/{kind}_map").write_text(f"0 {STRANGER} 1\n1 {OTHER} 1\n")
        self.do(process, "tick")
        self.do(process, "user 1")
        self.do(process, "tick")
        wait_for("the breakpoint to go", lambda: not self.has_probe(process.kin))
        trace = self.end(process)
        self.check(trace)
        self.assertEqual(trace.count("tick"), 10)
        self.assertRegex(str(trace.summary()["warnings"]), rf"process {process.kin} is not traced from")

    def test_a_process_that_hides_itself_leaves_the_session(self):
        process = self.run_kin()
        self.do(process, "tick")
        self.do(process, "hide")
        self.do(process, "tick")
        wait_for("the breakpoint to go", lambda: not self.has_probe(process.kin))
        trace = self.end(process)
        self.check(trace)
        self.assertEqual(trace.count("tick"), 10)

    def test_the_name_of_a_process_that_has_hidden_itself_before_its_first_call_is_not_told(self):
        process = self.run_kin()
        self.do(process, "hide")
        self.do(process, "rename secret")
        self.do(process, "tick")
        wait_for("the breakpoint to go", lambda: not self.has_probe(process.kin))
        trace = self.end(process)
        self.check(trace)
        self.assertEqual(trace.count("tick"), 0)
        self.assertNotIn("secret", json.dumps(trace.events))

    def test_a_process_with_other_rights_is_refused(self):
        for mode, owner in ((0o4755, 0), (0o4755, OTHER), (0o2755, OTHER), (0o711, 0)):
            with self.subTest(oct(mode), owner=owner):
                program = self.start_kin(STRANGER)
                self.do(program, f"exec {self.privileged_kin(mode, owner)}", "ready")
                self.refused(f"process {program.pid} is not yours alone", "attach", "--pid", program.pid, *TICKS, "-o",
                             self.trace_path)
                program.finish()

    def test_a_descendant_with_other_rights_is_left_out(self):
        program = self.start_kin(STRANGER)
        child = self.do(program, f"run {self.privileged_kin(0o4755, 0)}", "ready")
        process = self.attach(program)
        self.assertFalse(self.has_probe(child, self.folder / "kin-with-rights"))
        self.do(program, "tick")
        trace = self.interrupt(process)
        self.check(trace)
        self.assertEqual(trace.all_spans, [])
        self.assertIn(f"it is left out: process {child} is not yours alone", str(trace.summary()["warnings"]))


class FourCapabilities(WithOtherRights):
    """The service as its unit has it: no root, and nobody is held when a program is executed."""

    def start_service(self):
        capabilities = "-all,+bpf,+perfmon,+sys_ptrace,+dac_read_search"
        sets = [f"--{name}={capabilities}" for name in ("inh-caps", "ambient-caps", "bounding-set")]
        daemon = ("setpriv", "--reuid=61234", "--regid=61234", "--clear-groups", *sets, "--no-new-privs",
                  self.folder.copy(PERFFLOWD))
        return ConfiguredService(self, self.folder / "socket", self.path, daemon)

    def test_it_traces_and_lets_go_of_what_gets_other_rights(self):
        self.check_leaves(self.privileged_kin(0o4755, 0))

    def test_files_that_are_not_the_users_to_read_are_refused_to_one_who_can_read_them_all(self):
        self.refused("not yours to read", "run", *TICKS, "-o", self.trace_path, "--", self.privileged_kin(0o711, 0))


class PlainLinks(WithOtherRights):
    """Without session links: entries and returns are links of their own."""

    def setUp(self):
        os.environ["PERFFLOW_DISABLE"] = "uprobe_session"
        self.addCleanup(os.environ.pop, "PERFFLOW_DISABLE", None)
        super().setUp()

    def test_it_traces_and_lets_go_of_what_gets_other_rights(self):
        self.check_leaves(self.privileged_kin(0o4755, OTHER))


class Refusals(OwnProcesses):
    def test_what_shows_others_is_refused_with_a_sentence(self):
        own, others = self.start_kin(STRANGER), self.start_kin(OTHER)
        pid = ("--pid", own.pid)
        for sentence, arguments in (
                ("may trace processes of others", ("--binary", self.kin)),
                ("may trace processes of others", ()),
                (f"process {others.pid} is not yours alone", ("--pid", others.pid)),
                ("process 1 is not yours alone", ("--pid", 1)),
                ("process 4194303 is not yours alone", ("--pid", 4194303)),
                ("shows what others run", (*pid, "--sched")),
                ("counters of the CPUs", (*pid, "--metrics", "task-clock")),
                ("'gpu' shows what others do", (*pid, "--metrics", "gpu"))):
            with self.subTest(sentence):
                self.refused(sentence, "attach", *arguments, *TICKS, "-o", self.trace_path)
                self.assertIn(f"user {STRANGER}", self.service.process.read_until("is refused", "stderr"))

    def test_a_site_that_does_not_allow_it_refuses_all(self):
        self.configure(CONFIG)
        self.reload("read again")
        own = self.start_kin(STRANGER)
        self.refused("serves only root and the members", "attach", "--pid", own.pid, *TICKS, "-o", self.trace_path)
        self.refused("serves only root and the members", "list")

    def test_a_library_that_the_user_may_not_read_is_not_there(self):
        private = self.folder / "private"
        os.mkdir(private)
        library = shutil.copy(target("libplugin.so"), private)
        os.chmod(library, 0o755)
        os.chmod(private, 0o700)
        own = self.start_kin(STRANGER)
        for path in (library, os.path.join(private, "missing.so")):
            ran = self.refused("matches no function", "attach", "--pid", own.pid, "-p", f"{path}:plugged", "-o", self.trace_path)
            self.assertNotIn("plugged(", ran.err)
        os.chmod(private, 0o755)
        os.chmod(library, 0o711)
        self.refused("matches no function", "attach", "--pid", own.pid, "-p", f"{library}:plugged", "-o", self.trace_path)
        os.chmod(library, 0o755)
        self.session_of(STRANGER, "attach", "--pid", own.pid, "-p", f"{library}:plugged", "-o", self.trace_path)

    def test_a_command_that_the_user_may_not_read_is_not_traced(self):
        path = self.privileged_kin(0o711, 0)
        self.refused("not yours to read", "run", *TICKS, "-o", self.trace_path, "--", path)

    def test_a_command_with_other_rights_is_not_traced(self):
        for mode, owner in ((0o4755, 0), (0o4755, OTHER), (0o2755, OTHER), (0o755, 0)):
            with self.subTest(oct(mode), owner=owner):
                path = self.privileged_kin(mode, owner)
                if mode == 0o755:
                    os.setxattr(path, "security.capability", A_CAPABILITY)
                self.refused("is made to run with other rights than yours", "run", "-p", "kin*:tick", "-o", self.trace_path, "--", path)
                self.assertIn(f"user {STRANGER}", self.service.process.read_until("is refused", "stderr"))

    def test_a_command_with_the_users_own_rights_is_traced_each_time(self):
        path = self.privileged_kin(0o4755, STRANGER)
        for _ in range(3):
            process = self.start(self.command(STRANGER, "run", "-p", "kin*:tick", "-o", self.trace_path, "--", path),
                                 stdin=subprocess.PIPE)
            self.pid_after(process, "ready")
            self.do(process, "tick")
            self.assertEqual(self.end(process).count("tick"), 10)

    def test_the_kernel_itself_is_no_program_of_theirs(self):
        own = self.start_kin(STRANGER)
        for path in KERNEL_FILES:
            with self.subTest(path):
                self.refused("may trace processes of others", "attach", "--binary", path, "-p", "*", "-o", self.trace_path)
                self.refused("matches no function", "attach", "--pid", own.pid, "-p", f"{path}:*", "-o", self.trace_path)
                self.assertSentence(run(self.command(0, "attach", "--binary", path, "-p", "*", "-o", self.trace_path)), path)

    def test_memory_of_the_kernel_is_not_read(self):
        """By the type that a user gives it, a number that the program hands on is an address: here of the kernel's."""
        symbols = pathlib.Path("/proc/kallsyms").read_text()
        addresses = [int(re.search(rf"^([0-9a-f]+) . {name}$", symbols, re.M)[1], 16) for name in ("vfs_read", "do_exit")]
        self.assertGreater(min(addresses), 1 << 63)
        aspect = "around(kin:hand_on) args=(text:str@1, number:*u64@1)"
        process = self.start(self.command(STRANGER, "run", "-p", aspect, "-o", self.trace_path, "--", self.kin), stdin=subprocess.PIPE)
        self.pid_after(process, "ready")
        for address in addresses:
            self.do(process, f"address {address}")
        spans = self.end(process).spans("hand_on")
        self.assertEqual(len(spans), len(addresses))
        for span in spans:
            self.assertEqual((span["args"]["text"], span["args"]["number"], span["args"]["unreadable"]), (None, None, ["text", "number"]))

    def test_a_user_sees_and_stops_only_the_own_sessions(self):
        roots, own = self.start_kin(0), self.start_kin(STRANGER)
        self.session_of(0, "attach", "--pid", roots.pid, *TICKS, "-o", "/dev/null")
        process = self.attach(own)
        listed = json.loads(run(self.command(STRANGER, "status", "--json")).out)["sessions"]
        self.assertEqual([session["uid"] for session in listed], [STRANGER])
        self.assertEqual(len(json.loads(run(self.command(0, "status", "--json")).out)["sessions"]), 2)
        self.assertNotIn(f"pid {roots.pid}", run(self.command(STRANGER, "list")).out)
        self.refused("there is no session 1", "stop", "1")
        self.assertEqual(run(self.command(STRANGER, "stop", "2")).status, 0)
        process.finish()
        self.assertEqual(len(json.loads(run(self.command(0, "status", "--json")).out)["sessions"]), 2)


class Quotas(OwnProcesses):
    def limit(self, *lines):
        self.configure(self.config + "[limits]\n" + "\n".join(lines) + "\n")
        self.reload("read again")

    def refused_to_trace(self, sentence, program, pointcut="kin:tick"):
        self.refused(sentence, "attach", "--pid", program.pid, "-p", pointcut, "-o", self.folder / "refused.json")

    def test_sessions(self):
        self.limit("sessions_per_user = 1")
        own = self.start_kin(STRANGER)
        self.attach(own)
        self.refused_to_trace("you have 1 session already", own)

    def test_functions_of_all_sessions_together(self):
        self.limit("functions_per_user = 2")
        own = self.start_kin(STRANGER)
        self.refused_to_trace("you may trace 2 in all your sessions", own, "kin:*")
        process = self.attach(own)
        self.refused_to_trace("and trace 1", own, "kin:/^(tick|main)$/")
        self.interrupt(process)
        self.session_of(STRANGER, "attach", "--pid", own.pid, "-p", "kin:/^(tick|main)$/", "-o", self.trace_path)

    def test_memory_of_all_sessions_together(self):
        self.limit("memory_per_user = 1M")
        own = self.start_kin(STRANGER)
        self.refused_to_trace("of the kernel's memory", own)
        self.limit("memory_per_user = 16M")
        sessions = 0
        while sessions < 16:
            process = self.start(self.command(STRANGER, "attach", "--pid", own.pid, *TICKS, "-o", "/dev/null"))
            if wait_for("a session or a refusal", lambda: [line for line in process.collected["stderr"] if line]) and \
                    "of the kernel's memory" in process.collected["stderr"][0]:
                break
            sessions += 1
        self.assertTrue(0 < sessions < 16, sessions)

    def test_how_long_others_wait_for_what_is_read_for_a_user(self):
        self.limit("read_seconds_per_user = 1")
        process = self.run_kin()
        wait_for("a reader", lambda: children(self.service.process.pid, "pf-inspector"))
        (reader,) = children(self.service.process.pid, "pf-inspector")
        os.kill(reader, signal.SIGSTOP)
        other = shutil.copy(self.kin, self.folder / "kin2")
        self.do(process, f"run {other}", "ready")
        self.assertEqual(run(self.command(STRANGER, "list")).status, 0)
        wait_for("the end of the reader", lambda: not os.path.exists(f"/proc/{reader}"))
        self.do(process, "end")
        self.end(process)
        self.assertIn("kin2' was not read: reading for you has taken 1 s within a minute", process.ran.err)

    def test_records_in_a_second(self):
        self.limit("records_per_second = 20")
        process = self.run_kin()
        first_us = boot_us()
        for _ in range(20):
            self.do(process, "tick")
        last_us = boot_us()
        trace = self.end(process)
        self.assertLess(trace.count("tick"), 200)
        lost = trace.lost()
        self.assertEqual(set(lost), {"over_rate"})
        self.assertGreaterEqual(lost["over_rate"], 200 - trace.count("tick"))
        entries = trace.ledger("over_rate")
        self.assertEqual(sum(e["n"] for e in entries), lost["over_rate"])
        ticks = [e for e in entries if e.get("function") == "tick"]
        self.assertEqual({(e["module"], e["pid"]) for e in ticks}, {("kin", process.kin)})
        self.assertEqual(sum(e["n"] for e in ticks), 200 - trace.count("tick"))
        times = [e[edge] for e in ticks for edge in ("begin", "end")]
        self.assertTrue(first_us <= min(times) <= max(times) <= last_us, (first_us, times, last_us))
        self.assertIn("beyond what may be sent in a second", process.ran.err)
        ran = run(self.command(STRANGER, "list"))
        self.assertIn(str(lost["over_rate"]), ran.out)

    def test_records_in_a_second_of_all_sessions_together(self):
        self.limit("records_per_second = 200")
        paths = [self.folder / f"t{i}.json" for i in range(4)]
        programs = [self.start_kin(STRANGER) for _ in paths]
        others = self.start_kin(OTHER)
        sessions = [self.session_of(uid, "attach", "--pid", program.pid, *TICKS, "-o", path) for uid, program, path in
                    [*((STRANGER, *pair) for pair in zip(programs, paths)), (OTHER, others, self.trace_path)]]
        begun = time.monotonic()
        for _ in range(40):
            for program in programs:
                program.tell("tick")
        for program in programs:
            for _ in range(40):
                program.read_until("done")
        seconds = time.monotonic() - begun
        for _ in range(10):
            self.do(others, "tick")
        for session in sessions:
            session.interrupt()
            session.finish()
        spans = sum(Trace(path).count("tick") for path in paths)
        self.assertLessEqual(spans, 200 * (1 + seconds))
        self.assertGreater(spans, 100)
        self.assertEqual(Trace(self.trace_path).count("tick"), 100)

    def test_without_limits_that_are_reached_nothing_is_lost(self):
        self.limit("records_per_second = 100000")
        process = self.run_kin()
        for _ in range(20):
            self.do(process, "tick")
        trace = self.end(process)
        self.check(trace)
        self.assertEqual(trace.count("tick"), 200)

    def test_what_was_taken_is_given_back(self):
        self.limit("functions_per_user = 1", "memory_per_user = 16M")
        own = self.start_kin(STRANGER)
        for _ in range(8):
            self.interrupt(self.attach(own))


class OldKernel(OwnProcesses):
    def setUp(self):
        os.environ["PERFFLOW_DISABLE"] = "multi_pid_filter"
        self.addCleanup(os.environ.pop, "PERFFLOW_DISABLE", None)
        super().setUp()

    def test_a_kernel_that_cannot_limit_probes_serves_no_plain_user(self):
        own = self.start_kin(STRANGER)
        self.refused("this kernel cannot limit probes to one user's processes", "attach", "--pid", own.pid, *TICKS, "-o",
                     self.trace_path)


class Posing(OwnProcesses):
    def test_a_process_cannot_pose_as_another(self):
        """It has the pid 1, is root, and is called like another program, all in namespaces of its own."""
        session = self.session_of(0, "attach", "--binary", self.kin, *TICKS, "-o", self.trace_path)
        script = f"exec -a /sbin/init {self.kin}"
        process = self.start(as_user(STRANGER, "unshare", "--user", "--map-root-user", "--pid", "--fork", "bash", "-c", script),
                             stdin=subprocess.PIPE)
        self.assertEqual(self.pid_after(process, "ready"), 1)
        (real,) = children(process.pid, "kin")
        self.do(process, "rename init")
        self.do(process, "tick")
        trace = self.interrupt(session)
        self.check(trace)
        self.assertEqual((trace.pids(), trace.count("tick", pid=real)), ([real], 10))
        told = [(event["pid"], event["args"]["uid"], event["args"]["exe"]) for event in trace.events if event["name"] == "program"]
        self.assertEqual(told, [(real, STRANGER, self.kin)])


class Budgets(OwnProcesses):
    config = CONFIG + "allow_users = yes\n[overhead]\nbudget_per_user = 5%\nmax_budget_per_user = 10%\n"

    def test_the_sites_budget_holds_for_who_says_nothing_of_it(self):
        rates = self.folder.copy(target("rates"))
        process = self.start(self.command(STRANGER, "run", "-p", "rates:rate_*", "-o", self.trace_path, "--", rates, 5))
        process.read_until("'rate_tiny' (rates) is paused: ", "stderr", 60)
        trace = self.end(process)
        self.check(trace)
        self.assertGreater(trace.summary()["pauses"], 0)
        self.assertEqual(trace.ends("rate_outer"), {"return": 50})
        self.assertEqual(trace.ends("rate_slow"), {"return": 50})

    def test_who_asks_for_more_than_the_site_allows_is_refused(self):
        for budget in ("10.1%", "none"):
            self.refused("overhead budget", "run", "--budget", budget, *TICKS, "-o", self.trace_path, "--", self.kin)
            self.assertIn("overhead budget", self.service.process.read_until("is refused", "stderr"))


if __name__ == "__main__":
    main(programs=("setpriv", "nm"))
