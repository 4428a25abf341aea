# SPDX-License-Identifier: LGPL-3.0-or-later
"""--metrics gpu: what NVML tells is in the trace, number by number; where it does not, that is said, and all else is there."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOW, TARGETS, TestCase, Trace, environment, main, target  # noqa: E402

FAKE = os.path.join(TARGETS, "fake_nvml")
GPU0, GPU1 = "GPU 0 (Fake A)", "GPU 1 (Fake B)"


class Gpu(TestCase):
    def attach(self, seconds=1.5, interval="50ms", lives=30, **settings):
        """Traces a process that does little, with a library that tells the settings; its trace, its pid and what was said."""
        process = self.start([target("slow"), lives])
        process.read_until("1\n")
        env = environment(LD_LIBRARY_PATH=FAKE, FAKE_NVML_PID=str(process.pid), **{k: str(v) for k, v in settings.items()})
        tracer = self.start([PERFFLOW, "attach", "-p", "slow:beat", "--pid", process.pid, "--metrics", "gpu",
                             "--interval", interval, "-o", self.folder / "t.json"], env=env)
        tracer.read_until("tracing", stream="stderr")
        if seconds < lives:
            time.sleep(seconds)
            tracer.interrupt()
        ran = tracer.finish()
        self.assertEqual(ran.status, 0, ran)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertGreater(trace.count("beat"), 3)
        return trace, process.pid, ran

    def track(self, trace, name, pid=0):
        """The values of a track, in order of time, and these times."""
        points = sorted((e["ts"], e["args"]) for e in trace.counters() if e["name"] == name and e["pid"] == pid)
        self.assertTrue(all(len(args) == 1 for _, args in points))
        return [value for _, args in points for value in args.values()], [ts for ts, _ in points]

    def test_what_each_gpu_tells_is_there_call_by_call(self):
        trace, _, _ = self.attach()
        utilisation, times = self.track(trace, f"{GPU0} utilisation")
        self.assertGreater(len(utilisation), 10)
        self.assertEqual(utilisation, [7 * k % 101 for k in range(1, len(utilisation) + 1)])
        for gpu in (0, 1):
            memory, _ = self.track(trace, f"{(GPU0, GPU1)[gpu]} memory")
            self.assertEqual(memory, [(k << 20) + (gpu << 30) for k in range(1, len(memory) + 1)])
            self.assertEqual(len(memory), len(utilisation))
        steps = sorted(b - a for a, b in zip(times, times[1:]))
        self.assertAlmostEqual(steps[len(steps) // 2], 50000, delta=5000)
        names = {e["name"]: (e["cat"], list(e["args"])) for e in trace.counters() if e["name"].startswith("GPU")}
        self.assertEqual(names, {f"{GPU0} utilisation": ("gpu", ["%"]), f"{GPU0} memory": ("gpu", ["bytes"]),
                                 f"{GPU1} memory": ("gpu", ["bytes"])})

    def test_a_process_of_the_trace_has_what_it_uses_and_0_when_it_leaves_the_gpu(self):
        trace, pid, _ = self.attach()
        memory, utilisation = (self.track(trace, f"{GPU0} {what}", pid)[0] for what in ("memory", "utilisation"))
        first = 8 - len(memory[:-1])  # the first call may come before the process is in the trace
        self.assertIn(first, (1, 2))
        self.assertEqual(memory, [1000 * k + 1 for k in range(first, 8)] + [0])
        self.assertEqual(utilisation, [0 if k % 2 else 3 * k % 101 for k in range(first, 8)] + [0])
        self.assertEqual({e["pid"] for e in trace.counters() if e["name"].startswith("GPU")}, {0, pid})

    def test_a_process_that_ends_uses_nothing_any_more(self):
        trace, pid, _ = self.attach(seconds=3, interval="500ms", lives=3)
        memory, times = self.track(trace, f"{GPU0} memory", pid)
        end = [e["ts"] for e in trace.events if e["pid"] == pid and e["name"] == "exit"]
        self.assertEqual(memory[-2:], [1000 * (len(memory) - 1) + 1, 0])
        self.assertLess(len(memory), 8)
        self.assertAlmostEqual(times[-1], end[0], delta=1)

    def test_what_a_gpu_does_not_tell_is_said_once(self):
        trace, _, ran = self.attach()
        sentence = f"{GPU1} does not tell its utilisation: Not Supported"
        self.assertEqual([w for w in trace.summary()["warnings"] if "GPU" in w], [sentence])
        self.assertEqual(ran.err.count(sentence), 1, ran)

    def test_without_the_library_or_a_driver_all_else_is_there_and_the_reason_is_said(self):
        for env, reason in ((environment(), "libnvidia-ml.so.1"),
                            (environment(LD_LIBRARY_PATH=FAKE, FAKE_NVML_INIT="9"), "Driver Not Loaded")):
            with self.subTest(reason):
                trace = self.trace("recursion:before", [target("recursion"), 1], options=["--metrics", "gpu"], env=env)
                self.assertEqual(trace.count("before"), 3)
                self.assertFalse([e for e in trace.counters() if "GPU" in e["name"]])
                self.assertIn("nothing is known of GPUs", trace.ran.err)
                self.assertIn(reason, "".join(trace.summary()["warnings"]))

    def test_a_slow_driver_holds_up_nothing_but_its_own_values(self):
        trace, _, ran = self.attach(FAKE_NVML_MS=400)
        utilisation, times = self.track(trace, f"{GPU0} utilisation")
        self.assertGreaterEqual(len(utilisation), 3)
        self.assertGreaterEqual(min(b - a for a, b in zip(times, times[1:])), 400000)
        self.assertEqual(utilisation, [7 * k % 101 for k in range(1, len(utilisation) + 1)])
        self.assertRegex("".join(trace.summary()["warnings"]), r"the GPUs took up to 4\d\d\.\d ms to answer")
        cpu, times = self.track(trace, "CPU utilisation of the machine")
        self.assertGreater(len(cpu), 20)
        self.assertLess(max(b - a for a, b in zip(times, times[1:])), 300000)

    def test_a_driver_that_does_not_answer_at_all_is_left_alone(self):
        begin = time.monotonic()
        trace, _, _ = self.attach(seconds=1, FAKE_NVML_INIT_MS=60000)
        self.assertLess(time.monotonic() - begin, 15)
        self.assertIn("nothing is known of GPUs: their driver does not answer", trace.summary()["warnings"])


main()
