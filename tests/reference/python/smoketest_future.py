# SPDX-License-Identifier: LGPL-3.0-or-later
"""Asynchronous work, on a thread of a pool."""
import time
from concurrent.futures import ThreadPoolExecutor

import perfflowaspect.aspect


@perfflowaspect.aspect.critical_path(pointcut="around_async")
def bar():
    time.sleep(0.003)


@perfflowaspect.aspect.critical_path()
def foo():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(bar).result()


foo()
