#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Advice: what is recorded of a call, of which calls, and inside of which others."""
import math
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from events import asyncs, moments  # noqa: E402
from perfflow import TestCase, Trace, main, ns, perfflow, run, target  # noqa: E402

REST_NS = 2000000  # of each function of the target `kinds`


def at(event):
    return ns(event["ts"])


class Kinds(TestCase):
    N = 20

    def test_each_kind_marks_its_moment_and_the_order_is_that_of_the_calls(self):
        trace = self.trace(["around(kinds:whole)", "before(kinds:enters)", "around_async(kinds:works)",
                            "after(kinds:leaves)"], [target("kinds"), self.N], status=3)
        before, works, after = moments(trace, "enters"), asyncs(trace, "works"), moments(trace, "leaves")
        self.assertEqual([trace.count("whole"), len(before), len(works), len(after)], [self.N] * 4)
        self.assertEqual({e["args"]["moment"] for e in before}, {"entry"})
        self.assertEqual({e["args"]["moment"] for e in after}, {"return"})
        self.assertEqual(trace.summary()["marks"], 4 * self.N)
        for whole, enters, work, leaves in zip(trace.spans("whole"), before, works, after):
            # each before the next, and what the function rests is behind the entry and before the return
            self.assertLess(at(whole), at(enters))
            self.assertGreaterEqual(work.begin_ns - at(enters), REST_NS)
            self.assertGreaterEqual(work.length_ns, REST_NS)
            self.assertGreaterEqual(at(leaves) - work.end_ns, REST_NS)
            self.assertLess(at(leaves), at(whole) + ns(whole["dur"]))
            self.assertEqual({e["tid"] for e in (whole, enters, leaves)} | {work.tid}, {whole["tid"]})

    def test_before_is_soon_after_the_call_and_after_soon_before_it_is_over(self):
        trace = self.trace(["before(kinds:enters)", "after(kinds:enters)"], [target("kinds"), 3], status=3)
        self.assertEqual(len(moments(trace, "enters", "entry")), 3, "the first aspect counts")
        self.assertEqual(len(moments(trace, "enters", "return")), 0)
        trace = self.trace(["after(kinds:enters)", "before(kinds:works)"], [target("kinds"), self.N], status=3)
        gaps = [at(work) - at(enter) for enter, work in zip(moments(trace, "enters"), moments(trace, "works"))]
        self.assertEqual(len(gaps), self.N)
        self.assertTrue(all(gap > 0 for gap in gaps), gaps)
        self.assertLess(sorted(gaps)[self.N // 2], REST_NS // 4, "nothing rests between the return and the next entry")

    def test_aspects_can_be_kept_in_a_file_and_those_of_the_command_line_come_first(self):
        path = self.folder / "kinds.aspect"
        with open(path, "w") as file:
            file.write("# how it goes on\nbefore(kinds:enters)\n  name=begins\nkinds:whole\nkinds:works\n")
        trace = self.trace("before(kinds:works)", [target("kinds"), 3], status=3, options=("-f", path))
        self.assertEqual(trace.count("whole"), 3)
        self.assertEqual([len(moments(trace, name, "entry")) for name in ("begins", "works")], [3, 3])
        self.assertEqual(trace.count("works"), 0)

    def test_recursion_is_marked_at_each_entry_and_each_return(self):
        for advice, moment in (("before", "entry"), ("after", "return")):
            trace = self.trace(f"{advice}(kinds:nested)", [target("kinds"), 1], status=3)
            self.assertEqual([e["args"]["moment"] for e in moments(trace, "nested")], [moment] * 4)
        pairs = asyncs(self.trace("around_async(kinds:nested)", [target("kinds"), 1], status=3), "nested")
        self.assertEqual(len(pairs), 4)
        for outer, inner in zip(pairs, pairs[1:]):
            self.assertTrue(outer.begin_ns < inner.begin_ns <= inner.end_ns < outer.end_ns, pairs)

    def test_a_function_that_never_returns_is_entered_and_has_no_return(self):
        trace = self.trace("before(kinds:ends)", [target("kinds"), 1], status=3)
        self.assertEqual([e["args"]["moment"] for e in moments(trace, "ends")], ["entry"])
        trace = self.trace("after(kinds:ends)", [target("kinds"), 1], status=3)
        self.assertEqual(moments(trace, "ends"), [])
        trace = self.trace("around_async(kinds:ends)", [target("kinds"), 1], status=3)
        self.assertEqual([pair.how for pair in asyncs(trace, "ends")], ["process_exit"])
        trace = self.trace("around(kinds:ends)", [target("kinds"), 1], status=3)
        self.assertEqual(trace.ends("ends"), {"process_exit": 1})

    def test_where_the_return_is_not_watched_the_entry_is_all_there_is(self):
        trace = self.trace("(kinds:enters) returns=never", [target("kinds"), 5], status=3)
        self.assertEqual([e["args"]["moment"] for e in moments(trace, "enters")], ["entry"] * 5)
        # setjmp() returns twice: nobody watches that; libc calls it once before main()
        trace = self.trace(["(libc.so.6:_setjmp)", "before(unwind:landing)"], [target("unwind")])
        self.assertEqual(len(moments(trace, "_setjmp", "entry")), 8)

    def test_exit_sites_and_return_probes_mark_the_same(self):
        for how in ("sites", "probes"):
            trace = self.trace([f"(kinds:enters) returns={how}", f"after(kinds:leaves) returns={how}",
                                f"around_async(kinds:works) returns={how}"], [target("kinds"), 5], status=3)
            self.assertEqual([trace.count("enters"), len(moments(trace, "leaves", "return")),
                              len(asyncs(trace, "works"))], [5, 5, 5], how)

    def test_functions_of_cxx_are_marked_as_often_as_they_are_called(self):
        trace = self.trace(["before(solver::step(int))", "after(solver::Grid<int>::sweep)",
                            "around_async(solver::Derived::compute)", "around(*::hidden)"], [target("plusplus")])
        self.assertEqual(len(moments(trace, "solver::step(int)", "entry")), 3)
        self.assertEqual(len(moments(trace, "solver::Grid<int>::sweep", "return")), 5)
        self.assertEqual(len(asyncs(trace, "solver::Derived::compute")), 7)
        self.assertEqual(trace.count("(anonymous namespace)::hidden"), 8)

    def test_a_return_that_an_exception_or_longjmp_skips_is_none(self):
        trace = self.trace(["after(unwind:inner)", "after(unwind:landing)"], [target("unwind")])
        self.assertEqual([e["name"] for e in moments(trace)], ["landing"] * 5)
        trace = self.trace(["before(unwind:inner)", "before(unwind:landing)"], [target("unwind")])
        self.assertEqual([e["name"] for e in moments(trace)], ["inner", "landing"] * 5)
        trace = self.trace("after(/^raises|^leaf/)", [target("inside_cxx"), "through"])
        self.assertEqual({e["name"] for e in moments(trace)}, {"leaf"})

    def test_name_and_cat_are_what_the_trace_says(self):
        trace = self.trace(['before(kinds:enters) name="the \\"first\\"" cat=mine', "(kinds:works) name=second cat=mine",
                            "around_async(kinds:leaves) name=third cat=other"], [target("kinds"), 2], status=3)
        self.assertEqual([e["cat"] for e in moments(trace, 'the "first"')], ["mine"] * 2)
        self.assertEqual([e["cat"] for e in trace.spans("second")], ["mine"] * 2)
        self.assertEqual([pair.cat for pair in asyncs(trace, "third")], ["other"] * 2)

    def test_stack_tells_who_called(self):
        functions = sorted((int(address, 16), name) for address, kind, name in re.findall(
            r"^([0-9a-f]+) ([TtWw]) (\S+)$", run(["nm", target("callers")]).out, re.M))

        def function(frame):
            """A frame is shown as function+0x12 where that is known, else as an address."""
            if not frame.startswith("0x"):
                return re.match(r"[^+ ]+", frame).group()
            return max(((at, name) for at, name in functions if at <= int(frame, 16)), default=(0, "?"))[1]

        for advice, name, n in (("before", "inner", 5), ("around", "inner", 5), ("around", "framed", 3),
                                ("after", "framed", 3)):
            trace = self.trace(f"{advice}(callers:{name}) stack", [target("callers")])
            stacks = [list(map(function, e["args"]["stack"])) for e in moments(trace, name) + trace.spans(name)]
            self.assertEqual(len(stacks), n)
            for stack in stacks[:3]:
                self.assertEqual(stack[:3], ["middle", "outer", "main"], (advice, name))
            for stack in stacks[3:]:
                self.assertEqual(stack[:1], ["main"], (advice, name))


class WhichCalls(TestCase):
    def test_min_leaves_out_the_calls_that_were_shorter_and_no_other(self):
        for options in ("min=1ms", "min=1ms returns=sites"):
            trace = self.trace(f"(lengths:takes) {options}", [target("lengths"), 300])
            begins = [ns(span["ts"]) for span in trace.spans("takes")]
            n_long = 0
            for line in trace.ran.out.splitlines():
                begin, inner, outer = map(int, line.split())
                n = sum(begin <= ts <= begin + outer for ts in begins)
                self.assertLessEqual(n, 1)
                if inner >= 1000000:
                    self.assertEqual(n, 1, f"a call of {inner} ns is missing")
                elif outer < 1000000:
                    self.assertEqual(n, 0, f"a call of {outer} ns is there")
                n_long += n
            self.assertEqual(n_long, len(begins))
            self.assertEqual(trace.summary()["short"], 300 - n_long)
            self.assertTrue(trace.summary()["complete"])
            self.assertGreaterEqual(n_long, 150)
            self.assertLess(n_long, 300)

    def test_min_is_of_its_own_function_alone(self):
        trace = self.trace(["(kinds:whole) min=5ms", "(kinds:works) min=1s", "kinds:leaves"], [target("kinds"), 10], status=3)
        self.assertCounts(trace, {"whole": 10, "works": 0, "leaves": 10})
        self.assertEqual(trace.summary()["short"], 10)

    def test_sample_records_one_call_in_so_many_by_chance(self):
        calls, one_in = 200000, 50
        trace = self.trace(f"(hot:hot_push) sample=1/{one_in}", [target("hot"), "push", calls])
        expected = calls / one_in
        deviation = math.sqrt(expected * (1 - 1 / one_in))
        n = trace.count("hot_push")
        self.assertLess(abs(n - expected), 6 * deviation, "once in 500 million runs")
        self.assertEqual(n + trace.summary()["sampled_out"], calls)
        self.assertTrue(trace.summary()["complete"], "what was left out as asked for is no loss")

    def test_sampling_is_independent_of_time(self):
        # Tenths of the calls, by what is not sampled: each of 20 threads makes as many, so each has as many samples.
        threads, calls, one_in = 20, 4000, 20
        trace = self.trace(f"before(threads:leaf) sample=1/{one_in}", [target("threads"), threads, calls])
        by_thread = {}
        for event in moments(trace, "leaf"):
            by_thread[event["tid"]] = by_thread.get(event["tid"], 0) + 1
        expected, variance = calls / one_in, calls / one_in * (1 - 1 / one_in)
        self.assertEqual(len(by_thread), threads)
        square = sum((n - expected) ** 2 / variance for n in by_thread.values())
        # chi square of 20 degrees of freedom: beyond these bounds once in ten million runs
        self.assertTrue(2 < square < 72, (square, by_thread))

    def test_what_is_called_by_a_call_that_is_not_sampled_is_recorded_all_the_same(self):
        trace = self.trace(["(threads:work) sample=1/1000", "threads:leaf"], [target("threads"), 2, 1000])
        self.assertLess(trace.count("work"), 30)
        self.assertCounts(trace, {"leaf": 2000})

    def test_sample_and_min_go_together(self):
        trace = self.trace("(lengths:takes) min=1ms sample=1/4", [target("lengths"), 400])
        summary = trace.summary()
        self.assertEqual(trace.count("takes") + summary["sampled_out"] + summary["short"], 400)
        self.assertTrue(200 < summary["sampled_out"] < 390, summary)
        self.assertGreater(summary["short"], 10)

    def test_the_first_of_several_aspects_says_what_is_recorded(self):
        trace = self.trace(["before(kinds:enters)", "(kinds:*er*)", "(kinds:enters) name=never"], [target("kinds"), 4],
                           status=3)
        self.assertEqual(len(moments(trace, "enters")), 4)
        self.assertCounts(trace, {"enters": 0, "never": 0})
        trace = self.trace(["(kinds:enters) name=first", "kinds:*"], [target("kinds"), 4], status=3)
        self.assertCounts(trace, {"first": 4, "enters": 0, "works": 4, "whole": 4})

    def test_aspects_that_say_the_same_count_together(self):
        trace = self.trace(["(kinds:enters || kinds:works)", "(kinds:works || kinds:leaves)"], [target("kinds"), 4], status=3)
        self.assertCounts(trace, {"enters": 4, "works": 4, "leaves": 4})
        self.assertEqual(len(trace.all_spans), 12)
        trace = self.trace(["(kinds:nested && cflow(kinds:whole))", "(kinds:nested && !cflow(kinds:whole))"],
                           [target("kinds"), 1], status=3)
        self.assertCounts(trace, {"nested": 4})


class Inside(TestCase):
    """cflow(): the program counts for itself."""

    C = ("recursion", "jump", "thread", "fork", "spawn", "signal", "exec")
    CXX = ("through", "deep", "caught", "cleanup", "again", "thread")

    def check_counts(self, program, way, aspect="({})", enter="/^enter/"):
        found = []
        for pointcut in (f"leaf && cflow({enter})", f"leaf && !cflow({enter})"):
            trace = self.trace(aspect.format(pointcut), [target(program), way])
            truth = tuple(map(int, re.findall(r"\d+", trace.ran.out)))
            found.append(trace.count("leaf") + len(moments(trace, "leaf")) + len(asyncs(trace, "leaf")))
            self.assertEqual({s["name"] for s in trace.all_spans} - {"leaf"}, set(), "what is asked about is not recorded")
        self.assertEqual(tuple(found), truth, (program, way, aspect))

    def test_in_c(self):
        for way in self.C:
            with self.subTest(way):
                self.check_counts("inside", way)

    def test_in_c_by_exit_sites(self):
        for way in self.C:
            with self.subTest(way):
                self.check_counts("inside", way, "({}) returns=sites")

    def test_in_cxx_with_exceptions(self):
        for way in self.CXX:
            with self.subTest(way):
                self.check_counts("inside_cxx", way)

    def test_moments_and_asynchronous_events_are_held_to_it_as_spans_are(self):
        for kind in ("before", "after", "around_async"):
            for program, way in (("inside", "recursion"), ("inside", "jump"), ("inside_cxx", "caught")):
                with self.subTest((kind, way)):
                    self.check_counts(program, way, kind + "({})")

    def test_entries_alone_are_held_to_it_too(self):
        for program, way in (("inside", "recursion"), ("inside", "jump"), ("inside_cxx", "through")):
            with self.subTest(way):
                found = []
                for pointcut in ("leaf && cflow(enter)", "leaf && !cflow(enter)"):
                    trace = self.trace(f"({pointcut}) returns=never", [target(program), way])
                    found.append(len(moments(trace, "leaf")))
                self.assertEqual(found, list(map(int, re.findall(r"\d+", trace.ran.out))))

    def test_all_ways_in_one_process(self):
        ways = ["recursion", "jump", "thread", "fork", "spawn", "signal", "jump", "recursion"]
        trace = self.trace("(inside:leaf && cflow(inside:enter))", [target("inside"), *ways])
        self.assertEqual(trace.count("leaf"), int(re.findall(r"\d+", trace.ran.out)[0]))

    def test_functions_of_other_binaries(self):
        trace = self.trace("libc.so.6:getenv && cflow(inside:enter)", [target("inside"), "recursion", "thread", "fork"])
        self.assertEqual(trace.count("getenv"), int(re.findall(r"\d+", trace.ran.out)[0]))

    def test_a_function_is_inside_of_itself(self):
        trace = self.trace("inside:enter && cflow(inside:enter)", [target("inside"), "recursion"])
        self.assertCounts(trace, {"enter": 60})
        ran = perfflow("run", "-p", "inside:enter && !cflow(inside:enter)", "--", target("inside"), "recursion")
        self.assertSentence(ran, "matches no function")

    def test_several_at_once(self):
        trace = self.trace("kinds:enters && cflow(kinds:whole) && !cflow(kinds:nested)", [target("kinds"), 5], status=3)
        self.assertCounts(trace, {"enters": 5})
        trace = self.trace("(kinds:enters || kinds:nested) && cflow(kinds:whole || kinds:nested)", [target("kinds"), 5],
                           status=3)
        self.assertCounts(trace, {"enters": 5, "nested": 4})
        trace = self.trace("kinds:works && cflow(kinds:whole) && cflow(kinds:nested)", [target("kinds"), 5], status=3)
        self.assertCounts(trace, {"works": 0})

    def test_what_is_asked_about_can_be_recorded_too(self):
        trace = self.trace(["kinds:whole", "(kinds:works && cflow(kinds:whole)) min=1ms",
                            "before(kinds:leaves && cflow(kinds:whole))"], [target("kinds"), 5], status=3)
        self.assertCounts(trace, {"whole": 5, "works": 5})
        self.assertEqual(len(moments(trace, "leaves")), 5)

    def test_a_call_that_is_not_recorded_is_still_inside(self):
        trace = self.trace(["(kinds:whole) sample=1/1000000", "(kinds:works && cflow(kinds:whole))"], [target("kinds"), 20],
                           status=3)
        self.assertLess(trace.count("whole"), 3)
        self.assertCounts(trace, {"works": 20})
        trace = self.trace(["(kinds:whole) min=1000s", "(kinds:works && cflow(kinds:whole))"], [target("kinds"), 20], status=3)
        self.assertCounts(trace, {"whole": 0, "works": 20})


class Captured(TestCase):
    """What was captured stays with its own call, whatever is called within it and however that ends."""

    DESCEND = "args=(n:i64@1, text:str@2) ret=i64"
    HOW = ("", " returns=sites")

    def assert_kept(self, span):
        args = span["args"]
        self.assertEqual((args["text"], args["return"]), (f"level {args['n']}", 10 * args["n"]))

    def test_by_each_of_many_calls_in_one_another(self):
        for how in self.HOW:
            trace = self.trace(f"(keeps:descend) {self.DESCEND}{how}", [target("keeps"), 60])
            spans = sorted(trace.spans(), key=lambda span: span["ts"])
            self.assertEqual([span["args"]["n"] for span in spans], list(range(60, 0, -1)))
            for span in spans:
                self.assert_kept(span)

    def test_beside_metrics_and_stacks(self):
        trace = self.trace(f"(keeps:descend) {self.DESCEND} stack", [target("keeps"), 30],
                           options=["--metrics", "mem,faults,ctxsw,io,page-faults"])
        self.assertEqual(len(trace.spans()), 30)
        for span in trace.spans():
            self.assert_kept(span)
            for key in ("stack", "memory_usage", "minor_faults", "voluntary_switches", "read_bytes", "page_faults"):
                self.assertIn(key, span["args"])

    def test_or_is_left_out_and_counted_where_there_are_too_many(self):
        ran = perfflow("run", "-p", f"(keeps:descend) {self.DESCEND} stack returns=sites", "--metrics", "mem,faults,ctxsw,io",
                       "-o", self.folder / "t.json", "--", target("keeps"), 120)
        self.assertEqual(ran.status, 0, ran)
        trace = Trace(self.folder / "t.json")
        self.assertEqual(trace.complaints(), [])
        self.assertEqual(len(trace.spans()), 120)
        kept = [span for span in trace.spans() if "n" in span["args"]]
        for span in kept:
            self.assert_kept(span)
        self.assertGreaterEqual(len(kept), 25)
        self.assertEqual(trace.lost(), {"items": 120 - len(kept)})
        entries = trace.ledger("items")
        self.assertEqual({(e["function"], e["module"], e["pid"]) for e in entries}, {("descend", "keeps", trace.pids()[0])})
        self.assertEqual(sum(e["n"] for e in entries), 120 - len(kept))
        begins = sorted(span["ts"] for span in trace.spans() if "n" not in span["args"])  # each is a moment after it was counted
        self.assertLessEqual(min(e["begin"] for e in entries), begins[0])
        self.assertTrue(begins[-2] <= max(e["end"] for e in entries) <= begins[-1])
        self.assertFalse(trace.summary()["complete"])

    def test_in_each_thread(self):
        trace = self.trace(f"(keeps:descend) {self.DESCEND}", [target("keeps"), 0])
        by_thread = {}
        for span in trace.spans():
            self.assert_kept(span)
            by_thread.setdefault(span["tid"], []).append(span["args"]["n"])
        self.assertEqual(sorted(map(sorted, by_thread.values())), [list(range(20 * t + 1, 20 * t + 21)) for t in range(4)])

    def test_past_calls_that_were_left_by_a_jump(self):
        for how in self.HOW:
            trace = self.trace(f"(keeps:jumps) args=(n:i64@1) ret=i64{how}", [target("keeps"), 3])
            found = {span["args"]["n"]: (span["args"].get("return"), span["args"].get("end")) for span in trace.spans()}
            self.assertEqual(found, {n: (10 * n, None) if n >= 5 else (None, "unwound") for n in range(1, 9)})

    def test_as_it_was_at_the_entry(self):
        before = [(n, "before") for n in range(1, 6)]
        for how in self.HOW:
            trace = self.trace(f"(keeps:changes) args=(n:i64@1, text:str@2) ret=i64{how}", [target("keeps"), 3])
            self.assertEqual([(s["args"]["n"], s["args"]["text"]) for s in trace.spans()], before)
            self.assertEqual([s["args"]["return"] for s in trace.spans()], list(range(1, 6)))
            trace = self.trace(f"after(keeps:changes) args=(n:i64@1, text:str@2) ret=i64{how}", [target("keeps"), 3])
            self.assertEqual([(e["args"]["n"], e["args"]["text"]) for e in moments(trace, "changes", "return")], before)
            self.assertEqual([e["args"]["return"] for e in moments(trace, "changes")], list(range(1, 6)))

    def test_at_each_end_of_what_is_asynchronous(self):
        trace = self.trace(f"around_async(keeps:descend) {self.DESCEND}", [target("keeps"), 20])
        pairs = asyncs(trace, "descend")
        self.assertEqual([pair.begin["args"]["n"] for pair in pairs], list(range(20, 0, -1)))
        for pair in pairs:
            self.assertEqual(pair.begin["args"]["text"], f"level {pair.begin['args']['n']}")
            self.assertEqual(pair.end["args"]["return"], 10 * pair.begin["args"]["n"])
        trace = self.trace("before(keeps:descend) args=(n:i64@1)", [target("keeps"), 20])
        self.assertEqual([e["args"]["n"] for e in moments(trace, "descend")], list(range(20, 0, -1)))

    def test_beside_calls_that_are_not_sent(self):
        # every second call in the chain is too short, or not sampled: the others have their own values
        trace = self.trace(["(keeps:descend) sample=1/3 " + self.DESCEND], [target("keeps"), 60])
        self.assertTrue(3 <= len(trace.spans()) <= 42)
        for span in trace.spans():
            self.assert_kept(span)
        trace = self.trace("(lengths:takes) args=(us:i64@1) ret=i64 min=1ms", [target("lengths"), 60])
        self.assertGreaterEqual(trace.summary()["short"], 20)
        for span in trace.spans():
            self.assertTrue(span["args"]["us"] * 1000 <= span["args"]["return"] <= ns(span["dur"]), span)

    def test_not_by_a_child_that_did_not_make_the_call(self):
        trace = self.trace("(keeps:forks) args=(n:i64@1) ret=i64", [target("keeps"), 3])
        parent, child = sorted(trace.spans(), key=lambda span: span["args"].get("begin", ""))
        self.assertEqual((parent["args"]["n"], parent["args"]["return"]), (7, 70))
        self.assertEqual(child["args"]["begin"], "fork")
        self.assertNotIn("n", child["args"])
        self.assertNotEqual(child["args"].get("return"), 70)

    def test_texts_are_bounded_and_what_is_not_there_is_said(self):
        trace = self.trace("(keeps:reads) args=(text:str@1, short:str[10]@1, long:str[256]@1)", [target("keeps"), 3])
        empty, letters, nothing = (span["args"] for span in sorted(trace.spans(), key=lambda span: span["ts"]))
        self.assertEqual([empty[key] for key in ("text", "short", "long")], [""] * 3)
        for key, most in (("text", 64), ("short", 10), ("long", 256)):
            self.assertRegex(letters[key], r"^x+\u2026$", key)
            self.assertTrue(most - 2 <= len(letters[key]) - 1 <= most, (key, len(letters[key])))
            self.assertIsNone(nothing[key])
        self.assertEqual(sorted(nothing["unreadable"]), ["long", "short", "text"])

    def test_a_value_may_be_the_name(self):
        trace = self.trace('(keeps:descend) name={text} args=(n:i64@1, text:str@2)', [target("keeps"), 6])
        self.assertEqual({span["name"]: span["args"]["n"] for span in trace.spans()}, {f"level {n}": n for n in range(1, 7)})
        trace = self.trace('before(keeps:descend) name={1} args=(:i64@1)', [target("keeps"), 6])
        self.assertEqual([e["name"] for e in moments(trace)], [str(n) for n in range(6, 0, -1)])


if __name__ == "__main__":
    main()
