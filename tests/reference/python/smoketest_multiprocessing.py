# SPDX-License-Identifier: LGPL-3.0-or-later
"""Four processes, each with calls in calls."""
import multiprocessing
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
def prcs_fn():
    foo()


if __name__ == "__main__":
    processes = [multiprocessing.Process(target=prcs_fn) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
