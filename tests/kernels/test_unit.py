#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The service traces in its sandbox, and leaves whole programs and traces, whatever becomes of it.

Runs where systemd is the first process and perfflow is installed: in run.sh's virtual machines.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOW, TestCase, Trace, boot_us, links, main, perfflow, run, target, wait_for  # noqa: E402

KERNEL = os.environ.get("PERFFLOW_KERNEL")
HAS_MULTI = KERNEL != "6.1"
DROP_IN = "/etc/systemd/system/perfflowd.service.d"
SHARED = "/usr/local/share/perfflow/perfflowd.service.d/10-kernel-before-6.6.conf"
BEAT_US = 60000  # a call of slow, which is in the trace when it has returned
SYSCTL = "/usr/local/share/perfflow/sysctl.d/60-perfflow.conf"


def setUpModule():
    subprocess.run(["/lib/systemd/systemd-sysctl", SYSCTL], check=True)


# Has the daemon keep what it is sent.
FILL = """
import socket, sys
held = []
try:
    for _ in range(300):
        held.append(socket.socket(socket.AF_UNIX))
        held[-1].connect(sys.argv[1])
        held[-1].sendall(b" " * 1000000)
except OSError:
    pass
"""

# What who takes over the daemon would try; the last one is told who it has become.
TRIES = """
import ctypes, errno, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
for name, call in (("mount", lambda: libc.mount(b"none", b"/mnt", b"tmpfs", 0, None)),
                   ("finit_module", lambda: libc.syscall(313, -1, b"", 0)),
                   ("init_module", lambda: libc.syscall(175, None, 0, b""))):
    print(name, "done" if call() == 0 else errno.errorcode[ctypes.get_errno()], flush=True)
print(subprocess.run([sys.argv[1], "--dump"], capture_output=True, text=True).stdout, flush=True)
"""


def systemctl(*arguments):
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=True).stdout


def shown(name):
    return systemctl("show", "--value", "-p", name, "perfflowd.service").strip()


class Unit(TestCase):
    def setUp(self):
        super().setUp()
        if not HAS_MULTI:
            self.add_drop_in()
        self.links_of_others = links()  # systemd has some of its own
        systemctl("start", "perfflowd.socket")
        self.addCleanup(systemctl, "stop", "perfflowd.service", "perfflowd.socket")

    def add_drop_in(self):
        os.makedirs(DROP_IN, exist_ok=True)
        shutil.copy(SHARED, DROP_IN)
        self.addCleanup(self.remove_drop_in)
        systemctl("daemon-reload")

    def remove_drop_in(self):
        shutil.rmtree(DROP_IN, ignore_errors=True)
        systemctl("daemon-reload")

    def daemon(self):
        status = json.loads(perfflow("status", "--json").out)
        self.assertEqual(status["pid"], int(shown("MainPID")))
        return status["pid"]

    def traced(self):
        process = self.start([PERFFLOW, "run", "-p", "slow:beat", "-o", self.folder / "t.json", "--", target("slow"), "120"])
        process.read_until("3\n", timeout=60)
        return process

    def test_it_traces_as_the_user_perfflow(self):
        trace = self.trace("recursion:before", [target("recursion"), "1"])
        self.assertCounts(trace, {"before": 3})
        status = pathlib.Path(f"/proc/{self.daemon()}/status").read_text()
        self.assertNotEqual(re.search(r"^Uid:\s+(\d+)", status, re.M)[1], "0")
        self.assertEqual(re.search(r"^Seccomp:\s+(\d)", status, re.M)[1], "2")

    def let_users_trace(self):
        """The site's configuration, and a socket that all may connect to."""
        for path, text in (("/etc/perfflow/perfflowd.conf", "[access]\nallow_users = yes\n"),
                           ("/etc/systemd/system/perfflowd.socket.d/users.conf", "[Socket]\nSocketMode=0666\n")):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            pathlib.Path(path).write_text(text)
            os.chmod(path, 0o644)
            self.addCleanup(os.remove, path)
        self.addCleanup(systemctl, "daemon-reload")
        systemctl("stop", "perfflowd.service", "perfflowd.socket")
        systemctl("daemon-reload")
        systemctl("start", "perfflowd.socket")
        os.chmod(self.folder.path, 0o777)

    def test_a_plain_user_traces_what_is_the_users_own(self):
        self.let_users_trace()
        kin, tool, with_rights = self.folder.copy(target("kin")), self.folder.copy(PERFFLOW), self.folder / "kin-with-rights"
        shutil.copy(kin, with_rights)
        os.chmod(with_rights, 0o4755)
        command = ["setpriv", "--reuid=54322", "--regid=54322", "--clear-groups", tool, "run", "-p", "kin:tick", "-o",
                   self.folder / "t.json", "--", kin]
        process = self.start(command, stdin=subprocess.PIPE)
        if not HAS_MULTI:
            self.assertSentence(process.finish(), "this kernel cannot limit probes to one user's processes")
            return
        own = int(process.read_until("ready").split()[1])
        process.tell("tick")
        process.read_until("done")
        process.tell(f"run {with_rights}")
        child = int(process.read_until("ready").split()[1])
        for line in ("tick", "end", "tick"):
            process.tell(line)
            process.read_until("done")
        self.assertEqual(process.finish().status, 0)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertEqual((trace.count("tick"), trace.pids()), (20, [own]))
        self.assertIn(f"process {child} is not traced from", str(trace.summary()["warnings"]))

    def test_in_its_sandbox_nothing_is_mounted_no_module_loaded_and_nobody_becomes_root(self):
        os.makedirs("/mnt", exist_ok=True)
        os.chmod(self.folder.path, 0o755)
        script, setuid = self.folder / "tries.py", shutil.copy(shutil.which("setpriv"), self.folder / "setpriv")
        pathlib.Path(script).write_text(TRIES)
        os.chmod(setuid, 0o4755)
        command = [sys.executable, script, setuid]
        outside = run(command).out  # the same as root shows what the kernel says to who may
        subprocess.run(["umount", "/mnt"], check=True)
        self.assertEqual(outside.splitlines()[:3], ["mount done", "finit_module EBADF", "init_module ENOEXEC"])
        self.assertIn("\neuid: 0\n", run(["setpriv", "--reuid=54321", "--clear-groups", setuid, "--dump"]).out)

        unit = pathlib.Path("/run/systemd/system/perfflow-tries.service")
        text = pathlib.Path("/usr/local/lib/systemd/system/perfflowd.service").read_text()
        for setting, value in (("Type", "oneshot"), ("ExecStart", " ".join(command)), ("Restart", "no"), ("WatchdogSec", "0")):
            text, n = re.subn(rf"(?m)^{setting}=.*$", f"{setting}={value}", text)
            self.assertEqual(n, 1, setting)
        unit.write_text(text)
        self.addCleanup(systemctl, "daemon-reload")
        self.addCleanup(unit.unlink)
        systemctl("daemon-reload")
        systemctl("start", "perfflow-tries.service")
        inside = run(["journalctl", "-b", "-u", "perfflow-tries.service", "-o", "cat"]).out
        for line in ("mount EPERM", "finit_module EPERM", "init_module EPERM"):
            self.assertIn(f"{line}\n", inside)
        own = re.search(r"^uid: (\d+)$", inside, re.M)[1]
        self.assertNotEqual(own, "0")
        self.assertIn(f"\neuid: {own}\n", inside)

    def test_the_journal_tells_who_traced_what_and_how_it_ended(self):
        self.trace("recursion:before", [target("recursion"), "1"])
        ran = run(["journalctl", "-o", "json", "PERFFLOW_EVENT=start", "PERFFLOW_EVENT=end"])
        self.assertGreaterEqual(len(ran.out.splitlines()), 2, ran)
        start, end = [json.loads(line) for line in ran.out.splitlines()][-2:]
        self.assertEqual([entry["PERFFLOW_EVENT"] for entry in (start, end)], ["start", "end"])
        for entry in (start, end):
            self.assertEqual((entry["PERFFLOW_UID"], entry["PERFFLOW_ASPECT"]), ("0", "recursion:before"))
            self.assertIn(target("recursion"), entry["PERFFLOW_SCOPE"])
        self.assertEqual((end["PERFFLOW_REASON"], end["PERFFLOW_SPANS"], end["PERFFLOW_LOST"]), ("target exited", "3", "0"))

    def test_its_limits_are_the_units(self):
        pid = self.daemon()
        self.assertEqual(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text().strip(), "-500")
        cgroup = pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip().split(":")[2]
        self.assertEqual(pathlib.Path(f"/sys/fs/cgroup{cgroup}/memory.max").read_text().strip(), str(6 << 30))
        self.assertEqual(pathlib.Path(f"/sys/fs/cgroup{cgroup}/cpu.weight").read_text().strip(), "20")

    def test_stopped_it_completes_the_trace_and_the_program_goes_on(self):
        process = self.traced()
        systemctl("stop", "perfflowd.service")
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertGreater(trace.count("beat"), 0)
        self.assertEqual(links() - self.links_of_others, set())
        process.interrupt()
        self.assertEqual(process.finish().status, 42)

    def check_cut(self, process, first, since_us=None):
        """
        The daemon was ended in the midst of a session: the program is whole, the trace readable, to within a second of that moment
        where it is told, and no probe is left.
        """
        wait_for("the new one", lambda: shown("ActiveState") == "active" and int(shown("MainPID")) not in (0, first), 90)
        self.assertNotEqual(self.daemon(), first)
        seen = max(span["ts"] + span["dur"] for span in Trace(self.folder / "t.json").spans("beat"))
        if since_us:
            self.assertLess(since_us - seen, 1e6 + BEAT_US)
        wait_for("the end of the probes", lambda: links() <= self.links_of_others)
        (cut,) = [s for s in json.loads(perfflow("list", "--json").out)["sessions"] if (s["state"], s["client_pid"]) == ("cut", process.pid)]
        self.assertEqual(cut["uid"], os.geteuid())
        process.interrupt()
        self.assertEqual(process.finish().status, 42)

    def test_killed_it_leaves_a_whole_program_and_comes_back(self):
        process, first = self.traced(), self.daemon()
        time.sleep(1.5)
        killed_us = boot_us()
        os.kill(first, signal.SIGKILL)
        self.check_cut(process, first, killed_us)

    def test_when_it_hangs_in_the_midst_of_a_session_the_watchdog_ends_it(self):
        path = pathlib.Path("/run/systemd/system/perfflowd.service.d/watchdog.conf")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[Service]\nWatchdogSec=20s\n")
        self.addCleanup(systemctl, "daemon-reload")
        self.addCleanup(path.unlink)
        systemctl("daemon-reload")
        process, first = self.traced(), self.daemon()
        os.kill(first, signal.SIGSTOP)
        self.check_cut(process, first)
        self.assertIn("Watchdog timeout", run(["journalctl", "-b", "-u", "perfflowd.service", "-o", "cat"]).out)

    def test_when_its_memory_is_used_up_in_the_midst_of_a_session_it_is_ended(self):
        process, first = self.traced(), self.daemon()
        systemctl("set-property", "--runtime", "perfflowd.service", f"MemoryMax={int(shown('MemoryCurrent')) + (32 << 20)}")
        self.addCleanup(systemctl, "set-property", "--runtime", "perfflowd.service", "MemoryMax=6G")
        subprocess.run([sys.executable, "-c", FILL, "/run/perfflow/io.perfflow"], check=True)
        self.check_cut(process, first)
        self.assertIn("killed by the OOM killer", run(["journalctl", "-b", "-u", "perfflowd.service", "-o", "cat"]).out)

    @unittest.skipIf(HAS_MULTI, "for a kernel without uprobe_multi")
    def test_without_the_file_for_old_kernels_it_is_refused_with_a_sentence(self):
        self.remove_drop_in()
        ran = perfflow("run", "-p", "recursion:before", "-o", self.folder / "t.json", "--", target("recursion"), "1")
        self.assertSentence(ran, "CAP_SYS_ADMIN")


if __name__ == "__main__":
    main()
