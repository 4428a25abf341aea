#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""--sched: what the CPUs ran, what the threads waited for, and who woke whom."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from events import arrows, counter, exits, named, programs, states  # noqa: E402
from perfflow import TestCase, main, ns, target  # noqa: E402

WAITING = {"R": "runnable_us", "R+": "runnable_us", "S": "blocked_us", "D": "blocked_us", "Running": "oncpu_us"}
N = 500 # of each in pingpong


def overlaps(intervals):
    """Neighbours of which the second begins before the first ends."""
    intervals = sorted(intervals)
    return [(one, two) for one, two in zip(intervals, intervals[1:]) if one[1] > two[0]]


def part(states, begin, end, key):
    """How long a thread was, between two moments, in the states that count for that part of a span."""
    return sum(max(0, min(to, end) - max(ts, begin)) for ts, to, state, _ in states if WAITING[state] == key)


class Sched(TestCase):
    def sched(self, pointcut, command, **keywords):
        return self.trace(pointcut, command, options=["--sched", *keywords.pop("options", [])], **keywords)


class States(Sched):
    def test_no_thread_is_in_two_states_and_no_cpu_runs_two_threads(self):
        for pointcut, command in (("threads:work", ["threads", 8, 2000]),
                                  ("pingpong:p?ng", ["pingpong", N, "processes"])):
            trace = self.sched(pointcut, [target(command[0]), *command[1:]])
            by_cpu, by_thread = {}, {}
            for event in named(trace, "T"):
                interval = ns(event["ts"]), ns(event["ts"]) + ns(event["dur"])
                by_thread.setdefault(event["tid"], []).append(interval)
                self.assertEqual("cpu" in event["args"], event["name"] == "Running", event)
                if event["name"] == "Running":
                    by_cpu.setdefault(event["args"]["cpu"], []).append(interval)
            self.assertLessEqual(set(by_cpu), set(range(os.cpu_count())))
            for intervals in [*by_cpu.values(), *by_thread.values()]:
                self.assertEqual(overlaps(intervals), [])

    def test_states_say_what_the_spans_say(self):
        for _ in range(6): # a kernel may hide a switch; then nobody knows what the thread did
            trace = self.sched("clocks:sleeps || clocks:burns || clocks:waits || clocks:mixed || clocks:competes",
                               [target("clocks")])
            off = []
            for span in trace.spans():
                begin, end = ns(span["ts"]), ns(span["ts"]) + ns(span["dur"])
                own = states(trace, span["tid"])
                for key in ("oncpu_us", "runnable_us", "blocked_us"):
                    found = part(own, begin, end, key)
                    if abs(found - ns(span["args"][key])) > 50000:
                        off.append((span["name"], key, found, ns(span["args"][key])))
            if not off:
                break
            print("once more, since this was off:", off)
        self.assertEqual(off, [])
        for name, state, least in (("sleeps", "S", 39e6), ("waits", "S", 35e6), ("burns", "Running", 39e6),
                                   ("competes", "R+", 10e6)):
            for span in trace.spans(name):
                begin, end = ns(span["ts"]), ns(span["ts"]) + ns(span["dur"])
                found = sum(min(to, end) - max(ts, begin) for ts, to, s, _ in states(trace, span["tid"])
                            if s == state and ts < end and to > begin)
                self.assertGreaterEqual(found, least, name)

    def test_uninterruptible_sleep_is_told_apart(self):
        trace = self.sched("waits:hands", [target("waits")], cwd=self.folder.path)
        for span in trace.spans("hands"):
            if "begin" in span["args"]: # of the child
                continue
            begin, end = ns(span["ts"]), ns(span["ts"]) + ns(span["dur"])
            asleep = sum(min(to, end) - max(ts, begin) for ts, to, s, _ in states(trace, span["tid"])
                         if s == "D" and ts < end and to > begin)
            self.assertLess(abs(asleep - ns(span["args"]["io_us"])), 100000)
            self.assertGreaterEqual(asleep, 24000000)

    def test_running_adds_up_to_what_the_process_used(self):
        for _ in range(6):
            trace = self.sched("load:step", [target("load"), 2])
            off = []
            for pid, end in exits(trace).items():
                running = sum(ns(e["dur"]) for e in named(trace, "T", "Running", pid))
                if abs(running / ns(end["oncpu_us"]) - 1) > 0.01:
                    off.append((pid, running, ns(end["oncpu_us"])))
            if not off:
                break
            print("once more, since this was off:", off)
        self.assertEqual(off, [])
        self.assertEqual(len(exits(trace)), 2)

    def test_cpus_that_ran_something_are_as_busy_as_their_tracks_say(self):
        for _ in range(6):
            trace = self.sched("load:step", [target("load"), 2])
            off = []
            for cpu in range(os.cpu_count()):
                track = counter(trace, f"CPU utilisation of CPU {cpu}")
                begin, end = track[0][0], track[-1][1]
                used = sum(value / 100 * (to - ts) for ts, to, value in track)
                ran = sum(max(0, min(ns(e["ts"]) + ns(e["dur"]), end) - max(ns(e["ts"]), begin))
                          for e in named(trace, "T", "Running") if e["args"]["cpu"] == cpu)
                if abs(ran - used) > 0.02 * (end - begin):
                    off.append((cpu, ran, used))
            if not off:
                break
            print("once more, since this was off:", off)
        self.assertEqual(off, [])

    def test_of_threads_that_are_not_traced_only_what_ran_is_there(self):
        stranger = self.start([target("slow"), 30])
        trace = self.sched("load:step", [target("load"), 2])
        own = {p["pid"] for p in programs(trace)}
        strangers = [e for e in named(trace, "T") if e["pid"] not in own]
        self.assertEqual({e["name"] for e in strangers}, {"Running"})
        self.assertIn(stranger.pid, {e["pid"] for e in strangers})
        self.assertEqual(trace.process_names()[stranger.pid], "slow")
        for start, end in arrows(trace, "wakes"):
            self.assertTrue({start["pid"], end["pid"]} <= own)

    def test_without_it_there_is_nothing_of_the_kind(self):
        trace = self.trace("pingpong:p?ng", [target("pingpong"), 10, "threads"])
        self.assertEqual(named(trace, "T") + arrows(trace, "wakes"), [])
        self.assertFalse([e for e in named(trace, "C") if "of CPU " in e["name"]])


class Wakes(Sched):
    def pingpong(self, who, where):
        trace = self.sched("pingpong:p?ng", [target("pingpong"), N, who, where])
        first, second = map(int, trace.ran.out.split())
        self.assertEqual({span["tid"] for span in trace.spans("ping")} | {span["tid"] for span in trace.spans("pong")},
                         {first, second})
        return trace, first, second

    def test_arrows_lead_from_the_waker_to_the_woken(self):
        for who in ("threads", "processes"):
            for where in ("together", "apart", "free"):
                with self.subTest((who, where)):
                    trace, first, second = self.pingpong(who, where)
                    found = [(a["tid"], b["tid"]) for a, b in arrows(trace, "wakes")]
                    between = {pair: found.count(pair) for pair in ((first, second), (second, first))}
                    for waker, woken in between:
                        n_woken = sum(state == "R" for _, _, state, _ in states(trace, woken))
                        self.assertGreaterEqual(n_woken, N // 5, "it slept, if not each time")
                        # but for the first and last: starting, and waiting for the other's end
                        self.assertGreaterEqual(between[waker, woken], 0.95 * n_woken - 5, (between, n_woken))
                    # none comes from anybody who had no part in it, but for what threads and their main thread do
                    self.assertLess(len(found) - sum(between.values()), 10)

    def test_an_arrow_begins_where_the_waker_is_at_work_and_ends_where_the_woken_runs(self):
        trace, first, second = self.pingpong("processes", "together")
        starts = {tid: {ts for ts, _, state, _ in states(trace, tid) if state == "Running"} for tid in (first, second)}
        running = {tid: [(ts, to) for ts, to, state, _ in states(trace, tid) if state == "Running"] for tid in (first, second)}
        checked = 0
        for start, end in arrows(trace, "wakes"):
            if {start["tid"], end["tid"]} != {first, second}:
                continue
            self.assertEqual((start["args"]["thread"], end["args"]["by"]), (end["tid"], start["tid"]))
            self.assertLess(ns(start["ts"]), ns(end["ts"]))
            # On one CPU the waker runs when it wakes.
            in_running = any(ts <= ns(start["ts"]) <= to for ts, to in running[start["tid"]])
            checked += in_running and min((abs(ns(end["ts"]) - ts) for ts in starts[end["tid"]]), default=9e9) <= 2000
        self.assertGreaterEqual(checked, N // 5)

    def test_a_timer_is_nobody(self):
        trace = self.sched("naps:naps || naps:burns", [target("naps")])
        naps, burns = map(int, trace.ran.out.split())
        n_woken = sum(state == "R" for _, _, state, _ in states(trace, naps))
        self.assertGreaterEqual(n_woken, 35)
        # At its end the one wakes the other, which waits for that; a lock may be in the way once or twice.
        from_burns = sum((a["tid"], b["tid"]) == (burns, naps) for a, b in arrows(trace, "wakes"))
        self.assertLessEqual(from_burns, 4)


if __name__ == "__main__":
    main()
