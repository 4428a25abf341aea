# SPDX-License-Identifier: LGPL-3.0-or-later
"""Late weaving: what the target `late` says that it called, and when, is compared with the trace and with its ledger."""
import contextlib
import os
import signal
import time

from perfflow import ns


@contextlib.contextmanager
def held_up(pid):
    """Whoever has to weave is stopped for a moment: late it is, however fast the machine."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
        time.sleep(0.1)
    finally:
        os.kill(pid, signal.SIGCONT)


def calls_of(out):
    """The target's own calls by process: pairs of times before and after each, ns of the boot clock."""
    calls = {}
    for words in (line.split() for line in out.splitlines()):
        if words[:1] == ["call"]:
            calls.setdefault(int(words[1]), []).append((int(words[2]), int(words[3])))
    return calls


def without_span(trace, name, pid, calls):
    """The calls that are not in the trace."""
    begins = sorted(ns(span["ts"]) for span in trace.spans(name, pid=pid))
    missing = []
    for before, after in calls:
        while begins and begins[0] < before:
            begins.pop(0)
        if not begins or begins[0] > after:
            missing.append((before, after))
    return missing


def check_late(test, trace, name, pid, calls, **expected):
    """That calls are missing, and all that are began in the one time of which the ledger says so. Returns how many."""
    missing = without_span(trace, name, pid, calls)
    test.assertEqual(len(missing), len(calls) - trace.count(name, pid=pid))
    entries = [entry for entry in trace.ledger("late_weaving") if entry.get("pid") == pid]
    test.assertEqual(len(entries), 1 if missing else len(entries), trace.ledger("late_weaving"))
    for entry in entries:
        test.assertEqual({key: entry.get(key) for key in expected}, expected)
    for before, after in missing:
        begin, end = ns(entries[0]["begin"]), ns(entries[0]["end"])
        test.assertTrue(begin <= after and before <= end, (begin, before, after, end))
    return len(missing)
