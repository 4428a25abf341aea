#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The hook behind py(): how it names functions, what it tells of their calls, and that an interpreter with it is as it was.

What the frames tell (Python 3.9 to 3.11) goes to the probes without passing Python: tests/e2e/test_python.py sees it.
"""
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest

BUILD = os.environ["PERFFLOW_BUILD"]
HOOK = os.path.join(BUILD, "python", "hook")
sys.path.insert(0, HOOK)
import perfflow_hook  # noqa: E402

EVERYTHING = "1 -a\n0 * *\n"


class Library:
    """What the hook calls, noted."""

    def __init__(self, *names):
        self.names, self.asked, self.told = names, [], []
        self.known = []

    def perfflow_function(self, module, also, name, kind):
        self.asked.append((module.decode(), also and also.decode(), name.decode(), kind))
        if name.decode().rsplit(".", 1)[-1] not in self.names:
            return None
        self.known.append(name.decode())
        return len(self.known)

    def tell(self, kind, function, *rest):
        self.told.append((kind, self.known[function.value - 1].rsplit(".", 1)[-1], *rest))

    def perfflow_call(self, function):
        self.tell("call", function)

    def perfflow_return(self, function):
        self.tell("return", function)

    def perfflow_raise(self, function):
        self.tell("raise", function)

    def perfflow_enter(self, function, number, is_first):
        self.tell("first" if is_first else "again", function, number)

    def perfflow_leave(self, function, number, how):
        self.tell(("waits", "last", "raised")[how], function, number)


def code_of(source, name="<module>"):
    """The code of a function that is defined in a source."""
    def find(code):
        if code.co_name == name:
            return code
        found = (find(inner) for inner in code.co_consts if isinstance(inner, type(code)))
        return next(filter(None, found), None)

    return find(compile(textwrap.dedent(source), "source.py", "exec"))


class Naming(unittest.TestCase):
    SOURCE = """
        def outer():
            class Inner:
                def method(self): return lambda: [x for x in (lambda: 1, )]
            def nested(): pass
            return Inner, nested
        class Top:
            class Low:
                async def method(self): yield 1
            def generates(self): yield 1
            async def waits(self): pass
    """

    def test_names_before_python_3_11_are_those_that_functions_have(self):
        names = perfflow_hook.Names()
        names.learn(code_of(self.SOURCE), "", "<module>")
        learnt = {name for _, name in names.qualified.values()}
        namespace = {}
        exec(compile(textwrap.dedent(self.SOURCE), "source.py", "exec"), namespace)
        inner, nested = namespace["outer"]()
        top = namespace["Top"]
        for function in (namespace["outer"], inner.method, inner().method(), nested, top.Low.method, top.generates):
            self.assertIn(function.__qualname__, learnt)
        if hasattr(namespace["outer"].__code__, "co_qualname"):
            self.assertEqual(perfflow_hook.Names().of(top.Low.method.__code__), "Top.Low.method")

    def test_code_that_no_module_was_seen_with_has_its_own_name(self):
        names = perfflow_hook.Names()
        self.assertEqual(names.of(code_of("def f(): pass", "f")), "f")

    def test_a_class_is_no_function(self):
        source = "class C:\n    x = 1\ndef f(): pass"
        self.assertTrue(perfflow_hook.is_class(code_of(source, "C")))
        self.assertFalse(perfflow_hook.is_class(code_of(source, "f")))
        self.assertFalse(perfflow_hook.is_class(code_of(source)))

    def test_kinds(self):
        for name, kind in (("outer", 0), ("generates", 1), ("waits", 2)):
            self.assertEqual(perfflow_hook.kind_of(code_of(self.SOURCE, name)), kind, name)
        self.assertEqual(perfflow_hook.kind_of(code_of("async def f(): yield 1", "f")), 2)

    def test_the_main_module_is_known_by_its_file_too(self):
        class Spec:
            name = "package.tool"

        library = Library("f")
        selection = perfflow_hook.Selection(library)
        code = code_of("def f(): pass", "f")
        for namespace in ({"__name__": "__main__", "__file__": "/work/train.py"}, {"__name__": "__mp_main__", "__spec__": Spec},
                          {"__name__": "__main__"}, {"__name__": "solver"}, {"__name__": 5}, {}):
            selection.find(code, namespace)
        self.assertEqual([(module, also) for module, also, _, _ in library.asked],
                         [("__main__", "train"), ("__main__", "package.tool"), ("__main__", None), ("solver", None), ("", None)])


class Watching:
    """Has the functions of these names told to a library of its own, while it lasts."""

    def __init__(self, library):
        self.way = perfflow_hook.Monitoring(perfflow_hook.Selection(library))

    def __enter__(self):
        assert self.way.install()

    def __exit__(self, *ignored):
        self.way.monitoring.set_events(self.way.tool, 0)
        self.way.monitoring.free_tool_id(self.way.tool)


@unittest.skipUnless(hasattr(sys, "monitoring"), "Python 3.12 and later")
class Monitoring(unittest.TestCase):
    """What is told of calls; the names of the functions that are called matter."""

    def watching(self, *names):
        self.library = Library(*names)
        return Watching(self.library)

    def told(self):
        """Without the numbers, but as letters in the order of their coming."""
        letters = {}
        return [entry[:2] + tuple(letters.setdefault(number, chr(ord("a") + len(letters))) for number in entry[2:])
                for entry in self.library.told]

    def kinds(self):
        """In the words of "first" and "last", which the way of plain functions is one of."""
        plain = {"call": "first", "return": "last", "raise": "raised"}
        return [(plain.get(kind, kind), name) for kind, name, *_ in self.library.told]

    def test_calls_nest_and_others_are_not_told_of(self):
        def selected(n):
            return unselected(n) + 1

        def unselected(n):
            return selected(n - 1) if n else 0

        with self.watching("selected"):
            self.assertEqual(selected(1), 2)
        self.assertEqual(self.kinds(), [("first", "selected")] * 2 + [("last", "selected")] * 2)

    def test_an_exception_leaves(self):
        def raises():
            raise ValueError

        def passes():
            raises()

        with self.watching("raises", "passes"):
            with self.assertRaises(ValueError):
                passes()
        self.assertEqual(self.kinds(), [("first", "passes"), ("first", "raises"), ("raised", "raises"), ("raised", "passes")])

    def test_a_generator_waits_between_its_values(self):
        def values():
            yield 1
            yield 2

        with self.watching("values"):
            self.assertEqual(list(zip(values(), values())), [(1, 1), (2, 2)])
        told = self.told()
        for letter in "ab":
            mine = [entry[0] for entry in told if entry[2] == letter]
            self.assertEqual(mine[:4], ["first", "waits", "again", "waits"], letter)
        self.assertIn(("last", "values", "a"), told)

    def test_an_exception_leaves_a_generator(self):
        def values():
            yield 1
            raise ValueError

        with self.watching("values"):
            with self.assertRaises(ValueError):
                list(values())
        self.assertEqual([kind for kind, _ in self.kinds()], ["first", "waits", "again", "raised"])

    def test_what_is_thrown_into_a_generator_goes_on(self):
        def catches():
            try:
                yield 1
            except ValueError:
                yield 2

        with self.watching("catches"):
            generator = catches()
            self.assertEqual((next(generator), generator.throw(ValueError())), (1, 2))
        self.assertEqual(self.told()[:4], [("first", "catches", "a"), ("waits", "catches", "a"),
                                           ("again", "catches", "a"), ("waits", "catches", "a")])

    def test_coroutines_that_take_turns_are_told_apart(self):
        async def waits(n):
            await asyncio.sleep(0.001 * n)

        async def main():
            await asyncio.gather(waits(2), waits(1))

        with self.watching("waits"):
            asyncio.run(main())
        self.assertEqual(self.told(), [("first", "waits", "a"), ("waits", "waits", "a"), ("first", "waits", "b"),
                                       ("waits", "waits", "b"), ("again", "waits", "b"), ("last", "waits", "b"),
                                       ("again", "waits", "a"), ("last", "waits", "a")])

    def test_threads_that_begin_later(self):
        def selected():
            pass

        with self.watching("selected"):
            threads = [threading.Thread(target=selected) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(sorted(self.kinds()), [("first", "selected")] * 3 + [("last", "selected")] * 3)

    def test_a_name_that_cannot_be_read_disturbs_nobody(self):
        def selected():
            return 1

        with self.watching("selected"):
            self.library.perfflow_function = None
            self.assertEqual(selected(), 1)
        self.assertEqual(self.library.told, [])


class Interpreter(unittest.TestCase):
    """Under the hook it does what it did."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(textwrap.dedent(text))
        return path

    def python(self, *arguments, with_hook=True, patterns=EVERYTHING, path=(), executable=sys.executable):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([HOOK] * with_hook + list(path)), "PERFFLOW_PY": patterns}
        return subprocess.run([executable, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True)

    def assertSame(self, *arguments, **keywords):
        """With and without the hook; returns what it printed."""
        first, second = (self.python(*arguments, with_hook=with_hook, **keywords) for with_hook in (True, False))
        self.assertEqual((first.returncode, first.stdout), (second.returncode, second.stdout), first.stderr + second.stderr)
        self.assertEqual(*(re.sub(r"\d+", "N", ran.stderr.strip().split("\n")[-1]) for ran in (first, second)))
        return first

    def test_the_path_is_what_it_was(self):
        out = self.assertSame("-c", "import sys; print(sys.path)", path=[self.folder]).stdout
        self.assertIn(self.folder, out)

    def test_the_users_sitecustomize_is_not_hidden(self):
        self.write("sitecustomize.py", "import sys; print('mine', __name__, __file__); sys.seen = __file__")
        out = self.assertSame("-c", "import sys, sitecustomize; print(sitecustomize.__file__ == sys.seen)",
                              path=[self.folder]).stdout
        self.assertEqual(out.split()[0::3], ["mine", "True"])

    def test_what_the_users_sitecustomize_raises_is_dealt_with_as_before(self):
        for text in ("raise RuntimeError('on purpose')", "import there_is_no_such_module", "import sitecustomize; 1 / 0",
                     "raise SystemExit(3)"):
            self.write("sitecustomize.py", text)
            self.assertSame("-c", "print('goes on')", path=[self.folder])

    def test_without_one_there_is_no_complaint(self):
        ran = self.python("-c", "print(1)")
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "1\n", ""))

    def test_malformed_patterns_are_said_and_the_program_runs(self):
        ran = self.python("-c", "print(1)", patterns="nonsense")
        self.assertEqual((ran.returncode, ran.stdout), (0, "1\n"))
        self.assertRegex(ran.stderr, r"^perfflow: Python functions are not traced in process \d+: PERFFLOW_PY is not "
                                     r"understood\n$")

    def test_nothing_is_loaded_where_nothing_is_selected(self):
        program = "import sys; print('ctypes' in sys.modules, open('/proc/self/maps').read().count('libperfflow'))"
        self.assertEqual(self.python("-c", program, patterns="").stdout, "False 0\n")

    def test_other_pythons_are_let_alone(self):
        for name in ("python2.7", "python3.6", "python3.7", "pypy3"):
            for folder in ("/usr/bin", *self.pyenv()):
                path = os.path.join(folder, name)
                if os.access(path, os.X_OK):
                    self.assertEqual(self.assertSame("-c", "print(1)", executable=path).stdout, "1\n")

    @staticmethod
    def pyenv():
        import glob
        return glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin"))

    def test_programs_of_all_kinds_do_the_same(self):
        program = self.write("program.py", """
            import asyncio, collections, functools, inspect, pickle, sys, threading, traceback

            class Base:
                def __init__(self): self.trail = []
                def method(self): self.trail.append("base")
            class Derived(Base):
                def method(self):
                    super().method()
                    self.trail.append("derived")
                def __getattr__(self, name):
                    if name == "odd": return 1
                    raise AttributeError(name)
            def generator(n):
                got = yield n
                while got:
                    try: got = yield got * 2
                    except ValueError: got = 7
                return "done"
            def delegates(): return (yield from generator(1))
            async def agen():
                for i in range(3):
                    await asyncio.sleep(0)
                    yield i
            async def main(): return [x async for x in agen()], await asyncio.gather(*(one(i) for i in range(3)))
            async def one(i):
                await asyncio.sleep(0.001)
                if i == 2:
                    try: raise KeyError(i)
                    except KeyError: return "caught"
                return i
            def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
            def fails():
                try: return 1 / 0
                finally: print("finally")
            def caller(): return sys._getframe(1).f_code.co_name
            def names(): return caller()
            d = Derived(); d.method()
            g = delegates()
            print(d.trail, d.odd, next(g), g.send(3), g.throw(ValueError()), names(), asyncio.run(main()), deep(500))
            try: g.send(0)
            except StopIteration as stop: print(stop.value)
            try: fails()
            except ZeroDivisionError: print(len(traceback.extract_tb(sys.exc_info()[2])))
            try: deep(10 ** 6)
            except RecursionError as error: print("RecursionError")
            print(pickle.loads(pickle.dumps(names))(), sorted({1: 2}.items(), key=lambda x: x), exec("x = [y for y in range(3)]"))
            result = []
            def work(n): result.append(functools.reduce(lambda a, b: a + b, range(n)))
            threads = [threading.Thread(target=work, args=(n,)) for n in range(2, 6)]
            [t.start() for t in threads]; [t.join() for t in threads]
            print(sorted(result), inspect.signature(generator), inspect.isgeneratorfunction(generator))
            sys.exit(4)
        """)
        ran = self.assertSame(program)
        self.assertEqual(ran.returncode, 4, ran.stderr)

    def test_recursion_deeper_than_the_stack_has_room_for(self):
        """Python 3.11 needs no stack for it, and under the hook no more than there is."""
        if sys.version_info[:2] != (3, 11):
            return
        program = self.write("deep.py", """
            import sys, threading
            sys.setrecursionlimit(10 ** 6)
            def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
            print(deep(100000), deep(10))
            threading.stack_size(256 * 1024)
            thread = threading.Thread(target=lambda: print(deep(50000)))
            thread.start(); thread.join()
        """)
        self.assertEqual(self.assertSame(program).stdout, "100000 10\n50000\n")

    def test_a_program_that_profiles_itself_gets_its_figures(self):
        program = self.write("profiled.py", """
            import cProfile, pstats, io
            def work(n): return sum(range(n))
            profile = cProfile.Profile()
            profile.runcall(work, 10)
            print(any(key[2] == "work" for key in pstats.Stats(profile, stream=io.StringIO()).stats))
        """)
        self.assertEqual(self.assertSame(program).stdout, "True\n")

    def test_processes_that_are_forked_and_spawned_do_the_same(self):
        program = self.write("processes.py", """
            import multiprocessing, os, sys
            def work(n): return n * n
            if __name__ == "__main__":
                pid = os.fork()
                if pid == 0: os._exit(work(3))
                print(os.waitpid(pid, 0)[1] >> 8, flush=True)
                for method in ("fork", "spawn", "forkserver"):
                    with multiprocessing.get_context(method).Pool(2) as pool: print(pool.map(work, range(5)))
        """)
        self.assertSame(program)


if __name__ == "__main__":
    unittest.main()
