// SPDX-License-Identifier: LGPL-3.0-or-later
// Catapult's trace viewer (the code behind chrome://tracing) as a reader of traces for tests: it imports a trace in
// headless Chromium and prints the model it made of it. It dies of about 500,000 events.
//
//   node catapult.mjs TRACE ... [--slices] [--png FILE]
//
// One line of JSON a trace. Exit code 1 if any did not import.
//
// $CATAPULT_DIR: the folder with trace_viewer_full.html and webcomponents.min.js; by default where Debian's Go
//                sources have it, which carried this viewer up to 1.23
// $CHROMIUM:     default /usr/bin/chromium
// No server: the pages are handed to the browser by request interception.

import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export function findModule(name) {
  const tried = [process.env.READER_MODULES && path.join(process.env.READER_MODULES, '..', 'x.js'),
    fileURLToPath(import.meta.url), path.join(process.cwd(), 'x.js')].filter(Boolean);
  for (const from of tried) try { return createRequire(from).resolve(name); } catch { /* next */ }
  throw new Error(`npm package ${name} not found: run deploy/setup.sh --tests`);
}
export async function launch() {
  const pw = createRequire(import.meta.url)(findModule('playwright-core'));
  return pw.chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
}

function findCatapult() {
  const c = [process.env.CATAPULT_DIR];
  for (const root of ['/usr/share', '/usr/lib'])
    for (const d of fs.existsSync(root) ? fs.readdirSync(root) : [])
      if (/^go-1\./.test(d))
        c.push(`${root}/${d}/src/cmd/trace/static`, `${root}/${d}/src/internal/trace/traceviewer/static`);
  const hit = c.filter(Boolean).find((d) => fs.existsSync(path.join(d, 'trace_viewer_full.html')));
  if (!hit) throw new Error('trace_viewer_full.html not found: run deploy/setup.sh --tests');
  return hit;
}

const PAGE = `<!doctype html><meta charset=utf-8>
<script>window.onerror = (m) => { window.bad = m; };</script>
<script src="webcomponents.min.js"></script>
<script>
addEventListener('HTMLImportsLoaded', () => { window.ready = true; });
addEventListener('WebComponentsReady', () => { window.ready = true; });
</script>
<link rel="import" href="trace_viewer_full.html" onerror="window.bad = 'import failed'">
<style>html, body { margin: 0; height: 100%; } body { display: flex; } #v { flex: 1; }</style>
<body></body>`;

// Runs in the page: import what /trace gives and describe the model.
async function describe({ show, slices }) {
  const raw = await (await fetch('trace')).arrayBuffer();
  const head = new Uint8Array(raw, 0, Math.min(2, raw.byteLength));
  const data = head[0] === 0x1f && head[1] === 0x8b ? raw : new TextDecoder().decode(raw);
  const model = new tr.Model();
  const opts = new tr.importer.ImportOptions();
  opts.shiftWorldToZero = false;
  const out = { ok: true, error: null };
  try { await new tr.importer.Import(model, opts).importTracesWithProgressDialog([data]); }
  catch (e) { return { ok: false, error: String((e && e.message) || e) }; }
  out.warnings = model.importWarnings.map((w) => `${w.type}: ${w.message}`);
  out.bounds_ms = model.bounds.isEmpty ? null : [model.bounds.min, model.bounds.max];
  const title = (x) => (x ? x.title : null);
  out.flows = model.flowEvents.map((f) => [title(f.startSlice), title(f.endSlice)]);
  out.cpus = Object.values(model.kernel.cpus).map((c) => [c.cpuNumber, c.slices.length]);
  out.metadata = model.metadata.map((m) => m.name);
  out.processes = [];
  for (const p of model.getAllProcesses()) {
    const one = { pid: p.pid, name: p.name || null, labels: p.labels, sort: p.sortIndex,
      instants: p.instantEvents.length, objects: p.objects.getAllObjectInstances().length, counters: {}, threads: [] };
    for (const c of Object.values(p.counters)) one.counters[c.name] = c.series.map((s) => [s.name, s.samples.map((x) => x.value)]);
    for (const t of Object.values(p.threads)) {
      const all = t.sliceGroup.slices;
      const depth = new Map();
      const walk = (s, d) => { depth.set(s, d); for (const c of s.subSlices) walk(c, d + 1); };
      for (const s of t.sliceGroup.topLevelSlices) walk(s, 0);
      const th = { tid: t.tid, name: t.name || null, slices: all.length, max_depth: Math.max(-1, ...depth.values()),
        open: all.filter((s) => s.didNotFinish).length, async: t.asyncSliceGroup.length, samples: (t.samples || []).length };
      if (slices) {
        th.list = all.map((s) => [s.title, s.category, s.start, s.duration, depth.get(s) ?? null, s.args]);
        th.async_list = [...t.asyncSliceGroup.getDescendantEvents()].map((s) => [s.title, s.start, s.duration]);
      }
      one.threads.push(th);
    }
    out.processes.push(one);
  }
  if (show) {
    const box = document.createElement('track-view-container'); box.id = 'track_view_container';
    const v = document.createElement('tr-ui-timeline-view');
    v.track_view_container = box; Polymer.dom(v).appendChild(box); v.id = 'v'; v.globalMode = true;
    Polymer.dom(document.body).appendChild(v); v.model = model;
    await new Promise((r) => setTimeout(r, 1500));
  }
  return out;
}

// A page that has the viewer's code; it fetches 'trace' from traceOf(), a buffer.
export async function openViewer(browser, viewport, traceOf) {
  const dir = findCatapult();
  const page = await browser.newPage({ viewport });
  await page.route('http://reader.test/**', (route) => {
    const name = new URL(route.request().url()).pathname.slice(1);
    if (name === 'index.html') return route.fulfill({ body: PAGE, contentType: 'text/html' });
    if (name === 'trace') return route.fulfill({ body: traceOf(), contentType: 'application/octet-stream' });
    return fs.existsSync(path.join(dir, name)) ? route.fulfill({ path: path.join(dir, name) }) : route.abort();
  });
  await page.goto('http://reader.test/index.html', { timeout: 120000 });
  await page.waitForFunction(() => window.bad || (window.ready && window.tr && window.tr.Model), null, { timeout: 120000 });
  return page;
}

export async function readTraces(files, { png, slices } = {}) {
  const browser = await launch();
  try {
    let file;
    const page = await openViewer(browser, { width: 1400, height: 800 }, () => fs.readFileSync(file));
    const all = [];
    for (file of files) {
      const out = await page.evaluate(describe, { show: !!png && file === files.at(-1), slices: !!slices });
      all.push({ file: path.basename(file), ...out });
    }
    if (png) await page.screenshot({ path: png });
    return all;
  } finally { await browser.close(); }
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const a = process.argv.slice(2);
  const at = a.indexOf('--png');
  const png = at >= 0 ? a.splice(at, 2)[1] : null;
  const slices = a.includes('--slices');
  const files = a.filter((x) => !x.startsWith('--'));
  if (!files.length) { console.error('usage: catapult.mjs TRACE ... [--slices] [--png FILE]'); process.exit(2); }
  try {
    const rs = await readTraces(files, { png, slices });
    for (const r of rs) console.log(JSON.stringify(r));
    process.exit(rs.every((r) => r.ok) ? 0 : 1);
  } catch (e) { console.error(`catapult.mjs: ${e.message}`); process.exit(1); }
}
