/**
 * Runs every row of the instruction table in random states by the translator,
 * the interpreter and the host CPU, and prints where they differ.
 *
 *   node main.js [--seed N] [--seconds N] [--rounds N] [--only mnemonic,…] [--verbose]
 *
 * A round gives every row a few cases, then runs blocks of several instructions. Exit code 1: something differs. Prints
 * one line of JSON at the end, which the test reads.
 */
import { type Row, Seg } from '@godwit/isa';
import { compare, halfDone, hangsOnUndefined, offsetOf } from './compare';
import { blockOf, type Chosen, type Generated, instructionOf, makeBatch, testedRows } from './generate';
import { Godwit } from './godwit';
import { type Outcome } from './layout';
import { Oracle, ORACLE_TEXT } from './oracle';
import { Random } from './random';
import { scopeOf } from './skip';

const CASES_PER_ROW = 4;
const MAX_REPORTS_PER_ROW = 3;
/** Linux' GDT entry of the CPU's number, which user code may load. */
const HOST_CPU_ENTRY = 15;

interface Options { seed: number; seconds: number; rounds: number; only: Set<string>; verbose: boolean }

function parse(args: string[]): Options {
  const value = (name: string): string | undefined => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  return {
    seed: Number(value('--seed') ?? 1),
    seconds: Number(value('--seconds') ?? 30),
    rounds: Number(value('--rounds') ?? Number.POSITIVE_INFINITY),
    only: new Set((value('--only') ?? '').split(',').filter(Boolean)),
    verbose: args.includes('--verbose'),
  };
}

class Run {
  readonly godwit = new Godwit();
  readonly random: Random;
  readonly image: Uint8Array;
  readonly reports = new Map<string, number>();
  readonly hostRows = new Set<number>();
  readonly translatedRows = new Set<number>();
  readonly seenRows = new Set<number>();
  cases = 0;
  onHost = 0;
  ended = 0;
  inBlocks = 0;
  differences = 0;
  undefinedDifferences = 0;
  private lowMapped = true;

  constructor(readonly options: Options, readonly oracle: Oracle | undefined) {
    this.random = new Random(options.seed);
    this.image = new Uint8Array(this.godwit.ram.length > 0x200000 ? 0x200000 : this.godwit.ram.length);
  }

  /** One pass over the rows. */
  round(rows: readonly Row[], stop: () => boolean): void {
    const queue = rows.flatMap((row) => new Array<Row>(CASES_PER_ROW).fill(row));
    const next = () => {
      for (;;) {
        const row = queue.pop();
        if (!row) return undefined;
        const found = instructionOf(row, this.random);
        if (found && scopeOf(found.ins) !== 'all') return found;
      }
    };
    while (queue.length > 0 && !stop()) {
      const cases = makeBatch(this.random, this.image, next);
      if (cases.length > 0) this.batch(cases);
    }
  }

  /** A batch of several instructions each. */
  blocks(): void {
    const next = (): Chosen => {
      for (;;) {
        const found = blockOf(this.random, (ins) => scopeOf(ins) === 'none' && this.offered(ins.row));
        if (found) return found;
      }
    };
    this.batch(makeBatch(this.random, this.image, next));
  }

  private offered(row: Row): boolean {
    return row.feature === 'base' || row.feature === 'nopl' || this.godwit.allowed.has(row.feature);
  }

  private batch(cases: Generated[]): void {
    const { godwit, image } = this;
    let host: Outcome[] | undefined;
    const forHost = cases.filter((c) => this.onOracle(c));
    if (this.oracle && forHost.length > 0) {
      const result = this.oracle.run(forHost, image);
      host = result.outcomes;
      this.lowMapped = result.lowMapped;
    }
    godwit.ram.set(image.subarray(0x100000, 0x200000), 0x100000);
    godwit.memoryChanged(this.lowMapped);
    let n = 0;
    for (const c of cases) {
      const onHost = this.onOracle(c) && host ? host[n++] : undefined;
      this.one(c, onHost);
    }
  }

  private onOracle(c: Generated): boolean {
    const { row } = c.ins;
    // The host has state components that the VM has not; a case that asks for them cannot be compared.
    if (/^x(save|rstor)/.test(row.mnemonic) && (c.gpr[0] > 7 || c.gpr[2] !== 0)) return false;
    // Across the end of the segment the host raises #GP; Godwit wraps around (a known deviation).
    if (c.ins.hasMemory && offsetOf(c, c.now) > 0xfffffc00) return false;
    if (/^(cmps|movs|lods|outs)/.test(row.mnemonic) && c.now.memorySegment === Seg.GS && c.gpr[6] > 0xfffffc00) return false;
    return scopeOf(c.ins) === 'none' && this.offered(row);
  }

  private one(c: Generated, host: Outcome | undefined): void {
    const { godwit, image } = this;
    const id = c.ins.row.id;
    const translated = godwit.translated(c, image);
    const byItself = !godwit.interpreted;
    const interpreted = godwit.interpretedAlone(c, image);
    this.cases++;
    this.seenRows.add(id);
    if (byItself) this.translatedRows.add(id);
    if (translated.vector === 3) this.ended++;
    const interpreterToo = !hangsOnUndefined(c) && !halfDone(c, translated);
    if (c.before.length > 0) this.inBlocks++;
    if (interpreterToo) this.tell(c, 'translator/interpreter', translated, interpreted);
    if (!host) return;
    // A stray access met the oracle's own pages, or the end of the segment.
    if (translated.vector === 14 && translated.cr2 >= ORACLE_TEXT && (host.vector !== 14 || host.cr2 !== translated.cr2)) return;
    // Offsets near the end of the gs segment that a block's instructions came to by themselves.
    if (host.vector === 13 && c.before.length > 0 && [...c.before, c.ins].some((ins) => ins.memorySegment === Seg.GS)) return;
    this.onHost++;
    this.hostRows.add(id);
    host = this.confirmed(c, host, translated);
    // The host kernel's own entry of the GDT; the guest has none there.
    if (host.selectors.some((selector) => selector >> 3 === HOST_CPU_ENTRY)) return;
    // The interpreter had a part in it, and leaves what is undefined in its own way.
    const byAnother = godwit.interpretedAny && hangsOnUndefined(c);
    if (!halfDone(c, translated) && !byAnother) this.tell(c, 'translator/host', translated, host);
    if (interpreterToo) this.tell(c, 'interpreter/host', interpreted, host);
  }

  /** Another case of its batch may have written over what the oracle had noted: what differs is asked again, alone. */
  private confirmed(c: Generated, host: Outcome, other: Outcome): Outcome {
    if (compare(c, other, host, false).text.length === 0) return host;
    return this.oracle?.run([c], this.image).outcomes[0] ?? host;
  }

  /** Translated instructions leave undefined flags as the same CPU does; what the interpreter ran may not. */
  private strict(c: Generated): boolean {
    return c.before.length > 0 && !this.godwit.interpretedAny;
  }

  private tell(c: Generated, pair: string, a: Outcome, b: Outcome): void {
    const { text, undefinedFlags } = compare(c, a, b, pair === 'translator/host' && this.strict(c));
    if (undefinedFlags !== 0) this.undefinedDifferences++;
    if (text.length === 0) return;
    this.differences++;
    const { row } = c.ins;
    const key = `${[...c.before.map((ins) => ins.row.mnemonic), row.mnemonic].join(' ')}#${row.id} ${pair}`;
    const count = (this.reports.get(key) ?? 0) + 1;
    this.reports.set(key, count);
    if (count > MAX_REPORTS_PER_ROW) return;
    console.log(`${key}: ${Buffer.from(c.bytes).toString('hex')} at ${c.eip.toString(16)}: ${text.join(', ')}`);
    if (this.options.verbose) {
      console.log(`    gpr ${Array.from(c.gpr, (r) => r.toString(16)).join(' ')} eflags ${c.eflags.toString(16)} vectors ${a.vector}/${b.vector}`);
    }
  }
}

function main(): number {
  const options = parse(process.argv.slice(2));
  const oracle = Oracle.build((reason) => console.log(`THE HOST CPU IS NOT COMPARED: ${reason}`));
  const run = new Run(options, oracle);
  const rows = testedRows.filter((row) => options.only.size === 0 || options.only.has(row.mnemonic));
  const started = Date.now();
  const stop = (): boolean => Date.now() - started > options.seconds * 1000;
  let rounds = 0;
  try {
    while (rounds < options.rounds && !stop()) {
      run.round(rows, stop);
      if (options.only.size === 0 && !stop()) run.blocks();
      rounds++;
    }
  } finally {
    oracle?.dispose();
  }
  console.log(JSON.stringify({
    seed: options.seed, rounds, seconds: (Date.now() - started) / 1000, cases: run.cases, onHost: run.onHost, inBlocks: run.inBlocks, completed: run.ended, rows: rows.length,
    rowsRun: run.seenRows.size, rowsOnHost: run.hostRows.size, rowsTranslated: run.translatedRows.size, differences: run.differences,
    undefinedFlagDifferences: run.undefinedDifferences, oracle: oracle !== undefined,
  }));
  return run.differences === 0 ? 0 : 1;
}

process.exitCode = main();
