# SPDX-License-Identifier: LGPL-3.0-or-later
"""Asynchronous work on a thread of a pool, told of directly."""
import os
import time
from concurrent.futures import ThreadPoolExecutor

import perfflowaspect.aspect

FILE = os.path.basename(__file__)


def bar():
    perfflowaspect.aspect.async_event("before", "bar", FILE)
    time.sleep(0.003)
    perfflowaspect.aspect.async_event("after", "bar", FILE)


perfflowaspect.aspect.sync_event("before", "foo", FILE)
with ThreadPoolExecutor(1) as pool:
    pool.submit(bar).result()
perfflowaspect.aspect.sync_event("after", "foo", FILE)
