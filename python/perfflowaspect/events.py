# SPDX-License-Identifier: LGPL-3.0-or-later
"""How events leave the process: static probes in a small library, which perfflow's daemon listens to.

Each probe comes with a count of those who listen, in the memory of this process and kept by the kernel. It is a ctypes
number that is true or false, so that asking it costs 30 ns; while it is 0 nothing else is done.

Where there is no library for this machine `library` is None, and nothing ever listens.
"""
import ctypes
import os

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libperfflow-python.so")


def load(path):
    """The library, or None. Its functions keep the interpreter's lock: what they do is shorter than handing it over."""
    try:
        return ctypes.PyDLL(path)
    except OSError:
        return None


def listeners(probe):
    """The count of those who listen to a probe."""
    if library is None:
        return ctypes.c_ushort(0)
    library.perfflow_semaphore.restype = ctypes.c_void_p
    return ctypes.c_ushort.from_address(library.perfflow_semaphore(probe))


def call(name, *types):
    if library is None:
        return lambda *arguments: None
    function = getattr(library, name)
    function.restype = None
    if types:
        function.argtypes = types
    return function


TEXT, NUMBER = ctypes.c_char_p, ctypes.c_uint64

library = load(PATH)

begin_is_traced = listeners(b"begin")
mark_is_traced = listeners(b"mark")
mark_return_is_traced = listeners(b"mark_return")
async_begin_is_traced = listeners(b"async_begin")
async_instant_is_traced = listeners(b"async_instant")
async_end_is_traced = listeners(b"async_end")

# Names and categories are bytes, which ctypes passes on as they are: without types it has less to do.
begin = call("perfflow_begin")
begin_call = call("perfflow_begin_call")
end = call("perfflow_end")
mark = call("perfflow_mark")
mark_return = call("perfflow_mark_return")
async_begin = call("perfflow_async_begin", TEXT, TEXT, NUMBER, TEXT)
async_instant = call("perfflow_async_instant", TEXT, TEXT, NUMBER, TEXT)
async_end = call("perfflow_async_end", TEXT, TEXT, NUMBER, TEXT)


def text(value):
    """What the library takes: bytes, of anything."""
    return str(value).encode("utf-8", "backslashreplace")
