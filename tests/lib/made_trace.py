# SPDX-License-Identifier: LGPL-3.0-or-later
"""Traces as perfflow writes them, made without tracing: for the tests of what reads them.

A MadeTrace collects events; text() is the file, one event a line, calls in order of their ends.
"""
import json

CLOCK_OFFSET_NS = 1_790_000_000_000_000_000


def us(ns):
    return f"{ns // 1000}.{ns % 1000:03}"


class MadeTrace:
    def __init__(self, start_ns=80_000_000_000_000):
        self.now = start_ns  # the latest time
        self.start_ns = start_ns
        self.lines = []
        self.n_spans = self.n_marks = self.arrows = self.asyncs = 0
        self.pids = {}
        self.ends = {end: 0 for end in ("return", "unwound", "thread_exit", "process_exit", "exec", "session_stop")}
        self.losses = {loss: 0 for loss in ("ring_full", "too_deep", "no_thread_state", "no_process", "items", "over_rate")}
        self.warnings = []
        self.own("perfflow_trace", {
            "version": "0.1.0", "host": "node7", "boot_id": "b", "aspects": ["solver:*"],
            "clock": {"boot_ns": str(start_ns), "real_ns": str(start_ns + CLOCK_OFFSET_NS), "width_ns": "40"}})

    def event(self, name, cat, ph, ns, pid, tid, args=None, **fields):
        extra = "".join(f",{json.dumps(k)}:{v if k == 'dur' else json.dumps(v, separators=(',', ':'))}" for k, v in fields.items())
        if args is not None:
            extra += ',"args":' + (args if isinstance(args, str) else json.dumps(args, ensure_ascii=False, separators=(",", ":")))
        name, cat = (json.dumps(text, ensure_ascii=False) for text in (name, cat))
        self.lines.append(f'{{"name":{name},"cat":{cat},"ph":"{ph}","ts":{us(ns)},"pid":{pid},"tid":{tid}{extra}}}')
        self.now = max(self.now, ns)

    def own(self, name, args):
        self.event(name, "__metadata", "M", self.now, 0, 0, args, argsStripped=True)

    def process(self, pid, name, threads=()):
        self.pids[pid] = name
        self.event("process_name", "__metadata", "M", self.now, pid, pid, {"name": name})
        for tid, thread in dict(threads).items():
            self.event("thread_name", "__metadata", "M", self.now, pid, tid, {"name": thread})

    def call(self, name, pid, tid, start, end, cat="solver", how="return", **args):
        """start and end are ns after the trace's begin. Calls are to be made in order of their ends."""
        start, end = start + self.start_ns, end + self.start_ns
        self.n_spans += 1
        self.ends[how] += 1
        on = (end - start) // 2
        times = f'"cpu_usage":50.00,"oncpu_us":{us(on)},"runnable_us":0.000,"blocked_us":{us(end - start - on)}'
        if how != "return":
            times += f',"end":"{how}"'
        more = json.dumps(args, ensure_ascii=False, separators=(",", ":"))[1:-1]
        self.event(name, cat, "X", start, pid, tid, f"{{{times}{',' + more if more else ''}}}", dur=us(end - start))
        self.now = max(self.now, end)

    def mark(self, name, pid, tid, at, cat="solver", moment="entry", **args):
        self.n_marks += 1
        self.event(name, cat, "i", self.start_ns + at, pid, tid, {"moment": moment, **args}, s="t")

    def work(self, name, pid, tid, start, end, cat="solver", other=None, **args):
        """Asynchronous work; `other` is the (pid, tid) that ends it."""
        self.asyncs += 1
        self.n_marks += 2
        id2 = {"local": hex(self.asyncs)}
        self.event(name, cat, "b", self.start_ns + start, pid, tid, args, id2=id2)
        ended_by = {"ended_by": {"pid": other[0], "tid": other[1]}} if other else {}
        self.event(name, cat, "e", self.start_ns + end, pid, tid, ended_by, id2=id2)

    def arrow(self, pid, tid, at, to_pid, to_tid, arrives):
        self.arrows += 1
        self.event("fork", "__process", "X", self.start_ns + at, pid, tid, {"child": to_tid},
                   dur="0.000", bind_id=self.arrows, flow_out=True)
        self.event("forked", "__process", "X", self.start_ns + arrives, to_pid, to_tid, {"parent": tid},
                   dur="0.000", bind_id=self.arrows, flow_in=True)

    def counter(self, pid, at, percent):
        self.event("CPU utilisation", "cpu", "C", self.start_ns + at, pid, pid, {"%": percent})

    def state(self, pid, tid, start, end, name="Running"):
        self.event(name, "sched", "T", self.start_ns + start, pid, tid, {"cpu": 0} if name == "Running" else {}, dur=us(end - start))

    def summary(self, **changes):
        args = {
            "reason": "target exited", "spans": self.n_spans, "marks": self.n_marks, "processes": len(self.pids),
            "losses": self.losses, "bad_records": 0, "missed_runs": 0, "ends": self.ends,
            "async": {"unfinished": 0, "unbegun": 0, "unfollowed": 0, "without_id": 0}, "short": 0, "sampled_out": 0,
            "warnings": self.warnings, "complete": not any(self.losses.values()) and not self.warnings}
        args.update(changes)
        self.own("perfflow_summary", args)

    def text(self):
        return "[\n" + ",\n".join(self.lines) + "\n]\n"

    def write(self, path, text=None):
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.text() if text is None else text)
        return str(path)


def a_workflow(summary=True):
    """Two processes, three threads, all kinds of events."""
    trace = MadeTrace()
    trace.process(100, "solver --steps 3", {100: "solver", 101: "worker"})
    trace.process(200, "writer", {200: "writer"})
    trace.arrow(100, 100, 500, 200, 200, 501)
    trace.call("read", 100, 100, 1_000, 1_700, cat="libc.so.6", path="/data/in.dat", **{"return": 4096})
    trace.counter(100, 1_800, 99.5)
    trace.call("ns::f<int, char>", 100, 101, 1_200, 2_500, memory_usage=2048)
    trace.mark("checkpoint", 100, 100, 2_600)
    trace.work("transfer", 100, 100, 2_700, 4_200, other=(100, 101), id=17, size=3)
    trace.call("inner", 100, 100, 3_000, 3_400)
    trace.call("inner", 100, 100, 3_500, 4_000, how="unwound")
    trace.state(100, 100, 4_000, 4_100)
    trace.call("step \"a\"; b", 100, 100, 2_900, 5_000)
    trace.call("write", 200, 200, 2_000, 6_000, cat="libc.so.6")
    trace.call("main", 100, 100, 900, 7_000)
    if summary:
        trace.summary()
    return trace
