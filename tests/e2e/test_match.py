#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""perfflow match: what it lists is what a run weaves, and what it explains is how."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import BUILD, PERFFLOW, TARGETS, TestCase, main, no_bpf, perfflow, run, target  # noqa: E402


class Match(TestCase):
    def match(self, pointcut, *arguments, binary=None, **keywords):
        """What it found, as JSON: the functions by name, with the name of their file as `module`."""
        where = [] if "--pid" in arguments else ["--binary", binary or target("loads")]
        ran = perfflow("match", "--json", *where, *arguments, pointcut, **keywords)
        self.assertEqual(ran.status, 0, ran)
        found = {}
        for module in json.loads(ran.out)["binaries"]:
            for function in module["functions"]:
                found[function["name"]] = dict(function, module=module["name"], path=module["path"])
        return found

    def test_a_library_that_a_pattern_names_by_its_path_is_looked_into(self):
        plugin = target("libplugin.so")
        found = self.match(f"{plugin}:plugged || own")
        self.assertEqual({name: f["module"] for name, f in found.items()}, {"plugged": "libplugin.so", "own": "loads"})
        self.assertEqual(found["plugged"]["path"], plugin)

    def test_a_library_that_a_pattern_names_is_found_where_the_loader_would(self):
        env = dict(os.environ, LD_LIBRARY_PATH=TARGETS)
        self.assertEqual(list(self.match("libplugin.so:plugged", env=env)), ["plugged"])
        ran = perfflow("match", "--binary", target("loads"), "libplugin.so:plugged")
        self.assertSentence(ran, "matches no function")

    def test_of_a_process_what_it_may_yet_load_is_looked_into_too(self):
        program = self.start([target("follows")], stdin=subprocess.PIPE)
        program.read_until("ready")
        found = self.match(f"tick || {target('libplugin.so')}:plugged", "--pid", str(program.pid))
        self.assertEqual(set(found), {"tick", "plugged"})

    def test_a_pattern_without_a_module_means_the_program_and_its_libraries_but_not_the_loader(self):
        found = self.match("add || getenv || _dl_*", binary=target("plain_pie"))
        self.assertEqual(found["add"]["module"], "plain_pie")
        self.assertEqual(found["getenv"]["module"], "libc.so.6")
        self.assertFalse([f for f in found.values() if f["module"].startswith("ld-")])
        self.assertIn("a dynamic linker is looked into only where a pattern names it", perfflow(
            "match", "--explain", "--binary", target("plain_pie"), "_dl_*").err)
        self.assertTrue(self.match("ld-linux*:_dl_*", binary=target("plain_pie")))

    def test_a_library_is_looked_into_alone_and_trusted_by_nobody(self):
        found = self.match("PREFIX_send || getenv", binary=target("libalias.so"))
        self.assertEqual(list(found), ["PREFIX_send"])
        self.assertEqual(found["PREFIX_send"]["reason"], "any program may use it, and unwind its stack")

    def test_a_program_is_known_by_the_name_that_it_is_given(self):
        link = self.folder / "other_name"
        os.symlink(target("plain_pie"), link)
        self.assertEqual(self.match("other_name:add", binary=link)["add"]["module"], "other_name")

    def test_the_mode_of_returns_decides_and_the_cost_follows_from_it(self):
        way = {"probes": "return probe", "sites": "exit sites", "never": "entry only", "auto": "return probe"}
        found = {mode: self.match("add", f"--returns={mode}", binary=target("plain_pie"))["add"] for mode in way}
        self.assertEqual({mode: f["returns"] for mode, f in found.items()}, way)
        self.assertEqual([found[mode]["exits"] for mode in way], [0, 1, 0, 0])
        self.assertLess(found["never"]["cost_ns"], found["probes"]["cost_ns"])
        self.assertLess(found["probes"]["cost_ns"], found["sites"]["cost_ns"])
        own = self.match("around(add) returns=never", "--returns=sites", binary=target("plain_pie"))
        self.assertEqual(own["add"]["returns"], "entry only")

    def test_it_explains_source_entry_return_and_cost(self):
        ran = perfflow("match", "--binary", target("plain_pie"), "--explain", "--returns=sites", "add")
        self.assertRegex(ran.out, r"(?m)^plain_pie:add\n    source  .*plain\.c:\d+\n    entry   \+\d+  \S.*  \([a-z-]+\)\n"
                         r"    return  exit sites \(1\): this was asked for\n    cost    about \d+\.\d us a call$")

    def test_the_costs_are_of_this_machine_where_they_can_be_measured(self):
        command = ["match", "--explain", "--binary", target("plain_pie"), "plain_pie:add"]
        lesser = ["setpriv", "--bounding-set=-sys_admin,-bpf,-perfmon", "--inh-caps=-all"] if os.geteuid() == 0 else []
        without_rights = run([*lesser, PERFFLOW, *command])
        self.assertIn("the costs are those of a typical virtual machine", without_rights.err)
        if no_bpf() is None and json.loads(perfflow("doctor", "--json").out)["features"]["uprobe_multi"] == "present":
            self.assertIn("were measured on this machine", perfflow(*command).err)
            self.assertTrue(json.loads(perfflow(*command, "--json").out)["costs_measured"])

    @unittest.skipUnless(os.uname().machine == "x86_64", "the instructions are those of x86-64")
    def test_it_explains_what_is_rejected_and_why(self):
        program = os.path.join(BUILD, "tests", "harm", "misread")
        reason = "'turns' cannot be probed: the kernel refuses its first instruction, and no later one will do"
        found = perfflow("match", "--explain", "--json", "--binary", program, "misread:*")
        rejected = [one for module in json.loads(found.out)["binaries"] for one in module["rejected"]]
        self.assertIn(("turns", reason), [(one["name"], one["reason"]) for one in rejected])
        told = perfflow("match", "--explain", "--binary", program, "misread:*")
        self.assertIn(reason, told.out)
        self.assertRegex(told.err, rf"rejected: {len(rejected)}\b")
        self.assertNotIn("turns", [name for module in json.loads(found.out)["binaries"]
                                   for name in (function["name"] for function in module["functions"])])

    def test_what_is_no_join_point_is_found_and_rejected(self):
        program = target("plain_pie")
        told = perfflow("match", "--explain", "--binary", program, "plain_pie:_start || add")
        self.assertIn("plain_pie:_start\n    rejected: '_start' cannot be probed: nobody calls it: the kernel or the loader jumps "
                      "to it, to begin the program\n", told.out)
        self.assertIn("functions: 1, binaries: 1, rejected: 1", told.err)
        alone = perfflow("match", "--binary", program, "plain_pie:_start")
        self.assertSentence(alone, "'_start' cannot be probed")
        as_json = perfflow("match", "--json", "--binary", program, "plain_pie:_start")
        self.assertEqual([one["name"] for module in json.loads(as_json.out)["binaries"] for one in module["rejected"]], ["_start"])
        among_others = perfflow("match", "--binary", program, "plain_pie:_start || add")
        self.assertIn("rejected: 0", among_others.err)

    def test_what_is_left_out_is_told(self):
        program = str(self.folder / "needs")
        with open(self.folder / "gone.c", "w") as source:
            source.write("int gone(void) { return 0; }\n")
        with open(self.folder / "needs.c", "w") as source:
            source.write("int gone(void);\nint main(void) { return gone(); }\n")
        library = str(self.folder / "libgone.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, self.folder / "gone.c"], check=True)
        subprocess.run(["cc", "-o", program, self.folder / "needs.c", library], check=True)
        whole = perfflow("match", "--json", "--binary", program, "main")
        self.assertEqual([json.loads(whole.out)[key] for key in ("missed", "skipped")], [[], []])
        os.unlink(library)
        ran = perfflow("match", "--json", "--binary", program, "main")
        self.assertIn(f"'{library}' is left out: it is needed, and not found", ran.err)
        self.assertEqual(json.loads(ran.out)["missed"], [library])

    def test_a_file_of_a_process_that_cannot_be_read_is_named(self):
        library = shutil.copy(target("libplugin.so"), self.folder / "libdamaged.so")
        process = self.start([target("follows")], stdin=subprocess.PIPE, env=dict(os.environ, LD_PRELOAD=str(library)))
        process.read_until("ready")
        with open(library, "r+b") as file:
            file.write(b"none")
        ran = perfflow("match", "--json", "--pid", str(process.pid), "getenv")
        self.assertRegex(ran.err, r"'.*libdamaged.so' is left out: ")
        self.assertRegex("".join(json.loads(ran.out)["skipped"]), "libdamaged.so")

    def test_a_mark_stands_below_what_is_wrong(self):
        for pointcut, marked in (("(a | b)", "| b)"), ("add && (", ""), ("größe && rank(x)", "x)"), ("add && /a(/", "/")):
            with self.subTest(pointcut):
                ran = perfflow("match", "--binary", target("plain_pie"), pointcut)
                self.assertEqual(ran.status, 1, ran)
                lines = ran.err.splitlines()
                at = lines.index("  " + pointcut)
                self.assertEqual(lines[at + 1], "  " + " " * (len(pointcut) - len(marked)) + "^", ran)

    def test_the_size_of_a_function_is_that_of_its_symbol(self):
        table = run(["nm", "-S", "--defined-only", target("plain_pie")]).out
        sizes = {name: int(size, 16) for size, name in re.findall(r"(?m)^\w+ (\w+) [Tt] (\w+)$", table) if name != "_start"}
        limit = sorted(sizes.values())[len(sizes) // 2]
        for term, holds in ((f"size({limit}..)", lambda size: size >= limit), (f"size(..{limit})", lambda size: size <= limit),
                            (f"size({limit})", lambda size: size == limit)):
            with self.subTest(term):
                found = self.match(f"plain_pie:* && {term}", binary=target("plain_pie"))
                self.assertEqual({name: f["size"] for name, f in found.items()},
                                 {name: size for name, size in sizes.items() if size and holds(size)})

    def test_within_means_a_class_or_a_library(self):
        own = {"solver::Base::compute", "solver::Base::~Base"}
        for what, names in (("solver::Base", own), ("class:solver::Base", own), ("*::Base", own),
                            ("solver::Grid", {"solver::Grid<int>::sweep", "solver::Grid<double>::sweep"}),
                            ("solver::Grid<int>", {"solver::Grid<int>::sweep"}), ("class:/^solver::D/", {"solver::Derived::compute",
                                                                                                       "solver::Derived::~Derived"})):
            with self.subTest(what):
                self.assertEqual(set(self.match(f"plusplus:* && within({what})", binary=target("plusplus"))), names)
        for what in ("libc.so.6", "module:libc*", "/lib*/libc.so.6", "module:/libc.so.6$/"):
            with self.subTest(what):
                found = self.match(f"(getenv || main) && within({what})", binary=target("plusplus"))
                self.assertEqual({name: f["module"] for name, f in found.items()}, {"getenv": "libc.so.6"})

    def test_what_only_shows_at_run_time_is_told(self):
        pointcut = "add && cflow(twice) && !rank(0) && !exe(sh) || main && exe(plain_pie)"
        found = self.match(pointcut, binary=target("plain_pie"))
        self.assertEqual({name: (f["recorded"], f["when"]) for name, f in found.items()},
                         {"add": (True, "cflow(twice) && !rank(0)"), "main": (True, ""), "twice": (False, "")})
        table = perfflow("match", "--binary", target("plain_pie"), pointcut)
        self.assertRegex(table.out, r"(?m)^plain_pie:twice +0x\S+ 0x\S+ +for cflow$")
        self.assertIn("functions: 2,", table.err)

    def test_a_cflow_that_names_no_function_is_an_error_with_the_nearest_names(self):
        ran = perfflow("match", "--binary", target("plain_pie"), "add && cflow(twoce)")
        self.assertSentence(ran, "'cflow(twoce)' matches no function")
        self.assertIn("plain_pie:twice", ran.err)

    def test_as_many_functions_are_woven_as_it_lists(self):
        reason = no_bpf()
        if reason:
            self.skipTest(reason)
        for command, pointcut in ((["alias"], "alias:* || libalias.so:*"), (["plain_pie"], "add || getenv"),
                                  (["loads", target("libplugin.so")], f"own || {target('libplugin.so')}:plugged")):
            with self.subTest(pointcut):
                listed = perfflow("match", "--binary", target(command[0]), pointcut)
                trace = self.trace(pointcut, [target(command[0]), *command[1:]])
                functions, binaries = re.search(r"functions: (\d+), binaries: (\d+)", listed.err).groups()
                self.assertRegex(trace.ran.err, rf"of {functions} functions in {binaries} binar")


if __name__ == "__main__":
    main(bpf=False)
