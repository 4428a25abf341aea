#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The checker of traces finds what breaks each rule, and nothing in a good trace."""
import gzip
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pfwlint  # noqa: E402

FIRST = {"name": "start", "cat": "perfflow", "ph": "M", "pid": 1, "tid": 1, "ts": 0, "args": {"x": 1}}


def span(name="f", ts=1.0, dur=2.0, **more):
    return {"name": name, "cat": "c", "ph": "X", "pid": 1, "tid": 1, "ts": ts, "dur": dur, **more}


def text(*events):
    return "[\n" + ",\n".join(json.dumps(event, separators=(",", ":")) for event in (FIRST, *events)) + "\n]\n"


class Pfwlint(unittest.TestCase):
    def rules(self, data, pfw=False):
        """The labels of the rules that it says are broken."""
        if isinstance(data, str):
            data = data.encode()
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            file.write(data)
            file.flush()
            return {finding.split(":")[0] for finding in pfwlint.findings(file.name, pfw=pfw)}

    def test_the_schema_of_perfflowaspect_is_known(self):
        def event(ph, name="f", ts=1.0, **more):
            return {"name": name, "cat": "c", "pid": 1, "tid": 1, "ts": ts, "ph": ph, **more}

        def pfw(*events):
            return "[\n" + ",\n".join(json.dumps(e) for e in events) + "\n]\n"

        arrow = [event(ph, "flow", ts, bp="e", id=100) for ph, ts in (("s", 1), ("f", 2))]
        good = pfw(event("E", "after"), event("B", "before"), *arrow, event("B", "g", 3.0), event("E", "g", 4.0),
                   event("b", "begins", id=0, scope="NA"), event("e", "ends", 5.0, id=0, scope="NA"), event("b", id=1))
        self.assertEqual(self.rules(good, True), set())
        self.assertEqual(self.rules(good.replace(",\n", "   ,\n", 1), True), set())  # a place that was kept free
        for bad, rule in ((pfw(event("B"), event("E", ts=1.0)), "N3"), (pfw(event("e", id=0)), "A1"),
                          (pfw(event("B", ts=5e-324), *arrow[1:]), "L1"), (pfw(event("X", ts=1.0)), "N1"),
                          (good.replace("{", "\n{", 1), "F4")):
            self.assertIn(rule, self.rules(bad, True), bad)

    def test_good_traces_pass_whole_cut_off_and_compressed(self):
        good = text(span(), span("g", 1.5, 1.0), {"name": "c", "cat": "c",
                    "ph": "C", "pid": 1, "tid": 1, "ts": 2, "args": {"v": 1.5}})
        self.assertEqual(self.rules(good), set())
        self.assertEqual(self.rules(text(
            span(ts=1.0, dur=0.0, bind_id=1, flow_out=True), span(tid=2, ts=1.001, dur=0.0, bind_id=1, flow_in=True),
            span(ph="b", id2={"local": "0x1"}), span(ph="e", id2={"local": "0x1"}), span(ph="T"))), set())
        self.assertEqual(self.rules(good[:-3]), set())
        self.assertEqual(self.rules(gzip.compress(good.encode())), set())

    def test_each_broken_rule_is_named(self):
        for broken, rule in (
                (json.dumps(FIRST), "F1"),
                ("\ufeff" + text(span()), "F1"),
                ("[]\n", "F1"),
                ('{"traceEvents":[' + json.dumps(span()), "F2"),
                ('{"displayTimeUnit":"us","traceEvents":[' + json.dumps(FIRST) + "]}", "F3"),
                (text(span()).replace(",", ",\n"), "F4"),
                ("[\n" + json.dumps(span()) + "\n]\n", "F5"),
                (gzip.compress(text(span()).encode())[:-20], "F7"),
                (gzip.compress(text().encode()) + gzip.compress(b" "), "F7"),
                (text(span(ts=1764826008566290.25)), "T1"),
                (text(span()).replace('"dur":2.0', '"dur":2.0001'), "T1"),
                (text(span(ts=-1)), "T2"),
                (text(span(name="")), "E1"),
                (text(span(ph="?")), "E1"),
                (text(span(tid=1 << 40)), "E2"),
                (text({k: v for k, v in span(args={"a": 1}).items() if k != "cat"}), "E3"),
                (text(span(stack=["a"])), "E4"),
                (text(span(dur=-1)), "N1"),
                (text(span(), span("g", 2.0, 1.001)), "N1"),
                (text(span(ph="B")), "N2"),
                (text(span("inner", 1.0, 1.0), span("outer", 1.0, 2.0)), "N4"),
                (text(*(span(ts=round(1 + i / 1000, 3), dur=round(10 - i / 500, 3)) for i in range(513))), "N5"),
                (text(span(ph="b", id=1)), "A1"),
                (text(span(ph="b", id2={"local": "0x1"}), span(ph="e", id2={"local": "0x1"}, pid=2)), "A1"),
                (text(span(ph="s", id="xyz")), "L1"),
                (text(span(bind_id=1)), "L3"),
                (text(span(bind_id="x", flow_out=True)), "L3"),
                (text(span(bind_id=1, flow_in=True)), "L3"),
                (text(span(bind_id=1, flow_out=True), span(ts=5.0, bind_id=1, flow_out=True)), "L3"),
                (text(span(bind_id=1, flow_out=True), span(tid=2, bind_id=1, flow_in=True)), "L3"),
                (text({k: v for k, v in span(ph="T").items() if k != "dur"}), "S1"),
                (text({"name": "c", "cat": "c", "ph": "C", "pid": 1, "tid": 1, "ts": 2, "args": {"v": "1"}}), "C1"),
                (text(span(name="x")).encode().replace(b'"x"', b'"\xff"'), "V1"),
                (text(span(args={"a": float("nan")})), "V2"),
                (text(span(args={"a": 1 << 63})), "V3")):
            with self.subTest(rule, broken=broken[:120]):
                self.assertIn(rule, self.rules(broken))


if __name__ == "__main__":
    unittest.main(verbosity=2)
