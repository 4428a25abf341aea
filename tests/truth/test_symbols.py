#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The functions that perfflow sees in hundreds of this machine's binaries are those that readelf sees.

The rules, as docs/pointcuts.md states them, are applied here to readelf's output by themselves: a function is a symbol of
type FUNC that is defined, has a name, and lies in an executable segment; "@VERSION" is no part of its name; functions that
cannot be probed are left out, with all names at their address.

    test_symbols.py DUMP_SYMBOLS [N]      # compares at most N binaries (400)
"""
import fnmatch
import os
import re
import subprocess
import sys

FOLDERS = ["/usr/bin", "/usr/sbin", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
MAX_BYTES = 30 << 20
OFF_LIMITS = ["_start", "_dl_start", "_dl_start_user", "__restore", "__restore_rt", "__kernel_rt_sigreturn",
              "__start_context", "*.cold", "*.cold.*", "_dl_runtime_resolve*", "_dl_runtime_profile*", "_dl_tlsdesc_*",
              "__morestack*", "__x86.get_pc_thunk.*", "__x86_indirect_thunk*", "__x86_return_thunk*",
              "__llvm_retpoline_*", "__llvm_external_retpoline_*", "__llvm_lvi_thunk_*"]
is_off_limits = re.compile("|".join(fnmatch.translate(glob) for glob in OFF_LIMITS)).match


def is_elf(path):
    try:
        with open(path, "rb") as file:
            return file.read(5) == b"\x7fELF\x02"
    except OSError:
        return False


def binaries(limit):
    """Spread over the folders, each file once."""
    found, seen = [], set()
    for folder in FOLDERS:
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        paths = [path for path in (os.path.realpath(os.path.join(folder, name)) for name in names)
                 if os.path.isfile(path) and os.path.getsize(path) < MAX_BYTES and is_elf(path)]
        fresh = [path for path in dict.fromkeys(paths) if path not in seen]
        seen.update(fresh)
        found.append(fresh)
    step = max(1, sum(map(len, found)) // limit)
    return [path for fresh in found for path in fresh[::step]][:limit]


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False, env={**os.environ, "LC_ALL": "C"}).stdout.decode("utf-8", "surrogateescape")


def executable_segments(path):
    segments = []
    for line in readelf("-l", path).splitlines():
        match = re.match(r"\s+LOAD\s+(0x\w+) (0x\w+) 0x\w+ (0x\w+) 0x\w+ (...)", line)
        if match and "E" in match[4]:
            start = int(match[2], 16)
            segments.append((start, start + int(match[3], 16)))
    return segments


def has_debug_file(path):
    """Whether the symbols come from elsewhere, which readelf does not look up."""
    match = re.search(r"Build ID: (\w\w)(\w+)", readelf("-n", path))
    return bool(match and os.path.exists(f"/usr/lib/debug/.build-id/{match[1]}/{match[2]}.debug"))


def expected(path):
    """{(address, name)} by readelf and the rules."""
    segments = executable_segments(path)
    names = {}
    for line in readelf("-s", path).splitlines():
        match = re.match(r"\s*\d+: (\w+)\s+\w+ FUNC\s+\w+\s+\w+\s+(?:\[.*\] )?(\w+) (\S+)", line)
        if not match or match[2] == "UND":
            continue
        address, name = int(match[1], 16), re.sub(r"(?<=.)@.*", "", match[3])
        if any(start <= address < end for start, end in segments):
            names.setdefault(address, set()).add(name)
    return {(address, name) for address, its in names.items() if not any(map(is_off_limits, its)) for name in its}


def ours(dump, paths):
    """{path: {(address, name)}, or the sentence of a refusal}"""
    output = subprocess.run([dump], input="\n".join(paths).encode() + b"\n", stdout=subprocess.PIPE, check=True).stdout
    found, functions = {}, None
    for line in output.decode("utf-8", "surrogateescape").splitlines():
        fields = line.split("\t")
        if fields[0] == "file":
            functions = found[fields[1]] = set()
        elif fields[0] == "refused":
            found[list(found)[-1]] = fields[1]
        else:
            functions.add((int(fields[0], 16), fields[2]))
    return found


def main():
    paths = binaries(int(sys.argv[2]) if len(sys.argv) > 2 else 400)
    if len(paths) < 50:
        print("there are too few binaries here to compare")
        sys.exit(1 if os.environ.get("PERFFLOW_CI") == "1" else 77)
    found = ours(sys.argv[1], paths)
    wrong = compared = functions = 0
    for path in paths:
        if isinstance(found[path], str):
            # a binary for another machine, or one without segments, is none that could be traced
            print(f"{path}: {found[path]}")
            continue
        if has_debug_file(path):
            continue
        wanted = expected(path)
        compared += 1
        functions += len(wanted)
        if wanted != found[path]:
            wrong += 1
            print(f"{path}: missing {sorted(wanted - found[path])[:5]}, too many {sorted(found[path] - wanted)[:5]}")
    print(f"binaries: {compared}, names of functions: {functions}, different: {wrong}")
    sys.exit(1 if wrong or compared < 50 else 0)


if __name__ == "__main__":
    main()
