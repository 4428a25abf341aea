#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Checks a trace (.json, .pfw, either with .gz) against the rules in docs/trace-format.md.

    pfwlint.py [--hatchet] [--dftracer] [--pfw] [--max N] TRACE ...

Needs nothing but Python 3. Prints 'TRACE: RULE: what' a finding, then a count; exit code 1 if there was any. RULE is
the rule's label in that document. --hatchet and --dftracer add what those two readers need and the default layout
does not give them. --pfw is for files in PerfFlowAspect's own schema: they begin with an event, a B or E may be one of
a pointcut that is before or after and so stand alone, and what is asynchronous is told apart by its id alone. As a
module: findings(path) returns the same as a list.
"""
import json
import re
import sys
from collections import defaultdict

PHASES = set("BEXiICbnestfMNODPSTpFRcvV()=")
NUM = re.compile(rb'"(ts|dur)":(-?[0-9]+)(\.[0-9]+)?([eE][-+]?[0-9]+)?')
LIMIT_US = 1 << 43          # beyond it a double no longer holds a nanosecond
I53 = 1 << 53


def nanoseconds(us):
    """Of a number of microseconds; those since 1970 are too many for a double to hold them as nanoseconds."""
    return int(us) * 1000 + round((us - int(us)) * 1000)


class Lint:
    def __init__(self, path, hatchet, dftracer, most, pfw=False):
        self.path, self.hatchet, self.dftracer, self.most, self.n = path, hatchet, dftracer, most, 0
        self.pfw = pfw
        self.found = []

    def say(self, rule, what):
        self.n += 1
        if self.n <= self.most:
            self.found.append(f"{rule}: {what}")

    def run(self):
        with open(self.path, "rb") as file:
            raw = file.read()
        if raw[:2] == b"\x1f\x8b":
            try:
                members, raw = gunzip(raw)
                if members > 1:
                    self.say("F7", f"{members} gzip members: catapult and speedscope read only the first")
            except (EOFError, OSError, ValueError) as e:
                return self.say("F7", f"damaged gzip, which Perfetto refuses whole: {e}")
        elif raw[:4] == b"\x28\xb5\x2f\xfd":
            return self.say("F7", "zstd: no viewer reads it")
        if raw[:3] == b"\xef\xbb\xbf":
            self.say("F1", "byte order mark: Perfetto does not take it for JSON")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as e:
            return self.say("V1", f"not UTF-8: {e}")
        body = text.lstrip()
        if not re.match(r'\[\s*\{\s*"|\{\s*"', body):
            return self.say("F1", 'does not start with [{" or {": Perfetto cannot tell what it is')
        for m in NUM.finditer(raw):
            if m.group(4):
                self.say("T1", f"exponent in {m.group(0).decode()}")
            elif m.group(3) and len(m.group(3)) > 4:
                self.say("T1", f"more than 3 decimals: {m.group(0).decode()}")
        events = self.parse(body)
        if events is not None:
            self.events(events)

    def parse(self, body):
        def const(c):
            self.say("V2", f"{c} is not JSON")
        load = lambda s: json.loads(s, parse_constant=const)
        if body[0] == "{":
            try:
                top = load(body)
            except ValueError as e:
                return self.say("F2", f"object form is not complete JSON (Perfetto drops it all): {e}")
            if "ph" in top:
                return self.say("F1", "lines without an opening [: Perfetto reads none of them and says nothing")
            if top.get("displayTimeUnit", "ms") not in ("ms", "ns"):
                self.say("F3", f"displayTimeUnit {top['displayTimeUnit']!r}: catapult refuses the file")
            return top.get("traceEvents", [])
        if self.dftracer:
            out = []
            for i, line in enumerate(body.splitlines(), 1):
                if line[:1] in "[]" or not line:
                    continue
                try:
                    out.append(load(line))
                except ValueError as e:
                    self.say("D1", f"line {i} is not one JSON object: {e}")
            return out
        for i, line in enumerate(body.splitlines()[1:-1], 2):
            if not (line.startswith("{") and line.rstrip(", " if self.pfw else ",").endswith("}")) and line not in (",", "]"):
                self.say("F4", f"line {i} is not one whole event")
                break
        try:
            return load(body)
        except ValueError:
            cut = re.sub(r",\s*$", "", body)
            try:
                return load(cut + "\n]")
            except ValueError as e:
                return self.say("F2", f"not JSON, even with the closing bracket added: {e}")

    def events(self, events):
        if not events:
            return self.say("F1", "no event: Perfetto refuses the file")
        if not (self.dftracer or self.hatchet or self.pfw) and not {"ph", "cat", "args", "name"} <= events[0].keys():
            self.say("F5", "the first event has not all of name, cat, ph, args (Firefox Profiler asks for them)")
        open_be, lanes, alone = defaultdict(list), defaultdict(list), defaultdict(list)
        flow, asyncs, bound = defaultdict(list), defaultdict(int), defaultdict(list)
        for i, e in enumerate(events):
            if not isinstance(e, dict) or not e:
                self.say("E1", f"event {i} is empty or no object")
                continue
            ph, name = e.get("ph"), e.get("name")
            at = f"event {i} ({ph} {name!r})"
            if ph not in PHASES or not isinstance(ph, str):
                self.say("E1", f"{at}: phase")
                continue
            if not isinstance(name, str) or not name:
                self.say("E1", f"{at}: no name")
            for k in ("pid", "tid"):
                v = e.get(k)
                if type(v) is not int or not 0 <= v < 1 << 31:
                    self.say("E2", f"{at}: {k} {v!r} is not an integer in 0..2^31-1")
            ts = e.get("ts")
            if ph != "M" or "ts" in e:
                if type(ts) not in (int, float) or ts < 0:
                    self.say("T2", f"{at}: ts {ts!r}")
                    continue
                if ts >= LIMIT_US and ts != int(ts):
                    self.say("T1", f"{at}: ts {ts!r} is past 2^43 us: its decimals are lost")
            args = e.get("args")
            if args is not None and not isinstance(args, dict):
                self.say("V3", f"{at}: args is no object")
            for k, v in (args or {}).items():
                if type(v) is int and not -(1 << 63) <= v < 1 << 63:
                    self.say("V3", f"{at}: args.{k} is past int64: write it as a string")
            if args and not isinstance(e.get("cat"), str):
                self.say("E3", f"{at}: args without cat (DFAnalyzer stops on it)")
            if "stack" in e:
                self.say("E4", f"{at}: an inline stack makes catapult refuse the file")
            if self.hatchet and ph != "C" and not {"dur", "ts", "pid", "tid", "name"} <= e.keys():
                self.say("H1", f"{at}: Hatchet needs ts and dur on all that is no counter")
            if self.dftracer and (type(ts) is float or type(e.get("dur", 0)) is float):
                self.say("D2", f"{at}: DFAnalyzer cuts ts and dur to whole microseconds")
            lane = (e.get("pid"), e.get("tid"))
            ns = nanoseconds(ts or 0)
            if "bind_id" in e:
                self.bound(at, e, ns, bound)
            if ph == "T" and (type(e.get("dur")) not in (int, float) or e["dur"] < 0):
                self.say("S1", f"{at}: dur {e.get('dur')!r}")
            if ph == "X":
                dur = e.get("dur")
                if type(dur) not in (int, float) or dur < 0:
                    self.say("N1", f"{at}: dur {dur!r}")
                    continue
                lanes[lane].append((ns, ns + nanoseconds(dur), i, name))
            elif ph == "B":
                open_be[lane].append((ns, i, name, e.get("cat")))
            elif ph == "E" and self.pfw and (name, e.get("cat")) not in [b[2:] for b in open_be[lane]]:
                continue
            elif ph == "E":
                while self.pfw and open_be[lane][-1][2:] != (name, e.get("cat")):
                    alone[lane].append((open_be[lane].pop()[0], ns))
                if not open_be[lane]:
                    self.say("N2", f"{at}: E without B")
                    continue
                b, j, bname, bcat = open_be[lane].pop()
                if (bname, bcat) != (name, e.get("cat", bcat)):
                    self.say("N2", f"{at}: closes {bname!r}/{bcat!r} of event {j}")
                if ns <= b:
                    self.say("N3", f"{at}: E not after its B (event {j}): Perfetto may leave it open")
                lanes[lane].append((b, ns, j, bname))
            elif ph in "bne":
                if type(e.get("id")) not in (int, str) and "id2" not in e:
                    self.say("A1", f"{at}: no id")
                local = e.get("id2", {}).get("local")
                key = (e.get("cat"), str(e.get("id", e.get("id2"))) if local is None else (e.get("pid"), str(local)), name)
                if self.pfw:
                    key = (e.get("pid"), str(e.get("id")))
                if ph == "b":
                    asyncs[key] += 1
                elif ph == "e":
                    asyncs[key] -= 1
            elif ph in "stf":
                fid = e.get("id")
                if not (type(fid) is int and 0 <= fid < I53) and not (isinstance(fid, str) and re.fullmatch(r"0x[0-9a-fA-F]{1,13}", fid)):
                    self.say("L1", f"{at}: id {fid!r} (an integer under 2^53, or 0x hex)")
                if ph == "f" and e.get("bp") != "e":
                    self.say("L2", f"{at}: f without bp e binds to the next slice")
                flow[str(fid)].append((ns, "stf".index(ph), ph, (name, e.get("cat")), lane, i))
            elif ph == "C":
                if not args or any(type(v) not in (int, float) for v in args.values()):
                    self.say("C1", f"{at}: a counter's args are one or more numbers")
                if type(e.get("id")) is int:
                    self.say("C2", f"{at}: Perfetto ignores an integer id: the series merge")
            elif ph in "iI" and e.get("s", "t") not in ("t", "p", "g"):
                self.say("E1", f"{at}: scope {e.get('s')!r}")
        for lane, opens in open_be.items():
            for b, i, name, _ in opens:
                if self.pfw:
                    alone[lane].append((b, float("inf")))
                    continue
                self.say("N2", f"event {i} (B {name!r}) on {lane} is never closed")
        for key, n in asyncs.items():
            if n and not (self.pfw and n > 0):
                self.say("A1", f"async {key}: {'b' if n > 0 else 'e'} without its other end")
        for lane, spans in lanes.items():
            self.nesting(lane, spans)
        self.flows(flow, lanes, alone)
        for number, ends in bound.items():
            ends.sort()
            if [is_in for _, is_in in ends] not in ([False], [False, True]) or ends[0][0] == ends[-1][0] and len(ends) > 1:
                self.say("L3", f"arrow {number}: not one flow_out and then at most one flow_in, later")

    def bound(self, at, event, ns, bound):
        number = event["bind_id"]
        if not (type(number) is int and 0 <= number < I53) and not (isinstance(number, str) and re.fullmatch(r"0x[0-9a-fA-F]{1,13}", number)):
            self.say("L3", f"{at}: bind_id {number!r} (an integer under 2^53, or 0x hex)")
        if event.get("ph") not in ("X", "B") or ("flow_out" in event) == ("flow_in" in event):
            self.say("L3", f"{at}: a bind_id, but no X or B with flow_out or flow_in")
        bound[str(number)].append((ns, "flow_in" in event))

    def nesting(self, lane, spans):
        spans.sort(key=lambda s: (s[0], -s[1], s[2]))
        stack = []
        for s, e, i, name in spans:
            while stack and stack[-1][1] <= s:
                if stack[-1][1] == s and stack[-1][0] == s:
                    break                       # zero length at the same instant: either way is fine
                stack.pop()
            if stack and e > stack[-1][1] > s:
                self.say("N1", f"event {i} ({name!r}) on {lane} overlaps event {stack[-1][2]} ({stack[-1][3]!r}) by {stack[-1][1] - s} ns")
                continue
            if stack and stack[-1][0] == s and stack[-1][2] > i and e < stack[-1][1]:
                self.say("N4", f"event {i} ({name!r}) starts with its parent, event {stack[-1][2]}, and stands before it in the file")
            stack.append((s, e, i, name))
            if len(stack) > 512:
                self.say("N5", f"event {i} on {lane}: deeper than 512")
                return

    def flows(self, flow, lanes, alone):
        for fid, steps in flow.items():
            steps.sort()
            if [s[2] for s in steps].count("s") != 1 or steps[0][2] != "s":
                self.say("L1", f"flow {fid}: not exactly one s, first")
            if sum(s[2] == "f" for s in steps) > 1:
                self.say("L1", f"flow {fid}: several f (catapult keeps one)")
            if len({s[3] for s in steps}) > 1:
                self.say("L1", f"flow {fid}: name and cat differ between its ends")
            for ns, _, ph, _, lane, i in steps:
                if not any(s <= ns <= e for s, e, *_ in lanes.get(lane, []) + alone.get(lane, [])):
                    self.say("L2", f"event {i} ({ph} of flow {fid}): no slice on {lane} at its ts")


def gunzip(raw):
    import zlib
    out, n = [], 0
    while raw:
        d = zlib.decompressobj(31)
        try:
            out.append(d.decompress(raw))
        except zlib.error as e:
            raise ValueError(e)
        if not d.eof:
            raise EOFError("it ends inside a member")
        n, raw = n + 1, d.unused_data
    return n, b"".join(out)


def findings(path, most=20, pfw=False):
    lint = Lint(path, False, False, most, pfw)
    lint.run()
    return lint.found


def main(argv):
    most = int(argv[argv.index("--max") + 1]) if "--max" in argv else 20
    files = [a for i, a in enumerate(argv) if not a.startswith("--") and (i == 0 or argv[i - 1] != "--max")]
    if not files:
        sys.exit(__doc__)
    total = 0
    for f in files:
        lint = Lint(f, "--hatchet" in argv, "--dftracer" in argv, most, "--pfw" in argv)
        lint.run()
        total += lint.n
        for finding in lint.found:
            print(f"{f}: {finding}")
        print(f"{f}: {lint.n or 'no'} finding{'s' if lint.n != 1 else ''}")
    return total > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
