# SPDX-License-Identifier: LGPL-3.0-or-later
"""Stacks: the names of the callers, of programs of all kinds, whether they are still there when their records are read or not."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from perfflow import PERFFLOW, TARGETS, TestCase, Trace, environment, main, run, target  # noqa: E402

LIBRARY = os.path.join(TARGETS, "libstacks.so")
ALLOC = "around(libstacks.so:alloc) stack"


def frames(stack):
    """Without the offsets: 'main (stacks)', '[stacks]'."""
    return [re.sub(r"\+0x[0-9a-f]+", "", frame) for frame in stack]


def chain(program, through="apply (libstacks.so)", names=("chain::inner", "chain::outer")):
    return [f"{names[0]} ({program})", through, f"{names[1]} ({program})"]


class Stacks(TestCase):
    def stacks(self, command, aspect=ALLOC, name="alloc", **keywords):
        trace = self.trace(aspect, command, **keywords)
        return [e["args"]["stack"] for e in trace.events if e["name"] == name and "stack" in e.get("args", {})]

    def stacks_of_all(self, library, work):
        """Of all processes that call alloc() of the library during the work."""
        tracer = self.start([PERFFLOW, "attach", "-p", ALLOC, "--binary", library, "-o", self.folder / "all.json"])
        tracer.read_until("tracing", stream="stderr")
        work()
        tracer.interrupt()
        self.assertEqual(tracer.finish().status, 0)
        trace = Trace(self.folder / "all.json")
        self.check(trace)
        return [span["args"]["stack"] for span in trace.spans("alloc")]

    def test_each_caller_has_a_name_also_when_the_process_is_gone(self):
        for program in ("stacks", "stacks_early"):
            for how in ("call", "fork", "grandchild"):
                with self.subTest(f"{program} {how}"):
                    stacks = self.stacks([target(program), how])
                    self.assertEqual(len(stacks), 1)
                    self.assertEqual(frames(stacks[0])[:3], chain(program))
                    self.assertIn(f"main ({program})", frames(stacks[0]))

    def test_the_offset_is_that_of_the_return_address_in_the_function(self):
        stack = self.stacks([target("stacks")])[0]
        for frame, module in ((stack[0], "stacks"), (stack[1], "libstacks.so")):
            name, offset = re.match(r"(\S+)\+0x([0-9a-f]+) ", frame).groups()
            symbol = re.search(rf"^([0-9a-f]+) T {name}(\(int\))?$", run(["nm", "-C", os.path.join(TARGETS, module)]).out, re.M)
            address = int(symbol.group(1), 16) + int(offset, 16)
            code = run(["objdump", "-d", f"--stop-address={address}", f"--start-address={int(symbol.group(1), 16)}",
                        os.path.join(TARGETS, module)]).out
            self.assertRegex(code.strip().splitlines()[-1], r"\b(call|blr?)\b", frame)

    def test_marks_have_stacks_too(self):
        for advice in ("before", "after"):
            with self.subTest(advice):
                stacks = self.stacks([target("stacks")], f"{advice}(libstacks.so:alloc) stack")
                self.assertEqual(frames(stacks[0])[:3], chain("stacks"))

    def test_hundreds_of_short_processes_at_once_have_the_same_callers(self):
        loop = f"for i in $(seq 125); do {target('stacks')} fork & done; wait"
        stacks = self.stacks(["sh", "-c", " & ".join([f"(seq 25 | xargs -P2 -I% {target('stacks')})"] * 4) + "; wait; " + loop])
        self.assertEqual(len(stacks), 225)
        for stack in stacks:
            self.assertEqual(frames(stack)[:3], chain("stacks"))

    def test_what_a_process_was_before_it_executed_another_program_is_not_mixed_with_that(self):
        command = f"for i in $(seq 20); do {target('stacks_early')} exec {target('stacks_late')}; done"
        stacks = self.stacks(["sh", "-c", command])
        early = chain("stacks_early")
        late = chain("stacks_late", names=("chain::LATE_inner", "chain::LATE_outer"))
        self.assertEqual([frames(stack)[:3] for stack in stacks], [early, late] * 20)

    def test_a_library_that_is_loaded_late_has_its_names(self):
        library = shutil.copy(LIBRARY, self.folder / "libother.so")
        stacks = self.stacks([target("stacks"), "plugin", library])
        self.assertEqual(frames(stacks[0])[:3], chain("stacks", "apply (libother.so)"))

    def test_code_that_is_in_no_file_is_said_to_be_so(self):
        stacks = self.stacks([target("stacks"), "code"])
        self.assertEqual(frames(stacks[0])[:3], chain("stacks", "[anonymous]"))

    def test_a_stripped_program_has_addresses_as_its_file_has_them(self):
        stripped = self.folder / "stripped"
        for program in ("stacks", "stacks_early"):
            run(["strip", "-o", stripped, target(program)])
            named, nameless = self.stacks([target(program)])[0], self.stacks([stripped], env=environment(LD_LIBRARY_PATH=TARGETS))[0]
            self.assertEqual(frames(nameless)[:4], ["[stripped]", "apply (libstacks.so)", "[stripped]", "[stripped]"])
            for frame, other in zip(named[:4], nameless):
                address = re.search(r"\[stripped\+(0x[0-9a-f]+)", other)
                if address:
                    found = run(["addr2line", "-Cfe", target(program), hex(int(address.group(1), 16) - 1)]).out
                    self.assertTrue(found.startswith(re.match(r"[\w:]+", frame).group()), (frame, other, found))

    def test_a_program_that_was_removed_is_read_while_it_runs(self):
        program = self.folder.copy(target("stacks"))
        stacks = self.stacks([program, "unlink", program], env=environment(LD_LIBRARY_PATH=TARGETS))
        self.assertEqual(frames(stacks[0])[:3], chain("stacks"))

    def test_a_program_in_a_root_of_its_own_is_read_there(self):
        root = os.path.join(self.folder.path, "root")
        files = re.findall(r"(/\S+) \(0x", run(["ldd", target("stacks")]).out)
        for file in files:
            os.makedirs(root + os.path.dirname(file), exist_ok=True)
            shutil.copy(file, root + file)
        shutil.copy(target("stacks"), os.path.join(root, "contained"))
        stacks = self.stacks_of_all(root + LIBRARY, lambda: run(["chroot", root, "/contained", "fork"]))
        self.assertEqual([frames(stack)[:3] for stack in stacks], [chain("contained")])

    def test_a_process_that_was_there_before_has_names_when_it_dies_of_abort(self):
        process = self.start([target("stacks"), "wait"], stdin=subprocess.PIPE)
        process.read_until("ready")
        tracer = self.start([PERFFLOW, "attach", "-p", "before(libc.so.6:abort) stack", "-p", ALLOC, "--pid", process.pid,
                             "-o", self.folder / "t.json"])
        tracer.read_until("tracing", stream="stderr")
        process.tell("go")
        self.assertEqual(process.finish().status, 134)
        self.assertEqual(tracer.finish().status, 0)
        trace = Trace(self.folder / "t.json")
        self.check(trace)
        stacks = {e["name"]: e["args"]["stack"] for e in trace.events if "stack" in e.get("args", {})}
        self.assertEqual(frames(stacks["abort"])[0], "main (stacks)")
        self.assertEqual(frames(stacks["alloc"])[:3], chain("stacks"))

    def test_without_frame_pointers_the_first_caller_is_right_and_the_trace_is_whole(self):
        stacks = self.stacks([target("stacks_frameless")])
        self.assertEqual(frames(stacks[0])[0], "chain::inner (stacks_frameless)")

    def test_a_recursion_has_each_of_its_callers(self):
        trace = self.trace("(descends:descend*) args=(n:i32@1) stack", [target("descends")])
        for name in ("descend", "descend_late"):
            depths = {span["args"]["n"]: frames(span["args"]["stack"]) for span in trace.spans(name)}
            self.assertEqual(sorted(depths), list(range(6)))
            for n, callers in depths.items():
                with self.subTest(f"{name}({n})"):
                    self.assertEqual(callers[:6 - n], [f"{name} (descends)"] * (5 - n) + ["main (descends)"])

    def test_a_session_of_all_processes_names_those_that_were_there(self):
        process = self.start([target("stacks"), "wait"], stdin=subprocess.PIPE)
        process.read_until("ready")

        def work():
            process.tell("go")
            process.finish()
            run([target("stacks_early")])

        stacks = self.stacks_of_all(LIBRARY, work)
        self.assertEqual([frames(stack)[:3] for stack in stacks], [chain("stacks"), chain("stacks_early")])


main(programs=("chroot", "objdump", "nm", "strip", "addr2line"))
