#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Each way of leaving a function gives a span that says how it ended, and none upsets those after it."""
import collections
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import TestCase, main, target  # noqa: E402


class Leaving(TestCase):
    """By return probes, which are what these programs in C get."""

    options = ()
    stack = 64  # the kernel's limit for nested return probes

    def trace(self, *arguments, options=(), **keywords):
        return super().trace(*arguments, options=options or self.options, **keywords)

    def test_each_call_of_a_recursion_is_a_span_inside_the_one_before(self):
        trace = self.trace("recursion:recurse || recursion:before || recursion:after", [target("recursion"), 40])
        self.assertCounts(trace, {"before": 3, "recurse": 40, "after": 3})
        self.assertEqual(trace.ends(), {"return": 46})
        self.assertEqual(trace.depth(), 40)
        self.assertTrue(all(trace.parent_of(span) is None for span in trace.spans("after")))

    def test_calls_nested_too_deep_are_counted_and_those_after_them_are_seen(self):
        trace = self.trace("recursion:recurse || recursion:before || recursion:after", [target("recursion"), 10000],
                           lost={"too_deep": 10000 - self.stack})
        self.assertCounts(trace, {"before": 3, "recurse": self.stack, "after": 3})
        self.assertEqual(trace.ends(), {"return": self.stack + 6})
        self.assertEqual(trace.depth(), self.stack)

    def test_functions_left_by_longjmp_are_unwound_and_not_the_parents_of_what_follows(self):
        trace = self.trace("unwind:*er || unwind:middle || unwind:landing || unwind:last", [target("unwind")])
        for name in ("outer", "middle", "inner"):
            self.assertEqual(trace.ends(name), {"unwound": 5}, name)
        for name in ("catcher", "landing"):
            self.assertEqual(trace.ends(name), {"return": 5}, name)
        for span in trace.spans("landing"):
            self.assertEqual(trace.parent_of(span)["name"], "catcher")
        self.assertEqual(trace.ends("bare_outer"), {"unwound": 2})
        self.assertEqual(trace.ends("bare_inner"), {"unwound": 2})
        self.assertEqual(trace.ends("last"), {"return": 1})
        for span in trace.spans("bare_outer") + trace.spans("last"):
            self.assertIsNone(trace.parent_of(span))

    def test_functions_that_an_exception_passes_end_where_it_lands(self):
        trace = self.trace("thrown_past:catches || thrown_past:outer || thrown_past:cleans || thrown_past:inner || "
                           "thrown_past:after", [target("thrown_past")])
        self.assertCounts(trace, {"catches": 5, "outer": 5, "cleans": 5, "inner": 5, "after": 5})
        for name in ("outer", "cleans", "inner"):
            self.assertEqual(trace.ends(name), {"unwound": 5}, name)
        for name in ("catches", "after"):
            self.assertEqual(trace.ends(name), {"return": 5}, name)
        # the handler sleeps before it calls anything
        for span, following in zip(trace.spans("outer"), trace.spans("after")):
            self.assertGreater(following["ts"] - (span["ts"] + span["dur"]), 45000)
        for span, inner in zip(trace.spans("cleans"), trace.spans("inner")):
            self.assertLessEqual(inner["ts"] + inner["dur"], span["ts"] + span["dur"])
            self.assertEqual(trace.parent_of(inner), span)

    def test_a_longjmp_past_functions_that_are_not_traced_changes_nothing(self):
        trace = self.trace("unwind:catcher || unwind:landing || unwind:last", [target("unwind")])
        self.assertEqual(trace.ends("catcher"), {"return": 5})
        self.assertEqual(trace.ends("landing"), {"return": 5})
        self.assertEqual(trace.ends("last"), {"return": 1})

    def test_threads_that_end_inside_a_function_end_its_span(self):
        trace = self.trace("thread_exit:worker || thread_exit:leaves || thread_exit:returns || thread_exit:after",
                           [target("thread_exit")])
        self.assertEqual(trace.ends("worker"), {"thread_exit": 4})
        self.assertEqual(trace.ends("leaves"), {"thread_exit": 4})
        self.assertEqual(trace.ends("returns"), {"return": 4})
        self.assertEqual(trace.ends("after"), {"return": 1})
        self.assertEqual(len({span["tid"] for span in trace.spans("leaves")}), 4)

    def test_exit_inside_a_function_ends_its_span_after_what_exit_calls(self):
        trace = self.trace("process_exit:outer || process_exit:inner || process_exit:at_end",
                           [target("process_exit"), "exit"], status=3)
        self.assertEqual(trace.ends("outer"), {"process_exit": 1})
        self.assertEqual(trace.ends("inner"), {"process_exit": 1})
        self.assertEqual(trace.ends("at_end"), {"return": 1})
        self.assertEqual(trace.parent_of(trace.spans("at_end")[0])["name"], "inner")

    def test_a_process_ended_by_a_signal_or_a_bare_exit_ends_its_spans(self):
        for how, status in (("_exit", 4), ("abort", 134), ("kill", 137), ("segv", 139)):
            with self.subTest(how):
                trace = self.trace("process_exit:outer || process_exit:inner", [target("process_exit"), how],
                                   status=status)
                self.assertEqual(trace.ends("outer"), {"process_exit": 1})
                self.assertEqual(trace.ends("inner"), {"process_exit": 1})

    def test_exit_in_one_thread_ends_the_spans_of_the_others(self):
        trace = self.trace("process_exit:waits || process_exit:outer || process_exit:inner",
                           [target("process_exit"), "thread"], status=5)
        for name in ("waits", "outer", "inner"):
            self.assertEqual(trace.ends(name), {"process_exit": 1}, name)
        self.assertNotEqual(trace.spans("waits")[0]["tid"], trace.spans("inner")[0]["tid"])

    def test_exec_inside_a_function_ends_its_span_and_the_next_program_is_traced(self):
        trace = self.trace("exec:outer || exec:inner || exec:second_life", [target("exec")], status=6)
        self.assertEqual(trace.ends("outer"), {"exec": 1})
        self.assertEqual(trace.ends("inner"), {"exec": 1})
        self.assertEqual(trace.ends("second_life"), {"return": 3})
        self.assertEqual(len(trace.pids()), 1)
        self.assertTrue(all(trace.parent_of(span) is None for span in trace.spans("second_life")))

    def test_exec_in_a_second_thread_ends_its_spans_and_those_of_the_first(self):
        trace = self.trace("exec:waits || exec:outer || exec:inner || exec:second_life", [target("exec"), "thread"],
                           status=6)
        self.assertEqual(trace.ends("outer"), {"exec": 1})
        self.assertEqual(trace.ends("inner"), {"exec": 1})
        self.assertIn(trace.ends("waits"), ({"exec": 1}, {"thread_exit": 1}))
        self.assertEqual(trace.ends("second_life"), {"return": 3})
        pid = trace.spans("second_life")[0]["pid"]
        self.assertEqual([span["tid"] for span in trace.spans("waits") + trace.spans("second_life")], [pid] * 4)
        self.assertNotEqual(trace.spans("inner")[0]["tid"], pid)

    def test_functions_around_a_fork_return_in_the_child_too(self):
        trace = self.trace("forks:outer || forks:inner || forks:in_child || forks:in_parent", [target("forks")])
        parent = trace.spans("in_parent")[0]["pid"]
        self.assertCounts(trace, {"in_parent": 2, "in_child": 6, "outer": 4, "inner": 4})
        self.assertEqual(trace.ends(), {"return": 16})
        self.assertEqual(len(trace.pids()), 3)
        for pid in trace.pids():
            begins = [span["args"].get("begin") for span in trace.spans(
                "outer", pid=pid) + trace.spans("inner", pid=pid)]
            self.assertEqual(begins, [None] * 4 if pid == parent else ["fork"] * 2)
        for span in trace.spans("in_child"):
            self.assertIsNone(trace.parent_of(span))

    def test_children_that_borrow_their_parents_memory_do_not_upset_its_spans(self):
        trace = self.trace("spawns:by_spawn || spawns:by_vfork || spawns:in_child", [target("spawns")])
        parent = min(trace.pids())
        self.assertEqual(trace.ends("by_spawn", pid=parent), {"return": 2})
        self.assertEqual(trace.ends("by_vfork", pid=parent), {"return": 2})
        self.assertEqual(trace.count("in_child"), 12)
        for pid in trace.pids():
            self.assertEqual(trace.count("in_child", pid=pid), 0 if pid == parent else 3)
        for span in trace.spans("by_spawn") + trace.spans("by_vfork"):
            self.assertTrue(span["pid"] == parent or span["args"].get("begin") == "fork", span)

    def test_every_call_of_many_threads_is_a_span_in_its_own_thread(self):
        trace = self.trace("threads:thread_main || threads:work || threads:leaf", [target("threads"), 8, 1000])
        self.assertCounts(trace, {"thread_main": 8, "work": 8000, "leaf": 8000})
        self.assertEqual(trace.ends(), {"return": 16008})
        for span in trace.spans("thread_main"):
            self.assertEqual(trace.count("work", tid=span["tid"]), 1000)
            self.assertEqual(trace.count("leaf", tid=span["tid"]), 1000)

    def test_functions_that_jump_into_one_another_all_return(self):
        for how, depth in (("probes", 4), ("sites", 2)):  # by sites the span ends at the jump
            with self.subTest(how):
                trace = self.trace("tail_call:caller || tail_call:first || tail_call:second || tail_call:third",
                                   [target("tail_call")], options=[f"--returns={how}"])
                self.assertCounts(trace, {"caller": 10, "first": 10, "second": 10, "third": 10})
                self.assertEqual(trace.ends(), {"return": 40})
                self.assertEqual(trace.depth(), depth)

    def test_each_call_ends_once_whether_it_leaves_by_a_ret_or_by_a_jump_to_one(self):
        if os.uname().machine != "x86_64":
            self.skipTest("the functions are written in assembly for x86-64")
        numbers = list(range(-20, 40, 2))
        for how in ("sites", "probes"):
            with self.subTest(how):
                trace = self.trace(["(leaves_by:by_* || leaves_by:both_ways || leaves_by:lends_its_ret) ret=i32",
                                    "(leaves_by:doubled) ret=i32"], [target("leaves_by")], options=[f"--returns={how}"])
                returned = collections.defaultdict(list)
                for span in trace.all_spans:
                    returned[span["name"]].append(span["args"].get("return"))
                # what a function jumps to makes its result, which is not known at the jump
                jumps = {"both_ways": range(-10, 0), "by_branch_to_function": range(-10, 0)} if how == "sites" else {}
                self.assertEqual(returned.pop("doubled"), [2 * i for i in range(20)] * 2)
                self.assertEqual(len(returned), 8)
                for name, results in returned.items():
                    known = [2 * i for i in jumps[name]] + [None] * 20 if name in jumps else numbers
                    self.assertEqual(results, known, name)
                self.assertEqual(trace.ends(), {"return": 8 * 30 + 40})


@unittest.skipUnless(os.environ.get("PERFFLOW_KERNEL", "6.1") == "6.1", "slow in a virtual machine; the path of 6.1 differs")
class LeavingBySites(Leaving):
    """The same by exit sites."""

    options = ("--returns=sites",)
    stack = 128  # open spans of a thread


if __name__ == "__main__":
    main()
