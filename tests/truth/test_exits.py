#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""
The exits that perfflow finds, against those in what objdump prints, for programs and libraries of this machine.

    test_exits.py DUMP_SITES [--seconds N] [FILE...]

For each function that perfflow holds to be complete, the exits have to be the same: each return, and each direct jump that
leaves the function and the pieces that belong to it, worked out here from objdump's text and readelf's frames. Jumps
through registers and memory that perfflow took for tail calls have to be just that kind of instruction; of those through
memory without an index none may be missing.

A piece that a jump leads to and that has no name belongs to the function, with its returns. There is one exception: where
objdump prints a `ret` without an operand at just the address that is jumped to, and nothing else makes that address one of
the function's (its symbol, its frame, another jump into the same piece, a case of a switch), the jump is the exit, and the
`ret` is none. What an exit is taken for has to be right too: a jump to such a `ret` returns, another one calls, and a
conditional one does either only if its condition holds.
"""
import argparse
import bisect
import collections
import os
import re
import subprocess
import sys
import time

LINE = re.compile(r"^ *([0-9a-f]+):\t(?:[0-9a-f]{2} )+ *\t([^#<]*)")
PREFIXES = {"bnd", "notrack", "rep", "repz", "repnz", "data16", "cs", "ds", "es", "ss", "lock"}
BRANCHES = {"loop", "loope", "loopne", "jrcxz", "jecxz", "xbegin"}
MISSING = 1 if os.environ.get("PERFFLOW_CI") == "1" else 77  # where all is to be there, that too few are is a failure


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120, check=False).stdout


class Frames:
    """The ranges of .eh_frame."""

    def __init__(self, path):
        found = re.findall(r"FDE cie=\w+ pc=([0-9a-f]+)\.\.([0-9a-f]+)", run("readelf", "--debug-dump=frames", path))
        self.ranges = sorted({(int(start, 16), int(end, 16)) for start, end in found if start != end})
        self.starts = [start for start, _ in self.ranges]

    def around(self, address):
        i = bisect.bisect_right(self.starts, address) - 1
        if i >= 0 and self.ranges[i][0] <= address < self.ranges[i][1]:
            return self.ranges[i]
        return None


class Listing:
    """What objdump prints of the code: for each jump and return where it is, what, and where to."""

    def __init__(self, path):
        self.flows = []
        self.bare_returns = set()
        self.conditional = set()
        for line in run("objdump", "-d", "-w", "-j", ".text", path).splitlines():
            match = LINE.match(line)
            if match:
                self.add(int(match.group(1), 16), match.group(2).split())
        self.addresses = [flow[0] for flow in self.flows]

    def add(self, address, words):
        prefixes = set()
        while words and words[0].split(",")[0] in PREFIXES:
            prefixes.add(words[0].split(",")[0])
            words = words[1:]
        if not words:
            return
        name = words[0].split(",")[0]
        operand = words[1] if len(words) > 1 else ""
        if name in ("ret", "retq"):
            self.flows.append((address, "return", None))
            if not operand and not prefixes - {"rep", "repz"}:
                self.bare_returns.add(address)
        elif name.startswith("j") or name in BRANCHES:
            if operand.startswith("*"):
                self.flows.append((address, "indirect", operand))
            else:
                self.flows.append((address, "jump", int(operand, 16)))
                if not name.startswith("jmp"):
                    self.conditional.add(address)

    def within(self, start, end):
        low = bisect.bisect_left(self.addresses, start)
        return self.flows[low : bisect.bisect_left(self.addresses, end)]


class Function:
    def __init__(self, words, name):
        self.address, self.size, self.complete = int(words[1], 16), int(words[2], 16), words[3] == "complete"
        self.name = name
        self.kinds = {}


def dump(tool, path):
    functions = []
    for line in run(tool, path).splitlines():
        words = line.split("\t")[0].split(" ", 5)
        if words[0] == "F":
            functions.append(Function(words, words[5]))
        elif words[0] == "E":
            functions[-1].kinds[int(words[1], 16)] = words[2]
    return functions


def is_stub(target, end, listing):
    """Like the linker's stubs: nothing but a jump through memory that the code itself names."""
    flows = listing.within(target, end)
    return bool(flows) and flows[0][1] == "indirect" and "(%rip)" in flows[0][2] and flows[0][0] - target <= 4


def pieces_of(function, starts, sizes, frames, listing, text):
    """
    The function's own range, and those that its direct jumps lead to and that have no name of their own. Beside it the jumps to
    where nothing is known to be: no function that has one is complete.
    """
    own = frames.around(function.address)
    end = function.address + function.size
    if own and own[0] == function.address:
        end = max(end, own[1])
    pieces, todo, lost = [], [(function.address, end)], set()
    while todo:
        piece = todo.pop()
        pieces.append(piece)
        for address, kind, target in listing.within(*piece):
            if kind != "jump" or any(a <= target < b for a, b in pieces + todo) or target in sizes:
                continue
            if not text[0] <= target < text[1]:
                continue  # a stub of the linker's
            i = bisect.bisect_right(starts, target) - 1
            if i >= 0 and target < starts[i] + sizes[starts[i]]:
                found = (starts[i], starts[i] + sizes[starts[i]])
            else:
                found = frames.around(target)
            if is_stub(target, found[1] if found else target + 16, listing):
                continue
            if not found:
                lost.add(address)
            elif target not in listing.bare_returns:  # not for the sake of this jump
                todo.append(found)
    return pieces, lost


def expected_exits(pieces, listing):
    certain, possible = set(), set()
    for piece in pieces:
        for address, kind, target in listing.within(*piece):
            if kind == "return":
                certain.add(address)
            elif kind == "indirect":
                possible.add(address)
                if "(" in target and "," not in target:
                    certain.add(address)
            elif not any(start <= target < end for start, end in pieces):
                certain.add(address)
    return certain, possible


def kind_of(address, listing, text):
    """What an exit has to be taken for; None: its target is in a section that was not read."""
    kind, target = next((flow[1:] for flow in listing.within(address, address + 1)), (None, None))
    if kind == "return":
        return "return"
    if kind == "indirect":
        return "jump"
    if kind != "jump" or not text[0] <= target < text[1]:
        return None
    if address in listing.conditional:
        return "branch-to-return" if target in listing.bare_returns else "branch"
    return "return" if target in listing.bare_returns else "jump"


def named_at(address, starts, sizes):
    i = bisect.bisect_right(starts, address) - 1
    return i >= 0 and address < starts[i] + sizes[starts[i]]


def text_of(path):
    match = re.search(r" \.text +PROGBITS +([0-9a-f]+) +[0-9a-f]+ +([0-9a-f]+)", run("readelf", "-SW", path))
    if not match:
        return None
    start, size = (int(word, 16) for word in match.groups())
    return start, start + size


def check(tool, path, sums):
    text = text_of(path)
    functions = dump(tool, path) if text else []
    functions = [function for function in functions if text[0] <= function.address < text[1]]
    if not functions:
        return []
    listing, frames = Listing(path), Frames(path)
    sizes = {function.address: function.size for function in functions}
    starts = sorted(sizes)
    wrong = []
    sums["binaries"] += 1
    sums["functions"] += len(functions)
    for function in functions:
        if not function.complete:
            continue
        sums["complete"] += 1
        pieces, lost = pieces_of(function, starts, sizes, frames, listing, text)
        certain, possible = expected_exits(pieces, listing)
        exits = set(function.kinds)
        sums["exits"] += len(exits)
        missing = certain - exits
        extra = exits - certain - possible
        flows = [flow for piece in pieces for flow in listing.within(*piece)]
        to_return = {address: target for address, kind, target in flows if kind == "jump" and target in listing.bare_returns}
        sums["jumps to a return"] += len(exits & set(to_return))
        if any(kind == "indirect" for _, kind, _ in flows):
            # the cases of a switch may lie in code without a name, which this does not look for
            missing = {address for address in missing if to_return.get(address) not in extra}
            extra = {address for address in extra if named_at(address, starts, sizes)}
        extra |= lost | {address for address in exits if to_return.get(address) in exits}  # a call would end twice
        mistaken = {address for address, kind in function.kinds.items() if kind_of(address, listing, text) not in (kind, None)}
        if missing or extra or mistaken:
            wrong.append((path, function, missing, extra, mistaken))
    return wrong


def is_elf(path):
    try:
        with open(path, "rb") as file:
            start = file.read(20)
    except OSError:
        return False
    return start[:5] == b"\x7fELF\x02" and start[18:20] == b"\x3e\x00"


def candidates():
    """Small ones first, and a library after each few programs: many files in a given time, and of both kinds."""
    seen, lists = set(), []
    for folder in ("/usr/bin", "/usr/lib/x86_64-linux-gnu"):
        files = [os.path.join(folder, name) for name in os.listdir(folder)]
        files = sorted({os.path.realpath(path) for path in files if os.path.isfile(path) and is_elf(path)}, key=os.path.getsize)
        lists.append([path for path in files if path not in seen])
        seen.update(files)
    while any(lists):
        for one in lists:
            if one:
                yield one.pop(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dump_sites")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    if os.uname().machine != "x86_64":
        print("left out: this reads what objdump prints of x86-64")
        return 77
    sums, wrong, end = collections.Counter(), [], time.monotonic() + arguments.seconds
    paths = arguments.files or list(candidates())
    n_looked_at = 0
    for path in paths:
        wrong += check(arguments.dump_sites, path, sums)
        n_looked_at += 1
        if time.monotonic() > end and not arguments.files:
            break
    if n_looked_at < len(paths):
        print(f"after {arguments.seconds:.0f} s {n_looked_at} of {len(paths)} files were looked at, those of the larger ones last: "
              f"left are {len(paths) - n_looked_at}, the largest of {max(map(os.path.getsize, paths[n_looked_at:])) >> 20} MiB")
    for path, function, *lists in wrong[:20]:
        missing, extra, mistaken = ([hex(address) for address in sorted(addresses)] for addresses in lists)
        print(f"{path}: {function.name} at {function.address:x}: missing {missing}, too many {extra}, mistaken {mistaken}")
    share = 100 * sums["complete"] / max(1, sums["functions"])
    print(f"{sums['binaries']} binaries, {sums['functions']} functions, {sums['complete']} complete ({share:.2f}%), "
          f"{sums['exits']} exits ({sums['jumps to a return']} jumps to a return), {len(wrong)} functions wrong")
    if not arguments.files and (sums["functions"] < 1000 or sums["binaries"] < 50):
        print("too few to tell anything")
        return MISSING
    if not arguments.files and share < 90:
        print("of too many functions nothing was claimed: that proves nothing")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
