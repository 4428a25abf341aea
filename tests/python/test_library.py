#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""libperfflow-python.so: which functions PERFFLOW_PY selects, and the probes that it has."""
import ctypes
import os
import subprocess
import sys
import unittest

BUILD = os.environ["PERFFLOW_BUILD"]
PATH = os.path.join(BUILD, "python", "perfflowaspect", "libperfflow-python.so")
EINVAL = 22
library = ctypes.PyDLL(PATH)
library.perfflow_function.restype = ctypes.c_void_p
library.perfflow_semaphore.restype = ctypes.c_void_p


def select(text):
    return library.perfflow_select(text.encode())


def slot(module, name, also=None):
    """The letter of the slot of a function, or None."""
    function = library.perfflow_function(module.encode(), also.encode() if also else None, name.encode(), 0)
    return chr(ord("a") + ctypes.c_uint.from_address(function).value) if function else None


class Selection(unittest.TestCase):
    def test_patterns_are_globs_of_module_and_name(self):
        self.assertEqual(select("1 -a\n0 solver.* step\n0 io *.read\n0 tools [a-c]?\n"), 0)
        for module, name, expected in (
                ("solver.mesh", "step", "a"), ("solver", "step", None), ("solver.mesh", "steps", None),
                ("io", "File.read", "a"), ("io", "read", None), ("tools", "b1", "a"), ("tools", "d1", None)):
            self.assertEqual(slot(module, name), expected, (module, name))

    def test_the_groups_that_hold_say_which_slot(self):
        self.assertEqual(select("1 -ab-\n0 m *\n1 m f*\n1 n f*\n"), 0)
        self.assertEqual((slot("m", "g"), slot("n", "f"), slot("m", "f"), slot("n", "g")), ("a", "b", None, None))

    def test_what_nobody_wrote_as_a_function_has_to_be_named(self):
        self.assertEqual(select("1 -a\n0 m *\n"), 0)
        for name in ("<module>", "f.<locals>.<listcomp>", "<genexpr>"):
            self.assertIsNone(slot("m", name), name)
        for name in ("<lambda>", "f.<locals>.<lambda>", "f.<locals>.g"):
            self.assertEqual(slot("m", name), "a", name)
        self.assertEqual(select("1 -a\n0 m <*\n"), 0)
        self.assertEqual((slot("m", "<module>"), slot("m", "f")), ("a", None))

    def test_a_module_may_have_two_names(self):
        self.assertEqual(select("1 -a\n0 train *\n"), 0)
        self.assertEqual((slot("__main__", "f", also="train"), slot("__main__", "f")), ("a", None))

    def test_the_last_slot_and_the_last_group(self):
        self.assertEqual(select("1 -" + "p" * 255 + "\n7 m f\n"), 0)
        self.assertEqual(slot("m", "f"), "p")
        self.assertEqual(select("1 -q\n0 m f\n"), -EINVAL)
        self.assertEqual(select("1 -" + "a" * 511 + "\n0 m f\n"), -EINVAL)

    def test_what_is_malformed_selects_nothing(self):
        for text in ("", "1", "1 ", "2 -a\n0 m f\n", "1 -a", "1 -ab\n0 m f\n", "1 -a\n1 m f\n", "1 -a\nx m f\n", "1 -a\n0 m\n",
                     "1 -a\n0 m f g\n", "1 -a\n0  f\n", "1 -A\n0 m f\n", "1 -a\n-1 m f\n", "\n\n"):
            self.assertEqual(select("1 -a\n0 m f\n"), 0)
            if text != "1 -a":  # no pattern is no mistake
                self.assertEqual(select(text), -EINVAL, text)
            else:
                self.assertEqual(select(text), 0)
            self.assertIsNone(slot("m", "f"), text)


class Probes(unittest.TestCase):
    def notes(self):
        out = subprocess.run(["readelf", "-n", PATH], stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout
        words = [line.split(": ", 1) for line in out.splitlines() if ": " in line]
        fields = [(key.strip(), value.strip()) for key, value in words]
        notes, provider = [], None
        for key, value in fields:
            if key == "Provider":
                provider = value
            elif key == "Name":
                name = value
            elif key == "Location":
                semaphore = value.rsplit("Semaphore: ", 1)[1]
            elif key == "Arguments":
                notes.append((provider, name, len(value.split()), semaphore))
        return notes

    def test_each_slot_has_its_own_with_a_count_of_listeners_each(self):
        notes = [note for note in self.notes() if note[0] == "perfflow_python"]
        names = {f"{name}_{slot}" for slot in range(16)
                 for name in ("enter", "leave", "start", "finish", "return", "task_start", "task_finish")}
        self.assertEqual({note[1] for note in notes}, names)
        self.assertEqual({note[2] for note in notes}, {3})
        self.assertEqual(len({note[3] for note in notes}), len(names))

    def test_a_program_announces_by_those_of_aspect_h_and_a_scope_of_asynchronous_work(self):
        arguments = {note[1:3] for note in self.notes() if note[0] == "perfflow"}
        self.assertEqual(arguments, {("begin", 2), ("begin", 3), ("end", 0), ("mark", 2), ("mark_return", 2),
                                     ("async_begin", 4), ("async_instant", 4), ("async_end", 4)})

    def test_listeners_are_counted_where_the_program_looks(self):
        for probe in (b"begin", b"mark", b"mark_return", b"async_begin", b"async_instant", b"async_end"):
            self.assertEqual(ctypes.c_ushort.from_address(library.perfflow_semaphore(probe)).value, 0)
        self.assertIsNone(library.perfflow_semaphore(b"nothing"))

    def test_it_needs_nothing_of_python(self):
        out = subprocess.run(["nm", "-D", "--undefined-only", PATH], stdout=subprocess.PIPE, universal_newlines=True,
                             check=True).stdout
        self.assertNotIn("Py", out)


if __name__ == "__main__":
    unittest.main()
