#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Every kind of binary is woven, and each call counted once, whatever its functions are called."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import TestCase, main, target  # noqa: E402


class Binaries(TestCase):
    def test_position_independent_fixed_static_and_protected_programs_give_the_same_counts(self):
        for name in ("pie", "no_pie", "static", "o0", "o2", "endbr", "no_endbr"):
            if not os.path.exists(target(f"plain_{name}")):
                continue
            with self.subTest(name):
                trace = self.trace(f"plain_{name}:add || plain_{name}:twice || plain_{name}:large_frame",
                                   [target(f"plain_{name}")])
                self.assertCounts(trace, {"add": 100, "twice": 50, "large_frame": 20})
                self.assertEqual(trace.ends(), {"return": 170})
                inside = [span for span in trace.spans("add") if trace.parent_of(span)]
                self.assertEqual(len(inside), 50)

    def test_functions_whose_first_instruction_is_of_any_kind_are_counted(self):
        for kind in ("push", "nop", "endbr_push", "sub"):
            with self.subTest(kind):
                trace = self.trace("hot:hot_*", [target("hot"), kind, 500])
                self.assertEqual(trace.counts(), {f"hot_{kind}": 500})
                self.assertEqual(trace.ends(), {"return": 500})

    def test_a_library_that_a_program_loads_itself_is_woven_when_it_is_known_by_its_path(self):
        trace = self.trace("loads:own", [target("loads"), target("libplugin.so")])
        self.assertEqual(trace.counts(), {"own": 5})
        trace = self.trace("libplugin.so:plugged", [target("loads"), target("libplugin.so")],
                           env=dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(target("libplugin.so"))))
        self.assertEqual(trace.counts(), {"plugged": 10})

    def test_processes_and_threads_have_the_names_that_they_gave_themselves(self):
        trace = self.trace("names:named", [target("names")])
        tids = [span["tid"] for span in sorted(trace.spans("named"), key=lambda span: span["ts"])]
        self.assertEqual([trace.thread_names().get(tid) for tid in tids],
                         ["renamed-main", "worker-0", "worker-1", "worker-2"])
        self.assertIn(target("names"), trace.process_names()[trace.pids()[0]])


@unittest.skipUnless(os.environ.get("PERFFLOW_KERNEL", "6.1") == "6.1", "slow in a virtual machine; no kernel sees a name")
class Names(TestCase):
    def test_a_function_with_several_names_is_one_join_point_named_as_the_pattern_does(self):
        trace = self.trace("libalias.so:SHORT_*", [target("alias")])
        self.assertEqual(trace.counts(), {"SHORT_send": 12, "SHORT_other": 2})
        trace = self.trace("libalias.so:PREFIX_*", [target("alias")])
        self.assertEqual(trace.counts(), {"PREFIX_send": 12})
        trace = self.trace("lib*.so:*_send_too", [target("alias")])
        self.assertEqual(trace.counts(), {"SHORT_send_too": 12})

    def test_two_aspects_that_select_one_function_give_one_span_a_call(self):
        trace = self.trace(["libalias.so:PREFIX_*", "libalias.so:SHORT_*"], [target("alias")])
        self.assertEqual(trace.counts(), {"PREFIX_send": 12, "SHORT_other": 2})

    def test_the_category_of_a_span_is_the_file_of_its_function(self):
        trace = self.trace("libalias.so:*_send", [target("alias")])
        self.assertEqual({span["cat"] for span in trace.all_spans}, {"libalias.so"})

    def test_names_of_cplusplus_match_with_and_without_arguments_and_as_the_linker_has_them(self):
        for pattern, counts in (
                ("solver::step", {"solver::step": 7}),
                ("solver::step(int)", {"solver::step(int)": 3}),
                ("solver::step(*)", {"solver::step(int)": 3, "solver::step(double)": 4}),
                ("_ZN6solver4stepEd", {"_ZN6solver4stepEd": 4}),
                ("solver::Grid<int>::sweep", {"solver::Grid<int>::sweep": 5}),
                ("solver::Grid<*>::sweep", {"solver::Grid<int>::sweep": 5, "solver::Grid<double>::sweep": 6}),
                ("solver::apply<char>", {"solver::apply<char>": 2}),
                ("solver::*::compute", {"solver::Base::compute": 1, "solver::Derived::compute": 7}),
                ("*::hidden", {"(anonymous namespace)::hidden": 8}),
                ("plain_c || solver::Base::compute", {"plain_c": 9, "solver::Base::compute": 1})):
            with self.subTest(pattern):
                trace = self.trace(" || ".join("plusplus:" + p for p in pattern.split(" || ")), [target("plusplus")])
                self.assertEqual(trace.counts(), counts)

    def test_a_pattern_without_a_module_looks_into_every_file_of_the_program(self):
        trace = self.trace("PREFIX_send", [target("alias")])
        self.assertEqual(trace.counts(), {"PREFIX_send": 12})


if __name__ == "__main__":
    main()
