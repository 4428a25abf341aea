#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The package perfflowaspect: what its decorators do to functions, and what they tell of them.

Somebody listens, or seems to: the counts of listeners are set here, and what would go to the static probes is noted.
"""
import asyncio
import contextlib
import functools
import inspect
import io
import os
import pickle
import subprocess
import sys
import threading
import types
import unittest
from concurrent.futures import ThreadPoolExecutor

BUILD = os.environ["PERFFLOW_BUILD"]
sys.path.insert(0, os.path.join(BUILD, "python"))
from perfflowaspect import events  # noqa: E402

told = []


def note(kind):
    def tell(*arguments):
        told.append((kind, *(a.decode() if isinstance(a, bytes) else a for a in arguments)))
    return tell


PROBES = ("begin", "end", "mark", "mark_return", "async_begin", "async_instant", "async_end")
for probe in PROBES:
    setattr(events, probe, note(probe))
events.begin_call = events.begin

import perfflowaspect.aspect  # noqa: E402: it takes the functions as they are now
from perfflowaspect.aspect import critical_path  # noqa: E402

LISTENERS = [getattr(events, probe + "_is_traced") for probe in PROBES if probe != "end"]
HERE = __name__
JOBS = ("PERFFLOW", "FLUX", "SLURM", "LSB", "LS")  # how variables begin that tell of them


def kinds():
    return [entry[0] for entry in told]


def module_level():
    return "as it was"


module_level = critical_path()(module_level)


class Told(unittest.TestCase):
    def setUp(self):
        told.clear()
        perfflowaspect.aspect.begun.clear()
        self.listen(1)
        self.addCleanup(self.listen, 0)

    def listen(self, n):
        for listener in LISTENERS:
            listener.value = n


class Functions(Told):
    def test_around_begins_and_ends(self):
        @critical_path()
        def double(number, *, plus=0):
            """Twice."""
            told.append(("body",))
            return 2 * number + plus

        self.assertEqual(double(4, plus=1), 9)
        self.assertEqual(told, [("begin", "Functions.test_around_begins_and_ends.<locals>.double", HERE), ("body",), ("end",)])
        self.assertEqual((double.__name__, double.__doc__), ("double", "Twice."))
        self.assertEqual(str(inspect.signature(double)), "(number, *, plus=0)")

    def test_each_pointcut_tells_what_it_is_for(self):
        expected = {
            "around": ["begin", "body", "end"], "before": ["mark", "body"], "after": ["body", "mark_return"],
            "around_async": ["async_begin", "body", "async_end"], "before_async": ["async_begin", "body"],
            "after_async": ["body", "async_end"],
        }
        for pointcut, sequence in expected.items():
            told.clear()
            critical_path(pointcut=pointcut)(lambda: told.append(("body",)))()
            self.assertEqual(kinds(), sequence, pointcut)

    def test_nobody_listens_and_nothing_is_told(self):
        self.listen(0)
        for pointcut in perfflowaspect.aspect.advices:
            self.assertEqual(critical_path(pointcut)(lambda x: x + 1)(1), 2)
        self.assertEqual(told, [])

    def test_an_exception_ends_it_and_goes_on(self):
        for pointcut, sequence in (("around", ["begin", "end"]), ("before", ["mark"]), ("after", []),
                                   ("around_async", ["async_begin", "async_end"]), ("after_async", [])):
            @critical_path(pointcut)
            def fails():
                raise KeyError("gone")

            told.clear()
            with self.assertRaisesRegex(KeyError, "gone"):
                fails()
            self.assertEqual(kinds(), sequence, pointcut)

    def test_methods_of_all_kinds(self):
        class Mesh:
            @critical_path()
            def refine(self, n):
                return self, n

            @staticmethod
            @critical_path()
            def load():
                return "loaded"

            @critical_path()
            @classmethod
            def make(cls):
                return cls()

            @critical_path()
            @staticmethod
            def save():
                return "saved"

            @property
            @critical_path()
            def size(self):
                return 3

        mesh = Mesh.make()
        self.assertIsInstance(mesh, Mesh)
        self.assertEqual((mesh.refine(2), Mesh.load(), mesh.save(), mesh.size), ((mesh, 2), "loaded", "saved", 3))
        prefix = "Functions.test_methods_of_all_kinds.<locals>.Mesh."
        self.assertEqual([entry[1] for entry in told if entry[0] == "begin"],
                         [prefix + name for name in ("make", "refine", "load", "save", "size")])

    def test_recursion_nests(self):
        @critical_path()
        def factorial(n):
            return 1 if n <= 1 else n * factorial(n - 1)

        self.assertEqual(factorial(3), 6)
        self.assertEqual(kinds(), ["begin"] * 3 + ["end"] * 3)

    def test_what_is_no_function_is_called_all_the_same(self):
        class Callable:
            def __call__(self, x):
                return x + 1

        self.assertEqual(critical_path()(Callable())(1), 2)
        self.assertEqual(critical_path()(functools.partial(max, 3))(1), 3)
        self.assertEqual(critical_path()(len)("four"), 4)
        self.assertEqual(kinds(), ["begin", "end"] * 3)

    def test_it_can_be_pickled_by_its_name(self):
        self.assertEqual(pickle.loads(pickle.dumps(module_level))(), "as it was")

    def test_an_unknown_pointcut_is_said_and_the_function_left_alone(self):
        def innocent():
            return 1

        error = io.StringIO()
        with contextlib.redirect_stderr(error):
            decorated = critical_path(pointcut="around_async_typo")(innocent)
        self.assertIs(decorated, innocent)
        self.assertEqual(error.getvalue(), "perfflow error: ('unknown pointcut', 'around_async_typo')\n")

    def test_names_of_any_characters(self):
        def function():
            pass

        function.__qualname__ = "grüße \ud800"
        critical_path()(function)()
        self.assertEqual(told[0][1], "grüße \\ud800")


class Asynchronous(Told):
    def test_both_ends_of_a_call_have_one_number_of_its_own(self):
        work = critical_path("around_async", scope="io")(lambda: None)
        work()
        work()
        (_, name, _, first, scope), (_, _, _, ended, _), (_, _, _, second, _), _ = told
        self.assertEqual((name, scope, ended), ("Asynchronous.test_both_ends_of_a_call_have_one_number_of_its_own.<locals>."
                                                "<lambda>", "io", first))
        self.assertNotEqual(first, second)

    def test_what_begins_here_and_ends_in_a_pool_is_one_thing(self):
        submit = critical_path("before_async", scope="jobs")(lambda pool: pool.submit(finish))
        finish = critical_path("after_async", scope="jobs")(lambda: threading.get_ident())
        with ThreadPoolExecutor(3) as pool:
            threads = {submit(pool).result() for _ in range(5)}
        self.assertNotIn(threading.get_ident(), threads)
        begun = [entry[3] for entry in told if entry[0] == "async_begin"]
        ended = [entry[3] for entry in told if entry[0] == "async_end"]
        self.assertEqual(sorted(begun), sorted(ended))
        self.assertEqual(len(set(begun)), 5)

    def test_scopes_do_not_take_each_others_ends(self):
        critical_path("before_async", scope="a")(lambda: None)()
        critical_path("before_async", scope="b")(lambda: None)()
        critical_path("after_async", scope="b")(lambda: None)()
        critical_path("after_async", scope="a")(lambda: None)()
        critical_path("after_async", scope="a")(lambda: None)()
        numbers = [entry[3] for entry in told]
        self.assertEqual(numbers[2:4], [numbers[1], numbers[0]])
        self.assertNotIn(numbers[4], numbers[:4], "an end without a beginning is nobody's")


class Generators(Told):
    def test_after_tells_that_it_has_returned_and_not_of_an_exception(self):
        for pointcut, end in (("after", "mark_return"), ("after_async", "async_end")):
            @critical_path(pointcut)
            def values(n):
                yield 1
                return 1 // n

            told.clear()
            self.assertEqual(list(values(1)), [1])
            self.assertEqual(kinds(), [end])
            with self.assertRaises(ZeroDivisionError):
                list(values(0))
            closed = values(1)
            next(closed)
            closed.close()
            self.assertEqual(kinds(), [end])

    def test_each_value_is_a_stretch_of_its_own(self):
        @critical_path()
        def values():
            yield 1
            yield 2
            return 3

        self.assertTrue(inspect.isgeneratorfunction(values))
        self.assertEqual(told, [])
        self.assertEqual(list(values()), [1, 2])
        self.assertEqual(kinds(), ["begin", "end"] * 3)

    def test_it_takes_and_gives_all_that_it_did(self):
        @critical_path()
        def talks():
            try:
                got = yield "first"
                while True:
                    try:
                        got = yield got
                    except LookupError as error:
                        got = f"caught {error}"
            finally:
                told.append(("closed",))

        talk = talks()
        self.assertEqual((next(talk), talk.send("hello"), talk.throw(LookupError("x"))), ("first", "hello", "caught x"))
        talk.close()
        self.assertEqual(kinds()[-3:], ["begin", "closed", "end"])
        self.assertEqual(kinds().count("begin"), kinds().count("end"))

    def test_what_it_returns_and_raises_arrives(self):
        @critical_path()
        def returns():
            yield 1
            return "result"

        @critical_path()
        def raises():
            yield 1
            raise ValueError("late")

        def delegates():
            return (yield from returns())

        self.assertEqual(self.result(delegates()), "result")
        with self.assertRaisesRegex(ValueError, "late"):
            list(raises())
        self.assertEqual(kinds().count("begin"), kinds().count("end"))

    @staticmethod
    def result(generator):
        while True:
            try:
                next(generator)
            except StopIteration as stop:
                return stop.value

    def test_asynchronously_it_lasts_from_its_first_value_to_its_end(self):
        @critical_path("around_async")
        def values():
            yield 1
            told.append(("between",))
            yield 2

        made = values()
        self.assertEqual(told, [])
        list(made)
        self.assertEqual(kinds(), ["async_begin", "between", "async_end"])

    def test_untraced_it_is_as_it_was(self):
        self.listen(0)

        @critical_path()
        def values():
            got = yield 1
            return got

        generator = values()
        next(generator)
        with self.assertRaises(StopIteration) as stop:
            generator.send("sent")
        self.assertEqual((stop.exception.value, told), ("sent", []))


class Coroutines(Told):
    def test_after_tells_that_it_has_returned_and_not_of_an_exception(self):
        for pointcut, end in (("after", "mark_return"), ("after_async", "async_end")):
            @critical_path(pointcut)
            async def waits(n):
                await asyncio.sleep(0)
                return 1 // n

            @critical_path(pointcut)
            async def values(n):
                yield await waits(1)
                yield 1 // n

            async def takes(n):
                return [x async for x in values(n)]

            told.clear()
            self.assertEqual(asyncio.run(takes(1)), [1, 1])
            self.assertEqual(kinds(), [end] * 2)
            with self.assertRaises(ZeroDivisionError):
                asyncio.run(takes(0))
            with self.assertRaises(ZeroDivisionError):
                asyncio.run(waits(0))
            self.assertEqual(kinds(), [end] * 3)

    def test_around_tells_of_its_life_and_of_each_stretch(self):
        @critical_path()
        async def waits():
            await asyncio.sleep(0)
            return 5

        self.assertTrue(asyncio.iscoroutinefunction(waits))
        self.assertEqual(asyncio.run(waits()), 5)
        self.assertEqual(kinds(), ["async_begin", "begin", "end", "begin", "end", "async_end"])

    def test_coroutines_that_take_turns_have_numbers_of_their_own(self):
        @critical_path("around_async")
        async def waits(n):
            await asyncio.sleep(0.001 * n)
            return n

        async def main():
            return await asyncio.gather(*(waits(n) for n in (3, 1, 2)))

        self.assertEqual(asyncio.run(main()), [3, 1, 2])
        begun = [entry[3] for entry in told if entry[0] == "async_begin"]
        ended = [entry[3] for entry in told if entry[0] == "async_end"]
        self.assertEqual((len(set(begun)), sorted(begun)), (3, sorted(ended)))
        self.assertNotEqual(begun, ended)

    def test_a_cancelled_one_ends(self):
        @critical_path()
        async def forever():
            await asyncio.sleep(3600)

        async def main():
            task = asyncio.ensure_future(forever())
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        self.assertEqual(kinds(), ["async_begin", "begin", "end", "begin", "end", "async_end"])

    def test_an_old_style_one_can_be_awaited(self):
        @critical_path()
        @types.coroutine
        def old():
            yield from asyncio.sleep(0).__await__()
            return 1

        async def main():
            return await old()

        self.assertEqual(asyncio.run(main()), 1)
        self.assertEqual(kinds().count("begin"), kinds().count("end"))

    def test_an_asynchronous_generator_takes_and_gives_all_that_it_did(self):
        @critical_path()
        async def values():
            got = None
            try:
                while got != "stop":
                    await asyncio.sleep(0)
                    try:
                        got = yield got
                    except LookupError:
                        got = "caught"
            finally:
                told.append(("closed",))

        async def main():
            generator = values()
            seen = [await generator.__anext__(), await generator.asend("a"), await generator.athrow(LookupError())]
            with self.assertRaises(StopAsyncIteration):
                await generator.asend("stop")
            other = values()
            await other.__anext__()
            await other.aclose()
            return seen, [x async for x in takes()]

        @critical_path("around_async")
        async def takes():
            yield 1
            yield 2

        self.assertTrue(inspect.isasyncgenfunction(values))
        self.assertEqual(asyncio.run(main()), ([None, "a", "caught"], [1, 2]))
        self.assertEqual(kinds().count("closed"), 2)
        for begin, end in (("begin", "end"), ("async_begin", "async_end")):
            self.assertEqual(kinds().count(begin), kinds().count(end), begin)


class Direct(Told):
    def test_events_without_a_function(self):
        aspect = perfflowaspect.aspect
        aspect.sync_event("before", "assemble", "solver")
        aspect.sync_event("after", "assemble", "solver")
        aspect.async_event("before", "request", "io", scope="s", id=7)
        aspect.async_event("instant", "request", "io", scope="s", id=7)
        aspect.async_event("after", "request", "io", id=-1)
        aspect.async_event("before", "request", "io")
        self.assertEqual(told, [
            ("begin", "assemble", "solver"), ("end",), ("async_begin", "request", "io", 7, "s"),
            ("async_instant", "request", "io", 7, "s"), ("async_end", "request", "io", 2 ** 64 - 1, None),
            ("async_begin", "request", "io", 123, None)])

    def test_an_id_may_be_anything_with_a_hash(self):
        perfflowaspect.aspect.async_event("before", "request", "io", id="seven")
        perfflowaspect.aspect.async_event("after", "request", "io", id="seven")
        self.assertEqual(told[0][3], told[1][3])

    def test_an_unknown_pointcut_is_an_error(self):
        for call in (perfflowaspect.aspect.sync_event, perfflowaspect.aspect.async_event):
            with self.assertRaisesRegex(ValueError, "^Invalid pointcut: around$"):
                call("around", "n", "c")


class Surroundings(unittest.TestCase):
    """In a process of its own, with an environment of its own."""

    def python(self, program, path=os.path.join(BUILD, "python"), **environment):
        around = {name: value for name, value in os.environ.items() if name.split("_")[0] not in JOBS}
        environment = {**around, "PYTHONPATH": path, **environment}
        return subprocess.run([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, check=True,
                              universal_newlines=True).stdout.strip()

    def test_the_path_of_jobs_is_handed_on(self):
        path = "import perfflowaspect.aspect, os; print(os.environ['PERFFLOW_INSTANCE_PATH'])"
        self.assertEqual(self.python(path), "356a192b")
        self.assertEqual(self.python(path, FLUX_JOB_ID="f58", PERFFLOW_INSTANCE_PATH="aa.bb"), "aa.bb.f58")
        # printf 42.0 | sha1sum
        self.assertEqual(self.python(path, SLURM_JOB_ID="42", SLURM_STEP_ID="0"), "918eef65")
        # printf /run/flux | sha1sum
        self.assertEqual(self.python(path, FLUX_URI="local:///run/flux/local"), "d60ad3a5")

    def test_options_do_not_stop_functions(self):
        program = "import perfflowaspect.aspect as a\nprint(a.critical_path()(lambda: 'ran')())"
        for options in ("log-enable=False", "log-enable=maybe", "nonsense", ""):
            self.assertEqual(self.python(program, PERFFLOW_OPTIONS=options), "ran", options)

    def test_without_the_library_functions_are_what_they_were(self):
        program = ("import shutil, tempfile, sys, os, perfflowaspect\n"
                   "folder = tempfile.mkdtemp()\n"
                   "target = os.path.join(folder, 'perfflowaspect')\n"
                   "shutil.copytree(os.path.dirname(perfflowaspect.__file__), target,\n"
                   "                ignore=shutil.ignore_patterns('*.so', '__pycache__'))\n"
                   "sys.path.insert(0, folder); del sys.modules['perfflowaspect']\n"
                   "import perfflowaspect.aspect as a\n"
                   "def f(): return 1\n"
                   "assert a.__file__.startswith(folder), a.__file__\n"
                   "a.sync_event('before', 'n', 'c'); a.async_event('after', 'n', 'c')\n"
                   "print(a.critical_path()(f) is f); shutil.rmtree(folder)")
        self.assertEqual(self.python(program), "True")


if __name__ == "__main__":
    unittest.main()
