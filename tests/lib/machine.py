# SPDX-License-Identifier: LGPL-3.0-or-later
"""A machine that boots a real systemd, in systemd-nspawn: what this one has installed, perfflow as `cmake --install` leaves
it, and nothing of it written back.

The root is an overlay over this machine's own, in a mount namespace that goes with it. It has the kernel of this machine
but pids of its own, so that perfflowd serves there and refuses to trace: its kernel side sees the pids of the host.
Its network is its own too: else systemd lacks CAP_NET_ADMIN, and later ones than Debian 12's give no service its own.
"""
import glob
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from perfflow import BUILD, TARGETS, Program, run, wait_for

NEEDS = ("systemd-nspawn", "setpriv", "unshare", "nsenter", "cmake")
TARGET = """[Unit]
Requires=basic.target
After=basic.target
"""
# Our own settings alone: nothing that this machine has enabled is started.
PREPARE = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$W/layers"
mkdir "$W/layers/upper" "$W/layers/work"
mount -t overlay overlay -o lowerdir=/,upperdir="$W/layers/upper",workdir="$W/layers/work" "$W/root"
rm -rf "$W"/root/etc/systemd/system/* "$W/root/etc/resolv.conf" "$W"/root/etc/perfflow
: >"$W/root/etc/machine-id"
cp -a "$W/files/." "$W/root/"
DESTDIR="$W/root" cmake --install "$BUILD" >/dev/null
mkdir -p "$W/root/srv/targets"
cp "$TARGETS"/recursion "$W/root/srv/targets/"
exec setpriv --pdeathsig TERM systemd-nspawn --quiet --register=no --keep-unit --link-journal=no --console=read-only \
	--private-network --capability=CAP_BPF,CAP_PERFMON,CAP_SYS_PTRACE,CAP_DAC_READ_SEARCH --boot --directory="$W/root" --machine=perfflow-test
"""
HALT = 38  # SIGRTMIN+4


def cgroup_roots():
    """Where the hierarchies are that systemd uses: one with cgroups v2 alone, two where v1 is there as well."""
    if os.path.exists("/sys/fs/cgroup/cgroup.procs"):
        return ["/sys/fs/cgroup"]
    return [root for root in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd") if os.path.exists(root)]


class Machine:
    """Boots at once; stop() ends it. files: what is put into its root before."""

    def __init__(self, files=None):
        self.folder = tempfile.mkdtemp(prefix="perfflow-machine-")
        for name in ("layers", "root", "files"):
            os.mkdir(os.path.join(self.folder, name))
        self.put("/etc/systemd/system/default.target", TARGET)
        for path, text in (files or {}).items():
            self.put(path, text)
        self.cgroups = [os.path.join(root, os.path.basename(self.folder)) for root in cgroup_roots()]
        for cgroup in self.cgroups:
            os.mkdir(cgroup)
        self.leader = None
        # nspawn's own filter forbids bpf(); perfflowd has a filter of its own, which is what is tested
        env = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "W": self.folder, "BUILD": BUILD, "TARGETS": TARGETS,
               "SYSTEMD_SECCOMP": "0", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        self.process = Program(["unshare", "--mount", "sh", "-c", PREPARE], env=env, preexec_fn=self.enter_cgroups)
        try:
            self.leader = wait_for("the machine's first process", self.find_leader, 60)
            wait_for("systemd", lambda: self.run("systemctl", "is-system-running").out.strip() in ("running", "degraded"), 60)
        except BaseException:
            self.stop()
            raise

    def put(self, path, text):
        file = pathlib.Path(self.folder + "/files" + path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def put_inside(self, path, text):
        """The same once it runs."""
        ran = self.run("sh", "-c", 'mkdir -p "${1%/*}" && printf %s "$2" >"$1"', "sh", path, text)
        if ran.status != 0:
            raise AssertionError(f"cannot write {path} in the machine: {ran}")

    def enter_cgroups(self):
        for cgroup in self.cgroups:
            pathlib.Path(cgroup, "cgroup.procs").write_text("0")

    def find_leader(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the machine did not boot: {self.process.finish()}")
        pid = self.process.pid
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
            except OSError:
                pass
        return None

    def inside(self, *command):
        return ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "env", "-i",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "SYSTEMD_PAGER=", *command]

    def run(self, *command, **keywords):
        return run(self.inside(*command), **keywords)

    def start(self, *command, **keywords):
        return Program(self.inside(*command), **keywords)

    def path(self, path):
        """Where a file of the machine is, seen from outside."""
        return f"/proc/{self.leader}/root{path}"

    def stop(self):
        if self.leader:
            try:
                os.kill(self.leader, HALT)
                self.process.wait(30)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        self.process.kill_all()
        wait_for("the machine's processes to end", self.remove_cgroups, 30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_cgroups(self):
        """Nspawn and what ran in it leave empty ones."""
        for cgroup in self.cgroups:
            for folder in sorted(glob.glob(glob.escape(cgroup) + "/**/", recursive=True), reverse=True):
                try:
                    os.rmdir(folder)
                except OSError:
                    return False
        return True
