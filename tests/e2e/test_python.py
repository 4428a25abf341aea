#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Python programs: decorated functions as PerfFlowAspect has them, and by py() functions that nobody touched.

What holds of every interpreter is tried with each version that the machine has.
"""
import collections
import glob
import json
import os
import pathlib
import sys
import tempfile
import textwrap

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from events import asyncs, moments, named  # noqa: E402
from interpreters import interpreters  # noqa: E402
from perfflow import BUILD, PERFFLOW, TestCase, Trace, environment, main, ns, perfflow, run  # noqa: E402

PYTHON = sys.executable
PACKAGE = os.path.join(BUILD, "python")


class PythonCase(TestCase):
    def script(self, text, name="program.py"):
        path = os.path.join(self.folder.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        pathlib.Path(path).write_text(textwrap.dedent(text))
        return path

    def nested(self, trace, inner, outer):
        """Whether each span of that name has one of the other around it."""
        return all((trace.parent_of(span) or {}).get("name") == outer for span in trace.spans(inner))


# Decorated --------------------------------------------------------------------------------------------------------------

NESTED = """
    import time
    import perfflowaspect.aspect

    @perfflowaspect.aspect.critical_path(pointcut="around")
    def bar(): time.sleep(0.002)
    @perfflowaspect.aspect.critical_path()
    def foo():
        bar()
        time.sleep(0.001)
    for _ in range(4): foo()
"""


class Decorated(PythonCase):
    def test_calls_nest_and_last_as_long_as_they_do(self):
        trace = self.trace("annotated()", [PYTHON, self.script(NESTED)])
        self.assertEqual(trace.counts(), {"foo": 4, "bar": 4})
        self.assertTrue(self.nested(trace, "bar", "foo"))
        self.assertEqual({span["cat"] for span in trace.all_spans}, {"__main__"})
        for span in trace.spans("bar"):
            self.assertGreaterEqual(span["dur"], 2000)
            self.assertGreaterEqual(span["args"]["blocked_us"], 1500)

    def test_the_first_call_of_the_program_is_not_missed(self):
        program = self.script("import perfflowaspect.aspect as a\na.sync_event('before', 'first', 'c')\na.sync_event('after', 'first', 'c')")
        for _ in range(5):
            self.assertEqual(self.trace("annotated()", [PYTHON, program]).counts(), {"first": 1})

    def test_untraced_the_same_program_runs_alone(self):
        ran = run([PYTHON, self.script(NESTED + "\n    print('done')")], env=environment(PYTHONPATH=PACKAGE))
        self.assertEqual((ran.status, ran.out, ran.err), (0, "done\n", ""))

    def test_names_are_qualified_and_categories_modules(self):
        self.script("""
            import perfflowaspect.aspect
            class Mesh:
                @perfflowaspect.aspect.critical_path()
                def refine(self): return inner()
                @staticmethod
                @perfflowaspect.aspect.critical_path()
                def load(): pass
            def outer():
                @perfflowaspect.aspect.critical_path()
                def inner(): pass
                return inner
            inner = outer()
        """, "package/mesh.py")
        program = self.script("from package.mesh import Mesh\nMesh().refine(); Mesh.load()")
        trace = self.trace("annotated()", [PYTHON, program])
        self.assertEqual({(span["name"], span["cat"]) for span in trace.all_spans},
                         {(name, "package.mesh") for name in ("Mesh.refine", "outer.<locals>.inner", "Mesh.load")})

    def test_every_pointcut(self):
        program = self.script("""
            import perfflowaspect.aspect as a
            for pointcut in ("around", "before", "after", "around_async"):
                def function(): pass
                function.__qualname__ = pointcut
                a.critical_path(pointcut=pointcut, scope="s")(function)()
            @a.critical_path(pointcut="before_async", scope="s")
            def begins(): pass
            @a.critical_path(pointcut="after_async", scope="s")
            def ends(): pass
            begins(); ends()
        """)
        trace = self.trace("annotated()", [PYTHON, program])
        self.assertEqual(trace.counts(), {"around": 1})
        self.assertEqual([(e["name"], e["args"]["moment"]) for e in moments(trace)], [("before", "entry"), ("after", "return")])
        self.assertEqual([pair.name for pair in asyncs(trace)], ["around_async", "begins"])
        self.assertEqual(trace.summary()["async"], {"unfinished": 0, "unbegun": 0, "unfollowed": 0, "without_id": 0})

    def test_what_is_submitted_here_and_done_in_a_pool_is_one_thing(self):
        program = self.script("""
            import time, threading
            from concurrent.futures import ThreadPoolExecutor
            import perfflowaspect.aspect as a
            @a.critical_path(pointcut="before_async", scope="job")
            def submit(pool): return pool.submit(work)
            @a.critical_path(pointcut="after_async", scope="job")
            def work(): time.sleep(0.005)
            with ThreadPoolExecutor(3) as pool:
                [f.result() for f in [submit(pool) for _ in range(6)]]
        """)
        trace = self.trace("annotated()", [PYTHON, program])
        pairs = asyncs(trace)
        self.assertEqual([pair.name for pair in pairs], ["submit"] * 6)
        for pair in pairs:
            self.assertGreaterEqual(pair.length_ns, 5000000)
            self.assertNotEqual(pair.end["args"]["ended_by"]["tid"], pair.tid)

    def test_coroutines_have_their_life_and_their_stretches(self):
        program = self.script("""
            import asyncio
            import perfflowaspect.aspect as a
            @a.critical_path()
            async def fetch(n): await asyncio.sleep(n / 100); return n
            async def main(): print(sum(await asyncio.gather(*(fetch(n) for n in (3, 1, 2)))))
            asyncio.run(main())
        """)
        trace = self.trace("annotated()", [PYTHON, program])
        self.assertEqual(trace.ran.out, "6\n")
        self.assertEqual(sorted(pair.length_ns // 10000000 for pair in asyncs(trace, "fetch")), [1, 2, 3])
        self.assertEqual(trace.count("fetch"), 6)
        self.assertLess(max(span["dur"] for span in trace.spans("fetch")), 10000)

    def test_exceptions_end_what_they_leave(self):
        program = self.script("""
            import perfflowaspect.aspect as a
            @a.critical_path()
            def inner(): raise ValueError
            @a.critical_path()
            def outer(): inner()
            @a.critical_path()
            def after(): pass
            for _ in range(3):
                try: outer()
                except ValueError: after()
        """)
        trace = self.trace("annotated()", [PYTHON, program])
        self.assertEqual(trace.counts(), {"inner": 3, "outer": 3, "after": 3})
        self.assertTrue(self.nested(trace, "inner", "outer"))
        self.assertEqual([trace.parent_of(span) for span in trace.spans("after")], [None] * 3)

    def test_recursion_deeper_than_spans_can_be_open_leaves_those_around_it_right(self):
        program = self.script("""
            import time
            import perfflowaspect.aspect as a
            @a.critical_path()
            def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
            @a.critical_path()
            def outer(): deep(300); time.sleep(0.02)
            outer()
        """)
        for version, path in interpreters().items():
            for aspect in ("annotated()", "py(program:[do]*)"):
                with self.subTest(version, aspect=aspect):
                    trace = self.trace(aspect, [path, program], lost={"too_deep": 174})
                    self.assertEqual(trace.counts(), {"outer": 1, "deep": 127})
                    self.assertGreaterEqual(trace.spans("outer")[0]["dur"], 20000)
                    self.assertEqual(trace.ends(), {"return": 128})

    def test_samples_leave_whole_calls_out(self):
        program = self.script("""
            import time
            import perfflowaspect.aspect as a
            @a.critical_path()
            def inner(): pass
            @a.critical_path()
            def outer():
                for _ in range(200): inner()
                time.sleep(0.005)
            for _ in range(10): outer()
        """)
        trace = self.trace("(annotated()) sample=1/2", [PYTHON, program])
        self.assertTrue(600 < trace.count("inner") < 1400, trace.counts())
        self.assertTrue(all(span["dur"] >= 5000 for span in trace.spans("outer")))
        self.assertTrue(all(span["dur"] < 5000 for span in trace.spans("inner")))

    def test_processes_of_a_pool(self):
        program = self.script("""
            import multiprocessing, os
            import perfflowaspect.aspect as a
            @a.critical_path()
            def work(n): return os.getpid()
            if __name__ == "__main__":
                with multiprocessing.Pool(3) as pool: pids = pool.map(work, range(12), chunksize=1)
                print(*set(pids))
        """)
        trace = self.trace("annotated()", [PYTHON, program])
        self.assertEqual(trace.counts(), {"work": 12})
        self.assertEqual(trace.pids(), sorted(map(int, trace.ran.out.split())))

    def test_a_program_that_runs_already(self):
        program = self.script("""
            import sys, time
            import perfflowaspect.aspect as a
            @a.critical_path()
            def step(): time.sleep(0.001)
            print("ready", flush=True)
            while True: step()
        """)
        running = self.start([PYTHON, program], env=environment(PYTHONPATH=PACKAGE))
        running.read_until("ready")
        ran = perfflow("attach", "--pid", running.pid, "-p", "annotated()", "--duration", "300ms", "-o", self.folder / "t.json")
        self.assertEqual(ran.status, 0, ran)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        self.assertGreater(trace.count("step"), 20)
        self.assertIsNone(running.poll())

    def test_every_interpreter(self):
        for version, path in interpreters().items():
            with self.subTest(version):
                self.assertEqual(self.trace("annotated()", [path, self.script(NESTED)]).counts(), {"foo": 4, "bar": 4})


class PerfFlowAspect(PythonCase):
    """What its users find in its files, for programs such as its own tests."""

    def pfw(self, text, aspects=(), **environ):
        """The events by their process."""
        program = self.script(text)
        folder = tempfile.mkdtemp(dir=self.folder.path)
        words = [word for aspect in aspects for word in ("-p", aspect)]
        ran = run([PERFFLOW, "run", "--quiet", "--pfw", *words, "--", PYTHON, program], cwd=folder, env=environment(**environ))
        self.assertEqual(ran.status, 0, ran)
        self.ran = ran
        files = glob.glob(os.path.join(folder, "*.pfw"))
        return {path.split(".")[-2]: json.loads(pathlib.Path(path).read_text()) for path in files}

    def test_nested_calls(self):
        (events,) = self.pfw(NESTED).values()
        self.assertEqual([(e["ph"], e["name"], e["cat"]) for e in events],
                         [(ph, name, "__main__") for ph, name in (("B", "foo"), ("B", "bar"), ("E", "bar"), ("E", "foo"))] * 4)

    def test_compact_with_counters(self):
        (events,) = self.pfw(NESTED, PERFFLOW_OPTIONS="log-event=compact:cpu-mem-usage=True").values()
        self.assertEqual([(e["ph"], e["name"]) for e in events],
                         [(ph, name) for name in ("bar", "foo") for ph in "CCX"] * 4)

    def test_a_call_that_raises_has_an_end_but_no_after(self):
        (events,) = self.pfw("""
            import perfflowaspect.aspect as a
            for pointcut in ("around", "before", "after", "around_async", "after_async"):
                def function(raises):
                    if raises: raise ValueError
                function.__qualname__ = pointcut
                for raises in (True, False):
                    try: a.critical_path(pointcut=pointcut)(function)(raises)
                    except ValueError: pass
        """).values()
        self.assertEqual([(e["ph"], e["name"]) for e in events], [
            *[("B", "around"), ("E", "around")] * 2, *[("B", "before")] * 2, ("E", "after"),
            *[("b", "around_async"), ("e", "around_async")] * 2, ("e", "after_async")])

    def test_functions_that_nobody_touched_beside_those_that_are_decorated(self):
        program = NESTED + """
    def plain():
        foo()
    async def waits():
        pass
    plain()
    import asyncio
    asyncio.run(waits())
"""
        for options, foo, plain in (("verbose", "B.foo B.bar E.bar E.foo", "B.plain {} E.plain"),
                                    ("compact", "X.bar X.foo", "{} X.plain")):
            (events,) = self.pfw(program, ["annotated()", "py(program:plain)", "before(py(program:waits))"],
                                 PERFFLOW_OPTIONS="log-event=" + options).values()
            self.assertEqual(" ".join(f"{e['ph']}.{e['name']}" for e in events),
                             " ".join([foo] * 4 + [plain.format(foo), "B.waits"]))
            self.assertEqual({e["cat"] for e in events}, {"__main__"})

    def test_direct_events(self):
        (events,) = self.pfw("""
            import perfflowaspect.aspect as a
            a.sync_event("before", "main", "direct.py"); a.sync_event("before", "foo", "direct.py")
            a.async_event("before", "bar", "direct.py", scope="s", id=7); a.async_event("instant", "bar", "direct.py", scope="s", id=7)
            a.async_event("after", "bar", "direct.py", scope="s", id=7); a.async_event("before", "baz", "direct.py")
            a.sync_event("after", "foo", "direct.py"); a.sync_event("after", "main", "direct.py")
        """).values()
        self.assertEqual([(e["ph"], e["name"], e.get("scope"), e.get("id")) for e in events], [
            ("B", "main", None, None), ("B", "foo", None, None), ("b", "bar", "s", 7), ("n", "bar", "s", 7), ("e", "bar", "s", 7),
            ("b", "baz", None, 123), ("E", "foo", None, None), ("E", "main", None, None)])

    def test_futures_of_a_pool_share_their_ids(self):
        (events,) = self.pfw("""
            from concurrent.futures import ThreadPoolExecutor
            import perfflowaspect.aspect as a
            @a.critical_path(pointcut="before_async", scope="foo")
            def begins(): pass
            @a.critical_path(pointcut="after_async", scope="foo")
            def bar(): pass
            with ThreadPoolExecutor(2) as pool:
                for _ in range(5): begins(); pool.submit(bar)
        """).values()
        self.assertEqual({(e["ph"], e["name"], e["scope"]) for e in events}, {("b", "begins", "foo"), ("e", "bar", "foo")})
        ids = collections.Counter((e["id"], e["ph"]) for e in events)
        self.assertEqual((len(ids), set(ids.values())), (10, {1}))
        self.assertEqual({i for i, ph in ids if ph == "b"}, {i for i, ph in ids if ph == "e"})

    def test_a_pointcut_that_is_none(self):
        files = self.pfw("""
            import perfflowaspect.aspect as a
            @a.critical_path(pointcut="around_async_typo")
            def bar(): return "ran"
            print(bar())
            a.critical_path()(lambda: None)()
        """)
        (events,) = files.values()
        self.assertEqual(([e["name"] for e in events], self.ran.out), (["<lambda>"] * 2, "ran\n"))
        self.assertIn("perfflow error: ('unknown pointcut', 'around_async_typo')", self.ran.err)

    def test_processes_have_a_file_each_that_is_json(self):
        files = self.pfw("""
            import multiprocessing
            import perfflowaspect.aspect as a
            @a.critical_path()
            def work(n): return n
            processes = [multiprocessing.Process(target=work, args=(n,)) for n in range(4)]
            [p.start() for p in processes]; [p.join() for p in processes]
        """)
        self.assertEqual([[(e["ph"], e["name"], str(e["pid"]) == pid) for e in events] for pid, events in files.items()],
                         [[("B", "work", True), ("E", "work", True)]] * 4)

    def test_disabled_it_still_runs(self):
        self.assertEqual(self.pfw(NESTED + "\n    print('ran')", PERFFLOW_OPTIONS="log-enable=False"), {})
        self.assertEqual(self.ran.out, "ran\n")


# Undecorated ------------------------------------------------------------------------------------------------------------

PLAIN = """
    import asyncio, threading, time
    def work(n): return n + 1
    class Solver:
        def step(self): return [work(x) for x in range(3)]
        def fails(self): raise ValueError
    def values():
        yield 1
        yield 2
    async def waits():
        await asyncio.sleep(0.01)
        return work(1)
    def main():
        solver = Solver()
        solver.step()
        list(values())
        asyncio.run(waits())
        try: solver.fails()
        except ValueError: pass
        threads = [threading.Thread(target=work, args=(1,)) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        return (lambda: 1)()
    main()
"""


class Installed(PythonCase):
    """What an installed perfflow finds beside itself, wherever it was installed to."""

    def setUp(self):
        super().setUp()
        self.prefix = self.folder / "prefix"
        self.assertEqual(run(["cmake", "--install", BUILD, "--prefix", self.prefix]).status, 0)

    def run_installed(self, pointcut, *command):
        output = self.folder / "installed.json"
        ran = run([self.prefix + "/bin/perfflow", "run", "-p", pointcut, "-o", output, "--", *command], cwd="/",
                  env=environment(PATH=f"{self.prefix}/bin:{self.prefix}/sbin:{os.environ['PATH']}"))
        self.assertEqual(ran.status, 0, ran)
        return Trace(output)

    def test_decorated_functions(self):
        program = self.script(NESTED + "\n    print(perfflowaspect.aspect.__file__)")
        trace = self.run_installed("annotated()", PYTHON, program)
        self.assertEqual(trace.counts(), {"foo": 4, "bar": 4})

    def test_functions_that_nobody_touched(self):
        program = self.script("def f(): pass\nfor _ in range(3): f()", name="plain.py")
        for version, python in interpreters().items():
            with self.subTest(version):
                self.assertEqual(self.run_installed("py(plain:f)", python, program).counts(), {"f": 3})

    def test_its_own_module_comes_first(self):
        program = self.script("import perfflowaspect.aspect as a\nprint(a.__file__)", name="where.py")
        ran = run([self.prefix + "/bin/perfflow", "run", "--allow-empty", "-p", "annotated()", "-o", self.folder / "t.json", "--",
                   PYTHON, program], env=environment(PATH=f"{self.prefix}/bin:{self.prefix}/sbin:{os.environ['PATH']}"))
        self.assertEqual((ran.status, ran.out), (0, f"{self.prefix}/share/perfflow/python/perfflowaspect/aspect.py\n"), ran)


class Undecorated(PythonCase):
    def test_every_interpreter_tells_the_same(self):
        for version, path in interpreters().items():
            with self.subTest(version):
                trace = self.trace("py(program:*)", [path, self.script(PLAIN)])
                self.assertEqual(trace.counts(), {"main": 1, "Solver.step": 1, "work": 7, "values": 3, "waits": 2, "Solver.fails": 1,
                                                  "main.<locals>.<lambda>": 1})
                self.assertEqual({span["cat"] for span in trace.all_spans}, {"__main__"})
                self.assertTrue(self.nested(trace, "Solver.step", "main"))
                (life,) = asyncs(trace, "waits")
                self.assertGreaterEqual(life.length_ns, 10000000)
                self.assertEqual(len({span["tid"] for span in trace.spans("work")}), 4)

    def test_a_pattern_selects_by_module_and_qualified_name(self):
        self.script("def read(): return parse()\ndef parse(): return 1", "package/io.py")
        self.script("from package import io\nclass Tool:\n    def run(self): return io.read()", "package/tool.py")
        program = self.script("from package.tool import Tool\ndef read(): pass\nTool().run(); read()")
        for pattern, expected in {
                "package.*:*": {"Tool.run": 1, "read": 1, "parse": 1}, "package.io:[a-p]*": {"parse": 1}, "*:read": {"read": 2},
                "*:Tool.*": {"Tool.run": 1}, "__main__:*": {"read": 1}, "package.tool:<module>": {"<module>": 1}}.items():
            with self.subTest(pattern):
                self.assertEqual(self.trace(f"py({pattern})", [PYTHON, program]).counts(), expected)

    def test_a_module_that_is_run_is_known_by_its_name(self):
        self.script("def work(): pass\nwork()", "package/tool.py")
        trace = self.trace("py(package.tool:work)", [PYTHON, "-m", "package.tool"], cwd=self.folder.path)
        self.assertEqual([(span["name"], span["cat"]) for span in trace.all_spans], [("work", "__main__")])

    def test_expressions(self):
        program = self.script("def a(): pass\ndef b(): pass\ndef c(): pass\nfor f in (a, b, c): f()")
        for pointcut, expected in {
                "py(program:*) && !py(*:b)": {"a": 1, "c": 1}, "py(program:a) || py(program:c)": {"a": 1, "c": 1},
                "!py(*:a) && py(program:[ab])": {"b": 1}, "py(program:*) && (py(*:a) || py(*:b)) && !(py(*:b))": {"a": 1}}.items():
            with self.subTest(pointcut):
                self.assertEqual(self.trace(pointcut, [PYTHON, program]).counts(), expected)

    def test_each_aspect_records_what_it_says_and_the_first_one_decides(self):
        program = self.script(PLAIN)
        trace = self.trace(["before(py(program:work))", "after(py(program:Solver.*))", "(py(program:main)) name=all cat=mine",
                            "around_async(py(program:values))", "py(program:*)"], [PYTHON, program])
        self.assertEqual([e["name"] for e in moments(trace, moment="entry")], ["work"] * 7)
        self.assertEqual([e["name"] for e in moments(trace, moment="return")], ["Solver.step"])
        self.assertEqual(trace.counts(), {"all": 1, "waits": 2, "main.<locals>.<lambda>": 1})
        self.assertEqual(trace.spans("all")[0]["cat"], "mine")
        self.assertEqual([pair.name for pair in asyncs(trace, "values")], ["values"])

    def test_after_is_after_a_return_and_not_after_an_exception(self):
        program = self.script("""
            import asyncio
            def plain(n): return 1 // n
            def values(n):
                yield 1
                yield 1 // n
            async def waits(n):
                await asyncio.sleep(0)
                return 1 // n
            for n in (1, 0, 1):
                for call in (plain, lambda n: list(values(n)), lambda n: asyncio.run(waits(n))):
                    try: call(n)
                    except ZeroDivisionError: pass
        """)
        for version, path in interpreters().items():
            with self.subTest(version):
                trace = self.trace("after(py(program:[pvw]*))", [path, program])
                self.assertEqual([e["name"] for e in moments(trace, moment="return")], ["plain", "values", "waits"] * 2)
                trace = self.trace("around_async(py(program:[pvw]*))", [path, program])
                self.assertEqual([pair.name for pair in asyncs(trace)], ["plain", "values", "waits"] * 3)

    def test_conditions_of_the_process(self):
        program = self.script("import os\ndef work(): pass\nwork()")
        for rank, expected in (("0", {"work": 1}), ("1", {})):
            trace = self.trace(["py(program:work) && rank(0)"], [PYTHON, program], env=environment(PMI_RANK=rank, PMI_SIZE="2"))
            self.assertEqual(trace.counts(), expected, rank)
        trace = self.trace(["py(program:work) && rank(0)", "py(program:work) && rank(1)"], [PYTHON, program],
                           env=environment(PMI_RANK="1", PMI_SIZE="2"))
        self.assertEqual(trace.counts(), {"work": 1})

    def test_shorter_calls_are_left_out(self):
        program = self.script("import time\ndef work(n): time.sleep(n / 100)\nfor n in (0, 2, 0, 2): work(n)")
        trace = self.trace("(py(program:work)) min=10ms", [PYTHON, program])
        self.assertEqual((trace.counts(), trace.summary()["short"]), ({"work": 2}, 2))

    def test_native_functions_stand_inside_of_python_ones(self):
        program = self.script("import os\ndef outer(): os.getpid()\nfor _ in range(5): outer()")
        trace = self.trace(["py(program:outer)", "libc.so.6:getpid"], [PYTHON, program])
        inside = [span for span in trace.spans("getpid") if (trace.parent_of(span) or {}).get("name") == "outer"]
        self.assertEqual((trace.count("outer"), len(inside)), (5, 5))

    def test_processes_that_are_forked_and_spawned(self):
        program = self.script("""
            import multiprocessing, os
            def work(n): return os.getpid()
            if __name__ == "__main__":
                pids = set()
                for method in ("fork", "spawn", "forkserver"):
                    with multiprocessing.get_context(method).Pool(2) as pool: pids.update(pool.map(work, range(6), chunksize=1))
                pid = os.fork()
                if pid == 0: work(0); os._exit(0)
                os.waitpid(pid, 0)
                print(*pids, pid)
        """)
        for version, path in interpreters().items():
            with self.subTest(version):
                trace = self.trace("py(program:work)", [path, "-W", "ignore", program])
                self.assertEqual(trace.count("work"), 19)
                self.assertEqual(trace.pids(), sorted(map(int, trace.ran.out.split())))
                self.assertEqual({span["cat"] for span in trace.all_spans}, {"__main__"})

    def test_a_python_that_another_program_starts(self):
        program = self.script("def work(): pass\nwork()")
        shell = self.script(f"#!/bin/sh\n{PYTHON} {program}\n{PYTHON} {program}\n", "job.sh")
        os.chmod(shell, 0o755)
        self.assertEqual(self.trace("py(program:work)", [shell]).counts(), {"work": 2})

    def test_what_ends_a_program_ends_its_calls(self):
        program = self.script("""
            import os, sys, signal
            def inner(how):
                if how == "exit": sys.exit(3)
                if how == "_exit": os._exit(3)
                if how == "kill": os.kill(os.getpid(), signal.SIGKILL)
                if how == "exec": os.execv("/bin/true", ["true"])
            def outer(how): inner(how)
            outer(sys.argv[1])
        """)
        for how, status, end in (("exit", 3, "return"), ("_exit", 3, "process_exit"), ("kill", 137, "process_exit"), ("exec", 0, "exec")):
            with self.subTest(how):
                trace = self.trace("py(program:*er)", [PYTHON, program, how], status=status)
                self.assertEqual((trace.counts(), trace.ends()), ({"inner": 1, "outer": 1}, {end: 2}))

    def test_the_environment_is_handed_on(self):
        self.script("import sys; print('mine')", "site/sitecustomize.py")
        program = self.script("import sys, os; print(sys.path[1]); print(os.environ['PYTHONPATH'])\ndef work(): pass\nwork()")
        mine = os.path.join(self.folder.path, "site")
        trace = self.trace("py(program:work)", [PYTHON, program], env=environment(PYTHONPATH=mine))
        first, second, third = trace.ran.out.split()
        self.assertEqual((first, second), ("mine", os.path.realpath(PACKAGE)))
        self.assertTrue(third.endswith(":" + mine), third)
        self.assertEqual(trace.counts(), {"work": 1})

    def test_other_aspects_leave_the_environment_alone(self):
        program = self.script("import os; print(os.environ.get('PYTHONPATH'), os.environ.get('PERFFLOW_PY'))")
        trace = self.trace("libc.so.6:getpid", [PYTHON, program], env=environment(PYTHONPATH="/some/where"))
        self.assertEqual(trace.ran.out, "/some/where None\n")


class Mistakes(PythonCase):
    def setUp(self):
        super().setUp()
        self.program = self.script("def work(): pass\nwork()")

    def refused(self, *arguments, words):
        ran = perfflow("run", "-o", self.folder / "t.json", *arguments, "--", PYTHON, self.program)
        self.assertEqual(ran.status, 125, ran)
        self.assertSentence(ran, *words)
        self.assertFalse(os.path.exists(self.folder / "t.json"))

    def test_words_that_are_no_pattern(self):
        for pointcut, words in (("py(program)", "':' and the qualified name of a function were expected"),
                                ("py(:work)", "the module of a Python function was expected"),
                                ("py(program:)", "the qualified name of a function was expected"),
                                ("py(pro gram:work)", "no Python module has a ' ' in its name"),
                                ("py(a:b:c)", "no Python function has a ':' in its name"),
                                ("cflow(py(a:b)) && x", "py() cannot stand inside of cflow()")):
            self.refused("-p", pointcut, words=[words])

    def test_options_for_machine_code(self):
        for options in ("args=*", "ret=i64", "args=(x@1)"):
            self.refused("-p", f"(py(program:work)) {options}", words=["a Python function of py() is not"])
        self.refused("-p", "around_async(py(program:work)) sample=1/2", words=["not asynchronous events"])

    def test_more_than_can_be_told_apart(self):
        aspects = [word for n in range(9) for word in ("-p", f"py(m{n}:f) && rank({n})")]
        self.refused(*aspects, words=["a session may have 8 py() that count each for itself, this one has 9"])

    def test_many_that_record_the_same_are_one(self):
        aspects = [f"py(m{n}:f)" for n in range(40)] + ["py(program:work)"]
        self.assertEqual(self.trace(aspects, [PYTHON, self.program]).counts(), {"work": 1})

    def test_a_command_without_python(self):
        ran = perfflow("run", "-p", "py(a:b)", "-o", self.folder / "t.json", "--", "/bin/true")
        self.assertEqual(ran.status, 125, ran)
        self.assertSentence(ran, "no Python interpreter among the programs of the command")

    def test_a_run_inside_of_a_run(self):
        ran = perfflow("run", "-p", "py(a:b)", "-o", self.folder / "t.json", "--", PYTHON, self.program,
                       env=environment(PERFFLOW_PY="1 -a\n0 a b\n"))
        self.assertEqual(ran.status, 125, ran)
        self.assertSentence(ran, "only one of them can have it")

    def test_a_function_that_is_never_called_is_named_in_the_end(self):
        trace = self.trace(["py(program:wrok)", "before(py(program:work))"], [PYTHON, self.program])
        (warning,) = trace.summary()["warnings"] or [trace.ran.err]
        self.assertIn("by 'py(program:wrok)' no call of a Python function was recorded", trace.ran.err, warning)

    def test_an_interpreter_that_ignores_its_environment(self):
        trace = self.trace("py(program:work)", [PYTHON, "-I", self.program])
        self.assertEqual(trace.counts(), {})
        self.assertIn("started with -E, -I or -S", trace.ran.err)


class Attached(PythonCase):
    """A program that runs already: only what its interpreter tells by itself."""

    PROGRAM = """
        import time
        def work(): time.sleep(0.001)
        class Solver:
            def step(self): work()
            def fails(self): raise ValueError
            def values(self): yield 1
        print("ready", flush=True)
        while True:
            Solver().step()
            try: list(Solver().values()), Solver().fails()
            except ValueError: pass
    """

    def running(self, path=PYTHON):
        program = self.start([path, self.script(self.PROGRAM)])
        program.read_until("ready")
        return program

    def attach(self, program, *aspects):
        words = [word for aspect in aspects for word in ("-p", aspect)]
        return perfflow("attach", "--pid", program.pid, *words, "--duration", "300ms", "-o", self.folder / "t.json")

    def tells(self, path, name):
        """Whether the interpreter has that static probe."""
        binary = os.path.realpath(path)
        return name in run(["readelf", "-n", binary]).out

    def test_returns_are_told_by_an_interpreter_that_has_the_probe(self):
        telling = [path for path in interpreters().values() if self.tells(path, "function__return")]
        if not telling and sys.version_info < (3, 12):
            self.skipTest("this Python has no static probes")
        for path in telling:
            with self.subTest(path):
                self.check_returns(self.running(path))

    def check_returns(self, program):
        ran = self.attach(program, "after(py(program:*.step))", "after(py(program:work))")
        self.assertEqual(ran.status, 0, ran)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        names = collections.Counter(e["name"] for e in moments(trace, moment="return"))
        self.assertEqual(set(names), {"step", "work"})
        self.assertGreater(min(names.values()), 20)
        self.assertLessEqual(abs(names["step"] - names["work"]), 1)
        self.assertIsNone(program.poll())

    def test_it_does_not_tell_how_a_call_has_left(self):
        for path in interpreters().values():
            if self.tells(path, "function__return"):
                with self.subTest(path):
                    self.assertEqual(self.attach(self.running(path), "after(py(program:*.[fv]*))").status, 0)
                    names = collections.Counter(e["name"] for e in moments(Trace(self.folder / "t.json"), moment="return"))
                    self.assertEqual(set(names), {"fails", "values"})
                    self.assertLessEqual(abs(names["values"] - 2 * names["fails"]), 2)

    def test_what_it_cannot_tell_is_said(self):
        for version, path in interpreters().items():
            if version != "(3, 11)" and self.tells(path, "function__entry"):
                continue
            with self.subTest(version):
                program = self.running(path)
                ran = self.attach(program, "py(program:work)")
                self.assertSentence(ran, "'py(program:work)': no interpreter here tells of what it calls")
                self.assertIsNone(program.poll())

    def test_more_than_one_way_of_recording_is_refused(self):
        program = self.running()
        self.assertSentence(self.attach(program, "py(program:work)", "before(py(program:step))"), "in one way and under one condition")
        self.assertSentence(self.attach(program, "around_async(py(program:work))"), "not asynchronous events")


if __name__ == "__main__":
    main(programs=["readelf"])
