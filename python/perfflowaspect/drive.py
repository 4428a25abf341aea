# SPDX-License-Identifier: LGPL-3.0-or-later
"""Generators and coroutines, driven with a call before and after each stretch that they run.

What comes in (values, exceptions, the wish to close) goes on to the one that is driven, and what it yields, returns or
raises goes on to whoever drives: as `yield from` does it.
"""
import types


def steps(driven, before, after):
    """A generator that stands for `driven`, a generator or coroutine."""
    resume, value = driven.send, None
    while True:
        before()
        try:
            yielded = resume(value)
        except StopIteration as stop:
            return stop.value
        finally:
            after()
        try:
            value = yield yielded
            resume = driven.send
        except GeneratorExit:
            before()
            try:
                driven.close()
            finally:
                after()
            raise
        except BaseException as exception:
            value = exception
            resume = driven.throw


# The same to be awaited, for a coroutine.
awaited_steps = types.coroutine(steps)
