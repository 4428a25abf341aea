#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""bench_match.py - how long it takes to find what a pointcut selects, its sites chosen: what a user waits for before a trace

`perfflow match` on a large library alone and on a program with all of its libraries: LAMMPS, and the largest of libLLVM and
WebKit that is installed; and on a program of 200 MB, most of it debug information, that is made for it. Of several runs the
least time counts; the memory is the most that a run had, with what it has mapped of the file. What takes longer than its goal is
named, and the exit status is 1 then.

PERFFLOW_BUILD names the build folder (default: build/release). Needs no rights.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("PERFFLOW_BUILD", os.path.join(HERE, "../../build/release"))
PERFFLOW = os.path.join(BUILD, "perfflow")
ROUNDS = 5

LAMMPS = ["LAMMPS_NS::PairLJCut::compute", "LAMMPS_NS::*::compute", "*", "* --explain", "* --explain --json"]
LARGE = {
    "libLLVM": ["llvm::Module::getFunction", "llvm::*Pass*::run*", "*"],
    "libwebkit": ["WebKit::WebPageProxy::close", "WebKit::*Proxy::did*", "*"],
}
# A unit with much debug information; copies of it under other names are one program.
UNIT = """
#include <bits/stdc++.h>
namespace n100 {
template <class T> struct Box {
	std::map<std::string, std::vector<T>> values;
	std::regex pattern;
	T sum() const { T sum{}; for (auto &v : values) for (auto &x : v.second) sum += x; return sum; }
	bool has(const std::string &text) const { return std::regex_search(text, pattern); }
};
double work(int n)
{
	Box<double> d; Box<int> i; Box<long> l;
	std::stringstream s;
	d.values["x"].push_back(n);
	s << d.sum() << i.has("ab") << l.has("b") << l.sum();
	return std::async(std::launch::async, [&] { return d.sum(); }).get() + s.str().size();
}
}
"""
N_UNITS = 360
DEBUG = ["n150::work", "within(file:*unit.cc)", "within(file:*unit.cc) --explain"]
GOALS = {"liblammps": 0.5, "large": 5}  # seconds, whatever is asked; by how the file's name begins
PROGRAM = ["libmpi.so*:MPI_*", "liblammps.so*:LAMMPS_NS::*::compute", "*:*"]


def installed(pattern):
    """The largest file of that name where libraries are, or None."""
    paths = {os.path.realpath(path) for folder in ("/usr/lib/*", "/usr/lib64", "/usr/lib")
             for path in glob.glob(os.path.join(folder, pattern))}
    return max(paths, key=os.path.getsize, default=None)


def make_large(folder):
    """A program with much debug information, or None where there is no compiler for it."""
    try:
        with open(f"{folder}/unit.cc", "w") as file:
            file.write(UNIT)
        subprocess.run(["g++", "-g", "-O1", "-c", "unit.cc"], cwd=folder, check=True)
        for i in range(101, 100 + N_UNITS):
            subprocess.run(["objcopy", "--redefine-sym", f"_ZN4n1004workEi=_ZN4n{i}4workEi", "unit.o", f"{i}.o"], cwd=folder, check=True)
        subprocess.run(["sh", "-c", "echo 'int main() {}' | g++ -o large -x c++ - -x none *.o"], cwd=folder, check=True)
    except FileNotFoundError as error:
        print(f"{error.filename} is not installed: no program with debug information", file=sys.stderr)
        return None
    return f"{folder}/large"


def cases(folder):
    """Yields (file, pointcut)."""
    large = {path: LARGE[name] for name in LARGE if (path := installed(name + "*.so*"))}
    files = {installed("liblammps.so*"): LAMMPS, "/usr/bin/lmp": PROGRAM}
    if large:
        path = max(large, key=os.path.getsize)
        files[path] = large[path]
    else:
        print("neither libLLVM nor WebKit is installed: left out", file=sys.stderr)
    for path, pointcuts in files.items():
        if not path or not os.path.exists(path):
            print("LAMMPS is not installed: left out", file=sys.stderr)
            continue
        for pointcut in pointcuts:
            yield path, pointcut
    path = make_large(folder)
    for pointcut in DEBUG if path else []:
        yield path, pointcut


def goal_of(path):
    """Seconds, or None where there is no goal."""
    return next((goal for name, goal in GOALS.items() if os.path.basename(path).startswith(name)), None)


def match(path, pointcut):
    """Returns seconds, seconds of CPU, the most memory in bytes, functions and binaries."""
    start = time.monotonic()
    process = subprocess.Popen([PERFFLOW, "match", "--binary", path, *pointcut.split()], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    found = re.search(r"functions: (\d+), binaries: (\d+)", said)
    if process.returncode or not found:
        sys.exit(f"bench_match: '{pointcut}' in {path}: {said.strip()}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, int(found[1]), int(found[2])


def main():
    if not os.access(PERFFLOW, os.X_OK):
        sys.exit(f"bench_match: no perfflow at {PERFFLOW}: build it, or name the build folder in PERFFLOW_BUILD")
    print("| `perfflow match` | pointcut | functions | time | CPU time | memory |\n|---|---|---|---|---|---|")
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        for path, pointcut in cases(folder):
            runs = [match(path, pointcut) for _ in range(ROUNDS)]
            seconds, cpu, memory = min(run[0] for run in runs), min(run[1] for run in runs), max(run[2] for run in runs)
            functions, binaries = runs[0][3:]
            size = os.path.getsize(path)
            name = os.path.basename(path) + (" with its libraries" if path.endswith("/lmp") else f", {size / 1e6:,.0f} MB")
            where = f" in {binaries} binaries" if binaries > 1 else ""
            print(f"| {name} | `{pointcut}` | {functions:,}{where} | {seconds:.2f} s | {cpu:.2f} s | "
                  f"{memory / 2**20:.0f} MiB |", flush=True)
            goal = goal_of(path)
            if goal and seconds > goal:
                missed.append(f"'{pointcut}' in {os.path.basename(path)} took {seconds:.2f} s, not {goal} s at most")
    for sentence in missed:
        print(f"bench_match: {sentence}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
