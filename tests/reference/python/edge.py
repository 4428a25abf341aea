# SPDX-License-Identifier: LGPL-3.0-or-later
"""An exception, a coroutine, a generator, methods, an inner function, recursion, and what is told of directly."""
import asyncio
import time

import perfflowaspect.aspect as a


@a.critical_path()
def raises():
    raise ValueError("x")


@a.critical_path()
async def coro():
    await asyncio.sleep(0.05)
    return 1


@a.critical_path()
def gen():
    for i in range(3):
        time.sleep(0.01)
        yield i


class K:
    @a.critical_path()
    def m(self):
        return 1

    @staticmethod
    @a.critical_path()
    def s():
        return 1

    @a.critical_path(pointcut="before")
    def b(self):
        time.sleep(0.001)

    @a.critical_path(pointcut="after")
    def e(self):
        time.sleep(0.001)


def outer():
    @a.critical_path()
    def inner():
        return 1
    return inner()


@a.critical_path()
def fact(n):
    return 1 if n <= 1 else n * fact(n - 1)


try:
    raises()
except ValueError:
    pass
asyncio.run(coro())
list(gen())
K().m()
K.s()
K().b()
K().e()
outer()
fact(3)
a.async_event("before", "n1", "cat", scope="s", id=7)
a.async_event("instant", "n1", "cat", scope="s", id=7)
a.async_event("after", "n1", "cat", scope="s", id=7)
a.async_event("before", "n2", "cat")
a.sync_event("before", "x", "cat")
a.sync_event("after", "x", "cat")
