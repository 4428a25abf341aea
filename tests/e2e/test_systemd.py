#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""perfflowd as a service of a real systemd: it starts with its first client, in its sandbox, and comes back."""
import json
import os
import re
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from machine import NEEDS, Machine  # noqa: E402
from perfflow import TestCase, main, wait_for  # noqa: E402

CAPABILITIES = {"bpf": 39, "perfmon": 38, "sys_ptrace": 19, "dac_read_search": 2}
SYS_ADMIN = 21
FILES = {
    "/etc/systemd/system/perfflowd.service.d/quick.conf": "[Service]\nWatchdogSec=1s\nRestartSec=100ms\n",
    # one who may, one who may not; made by systemd-sysusers as ours is
    "/etc/sysusers.d/people.conf": "u member - - /\nu stranger - - /\nm member perfflow\n",
}


def setUpModule():
    global machine
    machine = Machine(FILES)
    unittest.addModuleCleanup(machine.stop)


class Systemd(TestCase):
    def setUp(self):
        super().setUp()
        self.succeed("systemctl", "start", "perfflowd.socket")
        self.addCleanup(machine.run, "systemctl", "stop", "perfflowd.service", "perfflowd.socket")

    def succeed(self, *command):
        ran = machine.run(*command)
        self.assertEqual(ran.status, 0, ran)
        return ran.out

    def shown(self, name, unit="perfflowd.service"):
        return self.succeed("systemctl", "show", "--value", "-p", name, unit).strip()

    def as_user(self, user, *command):
        return machine.run("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *command)

    def daemon(self):
        """Starts it by asking for something; its pid inside of the machine."""
        status = json.loads(self.succeed("perfflow", "status", "--json"))
        self.assertEqual(status["pid"], int(self.shown("MainPID")))
        return status["pid"]

    def kill(self, signal_number, pid):
        self.assertGreater(pid, 1)
        self.succeed("kill", f"-{int(signal_number)}", str(pid))

    def proc(self, pid, name):
        with open(machine.path(f"/proc/{pid}/{name}")) as file:
            return file.read()

    def field(self, pid, name):
        return re.search(rf"^{name}:\s*(.*)$", self.proc(pid, "status"), re.M)[1]


class Start(Systemd):
    def test_the_first_client_starts_it(self):
        self.assertEqual(self.shown("ActiveState"), "inactive")
        self.assertEqual(self.shown("ActiveState", "perfflowd.socket"), "active")
        self.daemon()
        self.assertEqual(self.shown("ActiveState"), "active")
        self.assertEqual(self.shown("StatusText"), "Nothing is traced.")

    def test_stopped_it_ends_well_and_the_next_client_starts_it_again(self):
        first = self.daemon()
        self.succeed("systemctl", "stop", "perfflowd.service")
        self.assertEqual((self.shown("Result"), self.shown("ExecMainStatus")), ("success", "0"))
        self.assertNotEqual(self.daemon(), first)

    def test_the_preset_enables_the_socket_and_leaves_the_service_to_it(self):
        self.succeed("systemctl", "preset", "perfflowd.socket", "perfflowd.service")
        self.addCleanup(machine.run, "systemctl", "disable", "perfflowd.socket")
        self.assertEqual(machine.run("systemctl", "is-enabled", "perfflowd.socket").out.strip(), "enabled")
        self.assertEqual(machine.run("systemctl", "is-enabled", "perfflowd.service").out.strip(), "disabled")

    def test_it_does_not_trace_where_pids_are_not_the_kernels_and_says_so(self):
        pid = self.daemon()
        ran = machine.run("perfflow", "run", "-p", "recursion:before", "-o", "/tmp/t.json", "--", "/srv/targets/recursion", "1")
        self.assertSentence(ran, "pid namespace of its own")
        self.assertFalse(os.path.exists(machine.path("/tmp/t.json")))
        self.assertEqual(self.daemon(), pid)


class Sandbox(Systemd):
    def test_it_runs_as_its_own_user_with_four_capabilities(self):
        pid = self.daemon()
        user = self.succeed("id", "-u", "perfflow").strip()
        self.assertEqual(self.field(pid, "Uid").split(), [user] * 4)
        wanted = sum(1 << bit for bit in CAPABILITIES.values())
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(self.field(pid, name), 16), wanted, name)
        self.assertEqual((self.field(pid, "NoNewPrivs"), self.field(pid, "Seccomp")), ("1", "2"))

    def test_it_can_use_bpf_there(self):
        features = json.loads(self.succeed("perfflow", "status", "--json"))["features"]
        self.assertTrue(features["uprobe_multi"])

    def test_it_sees_no_network_and_may_write_nowhere(self):
        pid = self.daemon()
        self.assertEqual(self.proc(pid, "net/dev").count(":"), 1)  # lo alone
        own, systemd = (os.readlink(machine.path(f"/proc/{process}/ns/net")) for process in (pid, 1))
        self.assertNotIn(own, (systemd, os.readlink("/proc/self/ns/net")))
        for folder in ("/etc", "/usr", "/var/lib", "/root", "/tmp", "/run/perfflow", "/dev/shm", "/sys/fs/cgroup"):
            with self.subTest(folder):
                ran = machine.run("nsenter", "-t", str(pid), "-m", "touch", f"{folder}/written")
                self.assertNotEqual(ran.status, 0, ran)
                self.assertIn("Read-only file system", ran.err)

    def test_it_keeps_what_runs_in_a_folder_of_its_own(self):
        self.daemon()
        status = os.stat(machine.path("/var/lib/perfflow"))
        self.assertEqual((status.st_mode & 0o777, status.st_uid), (0o700, int(self.succeed("id", "-u", "perfflow"))))

    def test_old_kernels_get_one_capability_more_by_a_file_that_is_installed(self):
        folder = "/etc/systemd/system/perfflowd.service.d"
        self.succeed("sh", "-c", f"cp /usr/*/share/perfflow/perfflowd.service.d/*.conf {folder}/ 2>/dev/null || "
                                 f"cp /usr/share/perfflow/perfflowd.service.d/*.conf {folder}/")
        self.addCleanup(self.succeed, "sh", "-c", f"rm {folder}/10-*.conf && systemctl daemon-reload")
        self.succeed("systemctl", "daemon-reload")
        self.assertEqual(int(self.field(self.daemon(), "CapEff"), 16),
                         sum(1 << bit for bit in [*CAPABILITIES.values(), SYS_ADMIN]))


class Users(Systemd):
    def test_the_socket_is_for_root_and_the_group(self):
        self.assertEqual(self.succeed("stat", "-c", "%a %U %G", "/run/perfflow/io.perfflow").strip(), "660 root perfflow")
        ran = self.as_user("stranger", "perfflow", "status")
        self.assertSentence(ran, "root and the group")
        self.assertEqual(self.shown("ActiveState"), "inactive")


    def test_members_of_the_group_are_served(self):
        ran = self.as_user("member", "perfflow", "status")
        self.assertEqual(ran.status, 0, ran)

    def test_where_the_site_opens_the_socket_the_daemon_refuses_and_records_it(self):
        machine.put_inside("/etc/systemd/system/perfflowd.socket.d/open.conf", "[Socket]\nSocketMode=0666\n")
        self.addCleanup(self.succeed, "sh", "-c", "rm -r /etc/systemd/system/perfflowd.socket.d && systemctl daemon-reload")
        self.succeed("systemctl", "daemon-reload")
        self.succeed("systemctl", "restart", "perfflowd.socket")
        ran = self.as_user("stranger", "perfflow", "status")
        self.assertSentence(ran, "serves only root and the members of the group 'perfflow'")
        uid = self.succeed("id", "-u", "stranger").strip()
        entries = [json.loads(line) for line in
                   self.succeed("journalctl", "-o", "json", "PERFFLOW_EVENT=refused",
                                f"PERFFLOW_UID={uid}").splitlines()]
        self.assertEqual(len(entries), 1)
        self.assertEqual((entries[0]["PERFFLOW_UID"], entries[0]["_UID"]), (uid, self.succeed("id", "-u", "perfflow").strip()))
        self.assertIn("io.perfflow.Status", entries[0]["MESSAGE"])


class Configuration(Systemd):
    def configure(self, text):
        machine.put_inside("/etc/perfflow/perfflowd.conf", text)
        self.addCleanup(machine.run, "rm", "-f", "/etc/perfflow/perfflowd.conf")

    def journal(self):
        return self.succeed("journalctl", "-u", "perfflowd.service", "-o", "cat")

    def test_it_is_read_again_at_a_reload(self):
        pid = self.daemon()
        self.configure("[access]\ngroup =\n")
        self.succeed("systemctl", "reload", "perfflowd.service")
        wait_for("the new policy", lambda: "the policy was read again" in self.journal())
        self.assertSentence(self.as_user("member", "perfflow", "status"), "serves only root here")
        self.assertEqual(self.daemon(), pid)

    def test_with_a_mistake_in_it_the_service_does_not_start_and_says_why(self):
        self.configure("[limits]\nsessions = many\n")
        self.assertSentence(machine.run("perfflowd", "--check-config"), "/etc/perfflow/perfflowd.conf:2: 'many' is no number")
        self.assertNotEqual(machine.run("systemctl", "start", "perfflowd.service").status, 0)
        self.assertIn("/etc/perfflow/perfflowd.conf:2: 'many' is no number from 1 to 64", self.journal())

    def test_once_the_mistake_is_mended_clients_are_served_without_a_word_to_systemd(self):
        self.configure("[limits]\nsessions = many\n")
        machine.run("systemctl", "start", "perfflowd.service")
        wait_for("more tries than systemd would allow", lambda: int(self.shown("NRestarts")) > 6)
        self.configure("[limits]\nsessions = 8\n")
        self.daemon()

    def test_what_is_installed_as_an_example_is_right(self):
        self.assertEqual(machine.run("sh", "-c", "perfflowd --check-config --config /usr/*/share/perfflow/perfflowd.conf || "
                                                 "perfflowd --check-config --config /usr/share/perfflow/perfflowd.conf").status, 0)


class Faults(Systemd):
    def test_killed_it_is_started_again(self):
        first = self.daemon()
        self.kill(signal.SIGKILL, first)
        wait_for("the new one", lambda: self.shown("NRestarts") != "0" and self.shown("ActiveState") == "active")
        self.assertNotEqual(self.daemon(), first)

    def test_one_that_hangs_is_ended_by_the_watchdog_and_started_again(self):
        first = self.daemon()
        self.kill(signal.SIGSTOP, first)
        wait_for("the watchdog", lambda: "Watchdog timeout" in self.succeed("journalctl", "-u", "perfflowd.service"), 30)
        wait_for("the new one", lambda: self.shown("ActiveState") == "active" and self.shown("MainPID") != str(first), 30)
        self.assertNotEqual(self.daemon(), first)

    def test_killed_again_and_again_it_is_started_again_each_time(self):
        for n in range(8):
            self.kill(signal.SIGKILL, self.daemon())
            wait_for("the new one", lambda: self.shown("NRestarts") == str(n + 1) and self.shown("ActiveState") == "active")
        self.assertEqual(self.shown("ActiveState", "perfflowd.socket"), "active")
        self.daemon()

    def test_a_client_that_comes_while_it_is_away_waits_for_it(self):
        first = self.daemon()
        self.kill(signal.SIGKILL, first)
        self.assertNotEqual(self.daemon(), first)


if __name__ == "__main__":
    main(programs=NEEDS)
