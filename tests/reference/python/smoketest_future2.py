# SPDX-License-Identifier: LGPL-3.0-or-later
"""Asynchronous work that one function begins here and another one ends on a thread of a pool."""
import time
from concurrent.futures import ThreadPoolExecutor

import perfflowaspect.aspect


@perfflowaspect.aspect.critical_path(pointcut="after_async", scope="foo")
def bar():
    time.sleep(0.01)


@perfflowaspect.aspect.critical_path(pointcut="before_async", scope="foo")
def async_begin_in_foo():
    pass


@perfflowaspect.aspect.critical_path()
def foo():
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            async_begin_in_foo()
            pool.submit(bar)


foo()
