# SPDX-License-Identifier: LGPL-3.0-or-later
# perfflow puts this file's folder in front of the interpreter's path by PYTHONPATH, to be called when the interpreter
# starts. It leaves the path as it would be without, and hands over to the sitecustomize that it hides, if there is one.
# Any version of Python may come here, so it is written for all of them.
import os
import sys


def install():
    folder = os.path.dirname(os.path.abspath(__file__))
    if os.environ.get("PERFFLOW_PY") and sys.version_info >= (3, 8) and sys.implementation.name == "cpython":
        try:
            import perfflow_hook
            perfflow_hook.install(os.path.join(os.path.dirname(folder), "perfflowaspect"))
        except Exception as error:
            sys.stderr.write("perfflow: Python functions are not traced in process %d: %s\n" % (os.getpid(), error))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != folder]


def hand_over():
    """Raises what the hidden one raises, for whoever imports this one to deal with."""
    ours = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # noqa: F401: not this one, which the path does not lead to any more
    except ImportError:
        sys.modules["sitecustomize"] = ours
        if not hides_nothing():
            raise


def hides_nothing():
    """Whether the import failed because there is no other sitecustomize."""
    error = sys.exc_info()[1]
    name = getattr(error, "name", None)
    return name == "sitecustomize" or (name is None and str(error) == "No module named sitecustomize")


install()
hand_over()
