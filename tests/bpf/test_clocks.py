#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The time of a span is divided into on a CPU, waiting for one, and blocked, and nothing else."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import TestCase, main, target  # noqa: E402

# What the host takes of an emulated CPU looks like a thread that runs there.
TAKEN_US = 10000 if "PERFFLOW_KERNEL" in os.environ else 0


class Clocks(TestCase):
    # (least, most) of each in us. A busy machine takes a CPU away from a thread at any time: no upper bound there.
    EXPECTED = {
        "sleeps": {"blocked_us": (39000, None), "oncpu_us": (0, 4000 + TAKEN_US)},
        "burns": {"oncpu_us": (39000, 46000 + TAKEN_US), "blocked_us": (0, 4000)},
        "waits": {"blocked_us": (35000, None), "oncpu_us": (0, 4000 + TAKEN_US)},
        "mixed": {"oncpu_us": (19500, 25000 + TAKEN_US), "blocked_us": (19500, None)},
        "competes": {"oncpu_us": (39000, 46000 + TAKEN_US), "runnable_us": (10000, None), "blocked_us": (0, 4000)},
    }

    def faults(self, trace):
        return [(name, key, span) for name, bounds in self.EXPECTED.items() for span in trace.spans(name)
                for key, (least, most) in bounds.items()
                if not least <= span["args"][key] <= (most if most is not None else span["dur"])]

    def test_sleeping_burning_waiting_and_competing_are_told_apart(self):
        # Where the host takes a CPU away, or a kernel does not trace a switch, one run may be off: not six.
        for _ in range(6):
            trace = self.trace("clocks:sleeps || clocks:burns || clocks:waits || clocks:mixed || clocks:competes",
                               [target("clocks")])
            self.assertCounts(trace, {"sleeps": 4, "burns": 4, "waits": 4, "mixed": 4, "competes": 2})
            for span in trace.all_spans:
                self.assertAlmostEqual(span["args"]["cpu_usage"], 100 * span["args"]["oncpu_us"] / span["dur"], 0)
            faults = self.faults(trace)
            if not faults:
                break
            print("once more, since this was off:", faults)
        self.assertEqual(faults, [])

    def test_a_child_has_nothing_of_a_thread_that_had_its_state_before(self):
        cpus = open("/sys/devices/system/cpu/possible").read().strip()
        n_threads = 80 + 4 * (int(cpus.split("-")[-1]) + 1)  # more than states are kept for
        trace = self.trace("reborn:works || reborn:forks", [target("reborn"), n_threads])
        self.assertCounts(trace, {"works": 2 * n_threads, "forks": 2})
        child = next(span for span in trace.spans("forks") if span["args"].get("begin") == "fork")
        self.assertGreater(child["args"]["blocked_us"], 40000, child)
        self.assertLess(child["args"]["oncpu_us"], 10000 + TAKEN_US, child)

    def test_the_cpu_time_of_a_process_on_its_track_is_what_its_spans_had(self):
        trace = self.trace("clocks:burns || clocks:sleeps || clocks:waits || clocks:mixed || clocks:competes",
                           [target("clocks")])
        pid = trace.pids()[0]
        on_track = [event for event in trace.counters() if event["pid"] == pid]
        machine = [event for event in trace.counters() if event["pid"] != pid]
        self.assertGreaterEqual(len(on_track), 5, "a value every 100 ms")
        self.assertGreaterEqual(len(machine), 5, "the machine has a track as well")
        cores = os.cpu_count() or 1
        for event in on_track:
            for value in event["args"].values():
                self.assertTrue(0 <= value <= 100 * cores + 5, event)
        for event in machine:
            for value in event["args"].values():
                self.assertTrue(0 <= value <= 100 * cores + 5, event)

        # Percent times seconds, from each value to the one before it, is CPU time: that of the spans and a little more.
        on_track.sort(key=lambda event: event["ts"])
        spent = sum(sum(event["args"].values()) / 100 * (event["ts"] - before["ts"])
                    for before, event in zip(on_track, on_track[1:]))
        in_spans = sum(span["args"]["oncpu_us"] for span in trace.all_spans)
        self.assertGreater(spent, 0.6 * in_spans)
        self.assertLess(spent, 1.6 * in_spans)


if __name__ == "__main__":
    main()
