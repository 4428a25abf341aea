# SPDX-License-Identifier: LGPL-3.0-or-later
"""Functions, regions and asynchronous work that perfflow shall see, by the interface of PerfFlowAspect.

    import perfflowaspect.aspect

    @perfflowaspect.aspect.critical_path(pointcut="around")
    def step(mesh): ...

    perfflowaspect.aspect.sync_event("before", "assemble", "solver")
    perfflowaspect.aspect.sync_event("after", "assemble", "solver")
    perfflowaspect.aspect.async_event("before", "request", "io", id=7)

The functions do what they did. What is told of them goes to perfflow while it listens (`perfflow run -p 'annotated()'`,
`perfflow run --pfw`), and nowhere else: there is no file to be set up, and next to no cost.

A coroutine is told of twice by "around": as a span each time that it runs, between two things it awaits, and as
asynchronous work from its beginning to its end. A generator has a span for each of its values.
"""
import functools
import itertools
import sys
import types
from collections import deque

from perfflowaspect import events, instance
from perfflowaspect.drive import awaited_steps, steps

GENERATOR, COROUTINE, ITERABLE_COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200  # flags of code objects

numbers = itertools.count(1)
begun = {}  # scope -> the numbers of what "before_async" began and "after_async" will end, the oldest first


class Advice:
    """What is told of the calls of one function; the methods that a pointcut has no use for do nothing.

    start() is called when a call begins; with what start() returned, complete() when the call has returned, and then
    finish(), which an exception that leaves it calls as well; enter() and leave() around each stretch that it runs.
    """

    enter = leave = None
    is_traced = None

    def __init__(self, name, category, scope):
        self.name, self.category = events.text(name), events.text(category)
        self.scope = events.text(scope) if scope else None

    def start(self):
        return None

    def complete(self, number):
        pass

    def finish(self, number):
        pass

    def begin_async(self):
        number = next(numbers)
        events.async_begin(self.name, self.category, number, self.scope)
        return number

    def end_async(self, number):
        events.async_end(self.name, self.category, number, self.scope)


class Around(Advice):
    is_traced = events.begin_is_traced
    leave = staticmethod(events.end)

    def enter(self):
        events.begin_call(self.name, self.category)


class AroundTask(Around):
    start = Advice.begin_async
    finish = Advice.end_async


class Before(Advice):
    is_traced = events.mark_is_traced

    def start(self):
        events.mark(self.name, self.category)


class After(Advice):
    is_traced = events.mark_return_is_traced

    def complete(self, number):
        events.mark_return(self.name, self.category)


class AroundAsync(Advice):
    is_traced = events.async_begin_is_traced
    start = Advice.begin_async
    finish = Advice.end_async


class BeforeAsync(Advice):
    is_traced = events.async_begin_is_traced

    def start(self):
        begun.setdefault(self.scope, deque()).append(self.begin_async())


class AfterAsync(Advice):
    is_traced = events.async_end_is_traced

    def complete(self, number):
        """Ends the oldest that is open in its scope: it may have begun in another function, on another thread."""
        try:
            number = begun[self.scope].popleft()
        except (KeyError, IndexError):
            number = next(numbers)
        self.end_async(number)


advices = {"around": Around, "before": Before, "after": After,
           "around_async": AroundAsync, "before_async": BeforeAsync, "after_async": AfterAsync}


def weave_around(func, advice):
    """The most common one, and so the shortest: a plain function."""
    is_traced, begin, end = advice.is_traced, events.begin_call, events.end
    name, category = advice.name, advice.category

    def woven(*args, **kwargs):
        if not is_traced:
            return func(*args, **kwargs)
        begin(name, category)
        try:
            return func(*args, **kwargs)
        finally:
            end()

    return woven


def weave_plain(func, advice):
    is_traced, start, complete, finish = advice.is_traced, advice.start, advice.complete, advice.finish

    def woven(*args, **kwargs):
        if not is_traced:
            return func(*args, **kwargs)
        number = start()
        try:
            result = func(*args, **kwargs)
            complete(number)
            return result
        finally:
            finish(number)

    return woven


def weave_generator(func, advice):
    def woven(*args, **kwargs):
        if not advice.is_traced:
            return (yield from func(*args, **kwargs))
        number = advice.start()
        try:
            driven = func(*args, **kwargs)
            result = yield from steps(driven, advice.enter, advice.leave) if advice.enter else driven
            advice.complete(number)
            return result
        finally:
            advice.finish(number)

    return woven


def weave_coroutine(func, advice):
    async def woven(*args, **kwargs):
        if not advice.is_traced:
            return await func(*args, **kwargs)
        number = advice.start()
        try:
            driven = func(*args, **kwargs)
            result = await (awaited_steps(driven, advice.enter, advice.leave) if advice.enter else driven)
            advice.complete(number)
            return result
        finally:
            advice.finish(number)

    return woven


def weave_async_generator(func, advice):
    """There is no `yield from` for these: what comes in is handed on here."""
    def run(step):
        return awaited_steps(step.__await__(), advice.enter, advice.leave) if advice.enter else step

    async def woven(*args, **kwargs):
        driven = func(*args, **kwargs)
        is_traced = bool(advice.is_traced)
        number = advice.start() if is_traced else None
        step = driven.__anext__()
        try:
            while True:
                try:
                    yielded = await run(step)
                except StopAsyncIteration:
                    if is_traced:
                        advice.complete(number)
                    return
                try:
                    step = driven.asend((yield yielded))
                except GeneratorExit:
                    await run(driven.aclose())
                    raise
                except BaseException as exception:
                    step = driven.athrow(exception)
        finally:
            if is_traced:
                advice.finish(number)

    return woven


def weave(func, pointcut, scope):
    """The function that does what func does, and tells of it."""
    flags = getattr(getattr(func, "__code__", None), "co_flags", 0)
    name, category = getattr(func, "__qualname__", type(func).__qualname__), getattr(func, "__module__", "")
    is_task = flags & (COROUTINE | ITERABLE_COROUTINE | ASYNC_GENERATOR)
    advice = (AroundTask if is_task and pointcut == "around" else advices[pointcut])(name, category, scope)

    if flags & ASYNC_GENERATOR:
        woven = weave_async_generator(func, advice)
    elif flags & COROUTINE:
        woven = weave_coroutine(func, advice)
    elif flags & GENERATOR:
        woven = weave_generator(func, advice)
    elif pointcut == "around":
        woven = weave_around(func, advice)
    else:
        woven = weave_plain(func, advice)
    woven = functools.update_wrapper(woven, func)
    return types.coroutine(woven) if flags & ITERABLE_COROUTINE else woven


def critical_path(pointcut="around", scope=""):
    """A decorator. An unknown pointcut is said on standard error, and the function left as it is."""
    def decorate(func):
        if pointcut not in advices:
            print("perfflow error:", ("unknown pointcut", pointcut), file=sys.stderr)
            return func
        if isinstance(func, (staticmethod, classmethod)):
            return type(func)(decorate(func.__func__))
        return func if events.library is None else weave(func, pointcut, scope)

    return decorate


def sync_event(pointcut, name, category):
    """A region of this thread begins ("before"), or the one that it began last ends ("after")."""
    if pointcut == "before":
        if events.begin_is_traced:
            events.begin(events.text(name), events.text(category))
    elif pointcut == "after":
        if events.begin_is_traced:
            events.end()
    else:
        raise ValueError(f"Invalid pointcut: {pointcut}")


def async_event(pointcut, name, category, scope=None, id=None):
    """Asynchronous work begins ("before"), has come to a point ("instant"), or ends ("after").

    Name, category and id tell what belongs together; the threads do not matter. The id is a number, or anything with
    a hash; 123 if there is none.
    """
    if pointcut == "before":
        is_traced, tell = events.async_begin_is_traced, events.async_begin
    elif pointcut == "instant":
        is_traced, tell = events.async_instant_is_traced, events.async_instant
    elif pointcut == "after":
        is_traced, tell = events.async_end_is_traced, events.async_end
    else:
        raise ValueError(f"Invalid pointcut: {pointcut}")
    if is_traced:
        number = 123 if id is None else id if isinstance(id, int) else hash(id)
        tell(events.text(name), events.text(category), number & 0xFFFFFFFFFFFFFFFF,
             None if scope is None else events.text(scope))


instance.extend_path()
