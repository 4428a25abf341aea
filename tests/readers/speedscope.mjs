// SPDX-License-Identifier: LGPL-3.0-or-later
// speedscope as a reader of traces for tests: imports a trace in headless Chromium, exports what it understood (its
// own JSON), and prints a digest of that. From 1,000,000 events on it takes minutes.
//
//   node speedscope.mjs TRACE ... [--full] [--png FILE]
//
// One line of JSON a trace. Exit code 1 if any did not import.
//
// Needs the npm packages speedscope and playwright-core, and Chromium.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { launch, findModule } from './catapult.mjs';

async function readOne(page, index, file, { png, full }) {
  const log = [];
  let alerted = null;
  const onLog = (m) => { if (!/WebGL|speedscope v|import: |Saving /.test(m.text())) log.push(m.text()); };
  const onDialog = (d) => { alerted = d.message(); d.dismiss(); };
  page.on('console', onLog);
  page.on('dialog', onDialog);
  try {
    await page.goto('about:blank');
    await page.goto(index);
    const input = page.locator('input[type=file]').first();
    await input.waitFor({ state: 'attached' });
    await input.setInputFiles(file);
    for (let i = 0; i < 1200 && !alerted; i++) {      // up to two minutes
      const state = await page.evaluate(() => document.body.innerText);
      if (/Time Order/.test(state)) break;
      if (/Something went wrong/i.test(state)) alerted = 'Something went wrong';
      else await page.waitForTimeout(100);
    }
    if (alerted) return { ok: false, error: alerted, log };
    if (png) await page.screenshot({ path: png });
    const got = page.waitForEvent('download', { timeout: 30000 });
    await page.keyboard.press('Control+s');
    const out = JSON.parse(fs.readFileSync(await (await got).path(), 'utf8'));
    const frames = out.shared.frames.map((f) => f.name);
    const profiles = out.profiles.map((p) => {
      let depth = 0, max = 0;
      const opens = {};
      for (const e of p.events ?? []) {
        if (e.type === 'O') { max = Math.max(max, ++depth); opens[frames[e.frame]] = (opens[frames[e.frame]] ?? 0) + 1; }
        else depth--;
      }
      return { name: p.name, unit: p.unit, start: p.startValue, end: p.endValue, max_depth: max, opens };
    });
    return { ok: true, error: null, profiles, log, ...(full ? { out } : {}) };
  } finally { page.off('console', onLog); page.off('dialog', onDialog); }
}

export async function readTraces(files, { png, full } = {}) {
  const dist = path.join(path.dirname(findModule('speedscope/package.json')), 'dist/release');
  const index = pathToFileURL(path.join(dist, 'index.html')).href;
  const browser = await launch();
  try {
    const page = await browser.newPage({ viewport: { width: 1400, height: 800 }, acceptDownloads: true });
    const all = [];
    for (const file of files)
      all.push({ file: path.basename(file), ...await readOne(page, index, file, { png: file === files.at(-1) ? png : null, full }) });
    return all;
  } finally { await browser.close(); }
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const a = process.argv.slice(2);
  const at = a.indexOf('--png');
  const png = at >= 0 ? a.splice(at, 2)[1] : null;
  const full = a.includes('--full');
  const files = a.filter((x) => !x.startsWith('--'));
  if (!files.length) { console.error('usage: speedscope.mjs TRACE ... [--full] [--png FILE]'); process.exit(2); }
  try {
    const rs = await readTraces(files, { png, full });
    for (const r of rs) console.log(JSON.stringify(r));
    process.exit(rs.every((r) => r.ok) ? 0 : 1);
  } catch (e) { console.error(`speedscope.mjs: ${e.message}`); process.exit(1); }
}
