#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who may do what: root, members of the group, and anybody else, each as a user of their own. Whom a site lets trace what is
theirs: test_own_processes.py."""
import grp
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import (PERFFLOW, PERFFLOWD, Program, Service, TestCase, Trace, environment, main, run, target,  # noqa: E402
                      wait_for)

GROUP = "daemon"  # one that every machine has
MEMBER, STRANGER = 54321, 54322
HOLD = """
import socket, sys
held = []
for _ in range(int(sys.argv[2])):
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].connect(sys.argv[1])
print("held", len(held), flush=True)
sys.stdin.read()
"""
CONFIG = f"[access]\ngroup = {GROUP}\n"


def as_user(uid, *command, groups=()):
    beside = [f"--groups={','.join(map(str, groups))}"] if groups else ["--clear-groups"]
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", *beside, *map(str, command)]


class ConfiguredService(Service):
    """With a configuration of its own, on a socket that all may connect to."""

    def __init__(self, test, path, config, command=(PERFFLOWD,), **variables):
        self.socket, self.config = str(path), config
        self.process = Program([*command, "--socket", self.socket, "--config", config], env=environment(**variables))
        test.addCleanup(self.stop)
        wait_for("the socket", lambda: self.answers() or self.process.poll() is not None)
        os.chmod(self.socket, 0o666)


class WithUsers(TestCase):
    config = CONFIG

    def setUp(self):
        super().setUp()
        os.chmod(self.folder.path, 0o777)
        self.perfflow = self.folder.copy(PERFFLOW)
        self.target = self.folder.copy(target("follows"))
        self.path = self.folder / "perfflowd.conf"
        self.configure(self.config)
        self.service = self.start_service()

    def start_service(self):
        return ConfiguredService(self, self.folder / "socket", self.path)

    def configure(self, text):
        pathlib.Path(self.path).write_text(text)
        os.chmod(self.path, 0o644)

    def reload(self, said):
        os.kill(self.service.process.pid, signal.SIGHUP)
        return self.service.process.read_until(said, "stderr")

    def command(self, uid, *arguments, groups=()):
        return as_user(uid, self.perfflow, arguments[0], "--socket", self.service.socket, *arguments[1:], groups=groups)

    def member(self, *arguments):
        return run(self.command(MEMBER, *arguments, groups=[grp.getgrnam(GROUP).gr_gid]))

    def stranger(self, *arguments):
        return run(self.command(STRANGER, *arguments))

    def follows(self, uid=0):
        program = self.start(as_user(uid, self.target), stdin=subprocess.PIPE)
        program.read_until("ready")
        return program

    def session_of(self, uid, *arguments, groups=()):
        process = self.start(self.command(uid, *arguments, groups=groups), stdin=subprocess.PIPE)
        process.audit = self.service.process.read_until("started: ", "stderr")
        return process


class Members(WithUsers):
    def test_a_member_of_the_group_may_trace_what_is_roots(self):
        program = self.follows()
        process = self.session_of(MEMBER, "attach", "--pid", program.pid, "-p", "follows:tick", "-o", self.folder / "t.json",
                                  groups=[grp.getgrnam(GROUP).gr_gid])
        program.tell("tick")
        program.read_until("done")
        process.interrupt()
        self.assertEqual(process.finish().status, 0)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual(trace.count("tick"), 10)
        self.assertEqual(os.stat(self.folder / "t.json").st_uid, MEMBER)

    def test_one_who_is_in_very_many_groups_is_known_by_each_of_them(self):
        many = [*range(60000, 60300), grp.getgrnam(GROUP).gr_gid]
        self.assertEqual(run(self.command(MEMBER, "status", groups=many)).status, 0)
        self.assertNotEqual(run(self.command(MEMBER, "status", groups=many[:-1])).status, 0)

    def test_the_log_tells_who_traced_what_and_how_it_ended(self):
        program = self.follows()
        process = self.session_of(MEMBER, "attach", "--pid", program.pid, "-p", "follows:tick", "-o", "/dev/null",
                                  groups=[grp.getgrnam(GROUP).gr_gid])
        self.assertRegex(process.audit, rf"session 1 started: user {MEMBER} \(pid \d+\) traces 1 function in pid {program.pid}")
        process.interrupt()
        process.finish()
        ended = self.service.process.read_until("ended", "stderr")
        self.assertRegex(ended, rf"session 1 of user {MEMBER} ended after [0-9.]+ s: stopped; 0 spans, 0 records lost")

    def test_a_user_has_a_limit_of_sessions_and_root_has_none_of_its_own(self):
        self.configure(CONFIG + "[limits]\nsessions = 3\nsessions_per_user = 1\n")
        self.reload("read again")
        program = self.follows()
        attach = ("attach", "--pid", program.pid, "-p", "follows:tick", "-o", "/dev/null")
        self.session_of(MEMBER, *attach, groups=[grp.getgrnam(GROUP).gr_gid])
        self.assertSentence(self.member(*attach), "you have 1 session already")
        self.assertIn(f"user {MEMBER}", self.service.process.read_until("is refused", "stderr"))
        self.session_of(0, *attach)
        self.session_of(0, *attach)
        self.assertSentence(run(self.command(0, *attach)), "3 sessions run already")


class Strangers(WithUsers):
    def test_nobody_else_is_served_and_that_is_logged(self):
        program = self.follows(STRANGER)
        for arguments in (("status",), ("list",), ("stop", "1"),
                          ("attach", "--pid", program.pid, "-p", "follows:tick", "-o", "/dev/null")):
            with self.subTest(arguments[0]):
                self.assertSentence(self.stranger(*arguments), f"only root and the members of the group '{GROUP}'")
                self.assertIn(f"user {STRANGER}", self.service.process.read_until("is refused", "stderr"))



class Connections(WithUsers):
    def hold(self, uid, n, **options):
        holder = self.start(as_user(uid, sys.executable, "-c", HOLD, self.service.socket, n, **options), stdin=subprocess.PIPE)
        self.assertEqual(int(holder.read_until("held").split()[1]), n)
        return holder

    def status(self, uid, **options):
        return run(self.command(uid, "status", **options))

    def test_one_user_cannot_keep_the_others_away_by_holding_them(self):
        holder = self.hold(STRANGER, 200)
        self.assertEqual(self.member("status").status, 0)
        self.assertEqual(self.status(0).status, 0)
        self.assertSentence(self.stranger("status"), "you have 32 connections to perfflowd already")
        self.assertIn(f"user {STRANGER}", self.service.process.read_until("is refused to connect: you have 32", "stderr"))
        holder.finish()
        self.assertSentence(self.stranger("status"), "only root and the members")

    def test_many_users_cannot_keep_the_group_away_nor_the_group_root(self):
        others = [self.hold(uid, 40) for uid in range(STRANGER, STRANGER + 9)]
        self.assertSentence(self.status(STRANGER + 9), "perfflowd has 256 connections already: try again later")
        member = {"groups": [grp.getgrnam(GROUP).gr_gid]}
        self.assertEqual(self.status(MEMBER, **member).status, 0)
        for uid in range(STRANGER + 10, STRANGER + 13):
            self.hold(uid, 40, **member)
        self.assertSentence(self.status(MEMBER, **member), "perfflowd has 336 connections already: try again later")
        self.assertEqual(self.status(0).status, 0)
        self.hold(0, 79)
        self.assertEqual(self.status(0).status, 0)
        for holder in others:
            holder.finish()
        self.assertEqual(self.status(MEMBER, **member).status, 0)

    def test_who_has_as_many_sessions_as_there_may_be_can_still_ask(self):
        program = self.follows()
        for _ in range(64):
            self.start(self.command(0, "attach", "--pid", program.pid, "-p", "follows:tick", "-o", "/dev/null"))
        for _ in range(64):
            self.service.process.read_until("started: ", "stderr", timeout=120)
        self.assertEqual(self.status(0).status, 0)
        self.assertEqual(run(self.command(0, "stop", "64")).status, 0)


class Config(WithUsers):
    def test_a_mistake_at_reload_is_logged_and_changes_nothing(self):
        self.configure("[access]\ngroup = no-such-group\n")
        line = self.reload("stays as it is")
        self.assertIn(f"{self.path}:2: there is no group 'no-such-group'", line)
        self.assertEqual(self.member("status").status, 0)

    def test_a_mistake_at_the_start_is_said_and_nothing_is_served(self):
        self.configure("[limits]\nsessions = many\n")
        ran = run([PERFFLOWD, "--socket", self.folder / "second", "--config", self.path])
        self.assertSentence(ran, f"{self.path}:2: 'many' is no number from 1 to 64")
        self.assertFalse(os.path.exists(self.folder / "second"))

    def test_a_configuration_can_be_checked_by_anybody(self):
        check = lambda *options: run(as_user(STRANGER, self.folder.copy(PERFFLOWD), "--check-config", *options))  # noqa: E731
        self.assertEqual((check("--config", self.path).status, check("--config", self.path).err), (0, ""))
        self.configure("nonsense\n")
        self.assertSentence(check("--config", self.path), f"{self.path}:1: ")
        self.assertSentence(check("--config", self.folder / "missing"), "missing")

    def test_a_configuration_that_others_may_write_is_refused(self):
        os.chmod(self.path, 0o666)
        self.assertIn("can be written by others", self.reload("stays as it is"))


if __name__ == "__main__":
    main(programs=("setpriv",))
