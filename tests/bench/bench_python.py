#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a call of a Python function costs, decorated or selected by py(), in CPU time of the program, median of some runs.

    bench_python.py [INTERPRETER...]

Without arguments: the interpreter that runs this. Exits with 1 where a decorated call costs more than half of what
PerfFlowAspect's does in its cheapest mode.
"""
import os
import resource
import statistics
import subprocess
import sys
import tempfile

BUILD = os.environ.get("PERFFLOW_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build", "release"))
PERFFLOW = os.path.join(BUILD, "perfflow")
PACKAGE = os.path.join(BUILD, "python")
RUNS = 5
GOAL_NS = 16700 / 2  # of a decorated call that is traced: docs/perfflowaspect.md has what PerfFlowAspect needs

PROGRAM = '''
import sys, time
import perfflowaspect.aspect
def empty(): pass
def other(): pass
def decorated(): pass
decorated = perfflowaspect.aspect.critical_path()(decorated)
def run(function, n):
    for _ in range(n): function()
def builtins(n):
    for _ in range(n): len("abc")
def body(n):
    s = 0
    for i in range(n): s += i * i % 7
what, n = sys.argv[1], int(sys.argv[2])
function = {"empty": empty, "other": other, "decorated": decorated}.get(what)
run(function, 100) if function else None
start = time.process_time_ns()
run(function, n) if function else globals()[what](n)
print((time.process_time_ns() - start) / n)
'''


def measure(interpreter, what, n, *options):
    """CPU nanoseconds of one call."""
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "program.py")
        with open(script, "w") as file:
            file.write(PROGRAM)
        argv = [interpreter, script, what, str(n)]
        if options:
            argv = [PERFFLOW, "run", "--quiet", *options, "-o", os.path.join(folder, "t.json"), "--", *argv]
        environment = dict(os.environ, PYTHONPATH=PACKAGE, PYTHONDONTWRITEBYTECODE="1")
        figures = [float(subprocess.run(argv, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout)
                   for _ in range(RUNS)]
    return statistics.median(figures)


def children_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def start(interpreter, **variables):
    """CPU milliseconds from the start of an interpreter that does nothing to its end."""
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **variables)
    times = [children_s()]
    for _ in range(4 * RUNS):
        subprocess.run([interpreter, "-c", "pass"], env=environment, check=True)
        times.append(children_s())
    return statistics.median(after - before for before, after in zip(times, times[1:])) * 1000


ROWS = (  # title, what is called, how often, options of the run
    ("plain function", "empty", 1_000_000, ()),
    ("decorated, not traced", "decorated", 1_000_000, ()),
    ("decorated, traced", "decorated", 50_000, ("-p", "annotated()")),
    ("decorated, traced, with memory", "decorated", 50_000, ("-p", "annotated()", "--metrics", "mem")),
    ("py(), selected", "empty", 50_000, ("-p", "py(program:empty)")),
    ("py(), not selected", "other", 1_000_000, ("-p", "py(program:empty)")),
    ("built-in function", "builtins", 1_000_000, ()),
    ("built-in function, in a session with py()", "builtins", 1_000_000, ("-p", "py(program:empty)")),
    ("turn of a loop", "body", 1_000_000, ()),
    ("turn of a loop, in a session with py()", "body", 1_000_000, ("-p", "py(program:empty)")),
)


def main():
    is_good = True
    for interpreter in sys.argv[1:] or [sys.executable]:
        version = subprocess.run([interpreter, "-c", "import sys; print(sys.version.split()[0])"], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout.strip()
        print(f"Python {version}: CPU ns per call")
        for title, what, n, options in ROWS:
            figure = measure(interpreter, what, n, *options)
            print(f"  {title:44} {figure:9.1f}", flush=True)
            is_good &= title != "decorated, traced" or figure <= GOAL_NS
        print(f"  {'start and end of the interpreter, ms':44} {start(interpreter):9.1f}")
        hook = start(interpreter, PYTHONPATH=os.path.join(PACKAGE, "hook"), PERFFLOW_PY="1 -a\n0 program empty\n")
        print(f"  {'the same with the hook of py(), ms':44} {hook:9.1f}", flush=True)
    sys.exit(0 if is_good else 1)


main()
