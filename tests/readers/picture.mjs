// SPDX-License-Identifier: LGPL-3.0-or-later
// A picture of a trace, as catapult's trace viewer (the code behind chrome://tracing) shows it.
//
//   node picture.mjs TRACE FILE.png [--around NAME]
//
// --around NAME: the longest span of that name in the middle, selected, with what is around it; else the whole trace.
//
// This viewer does not know the events of phase T, which say what threads did and CPUs ran. It reads the same from the
// kernel's own text format, so they are handed over as that: a row for each CPU, and a line of states over each thread
// (green: running, blue: waiting for a CPU, red: blocked in the kernel, none: asleep, or not known).

import fs from 'node:fs';
import zlib from 'node:zlib';
import { launch, openViewer } from './catapult.mjs';

const WIDTH = 1500;

function readEvents(file) {
  let raw = fs.readFileSync(file);
  if (raw[0] === 0x1f && raw[1] === 0x8b) raw = zlib.gunzipSync(raw);
  return JSON.parse(raw.toString());
}

const line = (us, cpu, text) =>
  [us, `  task-1 (-----) [${String(cpu).padStart(3, '0')}] .... ${(us / 1e6).toFixed(9)}: ${text}`];

// sched_switch and sched_wakeup as the kernel's own tracing writes them, made from states of threads.
function kernelText(events) {
  const traced = new Set(events.filter((e) => e.name === 'program').map((e) => e.pid));
  const names = new Map(events.filter((e) => e.name === 'thread_name').map((e) => [e.tid, e.args.name]));
  const states = events.filter((e) => e.ph === 'T').sort((a, b) => a.ts - b.ts);
  const task = (e) => [names.get(e.tid) ?? e.tid, e.tid];
  const nextOf = new Map(); // of a thread: the state that follows each of its states
  const lastOf = new Map();
  for (const e of states) {
    if (lastOf.has(e.tid)) nextOf.set(lastOf.get(e.tid), e);
    lastOf.set(e.tid, e);
  }
  const lines = [];
  const change = (us, cpu, [prev, prevTid], state, [next, nextTid]) => lines.push(line(us, cpu,
    `sched_switch: prev_comm=${prev} prev_pid=${prevTid} prev_prio=120 prev_state=${state} ==> next_comm=${next} next_pid=${nextTid} next_prio=120`));
  const onCpu = new Map();
  const idle = ['swapper', 0];
  const end = (e) => e.ts + e.dur;
  const follows = (e, before) => before && e && e.ts - end(before) < 0.002; // the doubles are a little off
  const leaves = (e) => (follows(nextOf.get(e), e) && { R: 'R', 'R+': 'R', S: 'S', D: 'D' }[nextOf.get(e).name]) || 'x';
  for (const e of states.filter((s) => s.name === 'Running')) {
    const before = onCpu.get(e.args.cpu);
    const isNext = follows(e, before);
    if (before && !isNext) change(end(before), e.args.cpu, task(before), leaves(before), idle);
    change(e.ts, e.args.cpu, isNext ? task(before) : idle, isNext ? leaves(before) : 'R', task(e));
    onCpu.set(e.args.cpu, e);
  }
  for (const e of states.filter((s) => s.name === 'R' && traced.has(s.pid)))
    lines.push(line(e.ts, 0, `sched_wakeup: comm=${names.get(e.tid)} pid=${e.tid} prio=120 success=1 target_cpu=000`));
  lines.sort((a, b) => a[0] - b[0]);
  const [first] = lines[0];
  const sync = line(first, 0, `tracing_mark_write: trace_event_clock_sync: parent_ts=${(first / 1e6).toFixed(9)}`);
  return ['# tracer: nop', '#', sync[1], ...lines.map(([, text]) => text)].join('\n') + '\n';
}

// Without those that are not traced: they have no row of their own, but what CPUs ran of them is there.
function tracedAlone(events) {
  const pids = new Set(events.filter((e) => e.name === 'program').map((e) => e.pid)).add(0);
  return events.filter((e) => e.ph === 'T' || pids.has(e.pid));
}

// Processes that have something to show between the two times; what is said of the machine is shown always.
function alive(events, from, to) {
  const pids = new Set(events.filter((e) => e.ph === 'X' && e.ts <= to && e.ts + e.dur >= from).map((e) => e.pid));
  const kept = events.filter((e) => pids.has(e.pid) || e.pid === 0 || e.ph === 'T');
  const ends = new Map(); // of each arrow, those that are left
  for (const e of kept) if (e.bind_id) ends.set(e.bind_id, (ends.get(e.bind_id) ?? 0) + 1);
  return kept.filter((e) => !e.bind_id || ends.get(e.bind_id) === 2);
}

// Runs in the page. Times are in ms, counted as the events' are.
async function show({ from, to, select, arrows, style }) {
  document.head.appendChild(document.createElement('style')).textContent = style;
  const model = new tr.Model();
  const opts = new tr.importer.ImportOptions();
  opts.shiftWorldToZero = false;
  await new tr.importer.Import(model, opts).importTracesWithProgressDialog([await (await fetch('trace')).text()]);
  if (model.importWarnings.length) throw new Error(model.importWarnings[0].message);
  const box = document.createElement('track-view-container');
  box.id = 'track_view_container';
  const view = document.createElement('tr-ui-timeline-view');
  view.track_view_container = box;
  Polymer.dom(view).appendChild(box);
  view.id = 'v';
  view.globalMode = true;
  Polymer.dom(document.body).appendChild(view);
  view.model = model;
  const pause = (ms) => new Promise((r) => setTimeout(r, ms));
  await pause(1000);
  if (select) {
    const slices = [...model.getDescendantEvents()].filter((e) => e.title === select.name && Math.abs(e.start - select.start) < 1e-6);
    view.brushingStateController.changeSelectionFromTimeline(new tr.model.EventSet(slices));
    await pause(500);
  }
  const { viewport } = view.trackView;
  viewport.selectedFlowEvents = new Set(arrows);
  window.look = async () => {
    const place = new tr.ui.TimelineDisplayTransform();
    place.xSetWorldBounds(from, to, viewport.modelTrackContainer.canvas.clientWidth);
    viewport.setDisplayTransformImmediately(place);
    await pause(500);
  };
  const rows = viewport.modelTrackContainer;
  return rows.scrollHeight - rows.clientHeight;
}

const STYLE = `
  #control, #side_panel_container, #drag_handle, #hint_text, .cpu-usage-track, tr-ui-b-mouse-mode-selector { display: none !important; }
  #analysis { height: HEIGHTpx !important; flex: none !important; overflow: hidden; }`;

async function takePicture(file, png, around) {
  const all = readEvents(file);
  let events = tracedAlone(all);
  const spans = events.filter((e) => e.ph === 'X');
  const request = { arrows: ['__process'], style: STYLE.replace('HEIGHT', around ? 545 : 0) };
  let from = Math.min(...spans.map((e) => e.ts)), to = Math.max(...spans.map((e) => e.ts + e.dur));
  if (around) {
    const span = spans.filter((e) => e.name === around).sort((a, b) => b.dur - a.dur)[0];
    if (!span) throw new Error(`no span of ${file} is called ${around}`);
    request.select = { name: around, start: span.ts / 1000 };
    request.arrows.push('__sched');
    [from, to] = [span.ts - span.dur / 4, span.ts + span.dur * 1.25];
    events = alive(events, from, to);
  }
  [request.from, request.to] = [from / 1000, to / 1000];
  const trace = JSON.stringify({ traceEvents: events.filter((e) => e.ph !== 'T'), systemTraceEvents: kernelText(all) });
  const browser = await launch();
  try {
    const page = await openViewer(browser, { width: WIDTH, height: 800 }, () => Buffer.from(trace));
    const missing = await page.evaluate(show, request);
    await page.setViewportSize({ width: WIDTH, height: 800 + missing });
    await page.evaluate(() => window.look());
    await page.screenshot({ path: png });
  } finally { await browser.close(); }
}

const [file, png, option, around] = process.argv.slice(2);
if (!png || (option && (option !== '--around' || !around))) {
  console.error('usage: picture.mjs TRACE FILE.png [--around NAME]');
  process.exit(2);
}
try { await takePicture(file, png, around); } catch (e) {
  console.error(`picture.mjs: ${e.message}`);
  process.exit(1);
}
