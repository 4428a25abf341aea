# SPDX-License-Identifier: LGPL-3.0-or-later
"""A pointcut that is none."""
from concurrent.futures import ThreadPoolExecutor

import perfflowaspect.aspect


@perfflowaspect.aspect.critical_path(pointcut="around_async_typo")
def bar():
    print("bar ran")


@perfflowaspect.aspect.critical_path()
def foo():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(bar).result()


foo()
