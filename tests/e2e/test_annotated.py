#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Annotated sources and those that use perfflow/aspect.h, traced: each call is there, under its name, in a trace and in
PerfFlowAspect's files. tests/annotations has what is found in binaries."""
import collections
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "annotations")]
from compilers import ANNOTATE, C, CPP, SOURCES, CompilerTestCase, ways  # noqa: E402
from events import asyncs, moments  # noqa: E402
from perfflow import main, target  # noqa: E402
from pfw_files import MODES, PfwTestCase  # noqa: E402

# What a round of annotated.c calls once, by the phases of its events.
IN_C = {"plain": "BE", "hidden": "BE", "sends": "BE", "receives": "BE", "before": "B", "after": "E", "around_async": "be",
        "before_async": "b", "after_async": "e", "among_others": "BE", "declared": "BE", "is_inline": "BE"}
# What a round of annotated.cpp and its library calls, and how often.
IN_CPP = {
    "solver::inline_function": ("BE", 2), "int solver::function_template<int>": ("BE", 3),
    "double solver::function_template<double>": ("BE", 1), "long solver::function_template<long>": ("BE", 1),
    "solver::shape::shape": ("BE", 2), "solver::shape::~shape": ("BE", 2), "solver::shape::member": ("BE", 2),
    "solver::shape::static_member": ("BE", 1), "solver::shape::outside": ("BE", 1),
    "int solver::shape::member_template<int>": ("be", 2), "float solver::shape::member_template<float>": ("be", 1),
    "solver::grid<int>::grid": ("BE", 1), "solver::grid<double>::grid": ("BE", 1), "solver::grid<long>::grid": ("BE", 1),
    "solver::grid<int>::add": ("BE", 1), "solver::grid<double>::add": ("BE", 1), "solver::grid<long>::add": ("BE", 1),
    "solver::grid<int>::twice": ("B", 1), "solver::grid<long>::twice": ("B", 1), "(anonymous namespace)::anonymous": ("BE", 1),
    "(anonymous namespace)::square::virtual_member": ("BE", 1), "(anonymous namespace)::functor::operator()": ("BE", 1),
    "(anonymous namespace)::throws": ("BE", 1), "plain": ("e", 1), "hidden": ("BE", 1), "the lambda": ("BE", 1),
    "(anonymous namespace)::hidden_in_library": ("BE", 1), "library": ("b", 1),
}
# Calls of a round that the program counts and that are not annotated, and one of the library that nobody counts.
N_FOREIGN, N_UNCOUNTED = 2, 1


def plain_name(name):
    """The compilers call lambdas as they like."""
    return "the lambda" if re.search(r"lambda|\$_0|'unnamed", name) else name


class AnnotatedTestCase(PfwTestCase):
    def phases_of(self, file):
        """Name and phase, and how often they are there, but for arrows."""
        return collections.Counter((plain_name(event["name"]), event["ph"]) for event in file.events if event["name"] != "flow")

    def check_c(self, program, n=3):
        self.loose = "flow|async"
        file = self.one([program, n], warnings=1)  # of the annotation that is malformed
        self.assertEqual(self.phases_of(file), {(name, phase): n for name, phases in IN_C.items() for phase in phases})
        self.assertEqual(self.n_counted(), n * (len(IN_C) + N_FOREIGN))
        flows = collections.Counter(event["ph"] for event in file.events if event["name"] == "flow")
        self.assertEqual(flows, {"s": 2 * n, "f": 3 * n})

    def n_counted(self):
        """By the program itself."""
        return int(re.match(r"(\d+) calls", self.ran.out)[1])

    def check_cpp(self, program, n=3):
        self.loose = "flow|async"
        file = self.one([program, n], warnings=1)
        self.assertEqual(self.phases_of(file),
                         {(name, phase): n * count for name, (phases, count) in IN_CPP.items() for phase in phases})
        self.assertEqual(self.n_counted(), n * (sum(count for _, count in IN_CPP.values()) + N_FOREIGN - N_UNCOUNTED))


class Annotated(AnnotatedTestCase):
    def test_c_in_files(self):
        self.check_c(target("annotated_c"))

    def test_cpp_and_its_library_in_files(self):
        self.check_cpp(target("annotated_cpp"))

    def test_c_in_a_trace(self):
        trace = self.trace("annotated()", [target("annotated_c"), 5])
        self.assertEqual(trace.counts(), {name: 5 for name, phases in IN_C.items() if phases == "BE"})
        self.assertEqual(collections.Counter(e["name"] for e in moments(trace)), {"before": 5, "after": 5})
        self.assertEqual(collections.Counter(pair.name for pair in asyncs(trace, "around_async")), {"around_async": 5})

    def test_cpp_and_its_library_in_a_trace(self):
        trace = self.trace("annotated()", [target("annotated_cpp"), 5])
        self.assertEqual({plain_name(name): count for name, count in trace.counts().items()},
                         {re.sub(r"^(int|double|long) (?=solver)", "", name): 5 * count  # without what templates return
                          for name, (phases, count) in IN_CPP.items() if phases == "BE"})


class Built(CompilerTestCase, AnnotatedTestCase):
    """With every compiler, in each of its ways."""

    def test_c_however_it_is_compiled(self):
        program = self.folder / "program"
        for compiler in C:
            for flags in ways(compiler):
                with self.subTest(f"{compiler} {' '.join(flags)}"):
                    self.compile(compiler, "-g", "-w", *flags, *ANNOTATE, f"{SOURCES}/annotated.c", "-o", program)
                    self.check_c(program)

    def test_cpp_however_it_is_compiled(self):
        library, program = self.folder / "libannotated.so", self.folder / "program"
        for compiler in CPP:
            for flags in ways(compiler):
                with self.subTest(f"{compiler} {' '.join(flags)}"):
                    common = [compiler, "-g", "-w", *flags, *ANNOTATE]
                    self.compile(*common, "-fPIC", "-shared", f"{SOURCES}/library.cpp", "-o", library)
                    self.compile(*common, f"{SOURCES}/annotated.cpp", f"{SOURCES}/other.cpp", "-o", program, library,
                                 f"-Wl,-rpath,{self.folder.path}")
                    self.check_cpp(program)


    def test_without_the_header_as_far_as_that_goes(self):
        program, plainly = self.folder / "program", ""
        for name, text in (("plain", ""), ("before", "pointcut='before'"), ("after", "pointcut='after'"), ("receives", "flow='in'"),
                           ("async", "pointcut='around_async'")):
            plainly += f'__attribute__((annotate("@perfflowaspect.aspect.critical_path({text})"), noinline)) void {name}_() {{ n++; }}\n'
        source = self.write("plainly.cpp", "static volatile int n;\n" + plainly +
                            "int main() { plain_(); before_(); after_(); receives_(); async_(); }\n")
        self.loose = "flow|async"
        for compiler in CPP:
            with self.subTest(compiler):
                self.compile(compiler, "-g", "-w", "-O2", "-Dannotate=section", source, "-o", program)
                self.assertEqual(self.one([program]).shape(), "B.plain_ E.plain_ B.before_ E.after_ B.receives_ f.flow E.receives_ "
                                                              "b.async_ e.async_")


class Regions(PfwTestCase):
    """perfflow/aspect.h."""

    INNER = "B.inner scope E.inner scope "

    def test_regions_marks_and_asynchronous_events_in_files(self):
        file = self.one([target("regions"), 4])
        rounds = [f"B.round {n} b.request B.inside B.outer scope {self.INNER * (1 + n % 2)}E.outer scope E.inside B.half way "
                  f"n.request e.request E.round {n}" for n in range(4)]
        self.assertEqual(len(file.tids()), 2)
        for tid in file.tids():
            self.assertEqual(file.shape(tid), " ".join(rounds))
        numbered = [f"round {n}" for n in range(4)]
        self.assertEqual({(event["name"], event["cat"]) for event in file.events},
                         {*((name, "rounds") for name in numbered), *(("inside", category) for category in numbered),
                          ("request", "io"), ("outer scope", "scopes"), ("inner scope", "scopes"), ("half way", "rounds")})
        ids = collections.Counter((event["ph"], event["id"]) for event in file.events if event["name"] == "request")
        self.assertEqual(ids, {(phase, (thread << 32) + n): 1 for phase in "bne" for thread in (1, 2) for n in range(4)})

    def test_regions_in_every_mode(self):
        for mode in MODES:
            file = self.one([target("regions"), 200], options=mode)
            for phases in ("BX", "EX"):
                self.assertEqual([file.count(name, phases) for name in ("inside", "outer scope", "inner scope", "round 7")],
                                 [400, 400, 600, 2])

    def test_regions_in_a_trace(self):
        trace = self.trace("annotated()", [target("regions"), 4], allow_empty=True)
        self.assertEqual(trace.counts(), {**{f"round {n}": 2 for n in range(4)}, "inside": 8, "outer scope": 8, "inner scope": 12})
        self.assertEqual([e["name"] for e in moments(trace)], ["half way"] * 8)
        self.assertEqual(len(asyncs(trace, "request")), 8)

    SCOPED = "B.int in_template<int> B.template E.template E.int in_template<int> "

    def test_scopes_that_end_by_a_return_and_by_an_exception_in_files(self):
        file = self.one([target("scopes"), 5])
        returns = f"B.catches B.try {self.SCOPED}E.try E.catches"
        throws = f"B.catches B.try {self.SCOPED}E.try B.caught E.catches"
        self.assertEqual(file.shape(), " ".join([f"{returns} {throws} B.other file {self.SCOPED}E.other file"] * 5))

    def test_scopes_in_a_trace(self):
        trace = self.trace("annotated()", [target("scopes"), 5])
        self.assertEqual(trace.counts(), {"catches": 10, "try": 10, "in_template<int>": 15, "template": 15, "other file": 5})
        self.assertEqual([e["name"] for e in moments(trace)], ["caught"] * 5)


class EarlyAndLate(PfwTestCase):
    """Calls before main() and after it, and in what a program loads itself."""

    PLUGIN = target("libpfw_plugin.so")

    @staticmethod
    def hidden(n, wait_us):
        """A command in which the plugin's name is not to be read."""
        put_together = 'program=$0 stem=$1; shift; exec "$program" "$stem.so" "$@"'
        return ["sh", "-c", put_together, target("pfw_early"), EarlyAndLate.PLUGIN[:-3], n, wait_us]

    def test_before_main_and_after_it(self):
        self.assertEqual(self.one([target("pfw_early")]).shape(), "B.made E.made B.runs E.runs B.unmade E.unmade")

    def with_plugin(self, n):
        return ("B.made E.made B.runs E.runs B.plugin_made E.plugin_made " + "B.plugin_step E.plugin_step " * n +
                "B.plugin_unmade E.plugin_unmade B.unmade E.unmade")

    def test_a_plugin_that_the_command_names_is_woven_before_it_is_there(self):
        self.assertEqual(self.one([target("pfw_early"), self.PLUGIN, 100, 0]).shape(), self.with_plugin(100))

    def test_a_plugin_that_an_aspect_names_is_woven_before_it_is_there(self):
        # it lasts until all libraries of a program that nobody knew of are read
        file = self.one(self.hidden(100, 20000),
                        words=("--pfw", "-p", "annotated()", "-p", f"annotated() && within({self.PLUGIN})"))
        self.assertEqual(file.shape(), self.with_plugin(100))

    def test_any_other_is_woven_as_soon_as_it_is_there_and_a_warning_tells_of_it(self):
        file = self.one(self.hidden(200, 10000), warnings=1)
        self.assertIn("functions of 'libpfw_plugin.so' were woven after process", self.ran.err)
        self.assertTrue(file.shape().startswith("B.made E.made B.runs E.runs "))
        self.assertTrue(file.shape().endswith("B.plugin_step E.plugin_step B.plugin_unmade E.plugin_unmade B.unmade E.unmade"))
        self.assertTrue(50 < file.count("plugin_step") <= 200, file.count("plugin_step"))


if __name__ == "__main__":
    main(programs=("gcc", "g++", "clang", "clang++", "ld.gold", "ld.lld"))
