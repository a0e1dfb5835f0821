/**
 * What warming the target is worth: how a guest gets on after the switch of a live
 * migration, with the list of hot blocks and without, in turns on one machine.
 *
 *   node test/bench/warm.mjs [--runs 5] [--only functions|linux] [--json]
 *
 * `functions`: 4096 functions called one after the other; calls in each slice of 10 ms.
 * `linux`: a shell in Debian's kernel that runs small programs, over and over; each
 * iteration writes a line, and the host's clock at its arrival counts.
 *
 * Figures, medians over the runs: the time until the first unit of work is done (each
 * function once; one iteration), and until full speed: the end of the first slice, or
 * iteration, that is at least half as fast as the median one. (On a shared machine any
 * slice may be slower than the next.) The list has been worked off before the switch.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { guestImage, move, Side, started, withSides } from '../migration/support/warm-move.mjs';

const require = createRequire(import.meta.url);
const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' }, only: { type: 'string' }, json: { type: 'boolean' } } });

const SLICE_MS = 10;
const FUNCTIONS = 4096;
/** Looked at after the switch. */
const WATCH_MS = 1500;
const ITERATIONS = 60;
const FULL = 0.5;
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

/** [time, done] pairs to the figures. @param unit work that is one unit */
function figures(points, unit) {
  const steps = points.map(([ms, done], at) => (at === 0 ? done / ms : (done - points[at - 1][1]) / (ms - points[at - 1][0])));
  const perMs = median(steps);
  const full = Math.max(0, steps.findIndex((speed) => speed >= FULL * perMs));
  const first = points.findIndex(([, done]) => done >= unit);
  return { perMs, fullSpeedMs: points[full][0], firstMs: points.at(first)[0] };
}

const workloads = {
  async functions(folder, side) {
    const guest = { image: guestImage(folder, 0) };
    return {
      guest,
      unit: FUNCTIONS,
      ready: started,
      async watch(to) {
        await sleep(WATCH_MS);
        return (await to.do('progress')).samples;
      },
    };
  },
  async linux() {
    const { ensureGuestImages, buildInitramfs, runParameter } = require('../../packages/images');
    const { mkdtempSync, writeFileSync } = require('node:fs');
    const images = await ensureGuestImages(path.join(root, '.cache', 'images'));
    const initrd = path.join(mkdtempSync(path.join(require('node:os').tmpdir(), 'godwit-warm-')), 'initrd.gz');
    writeFileSync(initrd, buildInitramfs({ busybox: images.busybox }));
    const script = 'i=0; while :; do i=$((i+1)); seq 1 200 | sort -rn | md5sum > /tmp/a; ls -l /bin | grep -c b > /tmp/b; gzip -c /tmp/a | gunzip -c > /tmp/c; echo "it $i"; done';
    return {
      unit: 1,
      guest: { kernel: images.kernel686, initrd, megabytes: 128, commandLine: `console=ttyS0 quiet ${runParameter(script)}` },
      async ready(side) {
        await side.do('boot');
        await side.until('the guest\'s work', (text) => text.includes('it 40'), () => side.do('text'));
      },
      async watch(to) {
        const { lines } = await to.until('the guest\'s work', ({ lines: all }) => all.length >= ITERATIONS, () => to.do('progress'));
        return lines.slice(0, ITERATIONS).map((ms, at) => [ms, at + 1]);
      },
    };
  },
};

const report = {};
await withSides(async (folder) => {
  for (const [name, make] of Object.entries(workloads)) {
    if (values.only && values.only !== name) continue;
    const { guest, unit, ready, watch } = await make(folder);
    const runs = { warm: [], cold: [] };
    for (let run = 0; run < Number(values.runs); run++) {
      for (const kind of ['warm', 'cold']) {
        const from = new Side('source', guest), to = new Side('target', { megabytes: guest.megabytes });
        try {
          await ready(from);
          await move(from, to, { list: (hot) => (kind === 'warm' ? hot : null), sampleMs: SLICE_MS });
          const points = await watch(to);
          const { native, translation } = await to.do('stats');
          runs[kind].push({ ...figures(points, unit), used: native.WarmUsed, translated: translation.blocks, points });
        } finally {
          from.stop();
          to.stop();
        }
      }
    }
    report[name] = Object.fromEntries(['warm', 'cold'].map((kind) => {
      const of = (field) => median(runs[kind].map((each) => each[field]));
      return [kind, { firstMs: of('firstMs'), fullSpeedMs: of('fullSpeedMs'), blocksWarm: of('used'), blocksTranslated: of('translated'), runs: values.json ? runs[kind] : undefined }];
    }));
    const { warm, cold } = report[name];
    if (values.json) continue;
    console.log(`${name} (${values.runs} runs each)`);
    for (const [kind, each] of [['warm', warm], ['cold', cold]]) {
      console.log(`  ${kind}: first work done after ${each.firstMs.toFixed(0)} ms, full speed after ${each.fullSpeedMs.toFixed(0)} ms; ${each.blocksWarm} blocks found warm, ${each.blocksTranslated} translated after the switch`);
    }
    console.log(`  first work, cold to warm: ${(cold.firstMs / warm.firstMs).toFixed(1)} to 1`);
  }
});
if (values.json) console.log(JSON.stringify(report));
process.exit(0);
