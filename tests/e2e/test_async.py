#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Asynchronous events: what begins in one function or thread and ends in another is one, on a track of its own."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from events import asyncs, moments, named  # noqa: E402
from perfflow import PERFFLOW, TestCase, Trace, main, ns, perfflow, target  # noqa: E402

SOON_NS = 50000000  # between a probe and what the function sees itself; a machine may be busy


class ByThread(TestCase):
    """The id is the thread, as nobody says another."""

    def test_each_thread_has_its_own(self):
        trace = self.trace("around_async(requests:by_thread)", [target("requests"), "thread"])
        pairs = asyncs(trace, "by_thread")
        self.assertEqual(len(pairs), 20)
        self.assertEqual(len({pair.tid for pair in pairs} - {pair.pid for pair in pairs}), 4)
        for pair in pairs:
            self.assertGreaterEqual(pair.length_ns, 1000000)
            self.assertEqual((pair.begin["tid"], pair.how), (pair.end["tid"], "return"))
            self.assertNotIn("ended_by", pair.end["args"])
        self.assertEqual(len({(pair.pid, pair.begin["id2"]["local"]) for pair in pairs}), 20, "no two share a track")

    def test_one_begins_in_a_function_and_ends_in_another_of_the_same_thread(self):
        trace = self.trace(["before_async(kinds:enters) name=rest cat=mine", "after_async(kinds:leaves) name=rest cat=mine"],
                           [target("kinds"), 10], status=3)
        pairs = asyncs(trace, "rest")
        self.assertEqual(len(pairs), 10)
        for pair in pairs:
            self.assertGreaterEqual(pair.length_ns, 6000000)
            self.assertEqual(pair.cat, "mine")
        self.assertEqual(trace.summary()["async"], {"unfinished": 0, "unbegun": 0, "unfollowed": 0, "without_id": 0})

    def test_names_and_categories_keep_them_apart(self):
        trace = self.trace(["before_async(kinds:enters) name=one", "after_async(kinds:leaves) name=two"],
                           [target("kinds"), 5], status=3)
        self.assertEqual({pair.how for pair in asyncs(trace, "one")}, {"process_exit"})
        self.assertEqual([e["args"]["begin"] for e in named(trace, "i", "two")], ["unseen"] * 5)
        self.assertEqual(trace.summary()["async"]["unbegun"], 5)

    def test_a_function_left_by_an_exception_ends_its_own(self):
        for way in ("through", "caught", "thread"):
            trace = self.trace("around_async(inside_cxx:enter)", [target("inside_cxx"), way])
            pairs = asyncs(trace, "enter")
            calls = self.trace("inside_cxx:enter", [target("inside_cxx"), way])
            ends = {}
            for pair in pairs:
                ends[pair.how] = ends.get(pair.how, 0) + 1
            self.assertEqual(ends, calls.ends("enter"), way)

    def test_a_thread_that_ends_inside_ends_its_own(self):
        trace = self.trace("around_async(requests:by_thread)", [target("requests"), "leaves"])
        pairs = asyncs(trace, "by_thread")
        self.assertEqual([pair.how for pair in pairs], ["thread_exit"] * 4)
        self.assertTrue(all(1000000 <= pair.length_ns < 1000000000 for pair in pairs), pairs)

    def test_a_process_that_ends_inside_ends_its_own(self):
        for how, status in (("_exit", 4), ("kill", 137)):
            trace = self.trace("around_async(process_exit:inner)", [target("process_exit"), how], status=status)
            self.assertEqual([pair.how for pair in asyncs(trace, "inner")], ["process_exit"])
            trace = self.trace("before_async(process_exit:inner)", [target("process_exit"), how], status=status)
            self.assertEqual([pair.how for pair in asyncs(trace, "inner")], ["process_exit"])

    def test_a_process_that_executes_another_program_inside_ends_its_own(self):
        trace = self.trace("around_async(exec:inner)", [target("exec")], status=6)
        self.assertEqual([pair.how for pair in asyncs(trace, "inner")], ["exec"])

    def test_the_end_of_the_session_ends_what_is_open(self):
        for aspect, how in (("around_async(follows:blocks)", "session_stop"), ("before_async(follows:blocks)", "unfinished")):
            program = self.start([target("follows")], stdin=-1)
            program.read_until("ready")
            attached = self.start([PERFFLOW, "attach", "--pid", program.pid, "-p", aspect, "-o", self.folder / "t.json"])
            attached.read_until("tracing", "stderr")
            program.tell("block")
            program.read_until("inside")
            attached.send_signal(signal.SIGINT)
            self.assertEqual(attached.finish().status, 0)
            trace = Trace(self.folder / "t.json")
            self.check(trace)
            self.assertEqual([pair.how for pair in asyncs(trace, "blocks")], [how])
            self.assertEqual(trace.summary()["async"]["unfinished"], 1 if how == "unfinished" else 0)
            program.kill_all()

    def test_a_child_that_is_born_inside_does_not_end_its_parents(self):
        trace = self.trace("around_async(forks:outer)", [target("forks")])
        pairs = asyncs(trace, "outer")
        self.assertEqual([pair.how for pair in pairs], ["return"] * 2)
        self.assertEqual(len({pair.pid for pair in pairs}), 1)
        self.assertEqual(trace.summary()["async"]["unbegun"], 0)


class ById(TestCase):
    """The id is an argument, or what is returned."""

    ASPECTS = ["before_async(requests:submit) id=arg1 name=request", "after_async(requests:complete) id=arg1 name=request"]

    def truth(self, trace, how):
        """(id, begin, end) of the requests, as the program measured inside of the functions."""
        return [tuple(map(int, line.split()[1:])) for line in trace.ran.out.splitlines() if line.startswith(how + " ")]

    def assert_true(self, pairs, truth):
        found = sorted((int(str(pair.begin["args"]["id"]), 0), pair.begin_ns, pair.end_ns) for pair in pairs)
        self.assertEqual([id for id, _, _ in found], sorted(id for id, _, _ in truth))
        for (_, begin, end), (id, inner_begin, inner_end) in zip(found, sorted(truth)):
            self.assertTrue(inner_begin - SOON_NS < begin < inner_begin, (id, begin, inner_begin))
            self.assertTrue(inner_end < end < inner_end + SOON_NS, (id, end, inner_end))

    def test_a_request_begun_in_one_thread_and_ended_in_another_is_one(self):
        trace = self.trace(self.ASPECTS, [target("requests"), "workers"])
        pairs = asyncs(trace, "request")
        self.assert_true(pairs, self.truth(trace, "workers"))
        self.assertEqual(len({pair.begin["args"]["id"] for pair in pairs}), 32)
        submitter = {pair.begin["tid"] for pair in pairs}
        self.assertEqual(len(submitter), 1)
        workers = {pair.end["args"]["ended_by"]["tid"] for pair in pairs}
        self.assertEqual(len(workers), 4)
        self.assertFalse(workers & submitter)

    def test_the_id_may_be_what_is_returned(self):
        trace = self.trace(["before_async(requests:submit) id=arg1 name=request",
                            "after_async(requests:wait_any) id=ret name=request"], [target("requests"), "any"])
        self.assert_true(asyncs(trace, "request"), self.truth(trace, "any"))

    def test_what_begins_may_be_known_by_what_its_function_returns(self):
        for how in ("sites", "probes"):
            trace = self.trace([f"before_async(requests:launch) id=ret args=(number:i32@1) name=job returns={how}",
                                "after_async(requests:await) id=arg1 name=job"], [target("requests"), "launched"])
            pairs = asyncs(trace, "job")
            self.assert_true(pairs, self.truth(trace, "launched"))
            self.assertEqual(sorted(pair.begin["args"]["id"] - 4000 for pair in pairs), list(range(8)))
            for pair in pairs:
                self.assertEqual(pair.begin["args"]["number"], pair.begin["args"]["id"] - 4000)
                self.assertNotIn(pair.end["args"]["ended_by"]["tid"], {pair.tid for pair in pairs})
            self.assertEqual(trace.summary()["async"], {"unfinished": 0, "unbegun": 0, "unfollowed": 0, "without_id": 0})
            self.assertEqual((trace.summary()["spans"], trace.summary()["marks"]), (0, 16))

    def test_what_happens_to_it_meanwhile_is_a_moment_on_its_track(self):
        trace = self.trace(["before_async(requests:launch) id=ret name=job", "before(requests:poll_once) id=arg1 name=job",
                            "after_async(requests:await) id=arg1 name=job"], [target("requests"), "launched"])
        pairs = {pair.begin["id2"]["local"]: pair for pair in asyncs(trace, "job")}
        steps = named(trace, "n", "job")
        self.assertEqual(sorted(step["args"]["id"] for step in steps), sorted(2 * [4000 + n for n in range(8)]))
        for step in steps:
            pair = pairs[step["id2"]["local"]]
            self.assertEqual((step["args"]["id"], step["pid"], step["tid"]), (pair.begin["args"]["id"], pair.pid, pair.tid))
            self.assertEqual(step["args"]["by"], pair.end["args"]["ended_by"])
            self.assertTrue(pair.begin_ns < ns(step["ts"]) < pair.end_ns)
        self.assertEqual(trace.summary()["marks"], 32)
        ran = perfflow("check", trace.path)
        self.assertEqual(ran.status, 0, ran)

    def test_a_moment_of_what_has_not_begun_says_so(self):
        for advice in ("before(requests:poll_once) id=arg1", "after(requests:poll_once) id=ret"):
            trace = self.trace(advice + " name=job", [target("requests"), "launched"])
            self.assertEqual([e["args"]["begin"] for e in named(trace, "i", "job")], ["unseen"] * 16)
            self.assertEqual(trace.summary()["async"]["unbegun"], 0)

    def test_a_function_that_does_not_return_tells_no_id(self):
        trace = self.trace(["before_async(requests:launch) id=ret name=job", "after_async(requests:await) id=arg1 name=job"],
                           [target("requests"), "jumps"])
        self.assertEqual([pair.begin["args"]["id"] for pair in asyncs(trace, "job")], [4000])
        self.assertEqual([e["args"] for e in moments(trace, "job", "entry")],
                         [{"moment": "entry", "end": "unwound"}, {"moment": "entry", "end": "process_exit"}])
        self.assertEqual(trace.summary()["async"]["without_id"], 2)

    def test_of_two_that_are_open_with_one_id_the_younger_ends_first(self):
        trace = self.trace(["before_async(requests:begin) id=arg1 name=use", "after_async(requests:end) id=arg1 name=use"],
                           [target("requests"), "handles"])
        self.assert_true(asyncs(trace, "use"), self.truth(trace, "handles"))

    def test_what_never_ends_and_what_never_began_is_said_so(self):
        trace = self.trace(self.ASPECTS, [target("requests"), "lost"])
        self.assertEqual([pair.how for pair in asyncs(trace, "request")], ["unfinished"] * 3)
        self.assertEqual([e["args"]["begin"] for e in named(trace, "i", "request")], ["unseen"] * 2)
        self.assertEqual(trace.summary()["async"], {"unfinished": 3, "unbegun": 2, "unfollowed": 0, "without_id": 0})

    def test_processes_that_use_the_same_address_do_not_end_each_others(self):
        trace = self.trace(self.ASPECTS, [target("requests"), "processes"])
        pairs = asyncs(trace, "request")
        self.assertEqual(len(pairs), 20)
        self.assertEqual(len({pair.pid for pair in pairs}), 2)
        self.assertEqual(len({pair.begin["args"]["id"] for pair in pairs}), 1)
        for pair in pairs:
            self.assertEqual((pair.pid, pair.how), (pair.end["pid"], "return"))
            self.assertNotIn("ended_by", pair.end["args"])

    def test_an_argument_by_name_and_a_captured_one_serve_as_id(self):
        trace = self.trace(["before_async(requests:begin) id=handle args=(handle:i32@1) name=use",
                            "after_async(requests:end) id=handle args=(handle) name=use"], [target("requests"), "handles"])
        pairs = asyncs(trace, "use")
        self.assert_true(pairs, self.truth(trace, "handles"))


if __name__ == "__main__":
    main()
