# SPDX-License-Identifier: LGPL-3.0-or-later
"""Tells perfflow of the calls of Python functions that the variable PERFFLOW_PY selects.

There are three ways to see calls, and the first that the interpreter has is taken:

* sys.monitoring (3.12 and later): each function is seen once; then only those that are selected are.
* the frames (3.9 to 3.11): the library stands between the interpreter and the one that executes frames. It looks at a
  code object once to find out whether it is selected, and then at what it has noted of it.
* the profile (3.8): the library sees each call and return, of built-in functions too. It costs the most, and a program
  that profiles itself takes it away.

Everything that is imported here is imported into each traced program: so it is little.
"""
import ctypes
import os
import sys

VARIABLE = "PERFFLOW_PY"
PLAIN, GENERATOR, TASK = 0, 1, 2  # as the library has them
WAIT, RETURN, RAISE = 0, 1, 2  # how a call leaves, as the library has it
OPTIMIZED, GENERATORS, TASKS = 0x1, 0x20, 0x80 | 0x100 | 0x200  # flags of code objects: a class has no OPTIMIZED


def load(folder):
    library = ctypes.PyDLL(os.path.join(folder, "libperfflow-python.so"))
    library.perfflow_function.restype = ctypes.c_void_p
    library.perfflow_function.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_uint]
    for name in ("perfflow_call", "perfflow_return", "perfflow_raise"):
        getattr(library, name).restype = None  # they take what they get: that is faster
    for name, last in (("perfflow_enter", ctypes.c_bool), ("perfflow_leave", ctypes.c_int)):
        function = getattr(library, name)
        function.restype = None
        function.argtypes = [ctypes.c_void_p, ctypes.c_uint64, last]
    return library


class Names:
    """Which functions code objects belong to."""

    def __init__(self):
        self.qualified = {}  # id of a code object -> itself and its qualified name, before 3.11

    def of(self, code):
        if hasattr(code, "co_qualname"):
            return code.co_qualname
        if id(code) not in self.qualified:
            self.learn(code, "", code.co_name)
        return self.qualified[id(code)][1]

    def learn(self, code, prefix, name):
        """The name of a code object, and of those that are defined in it."""
        qualified = prefix + name
        self.qualified[id(code)] = code, qualified
        inner = "" if name == "<module>" else qualified + ("." if is_class(code) else ".<locals>.")
        for constant in code.co_consts:
            if isinstance(constant, type(code)):
                self.learn(constant, inner, constant.co_name)


def is_class(code):
    return not code.co_flags & OPTIMIZED and code.co_name != "<module>"


def kind_of(code):
    return TASK if code.co_flags & TASKS else GENERATOR if code.co_flags & GENERATORS else PLAIN


def script_name(namespace):
    """What else the program's main module is known by: the name of its file, or of the module that -m has found."""
    spec = namespace.get("__spec__")
    if spec is not None:
        return spec.name
    path = namespace.get("__file__")
    return os.path.splitext(os.path.basename(path))[0] if path else None


class Selection:
    """Which functions are selected."""

    def __init__(self, library):
        self.library = library
        self.names = Names()
        self.functions = {}  # module, name and kind -> what the library gave

    def find(self, code, namespace):
        """What the library gave for the function of a code object, or None."""
        if is_class(code):
            return None
        module, also = namespace.get("__name__"), None
        if not isinstance(module, str):
            module = ""
        if module in ("__main__", "__mp_main__"):  # the second: in processes that multiprocessing has spawned
            module, also = "__main__", script_name(namespace)
        key = module, also, self.names.of(code), kind_of(code)
        function = self.functions.get(key)
        if function is None:
            texts = (None if text is None else text.encode("utf-8", "replace") for text in key[:3])
            function = self.library.perfflow_function(*texts, key[3])
            if function is not None:
                self.functions[key] = function
        return function

    def find_anyway(self, code, namespace):
        """Whatever a program makes of its names and modules, it is no reason to disturb it."""
        try:
            return self.find(code, namespace)
        except Exception:
            return None

    def look_at(self, code, namespace):
        """The code object, what the library gave for it, and whether it is a plain function's; or None."""
        function = self.find_anyway(code, namespace)
        return None if function is None else (code, ctypes.c_void_p(function), kind_of(code) == PLAIN)


def sample():
    yield


def decider(selection):
    """What the library asks about a code object that it has not seen before."""
    return ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.py_object)(selection.find_anyway)


class Frames:
    """3.9 to 3.11: all is done in the library, but finding out whether a function is selected."""

    def __init__(self, selection):
        self.selection = selection
        self.decide = decider(selection)

    def install(self):
        library = self.selection.library
        minor = sys.version_info[1]
        if not 9 <= minor <= 11 or hasattr(sys, "getobjects"):  # the second: objects have more in front
            return False
        library.perfflow_frames_try.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
        library.perfflow_frames_are_as_expected.restype = ctypes.c_bool
        if library.perfflow_frames_try(minor, id(sample.__code__), id(globals())) < 0:
            return False
        list(sample())
        if not library.perfflow_frames_are_as_expected():
            return False
        library.perfflow_frames_watch.restype = None
        library.perfflow_frames_watch(self.decide)
        return True


class Monitoring:
    """3.12 and later. A selected function gets events of its own, all others none after their first call."""

    def __init__(self, selection):
        self.selection = selection
        self.seen = {}  # id of a code object -> itself, what the library gave, and whether it is a plain function

    def install(self):
        monitoring = getattr(sys, "monitoring", None)
        if monitoring is None:
            return False
        tool = next((number for number in (4, 3, 5, 1) if monitoring.get_tool(number) is None), None)
        if tool is None:
            return False
        self.monitoring, self.tool, events = monitoring, tool, monitoring.events
        self.local = events.PY_RETURN | events.PY_RESUME | events.PY_YIELD
        self.elsewhere = events.PY_START | events.PY_UNWIND | events.PY_THROW  # these cannot be had of one function
        monitoring.use_tool_id(tool, "perfflow")
        on_start, on_resume, on_yield, on_return, on_unwind = self.callbacks()
        for event, callback in ((events.PY_START, on_start), (events.PY_RESUME, on_resume),
                                (events.PY_THROW, on_resume), (events.PY_YIELD, on_yield),
                                (events.PY_RETURN, on_return), (events.PY_UNWIND, on_unwind)):
            monitoring.register_callback(tool, event, callback)
        monitoring.set_events(tool, events.PY_START)
        return True

    def callbacks(self):
        """Closures, since they are quicker than methods, and still work while the interpreter ends."""
        library, find, look_at = self.selection.library, self.seen.get, self.look_at
        call, come_back, fail = library.perfflow_call, library.perfflow_return, library.perfflow_raise
        enter, leave, frame = library.perfflow_enter, library.perfflow_leave, sys._getframe
        ignore = self.monitoring.DISABLE

        def on_start(code, offset):
            seen = find(id(code)) or look_at(code, frame(1).f_globals)
            if seen is None:
                return ignore
            if seen[2]:
                call(seen[1])
            else:
                enter(seen[1], id(frame(1)), True)

        def on_resume(code, offset, exception=None):
            seen = find(id(code))
            if seen is not None:
                enter(seen[1], id(frame(1)), False)

        def on_yield(code, offset, value):
            seen = find(id(code))
            if seen is not None:
                leave(seen[1], id(frame(1)), WAIT)

        def on_return(code, offset, value):
            seen = find(id(code))
            if seen is None:
                return
            if seen[2]:
                come_back(seen[1])
            else:
                leave(seen[1], id(frame(1)), RETURN)

        def on_unwind(code, offset, exception):
            seen = find(id(code))
            if seen is None:
                return
            if seen[2]:
                fail(seen[1])
            else:
                leave(seen[1], id(frame(1)), RAISE)

        return on_start, on_resume, on_yield, on_return, on_unwind

    def look_at(self, code, namespace):
        seen = self.selection.look_at(code, namespace)
        if seen is not None:
            self.seen[id(code)] = seen
            self.monitoring.set_local_events(self.tool, code, self.local)
            self.monitoring.set_events(self.tool, self.elsewhere)
        return seen


class Profile:
    """3.8: the library has a profile function."""

    def __init__(self, selection):
        self.selection = selection
        self.decide = decider(selection)

    def install(self):
        import threading
        if sys.version_info[:2] != (3, 8) or hasattr(sys, "getobjects"):
            return False
        library = self.selection.library
        if library.perfflow_profile_watch(self.decide) < 0:
            return False
        threading.setprofile(lambda *event: library.perfflow_profile_thread())  # its first event puts the library's there
        return True


installed = []  # what has to live as long as the interpreter


def install(folder, ways=(Monitoring, Frames, Profile)):
    library = load(folder)
    if library.perfflow_select(os.fsencode(os.environ[VARIABLE])) < 0:
        raise ValueError("%s is not understood" % VARIABLE)
    selection = Selection(library)
    for way in ways:
        way = way(selection)
        if way.install():
            installed.append(way)
            return
    raise RuntimeError("this interpreter has no way of showing calls")
