#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Tracing never changes what a program does: output and exit status are the same untraced and traced, in every mode.

The one exception is --returns=probes, which a user has to ask for: there the outcome is told and not judged. The table at
the end has a line for each program and a column for each mode. HARM_ONLY=text runs the cases that have it in their name.
"""
import collections
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import BUILD, Program, TestCase, main, perfflow, run  # noqa: E402

TARGETS = os.path.join(BUILD, "tests", "harm")
ONLY = os.environ.get("HARM_ONLY", "")
SECONDS = 30  # none needs a tenth of it

# The copies that the targets load: a fault in what is done to the system's would break every process of the machine.
STDCXX, GCC, LIBC = (f"*/harm/lib/{library}:*" for library in ("libstdc++.so.6", "libgcc_s.so.1", "libc.so.6"))

# Why a program may end otherwise when return probes are forced on it.
UNWINDER = "an unwinder meets the kernel's trampoline in place of a caller"
CALLER = "a return address that the program looks at is that of the kernel's trampoline"
STACKS = "the kernel takes the calls on another stack for dead"
MOVED = "a stack is copied with the trampoline in it, and the kernel knows only its old place"
TWICE = "setjmp, getcontext and vfork keep the trampoline as their way back, and it serves once"

Case = collections.namedtuple("Case", "title argv aspects probes")
CASES = []


def target(name):
    return os.path.join(TARGETS, name)


def case(name, *arguments, own=(), libraries=(), probes=None):
    """A program whose functions (and those of its own libraries) are traced; and again with those of the system's."""
    argv = [target(name), *arguments]
    title = " ".join([name, *(os.path.basename(a) for a in arguments)])
    aspects = [f"{name}:*", *(f"{library}:*" for library in own)]
    CASES.append(Case(title, argv, aspects, probes))
    if libraries:
        names = ", ".join(os.path.basename(library).split(".so")[0] for library in libraries)
        CASES.append(Case(f"{title} + {names}", argv, [*aspects, *libraries], probes))


for frames in ("1", "5", "50"):
    case("throws", frames, libraries=[STDCXX, GCC], probes=UNWINDER)
case("throws_o0", "5", probes=UNWINDER)
case("throws_o2", "5", probes=UNWINDER)
case("rethrows", libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
case("destructors", libraries=[STDCXX, GCC], probes=UNWINDER)
for how in ("noexcept", "uncaught", "bare"):
    case("terminates", how, libraries=[STDCXX, GCC])
    case("terminates", how, "handler", libraries=[STDCXX, GCC], probes=UNWINDER)
case("across", own=["libacross.so"], libraries=[STDCXX, GCC], probes=UNWINDER)
case("sorts", own=["libsorts.so"], libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
case("jumps", libraries=[LIBC], probes=TWICE)
case("signals", libraries=[LIBC], probes=TWICE)
case("altstack", libraries=[LIBC], probes=TWICE)
case("thread_ends", libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
case("cancels", libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
case("coroutines", libraries=[LIBC], probes=STACKS)
case("deep")
case("tails")
case("clones", libraries=[LIBC], probes=TWICE)
case("returns_in_child", libraries=[LIBC])
case("execs", libraries=[LIBC])
case("plugs", target("libplug.so"), own=["libplug.so"], libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
for kind in ("", "_fentry"):
    case("seccomp_strict" + kind, libraries=[LIBC])
    case("seccomp_filter" + kind, "kill", libraries=[LIBC])
    case("seccomp_filter" + kind, "error", libraries=[LIBC])
case("faults", libraries=[LIBC], probes=TWICE)
case("vectors")
case("callers", libraries=[LIBC], probes=CALLER)
case("inherits", libraries=[LIBC])
for kind in ("pie", "o0", "o3", "no_pie", "static_runtime", "stripped", "endbr", "fentry"):
    case("mixture_" + kind, libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
case("mixture_static", probes=UNWINDER)
for kind in ("", "_fentry"):
    case("leaves" + kind)
    case("registers" + kind)
case("goroutines", probes=MOVED)
case("panics", libraries=[GCC, LIBC], probes=UNWINDER)


def modes():
    """The ways to see returns that this perfflow offers; an empty one where it has only its own."""
    return ["auto", "sites", "probes", "never"] if "--returns" in perfflow("run", "--help").out else [""]


MODES = modes()
table = {}  # title of the case -> mode -> what happened


def own_words(err):
    """What the program wrote to standard error, without what perfflow said there."""
    return "".join(line for line in err.splitlines(True) if not line.startswith("perfflow: "))


def events(path):
    """How many spans and marks a trace has, even one that was cut off; None where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return sum(1 for line in file if re.search(r'"ph":"[Xi]"', line))
    except OSError:
        return None


def difference(plain, traced):
    """What a traced run did otherwise than the plain one, in a few words, or None."""
    if traced is None:
        return "hangs"
    if traced.status != plain.status:
        return f"status {traced.status}"
    for name, before, after in (("output", plain.out, traced.out), ("errors", plain.err, own_words(traced.err))):
        if before != after:
            return f"other {name}"
    return None


def first_line_that_differs(plain, traced):
    before, after = ((ran.out + own_words(ran.err)).splitlines() + ["(nothing)"] for ran in (plain, traced))
    for number, (a, b) in enumerate(zip(before, after), 1):
        if a != b:
            return f"line {number}: untraced {a!r}, traced {b!r}"
    return "the same output"


class Harm(TestCase):
    @classmethod
    def tearDownClass(cls):
        print_table()

    def traced(self, aspects, argv, mode, options=()):
        """The command under `perfflow run`, and the path of the trace; None for the first if it hung."""
        self.n_traces += 1
        path = self.folder / f"trace-{self.n_traces}.json"
        words = [word for aspect in aspects for word in ("-p", aspect)]
        returns = [f"--returns={mode}"] if mode else []
        try:
            return perfflow("run", "--quiet", *returns, *words, *options, "-o", path, "--", *argv, timeout=SECONDS), path
        except AssertionError:  # it did not end in time
            return None, path

    def compare(self, case):
        """Runs a case in every mode, and notes in the table what came of it."""
        if not os.path.exists(case.argv[0]):
            self.skipTest(f"{case.argv[0]} was not built: its compiler is missing")
        plain = run(case.argv, SECONDS)
        self.assertEqual(difference(plain, run(case.argv, SECONDS)), None, "two plain runs differ: nothing to compare")
        for mode in MODES:
            with self.subTest(mode=mode or "default"):
                traced, path = self.traced(case.aspects, case.argv, mode)
                found = difference(plain, traced)
                n_events = events(path)
                table.setdefault(case.title, {})[mode] = outcome(case, mode, found, n_events)
                if mode != "probes":
                    self.assertIsNone(found, f"{case.title}: {found}; "
                                      f"{traced and first_line_that_differs(plain, traced)}\n{traced}")
                    self.assertTrue(n_events, f"{case.title}: nothing was traced\n{traced}")


def outcome(case, mode, found, n_events):
    expected = " (expected)" if found and mode == "probes" and case.probes else ""
    return (found or "same") + expected + (f", {n_events}" if n_events else ", no trace" if n_events is None else ", 0")


def print_table():
    """What happened to each program in each mode, with the number of spans and marks seen, and why probes may harm."""
    if not table:
        return
    rows = [["", *(mode or "default" for mode in MODES)]]
    rows += [[title, *(cells.get(mode, "") for mode in MODES)] for title, cells in table.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    reasons = collections.OrderedDict()
    for case in CASES:
        if "(expected)" in table.get(case.title, {}).get("probes", ""):
            reasons.setdefault(case.probes, []).append(case.title)
    for reason, titles in reasons.items():
        print(f"\nexpected of forced return probes: {reason}:\n  {'; '.join(titles)}")
    sys.stdout.flush()


def add_tests():
    """Each case becomes a test of its own."""
    for case in CASES:
        if ONLY not in case.title:
            continue
        name = re.sub(r"\W+", "_", case.title.replace("libstdc++", "libstdcxx").replace("+", "with"))
        setattr(Harm, f"test_{name}_does_the_same_when_it_is_traced", lambda self, case=case: self.compare(case))


add_tests()

if __name__ == "__main__":
    main(programs=["go", "rustc"] if not ONLY else ())
