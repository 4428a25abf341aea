#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Tracing never changes what a program does: output and exit status are the same untraced and traced, in every mode.

The one exception is --returns=probes, which a user has to ask for: there the outcome is told and not judged. The table at
the end has a line for each program and a column for each mode. HARM_ONLY=text runs the cases that have it in their name.
"""
import collections
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import BUILD, PERFFLOW, TestCase, environment, main, perfflow, run, wait_for  # noqa: E402

TARGETS = os.path.join(BUILD, "tests", "harm")
ONLY = os.environ.get("HARM_ONLY", "")
SECONDS = 30  # none needs a tenth of it

# The copies that the targets load: a fault in what is done to the system's would break every process of the machine.
STDCXX, GCC, LIBC, LIBM = (
    f"*/harm/lib/{library}:*" for library in ("libstdc++.so.6", "libgcc_s.so.1", "libc.so.6", "libm.so.6"))

# Why a program may end otherwise when return probes are forced on it.
UNWINDER = "an unwinder meets the kernel's trampoline in place of a caller"
CALLER = "a return address that the program looks at is that of the kernel's trampoline"
STACKS = "the kernel takes the calls on another stack for dead"

MODES = ("auto", "sites", "probes", "never")
Case = collections.namedtuple("Case", "title argv aspects probes options")
CASES = []


def target(name):
    return os.path.join(TARGETS, name)


def case(name, *arguments, only="*", own=(), libraries=(), probes=None, options=()):
    """A program whose functions (and those of its own libraries) are traced; and again with those of the system's."""
    argv = [target(name), *arguments]
    title = " ".join([name, *(os.path.basename(a) for a in arguments)])
    aspects = [f"{name}:{only}", *(f"{library}:*" for library in own)]
    CASES.append(Case(title, argv, aspects, probes, options))
    if libraries:
        names = ", ".join(os.path.basename(library).split(".so")[0] for library in libraries)
        CASES.append(Case(f"{title} + {names}", argv, [*aspects, *libraries], probes, options))


for frames in ("1", "5", "50"):
    case("throws", frames, libraries=[STDCXX, GCC], probes=UNWINDER)
case("throws_o0", "5", probes=UNWINDER)
case("throws_o2", "5", probes=UNWINDER)
case("rethrows", libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
case("destructors", libraries=[STDCXX, GCC], probes=UNWINDER)
for how in ("noexcept", "uncaught", "bare"):
    case("terminates", how, libraries=[STDCXX, GCC], probes=UNWINDER)
    case("terminates", how, "handler", libraries=[STDCXX, GCC], probes=UNWINDER)
case("across", own=["libacross.so"], libraries=[STDCXX, GCC], probes=UNWINDER)
case("sorts", own=["libsorts.so", "libplain.so"], libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
case("launches", "sorts", own=["libsorts.so", "libplain.so"], libraries=[STDCXX, GCC], probes=UNWINDER, options=["--allow-empty"])
case("launches", "tosses", own=["tosses", "libtosses.so"], libraries=[STDCXX, GCC], probes=UNWINDER, options=["--allow-empty"])
case("tosses", own=["libtosses.so"], libraries=[STDCXX, GCC], probes=UNWINDER)
case("preloads", own=["preloaded"], probes=UNWINDER, options=["--allow-empty"])
for name in ("preloaded", "preloaded_plainly"):
    CASES.append(Case(f"{name} by env", ["/usr/bin/env", f"LD_PRELOAD={target('libtosses.so')}", target(name)], [f"{name}:*"], UNWINDER, ()))
case("jumps", libraries=[LIBC])
case("signals", libraries=[LIBC])
case("altstack", libraries=[LIBC], probes=STACKS)
case("thread_ends", libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
case("cancels", libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
case("plain_cancels", libraries=[LIBC])
case("coroutines", libraries=[LIBC], probes=STACKS)
case("deep")
case("maths", libraries=[LIBM])
case("tails")
case("clones", libraries=[LIBC])
case("returns_in_child", libraries=[LIBC])
case("execs", libraries=[LIBC])
case("plugs", target("libplug.so"), own=["libplug.so"], libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
case("hosts", target("libguest.so"), own=["libhost.so"], probes=UNWINDER)
case("seccomp_strict", libraries=[LIBC])
for how in ("kill", "error"):
    case("seccomp_filter", how, libraries=[LIBC])
case("callers", libraries=[LIBC], probes=CALLER)
case("inherits", libraries=[LIBC])
for kind in ("pie", "o0", "o3", "no_pie", "stripped"):
    case("mixture_" + kind, libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
case("mixture_static_runtime", libraries=[LIBC], probes=UNWINDER)
case("mixture_static", probes=UNWINDER)  # with all of the C library
if os.uname().machine == "x86_64":
    case("misread")
    case("firsts")
    case("faults", libraries=[LIBC])
    case("leaves")
    case("registers")
    for name in ("leaves", "registers", "seccomp_strict"):
        case(name + "_fentry")
    for how in ("kill", "error"):
        case("seccomp_filter_fentry", how)
    for kind in ("endbr", "fentry"):
        case("mixture_" + kind, libraries=[STDCXX, GCC, LIBC], probes=UNWINDER)
case("goroutines", only="main.*")
case("goroutines", "20")  # with all of the runtime
case("panics", libraries=[GCC, LIBC], probes=UNWINDER)

table = {}  # title of the case -> mode -> what happened


def own_words(err):
    """What the program wrote to standard error, without what perfflow said there."""
    return "".join(line for line in err.splitlines(True) if not line.startswith("perfflow: "))


def events(path):
    """How many spans and marks a trace has, even one that was cut off; None where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return sum(1 for line in file if re.search(r'"ph":"[Xi]"', line) and '"cat":"__' not in line)
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
        try:
            return perfflow("run", "--quiet", f"--returns={mode}", *words, *options, "-o", path, "--", *argv, timeout=SECONDS), path
        except AssertionError:  # it did not end in time
            return None, path

    def compare(self, case):
        """Runs a case in every mode, and notes in the table what came of it."""
        if not os.path.exists(case.argv[0]):
            self.skipTest(f"{case.argv[0]} was not built: what makes it is missing")
        plain = run(case.argv, SECONDS)
        self.assertEqual(difference(plain, run(case.argv, SECONDS)), None, "two plain runs differ: nothing to compare")
        for mode in MODES:
            with self.subTest(mode=mode):
                traced, path = self.traced(case.aspects, case.argv, mode, case.options)
                found = difference(plain, traced)
                n_events = events(path)
                table.setdefault(case.title, {})[mode] = outcome(case, mode, found, n_events)
                if mode != "probes":
                    self.assertIsNone(found, f"{case.title}: {found}; "
                                      f"{traced and first_line_that_differs(plain, traced)}\n{traced}")
                    self.assertTrue(n_events, f"{case.title}: nothing was traced\n{traced}")

    def test_a_32_bit_program_runs_untouched_and_is_refused_clearly_where_it_is_the_one_to_trace(self):
        if not os.path.exists(target("plain_32")):
            self.skipTest("no compiler and C library for 32 bits")
        plain = run([target("plain_32")])
        for mode in MODES:
            with self.subTest(mode=mode):
                refused, _ = self.traced(["plain_32:*"], [target("plain_32")], mode)
                self.assertSentence(refused, "32-bit")
                self.assertEqual(refused.out, "", "it must not have run")
                for aspect, options in (("plain_32:*", ["--allow-empty"]), (LIBC, ["--allow-empty"])):
                    traced, _ = self.traced([aspect], [target("plain_32")], mode, options)
                    self.assertIsNone(difference(plain, traced), f"{aspect}\n{traced}")

    def test_a_32_bit_process_is_refused_clearly_and_runs_on(self):
        if not os.path.exists(target("plain_32")):
            self.skipTest("no compiler and C library for 32 bits")
        program = self.start([target("plain_32"), "wait"], stdin=subprocess.PIPE)
        program.read_until("ready")
        refused = perfflow("attach", "-p", "plain_32:*", "--duration", "200ms", "-o", self.folder / "none.json", "--pid", program.pid)
        self.assertSentence(refused, "32-bit")
        self.assertFalse(os.path.exists(self.folder / "none.json"))
        self.assertEqual(program.finish(SECONDS).status, 13)

    def test_a_program_that_was_woven_without_what_is_loaded_into_it_later_is_named(self):
        if not os.path.exists(target("preloads")):
            self.skipTest("it was not built")
        ran = perfflow("run", "--allow-empty", "-p", "preloaded:*", "-o", self.folder / "named.json", "--", target("preloads"), "first",
                       timeout=SECONDS)
        self.assertRegex(ran.err, r"process \d+ executed '\S+/preloaded' with 'LD_PRELOAD=\S+libtosses.so', and return probes were on")
        plain = run([target("preloads"), "first"], SECONDS)
        sites, _ = self.traced(["preloaded:*"], [target("preloads"), "first"], "sites", ["--allow-empty"])
        self.assertIsNone(difference(plain, sites), sites)
        self.assertNotIn("LD_PRELOAD", sites.err)

    def test_probes_that_come_and_go_while_a_program_runs_do_not_change_what_it_does(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                program = self.start([target("toils")], stdin=subprocess.PIPE)
                program.read_until("ready")
                seen = [self.attached(program, mode, aspects, killed) for aspects in (["toils:*"], ["toils:*", GCC, LIBC])
                        for killed in (False, True, False)]
                try:
                    ran = program.finish(SECONDS)
                    found = None if (ran.status, ran.out) == (19, "ready\nwrong 0\n") else f"status {ran.status}"
                except AssertionError as hung:
                    ran, found = hung, "hangs"
                table.setdefault("toils, attached to", {})[mode] = f"{found or 'same'}, {sum(seen)}"
                if mode != "probes":
                    self.assertIsNone(found, ran)
                    self.assertTrue(all(seen), f"nothing was traced: {seen}")

    def test_a_program_that_is_not_traced_does_the_same_while_its_library_is_traced_in_another(self):
        plain = run([target("sorts")])
        for disabled in ("", "uprobe_session", "uprobe_session,uprobe_multi"):
            for mode in ("auto", "sites", "never"):
                with self.subTest(mode=mode, disabled=disabled):
                    path = self.folder / f"bystander-{mode}-{disabled}.json"
                    tracer = self.start([PERFFLOW, "run", "--quiet", f"--returns={mode}", "-p", "libplain.so:*", "-o", path, "--",
                                         target("launches")], stdin=subprocess.PIPE, env=environment(PERFFLOW_DISABLE=disabled))
                    wait_for("a trace", lambda: (events(path) or 0) > 10)
                    found = difference(plain, run([target("sorts")], SECONDS))
                    self.assertEqual(tracer.finish(SECONDS).status, 0)
                    table.setdefault("sorts, beside another" + (f" without {disabled}" if disabled else ""), {})[mode] = \
                        f"{found or 'same'}, {events(path)}"
                    self.assertIsNone(found)

    def attached(self, program, mode, aspects, killed):
        """Attaches to the program for a while, and detaches or dies; the number of spans and marks in the trace."""
        self.n_traces += 1
        path = self.folder / f"trace-{self.n_traces}.json"
        words = [word for aspect in aspects for word in ("-p", aspect)]
        tracer = self.start([PERFFLOW, "attach", "--quiet", f"--returns={mode}", *words, "-o", path,
                             "--pid", program.pid, "--duration", "60s" if killed else "300ms"])
        if killed:
            wait_for("a trace", lambda: (events(path) or 0) > 100 or program.poll() is not None)
            tracer.kill_all()
        else:
            tracer.finish(SECONDS)
        return events(path) or 0


def outcome(case, mode, found, n_events):
    expected = " (expected)" if found and mode == "probes" and case.probes else ""
    return (found or "same") + expected + (f", {n_events}" if n_events else ", no trace" if n_events is None else ", 0")


def print_table():
    """What happened to each program in each mode, with the number of spans and marks seen, and why probes may harm."""
    if not table:
        return
    rows = [["", *MODES]]
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
    """Each case becomes a test of its own; those that were not asked for go."""
    for name in SPECIAL:
        if ONLY not in name:
            delattr(Harm, SPECIAL[name])
    for case in CASES:
        if ONLY not in case.title:
            continue
        name = re.sub(r"\W+", "_", case.title.replace("libstdc++", "libstdcxx").replace("+", "with"))
        setattr(Harm, f"test_{name}_does_the_same_when_it_is_traced", lambda self, case=case: self.compare(case))


SPECIAL = {"toils": "test_probes_that_come_and_go_while_a_program_runs_do_not_change_what_it_does",
           "beside": "test_a_program_that_is_not_traced_does_the_same_while_its_library_is_traced_in_another",
           "preloads": "test_a_program_that_was_woven_without_what_is_loaded_into_it_later_is_named",
           "plain_32, attached": "test_a_32_bit_process_is_refused_clearly_and_runs_on",
           "plain_32": "test_a_32_bit_program_runs_untouched_and_is_refused_clearly_where_it_is_the_one_to_trace"}
add_tests()

if __name__ == "__main__":
    main()
