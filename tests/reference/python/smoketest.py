# SPDX-License-Identifier: LGPL-3.0-or-later
"""Three decorated functions, each called by the one before it, four times."""
import time

import perfflowaspect.aspect


@perfflowaspect.aspect.critical_path(pointcut="around")
def bas():
    print("bas")


@perfflowaspect.aspect.critical_path(pointcut="around")
def bar():
    time.sleep(0.001)
    bas()


@perfflowaspect.aspect.critical_path()
def foo():
    time.sleep(0.001)
    bar()


for _ in range(4):
    foo()
