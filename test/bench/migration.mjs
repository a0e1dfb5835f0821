/**
 * Live migration, measured: guests under load moved between two Godwit processes and, in turn,
 * between two QEMU processes (translating, too), on one host and with the same guest:
 *
 *   node test/bench/migration.mjs [--moves 20] [--rounds 1] [--rows idle,10,…] [--sides godwit,qemu,qemu-uncapped] [--json FILE] [--prefer 15]
 *
 * migration/README.md says what the figures are. A row boots one guest a side and moves it again and again;
 * --rounds does all of it so many times, each with fresh guests; --prefer N (nice -N) puts the VMMs of
 * all sides before other work on a shared machine. Needs root (network namespaces).
 * Ends with 1 when a guest of Godwit's was damaged or a move of its failed.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { cache as tools, oracleImages } from '../oracle/guest.mjs';
import { ensureTools } from './lib/tools.mjs';
import { godwit } from './migration/godwit-side.mjs';
import { Subject } from './migration/measure.mjs';
import { Memtest } from './migration/memtest.mjs';
import { qemu, qemuUncapped } from './migration/qemu-side.mjs';
import { formatReport, machineFacts, summarize } from './migration/report.mjs';
import { Rig } from './migration/rig.mjs';
import { chosenRows } from './migration/rows.mjs';

const SIDES = [godwit, qemu, qemuUncapped];
const say = (line) => process.stderr.write(`bench: ${line}\n`);
const { values } = parseArgs({
  options: {
    moves: { type: 'string', default: '20' }, rounds: { type: 'string', default: '1' }, rows: { type: 'string' }, sides: { type: 'string' },
    limit: { type: 'string', default: '20' }, json: { type: 'string' }, prefer: { type: 'string', default: '0' },
  },
});
const [moves, rounds, limitMs] = [Number(values.moves), Number(values.rounds), Number(values.limit) * 1000];
const rows = chosenRows(values.rows);
const sides = SIDES.filter(({ name }) => !values.sides || values.sides.split(',').includes(name));

/** A guest that was damaged, or does not come up, is of no further use: a fresh one takes its turn. */
const MAX_BOOTS = 5;

class Contestant {
  boots = 0;
  /** A peer's move that takes longer than the limit will do so again. */
  gaveUp = 0;
  constructor(side, row, context) {
    Object.assign(this, { side, row, context });
  }

  async measure() {
    if (this.gaveUp >= 2) return undefined;
    try {
      if (!this.subject) await this.boot();
      const sample = await this.subject.measure({ limitMs });
      if (sample.outcome !== 'completed') this.gaveUp++;
      if (!sample.verdict) await this.drop();
      return sample;
    } catch (error) {
      await this.drop();
      return { side: this.side.name, row: this.row.name, outcome: 'failed', line: error.message, verdict: false, said: error.message };
    }
  }

  async boot() {
    if (this.boots++ === MAX_BOOTS) this.gaveUp = Number.POSITIVE_INFINITY;
    const { side, row, context } = this;
    this.subject = await (row.memtest ? Memtest : Subject).start(side, row, context);
  }

  async drop() {
    await this.subject?.stop();
    this.subject = undefined;
  }
}

async function measureRow(row, context) {
  const contestants = sides.map((side) => new Contestant(side, row, context));
  const samples = [];
  try {
    for (let move = 1; move <= moves; move++) {
      for (const contestant of contestants) {
        const sample = await contestant.measure();
        if (!sample) continue;
        samples.push(sample);
        const { outcome, totalMs, pauseMs, gapMs, verdict, line, said } = sample;
        const how = outcome === 'completed' ? `${totalMs.toFixed(0)} ms, pause ${pauseMs.toFixed(1)}, from outside ${gapMs?.toFixed(1) ?? '–'}` : line;
        say(`${row.name}, move ${move} of ${moves}, ${contestant.side.name}: ${how}${verdict ? '' : `; DAMAGED: ${said}`}`);
      }
    }
  } finally {
    for (const contestant of contestants) await contestant.drop();
  }
  return samples;
}

async function main() {
  ensureTools({ qemu: sides.length > 1 }, say);
  const machine = { ...machineFacts(), qemu: /QEMU emulator version (\S+)/.exec(spawnSync('qemu-system-i386', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[0] };
  const images = await oracleImages(say);
  const rig = await Rig.create({ priority: -Number(values.prefer) });
  const samples = [];
  const report = () => ({ machine, moves: moves * rounds, limitMs, rows: summarize(rows, samples, sides) });
  try {
    for (let round = 1; round <= rounds; round++) {
      for (const row of rows) {
        samples.push(...(await measureRow(row, { rig, images, tools })));
        // What there is by now is kept, should the run be cut off.
        if (values.json) writeFileSync(values.json, `${JSON.stringify({ ...report(), samples }, null, 1)}\n`);
      }
    }
  } finally {
    await rig.remove();
  }
  process.stdout.write(formatReport(report()));
  const ours = samples.filter(({ side }) => side === 'godwit');
  return ours.every(({ outcome, verdict }) => outcome === 'completed' && verdict) ? 0 : 1;
}

main().then((code) => process.exit(code), (error) => {
  say(error.message);
  process.exit(2);
});
