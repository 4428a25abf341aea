#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""perfflow/aspect.h: its static probes are where tools look for them, with their arguments, and count who looks."""
import os
import re
import subprocess

from compilers import C, CPP, INCLUDE, SOURCES, STRICT, CompilerTestCase, ways
from perfflow import main, no_bpf, perfflow

NAMES = {"begin", "end", "mark", "async_begin", "async_instant", "async_end"}
OPERANDS = {"begin": 2, "end": 0, "mark": 2, "async_begin": 3, "async_instant": 3, "async_end": 3}


SDT = [f"/usr/include/{os.uname().machine}-linux-gnu/sys/sdt.h", "/usr/include/sys/sdt.h"]


def notes(path):
    """[(name, location, semaphore, arguments)] of the provider perfflow."""
    text = subprocess.run(["readelf", "-nW", path], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    return [(name, int(location, 16), int(semaphore, 16), arguments.split()) for name, location, semaphore, arguments in
            re.findall(r"Provider: perfflow\n\s+Name: (\w+)\n\s+Location: (\w+), Base: \w+, Semaphore: (\w+)\n\s+Arguments: (.*)", text)]


def sections(path):
    text = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    return {name: (int(address, 16), int(size, 16), flags) for name, address, size, flags in
            re.findall(r"\] (.*?)\s+[A-Z_]+\s+([0-9a-f]{16}) \w+ (\w+) \w+\s+([A-Z]*)", text)}


class Probes(CompilerTestCase):
    def check_notes(self, path, expected, n_units=1):
        """
        Each with as many arguments as it has, in the code, and with one semaphore for each name; of several units that the linker
        compiles apart some are left over.
        """
        found, where = notes(path), sections(path)
        semaphores = {}
        start, size, flags = where[".probes"]
        self.assertEqual(flags, "WA")
        self.assertLessEqual({name for name, *_ in found}, NAMES)
        self.assertGreaterEqual({name for name, *_ in found}, expected)
        for name, location, semaphore, arguments in found:
            self.assertEqual(len(arguments), OPERANDS[name], name)
            self.assertTrue(all(re.fullmatch(r"8@(%r\w+|x\d+)", argument) for argument in arguments), arguments)
            self.assertTrue(any(s <= location < s + n for s, n, f in where.values() if f == "AX"), name)
            self.assertTrue(start <= semaphore < start + size)
            semaphores.setdefault(name, set()).add(semaphore)
        self.assertTrue(all(len(its) == 1 for its in semaphores.values()), semaphores)
        self.assertTrue(2 * len(semaphores) <= size <= 2 * len(NAMES) * n_units and (n_units > 1 or size == 2 * len(semaphores)), size)
        ran = perfflow("match", "--binary", path, "usdt(perfflow:*)")
        self.assertEqual(set(re.findall(r"perfflow:(\w+)\s", ran.out)), {name for name, *_ in found})

    def test_c_has_its_probes_however_it_is_compiled(self):
        program = self.folder / "regions"
        for compiler in C:
            for flags in [["-std=c11", "-O2"], *ways(compiler)]:
                with self.subTest(f"{compiler} {' '.join(flags)}"):
                    self.compile(compiler, *STRICT, *flags, "-I", INCLUDE, f"{SOURCES}/regions.c", "-pthread", "-o", program)
                    self.assertEqual(self.output(program), "1 1\n")
                    self.check_notes(program, NAMES)

    def test_cpp_has_its_probes_however_it_is_compiled(self):
        program = self.folder / "scopes"
        for compiler in CPP:
            for flags in [["-std=c++11", "-O2"], ["-std=c++20", "-O2"], *ways(compiler)]:
                with self.subTest(f"{compiler} {' '.join(flags)}"):
                    self.compile(compiler, "-g", *STRICT, *flags, "-I", INCLUDE, f"{SOURCES}/scopes.cpp",
                                 f"{SOURCES}/scopes_other.cpp", "-o", program)
                    self.assertEqual(self.output(program), "3015\n")
                    self.check_notes(program, {"begin", "end", "mark"}, n_units=2 if "-flto=thin" in flags else 1)
                    ran = perfflow("match", "--binary", program, "annotated()")
                    self.assertIn("in_template<int>", ran.out)

    def test_a_library_and_its_program_have_semaphores_of_their_own(self):
        for compiler in CPP:
            library = self.folder / "libscopes.so"
            with self.subTest(compiler):
                self.compile(compiler, "-O2", "-fPIC", "-shared", "-I", INCLUDE, f"{SOURCES}/scopes_other.cpp", "-o", library)
                self.compile(compiler, "-O2", "-I", INCLUDE, f"{SOURCES}/scopes.cpp", library, f"-Wl,-rpath,{self.folder}", "-o",
                             self.folder / "scopes")
                self.check_notes(library, {"begin", "end"})
                self.check_notes(self.folder / "scopes", {"begin", "end", "mark"})
                exported = subprocess.run(["nm", "-D", library], capture_output=True, text=True).stdout
                self.assertNotIn("semaphore", exported)

    def test_probes_of_others_may_stand_beside_them(self):
        source = self.write("beside.c", """
            #include <perfflow/aspect.h>
            #include <sys/sdt.h>
            void other(void);
            #ifdef OTHER
            void other(void) { STAP_PROBE1(others, first, 1); PERFFLOW_MARK("a", "b"); }
            #else
            int main(void) { PERFFLOW_MARK("a", "b"); STAP_PROBE1(others, second, 2); other(); return 0; }
            #endif
        """)
        for compiler in C:
            with self.subTest(compiler):
                objects = [self.folder / "main.o", self.folder / "other.o"]
                for path, flags in zip(objects, ([], ["-DOTHER"])):
                    self.compile(compiler, "-O2", "-I", INCLUDE, *flags, "-c", source, "-o", path)
                self.compile(compiler, *objects, "-o", self.folder / "beside")
                self.output(self.folder / "beside")
                self.check_notes(self.folder / "beside", {"mark"})
                self.assertEqual(sections(self.folder / "beside")[".stapsdt.base"][1], 1)

    def test_without_probes_nothing_is_left(self):
        for compiler in C:
            self.compile(compiler, *STRICT, "-O2", "-DPERFFLOW_NO_PROBES", "-I", INCLUDE, f"{SOURCES}/regions.c", "-pthread", "-o",
                         self.folder / "regions")
            self.assertEqual(notes(self.folder / "regions"), [])
            self.assertNotIn(".probes", sections(self.folder / "regions"))
            self.assertEqual(self.output(self.folder / "regions"), "1 1\n")

    def test_both_processors_can_have_them(self):
        source = self.write("both.c", "#include <perfflow/aspect.h>\n"
                            "void f(unsigned long id) { PERFFLOW_SCOPE(\"f\", \"all\"); PERFFLOW_ASYNC_BEGIN(\"f\", \"all\", id); }\n")
        for machine in ("x86_64", "aarch64"):
            with self.subTest(machine):
                self.compile("clang", f"--target={machine}-linux-gnu", *STRICT, "-O2", "-I", INCLUDE, "-c", source, "-o",
                             self.folder / "both.o")
                self.assertEqual({name for name, *_ in notes(self.folder / "both.o")}, {"begin", "end", "async_begin"})

    def test_arguments_are_what_the_source_has(self):
        if no_bpf():
            self.skipTest(no_bpf())
        program = self.folder / "regions"
        values = {0: "", 2: "%s, %s", 3: "%s, %s, %lx"}
        script = "".join(f'usdt:{program}:perfflow:{name} {{ printf("{name} {values[n]};\\n"' +
                         "".join([", str(arg0), str(arg1)"] * (n > 1) + [", arg2"] * (n > 2)) + "); } " for name, n in OPERANDS.items())
        for compiler in C:
            with self.subTest(compiler):
                self.compile(compiler, "-O2", "-I", INCLUDE, f"{SOURCES}/regions.c", "-pthread", "-o", program)
                ran = subprocess.run(["bpftrace", "-e", script, "-c", program], capture_output=True, text=True, timeout=60)
                expected = [line for n in range(3) for thread in (1, 2) for line in one_round(n, f"{thread}0000000{n}")]
                self.assertEqual(sorted(re.findall(r"(\w+ .*);", ran.stdout)), sorted(expected), ran.stderr)


def one_round(n, number):
    """What regions.c does in its round n."""
    inner = ["begin inner scope, scopes", "end "]
    return [f"begin round {n}, rounds", f"async_begin request, io, {number}", f"begin inside, round {n}",
            "begin outer scope, scopes", *inner, *inner * (n % 2), "end ", "end ", "mark half way, rounds",
            f"async_instant request, io, {number}", f"async_end request, io, {number}", "end "]


if __name__ == "__main__":
    main(bpf=False, programs=("gcc", "g++", "clang", "clang++", "ld.gold", "ld.lld", "readelf", "bpftrace"),
         files=(next((p for p in SDT if os.path.exists(p)), SDT[0]),))
