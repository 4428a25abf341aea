#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The main job: a real MPI simulation is traced whole, computes the same, and every call of it is a span."""
import collections
import glob
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import TestCase, Trace, environment, main, perfflow, run, target  # noqa: E402

MELT = "/usr/share/lammps/examples/melt"
COMMAND = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2", "lmp", "-in", "in.melt"]
TIMES = re.compile(
    r"^(Loop time|Performance|Total wall time|.*% CPU use|.*CPU = |(Pair|Neigh|Comm|Output|Modify|Other) +\|)")


def physics(output):
    """What LAMMPS computed: its output without the lines that tell how long it took."""
    return [line for line in output.splitlines() if not TIMES.match(line)]


def library(name):
    listed = subprocess.run(["ldd", shutil.which("lmp")], capture_output=True, text=True).stdout
    return os.path.realpath(re.search(rf"{name}\S* => (\S+)", listed).group(1))


def functions(path, which):
    """The dynamic functions of a library, defined (T, W) or used (U)."""
    listed = subprocess.run(["nm", "-D", path], capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in listed.splitlines() if line.split()[-2] in which}


def demangled(names):
    """Linker name -> qualified name without arguments."""
    names = sorted(names)
    plain = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True).stdout.splitlines()
    return {name: full.split("(")[0] for name, full in zip(names, plain)}


class MainJob(TestCase):
    def setUp(self):
        super().setUp()
        for file in glob.glob(f"{MELT}/in.melt*"):
            shutil.copy(file, self.folder.path)

    def count_with_bpftrace(self, probes):
        """Runs the same input under bpftrace; calls by (library, linker name)."""
        script = self.folder / "count.bt"
        with open(script, "w") as file:
            file.write('BEGIN { printf("ready\\n"); }\n')
            file.write(",\n".join(f"uprobe:{path}:{name}" for path, name in probes))
            # by CPU: where two count the first one of a kind at once, bpftrace may lose one
            file.write(' { @[probe, cpu] = count(); }\n')
        counting = self.start(["bpftrace", "-B", "none", script])  # with -c later ones count in the first process alone
        counting.read_until("ready", timeout=120)
        self.assertEqual(run(COMMAND, 120, cwd=self.folder.path).status, 0)
        counting.interrupt()
        ran = counting.finish()
        counts = collections.Counter()
        for path, name, n in re.findall(r"^@\[uprobe:(.*):(\w+), \d+\]: (\d+)$", ran.out, re.M):
            counts[path, name] += int(n)
        self.assertTrue(counts, ran)
        return counts

    def test_both_ranks_are_traced_with_every_call_and_compute_what_they_do_untraced(self):
        untraced = run(COMMAND, cwd=self.folder.path)
        self.assertEqual(untraced.status, 0, untraced)

        traced = perfflow("run", "-p", "liblammps.so*:LAMMPS_NS::*::compute", "-p", "libmpi.so*:MPI_*", "-o", "melt.json",
                          "--", *COMMAND, cwd=self.folder.path, timeout=120)
        self.assertEqual(traced.status, 0, traced)
        self.assertEqual(physics(traced.out), physics(untraced.out))
        trace = Trace(self.folder / "melt.json")
        self.check(trace)

        ranks = {span["pid"] for span in trace.spans("MPI_Init")}
        self.assertEqual(len(ranks), 2)
        for pid in ranks:
            self.assertEqual(trace.count("LAMMPS_NS::PairLJCut::compute", pid=pid), 251)
            self.assertIn("lmp", trace.process_names()[pid])
        launchers = [name for name in trace.process_names().values() if "mpirun" in name or "prterun" in name]
        self.assertTrue(launchers, trace.process_names())
        self.assertEqual(trace.ends("LAMMPS_NS::PairLJCut::compute"), {"return": 502})

        # Every MPI function that LAMMPS uses or that the trace has, and every compute().
        lammps, mpi = library("liblammps"), library("libmpi.so")
        seen = trace.counts()
        exported = functions(mpi, "TW")
        names = demangled(name for name in functions(lammps, "TW") if "7computeE" in name)
        computes = {name: plain for name, plain in names.items() if plain.endswith("::compute")}
        self.assertGreater(len(computes), 100)
        called = {name for name in functions(lammps, "U") | set(seen) if name.startswith("MPI_") and name in exported}
        theirs = self.count_with_bpftrace([(mpi, name) for name in sorted(called)] +
                                          [(lammps, name) for name in sorted(computes)])
        expected = {}
        for (_, name), n in theirs.items():
            plain = computes.get(name, name)
            expected[plain] = expected.get(plain, 0) + n
        self.assertEqual(seen, expected)

    def test_the_sample_workflow_of_the_quick_start_has_every_process_and_call(self):
        folder = target("workflow")
        trace = self.trace(["solver:heat::Plate::*", "compressor:pack_*", "libz.so*:compress2",
                            "workers:analyse || workers:histogram || workers:collect"],
                           [os.path.join(folder, "workflow")], env=environment(PATH=folder + ":" + os.environ["PATH"]))
        self.assertCounts(trace, {"heat::Plate::relax": 1200, "heat::Plate::residual": 400, "heat::Plate::save": 8,
                                  "pack_file": 8, "pack_block": 112, "compress2": 112, "analyse": 8, "collect": 8})
        self.assertEqual(len({span["tid"] for span in trace.spans("heat::Plate::relax")}), 3)
        self.assertEqual(len({span["pid"] for span in trace.spans("analyse")}), 8)
        for span in trace.spans("compress2"):
            self.assertEqual(trace.parent_of(span)["name"], "pack_block")


if __name__ == "__main__":
    main(programs=("mpirun", "lmp", "bpftrace", "nm", "c++filt"), files=(MELT,))
