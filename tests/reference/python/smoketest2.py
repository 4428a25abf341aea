# SPDX-License-Identifier: LGPL-3.0-or-later
"""One call in one call in one call, the outermost of which computes."""
import perfflowaspect.aspect


@perfflowaspect.aspect.critical_path()
def bas():
    return 1


@perfflowaspect.aspect.critical_path()
def bar():
    return bas()


@perfflowaspect.aspect.critical_path()
def foo():
    return sum(n * n for n in range(300000)) + bar()


foo()
