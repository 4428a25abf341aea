# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is in a trace beside spans: moments, asynchronous work, arrows, states, counters, and what is said of processes."""
from perfflow import ns


def named(trace, phase, name=None, pid=None, tid=None, cat=None):
    """Events of that phase, in the order of the file."""
    return [e for e in trace.events if e["ph"] == phase and (name is None or e["name"] == name) and
            (pid is None or e["pid"] == pid) and (tid is None or e["tid"] == tid) and (cat is None or e["cat"] == cat)]


def moments(trace, name=None, moment=None):
    """What `before` and `after` recorded."""
    return [e for e in named(trace, "i", name) if "moment" in e["args"] and moment in (None, e["args"]["moment"])]


class Async:
    """A beginning and its end."""

    def __init__(self, begin, end):
        self.begin, self.end = begin, end
        self.name, self.cat, self.pid, self.tid = begin["name"], begin["cat"], begin["pid"], begin["tid"]
        self.begin_ns, self.end_ns = ns(begin["ts"]), ns(end["ts"])
        self.length_ns = self.end_ns - self.begin_ns
        self.how = end["args"].get("end", "return")

    def __repr__(self):
        return f"<{self.name} {self.begin['args']} {self.end['args']} {self.length_ns} ns>"


def asyncs(trace, name=None):
    """In order of their beginnings; an event that has no other half fails."""
    open_ones, found = {}, []
    for event in trace.events:
        if event["ph"] not in ("b", "e") or name not in (None, event["name"]):
            continue
        key = event["name"], event["cat"], event["pid"], event["id2"]["local"]
        if event["ph"] == "b":
            assert key not in open_ones, f"{key} begins twice"
            open_ones[key] = event
        else:
            found.append(Async(open_ones.pop(key), event))
    assert not open_ones, f"without an end: {open_ones}"
    return sorted(found, key=lambda pair: pair.begin_ns)


def arrows(trace, name):
    """(from, to) of the arrows whose first end is called so."""
    ends = {}
    for event in trace.events:
        if "bind_id" in event:
            ends.setdefault(event["bind_id"], {})["to" if event.get("flow_in") else "from"] = event
    return [(pair["from"], pair["to"]) for pair in ends.values() if pair["from"]["name"] == name]


def programs(trace, pid=None):
    """The args of what is said of processes, one for each program that they run, in order."""
    return [e["args"] | {"pid": e["pid"]} for e in named(trace, "i", "program", pid, cat="__process")]


def last_programs(trace):
    """The same of what each process ran last, by pid."""
    return {args["pid"]: args for args in programs(trace)}


def exits(trace):
    """How processes ended, by pid."""
    return {e["pid"]: e["args"] for e in named(trace, "i", "exit", cat="__process")}


def states(trace, tid):
    """(state, from, to in ns, cpu) of a thread, in order of time."""
    return sorted((ns(e["ts"]), ns(e["ts"]) + ns(e["dur"]), e["name"], e["args"].get("cpu"))
                  for e in named(trace, "T", tid=tid))


def counter(trace, name, pid=None):
    """(from, to in ns, value): a value holds until the next one of its track."""
    track = sorted((ns(e["ts"]), next(iter(e["args"].values()))) for e in named(trace, "C", name, pid))
    return [(ts, after, value) for (ts, value), (after, _) in zip(track, track[1:])]
