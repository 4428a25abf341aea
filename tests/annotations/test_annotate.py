#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Annotated sources, compiled unchanged with perfflow/annotate.h: `annotated()` finds each function, as it was annotated."""
import json
import os
import re
import subprocess

from compilers import ANNOTATE, C, CPP, SOURCES, STRICT, CompilerTestCase, is_clang, ways
from perfflow import main, perfflow

AROUND = ("around", None, None)

IN_C = {
    "plain": AROUND, "hidden": AROUND, "sends": ("around", None, "out"), "receives": ("around", None, "in"),
    "before": ("before", None, None), "after": ("after", None, "outin"),
    "around_async": ("around_async", "io, disk", "inout"), "before_async": ("before_async", "io", None),
    "after_async": ("after_async", "", None), "among_others": AROUND, "declared": AROUND, "is_inline": AROUND,
    "nobody_calls_me": AROUND,
}
IN_CPP = {
    "solver::inline_function": AROUND, "solver::function_template<int>": AROUND, "solver::function_template<double>": AROUND,
    "solver::function_template<long>": AROUND, "solver::shape::shape": AROUND, "solver::shape::~shape": AROUND,
    "solver::shape::member": AROUND, "solver::shape::static_member": AROUND, "solver::shape::virtual_member": AROUND,
    "solver::shape::outside": AROUND, "solver::shape::member_template<int>": ("around_async", "shapes", None),
    "solver::shape::member_template<float>": ("around_async", "shapes", None), "solver::grid<int>::grid": AROUND,
    "solver::grid<double>::grid": AROUND, "solver::grid<long>::grid": AROUND, "solver::grid<int>::add": AROUND,
    "solver::grid<double>::add": AROUND, "solver::grid<long>::add": AROUND,
    "solver::grid<int>::twice": ("before", None, None), "solver::grid<long>::twice": ("before", None, None),
    "(anonymous namespace)::anonymous": AROUND, "(anonymous namespace)::square::virtual_member": AROUND,
    "(anonymous namespace)::functor::operator()": AROUND, "(anonymous namespace)::throws": AROUND,
    "plain": ("after_async", "io", "in"), "hidden": AROUND, "the lambda": AROUND,
}
IN_LIBRARY = {
    "(anonymous namespace)::hidden_in_library": AROUND, "library": ("before_async", "library", None),
    "solver::function_template<int>": AROUND,
}


def read_annotation(text):
    """(pointcut, scope, flow), of one that is not garbled."""
    def value(key):
        found = re.findall(rf"\b{key}\s*=\s*'([^']*)'", text)
        return found[-1] if found else None
    return value("pointcut") or "around", value("scope"), value("flow")


def plain_name(name):
    """The compilers call lambdas as they like."""
    return "the lambda" if re.search(r"lambda|\$_0|'unnamed", name) else name


class Annotated(CompilerTestCase):
    def match(self, binary, pointcut="annotated()"):
        """{name: annotation} of the file itself, and what was rejected."""
        ran = perfflow("match", "--json", "--binary", binary, pointcut)
        binaries = [b for b in json.loads(ran.out)["binaries"] if b["name"] == os.path.basename(binary)]
        return ({plain_name(f["name"]): read_annotation(f["annotation"]) for b in binaries for f in b["functions"]},
                {r["name"]: r["reason"] for b in binaries for r in b["rejected"]})

    def build(self, compiler, flags, with_header=True):
        """The C++ program and its library."""
        header = ANNOTATE if with_header else ["-w"]
        library, program = self.folder / "libannotated.so", self.folder / "program"
        self.compile(compiler, "-g", *flags, *header, "-fPIC", "-shared", f"{SOURCES}/library.cpp", "-o", library)
        self.compile(compiler, "-g", *flags, *header, f"{SOURCES}/annotated.cpp", f"{SOURCES}/other.cpp", "-o", program,
                     library, f"-Wl,-rpath,{os.path.dirname(library)}")
        return program, library

    def check_cpp(self, compiler, flags):
        program, library = self.build(compiler, [*flags, *STRICT])
        self.assertEqual(self.output(program), self.expected_output)
        functions, rejected = self.match(program)
        self.assertEqual(functions, IN_CPP)
        self.assertEqual(list(rejected), ["malformed"])
        self.assertIn("Ignoring @critical_path(pointcut='around',): pointcut, scope or flow is expected",
                      rejected["malformed"])
        self.assertEqual(self.match(library), (IN_LIBRARY, {}))

    def test_cpp_is_found_however_it_is_compiled(self):
        for compiler in CPP:
            self.expected_output = self.output(self.build(compiler, ["-O1"], with_header=False)[0])
            for flags in ways(compiler):
                with self.subTest(f"{compiler} {' '.join(flags)}"):
                    self.check_cpp(compiler, flags)

    def test_cpp_of_every_standard_is_found(self):
        for compiler in CPP:
            self.expected_output = self.output(self.build(compiler, ["-O1"], with_header=False)[0])
            for standard in ("c++11", "gnu++14", "c++17", "gnu++20", "c++2b"):
                with self.subTest(f"{compiler} -std={standard}"):
                    self.check_cpp(compiler, ["-O2", f"-std={standard}"])

    def test_c_is_found_however_it_is_compiled(self):
        program = self.folder / "program"
        for compiler in C:
            self.compile(compiler, "-w", f"{SOURCES}/annotated.c", "-o", program)
            expected = self.output(program)
            for flags in [*([f"-std={s}", "-O2"] for s in ("c11", "gnu11", "c17", "gnu2x")), *ways(compiler)]:
                with self.subTest(f"{compiler} {' '.join(flags)}"):
                    self.compile(compiler, *STRICT, *ANNOTATE, *flags, f"{SOURCES}/annotated.c", "-o", program)
                    self.assertEqual(self.output(program), expected)
                    functions, rejected = self.match(program)
                    functions.setdefault("nobody_calls_me", AROUND)  # the linker may have thrown it away
                    self.assertEqual(functions, IN_C)
                    self.assertEqual(list(rejected), ["malformed"])

    def test_what_the_compiler_pass_of_perfflowaspect_dies_of(self):
        head = "#define CRITICAL_PATH __attribute__((annotate(\"@critical_path()\")))\n"
        ends_nowhere = head + """
            typedef void (*never_returns)(void) __attribute__((noreturn));
            CRITICAL_PATH int unreachable(int x) { if (x) return 1; __builtin_unreachable(); }
            CRITICAL_PATH int chooses(int x) { switch (x) { case 1: return 1; case 2: return 2; default: __builtin_unreachable(); } }
            CRITICAL_PATH void calls(never_returns f) { f(); }
            int main(void) { return unreachable(1) + chooses(2) - 3 + 0 * (calls == 0); }
        """
        coroutine = head + """
            #include <coroutine>
            struct task {
                struct promise_type {
                    task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
                    std::suspend_always initial_suspend() noexcept { return {}; }
                    std::suspend_always final_suspend() noexcept { return {}; }
                    void return_void() {}
                    void unhandled_exception() {}
                };
                std::coroutine_handle<promise_type> handle;
            };
            CRITICAL_PATH task rests() { co_await std::suspend_always{}; }
            int main() { auto t = rests(); while (!t.handle.done()) t.handle.resume(); t.handle.destroy(); }
        """
        for compiler in C + CPP:
            for name, text, flags, expected in (
                    ("nowhere", ends_nowhere, [], {"unreachable", "chooses", "calls"}),
                    ("nowhere", ends_nowhere, ["-O2"], {"unreachable", "chooses", "calls"}),
                    *([("coroutine", coroutine, ["-std=c++20", "-O2"], {"rests"})] if compiler in CPP else [])):
                with self.subTest(f"{compiler} {name} {flags}"):
                    source = self.write(f"{name}.{'cpp' if compiler in CPP else 'c'}", text)
                    self.compile(compiler, "-g", "-w", *flags, *ANNOTATE, source, "-o", self.folder / name)
                    self.output(self.folder / name)
                    self.assertEqual({found.split(".")[0] for found in self.match(self.folder / name)[0]}, expected)

    def test_a_library_without_its_symbol_table_keeps_what_it_exports(self):
        for compiler in CPP:
            with self.subTest(compiler):
                _, library = self.build(compiler, ["-O2"])
                debug = self.folder / "library.debug"
                subprocess.run(["objcopy", "--only-keep-debug", library, debug], check=True)
                subprocess.run(["objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", library], check=True)
                self.assertEqual(self.match(library)[0].get("library"), IN_LIBRARY["library"])

    def test_without_debug_information_gplusplus_is_told_of(self):
        for compiler in CPP:
            with self.subTest(compiler):
                program, _ = self.build(compiler, ["-O2"])
                subprocess.run(["strip", "-g", program], check=True)
                functions, rejected = self.match(program)
                if is_clang(compiler):
                    self.assertEqual(functions, IN_CPP)
                else:
                    self.assertEqual(functions, {})
                    self.assertIn("has no debug information (it was compiled without -g)", rejected["annotated()"])

    def test_debug_information_without_the_annotations_is_told_of(self):
        for compiler in CPP:
            if is_clang(compiler):
                continue
            for flags in (["-gsplit-dwarf"], ["-gdwarf-4", "-gstrict-dwarf"]):
                with self.subTest(f"{compiler} {' '.join(flags)}"):
                    program, _ = self.build(compiler, flags)
                    functions, rejected = self.match(program)
                    self.assertEqual(functions, {})
                    self.assertIn("no function that the debug information tells of has one", rejected["annotated()"])

    def test_annotations_of_others_are_left_alone(self):
        """On data too, where the compiler takes them; as a name, annotate() is everybody's."""
        source = """
            #include <stdio.h>
            struct plot { int annotate(int x) { return x; } %s };
            int annotate(int x) { return x + 1; }
            __attribute__((annotate("hot"), always_inline)) inline int warm(int x) { return x; }
            %s
            int main(int argc, char **) { plot p = plot(); return p.annotate(argc) + annotate(1) + warm(0) - 3; }
        """
        of_data = ('int field __attribute__((annotate("field"))); char byte __attribute__((annotate("byte")));',
                   'double global __attribute__((annotate("global")));'
                   'static_assert(sizeof(plot) == 8 && __alignof__(global) == 8, "unchanged");')
        for compiler in CPP:
            with self.subTest(compiler):
                path = self.write("others.cpp", source % (("", "") if is_clang(compiler) else of_data))
                self.compile(compiler, "-g", *STRICT, *ANNOTATE, path, "-o", self.folder / "others")
                self.output(self.folder / "others")
                self.assertEqual(self.match(self.folder / "others"), ({}, {}))
                if is_clang(compiler):
                    path = self.write("data.cpp", source % of_data)
                    self.assertIn("'section' attribute", self.compile(compiler, *ANNOTATE, path, fails=True))

    def test_headers_of_the_system_compile_as_before(self):
        headers = ["bits/stdc++.h", "immintrin.h" if os.uname().machine == "x86_64" else "arm_neon.h", "pthread.h", "sys/epoll.h",
                   "linux/perf_event.h", "Python.h"]
        source = self.write("headers.cpp", "".join(f"#if __has_include(<{h}>)\n#include <{h}>\n#endif\n" for h in headers))
        for compiler in CPP:
            for standard in ("c++11", "c++20"):
                with self.subTest(f"{compiler} {standard}"):
                    self.compile(compiler, f"-std={standard}", "-fsyntax-only", "-Wall", "-Werror", *ANNOTATE, source)

    def test_assembly_may_be_compiled_with_it(self):
        source = self.write("nothing.S", ".section .note.GNU-stack\n")
        for compiler in C:
            self.compile(compiler, *ANNOTATE, "-c", source, "-o", self.folder / "nothing.o")

    def test_gplusplus_names_what_it_lacks(self):
        source = self.write("old.cpp", '__attribute__((annotate("@critical_path()"))) int f() { return 1; }\n')
        for compiler in CPP:
            if not is_clang(compiler):
                said = self.compile(compiler, "-std=c++98", *ANNOTATE, "-c", source, "-o", self.folder / "old.o")
                self.assertIn("perfflow_needs_Cplusplus11", said)

    def test_a_plain_definition_goes_as_far_as_it_goes(self):
        """-Dannotate=section: one key and nothing inline, by gcc; by clang all."""
        pointcuts = ["around", "before", "after", "around_async", "before_async", "after_async"]
        source = self.write("plainly.c", "".join(
            f"__attribute__((annotate(\"@critical_path(pointcut='{p}')\"))) int f_{p}(int n) {{ return n; }}\n" for p in pointcuts) +
            "__attribute__((annotate(\"@critical_path(scope='io')\"))) int scoped(int n) { return n; }\n"
            "int main(void) { return 0; }\n")
        for compiler in C:
            with self.subTest(compiler):
                self.compile(compiler, "-Dannotate=section", source, "-o", self.folder / "plainly")
                ran = perfflow("match", "--binary", self.folder / "plainly", "annotated()")
                self.assertEqual(set(re.findall(r"plainly:(\w+)", ran.out)), {"scoped", *(f"f_{p}" for p in pointcuts)})

    def test_a_plain_definition_in_cpp(self):
        """By clang it is all; by g++ what is neither inline nor a template, with one key at most. e2e/annotated traces it."""
        plain = {"plain": "@critical_path()", "other_head": "@perfflowaspect.aspect.critical_path()",
                 "before": "@critical_path(pointcut='before')", "receives": "@critical_path(flow='in')"}
        several = {"several": "@critical_path(pointcut='around_async', scope='io', flow='inout')"}
        inline = ('template <class T> __attribute__((annotate("@critical_path()"), noinline)) T any(T n) { return n; }\n'
                  'struct mesh { __attribute__((annotate("@critical_path()"), noinline)) int size(int n) { return n; } };\n'
                  "int main() { return any(0) + mesh().size(0); }\n")
        for compiler in CPP:
            with self.subTest(compiler):
                functions = {**plain, **several} if is_clang(compiler) else plain
                source = self.write("plainly.cpp", "".join(
                    f'__attribute__((annotate("{text}"))) int {name}(int n) {{ return n; }}\n' for name, text in functions.items()) +
                    (inline if is_clang(compiler) else "int main() {}\n"))
                self.compile(compiler, "-O0", "-Dannotate=section", source, "-o", self.folder / "plainly")
                found, rejected = self.match(self.folder / "plainly")
                self.assertEqual(rejected, {})
                if is_clang(compiler):
                    self.assertEqual(found, {**{name: read_annotation(text) for name, text in functions.items()},
                                             "any<int>": AROUND, "mesh::size": AROUND})
                else:
                    self.assertEqual(set(found), set(functions))  # the assembler has garbled them

    def test_binaries_that_can_be_patched_are_not_annotated(self):
        """As some systems compile all of their libraries."""
        source = self.write("patched.c", "int f(int n) { return n; }\nint main(void) { return f(0); }\n")
        for compiler in C:
            self.compile(compiler, "-g", "-fpatchable-function-entry=16,14", source, "-o", self.folder / "patched")
            self.assertEqual(self.match(self.folder / "patched"), ({}, {}))


if __name__ == "__main__":
    main(bpf=False, programs=("gcc", "g++", "clang", "clang++", "ld.gold", "ld.lld", "objcopy", "strip"))
