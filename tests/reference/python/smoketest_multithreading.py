# SPDX-License-Identifier: LGPL-3.0-or-later
"""Five threads, each with calls in calls."""
import threading
import time

import perfflowaspect.aspect


@perfflowaspect.aspect.critical_path()
def bar():
    time.sleep(0.002)


@perfflowaspect.aspect.critical_path()
def foo():
    time.sleep(0.002)
    bar()


@perfflowaspect.aspect.critical_path()
def thd_fn():
    foo()


threads = [threading.Thread(target=thd_fn) for _ in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
