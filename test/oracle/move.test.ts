/**
 * Proves, with a real guest in real VMM processes, that the oracle tells a sound migration from
 * one that lost a page: the same moves under writing load pass, and fail when the target's
 * memory is damaged between arrival and start; and that the probe of the migration
 * benchmark sees a pause of known length.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { godwit } from '../bench/migration/godwit-side.mjs';
import { Probe } from '../bench/migration/probe.mjs';
import { Rig } from '../bench/migration/rig.mjs';
import { gapAcross, nowMs } from '../bench/migration/series.mjs';
import { cache, Oracle, oracleCommandLine, oracleImages } from './guest.mjs';

jest.setTimeout(240_000);
/** An answer may be on its way when the process stops. */
const EDGE_MS = 5;

interface Guest {
  vm: Awaited<ReturnType<typeof godwit.start>>;
  oracle: Oracle;
}
const rigs: Rig[] = [];
const guests: Guest[] = [];

afterAll(async () => {
  for (const { vm } of guests) await vm.stop();
  for (const rig of rigs) await rig.remove();
});

async function boot(rig: Rig, options: object, address?: string): Promise<Guest> {
  const { kernel, initrd } = await oracleImages();
  const append = oracleCommandLine({ area: 16, constant: 8, address });
  const vm = await godwit.start(rig, { name: 'oracle', kernel, initrd, megabytes: 128, append, nic: address !== undefined }, options);
  const oracle = new Oracle((text: string) => vm.type(text));
  const guest = { vm, oracle };
  guests.push(guest);
  const ready = oracle.ready();
  vm.onText((text: string) => oracle.line.take(text));
  await ready;
  return guest;
}

/** A guest that writes, moved some times; its verdict after the last one. */
async function moved(moves: number, options: object): Promise<{ ok: boolean; line: string; guest: Guest }> {
  const rig = await Rig.create({ network: false });
  rigs.push(rig);
  const guest = await boot(rig, options);
  guest.oracle.write(60);
  await passes(guest, 3);
  for (let move = 0; move < moves; move++) expect(await guest.vm.move({ limitMs: 100_000 })).toMatchObject({ outcome: 'completed' });
  return { ...(await guest.oracle.check(60_000)), guest };
}

/** Until the whole area was rewritten so many times. */
async function passes({ oracle }: Guest, count: number): Promise<void> {
  const wanted = (oracle.line.beats.at(-1)?.kib ?? 0) + count * 16 * 1024;
  for (let waited = 0; (oracle.line.beats.at(-1)?.kib ?? 0) < wanted; waited += 20) {
    if (waited > 60_000) throw new Error('the guest does not get on');
    await sleep(20);
  }
}

test('a guest that rewrites its memory is whole after three moves', async () => {
  const { line, guest } = await moved(3, {});
  expect(line).toMatch(/^verdict ok /);
  await passes(guest, 1);
  expect((await guest.oracle.check(60_000)).line).toMatch(/^verdict ok /);
});

const planting = (what: string) => ({ nodeArgs: (mode: string) => (mode === 'incoming' ? ['--require', path.join(__dirname, `plant-${what}.cjs`)] : []) });

test.each([['stale', /^verdict BAD .* area page=\d+ word=1 /], ['constant', /^verdict BAD .* constant page=\d+ word=700 /]])(
  'one page that is not as it was (%s) is found after the move',
  async (what, verdict) => {
    const { line, guest } = await moved(1, planting(what));
    expect(guest.vm.log).toMatch(/planted in page/);
    expect(line).toMatch(verdict);
  },
);

const rooted = process.getuid?.() === 0 ? test : test.skip;

rooted('the probe sees a stop of known length, and no less', async () => {
  const rig = await Rig.create();
  rigs.push(rig);
  const address = rig.address();
  const { vm } = await boot(rig, {}, address);
  const probe = new Probe(rig.client!, address, cache);
  try {
    await probe.ready();
    const began = nowMs();
    const [pid] = vm.pids();
    process.kill(pid, 'SIGSTOP');
    for (let waited = 0; !allStopped(pid); waited++) {
      if (waited > 5000) throw new Error('the process does not stop');
      await sleep(1);
    }
    const stopped = nowMs();
    await sleep(100);
    const goesOn = nowMs();
    process.kill(pid, 'SIGCONT');
    await sleep(1000);
    // No answer was sent while it stood still: one gap spans all of that. (Another stall of a busy machine may be longer.)
    const gap = gapAcross(probe.times, stopped + EDGE_MS, goesOn - EDGE_MS);
    expect(gap.ms).toBeGreaterThanOrEqual(goesOn - stopped - EDGE_MS);
    expect(gap.from).toBeLessThanOrEqual(stopped + EDGE_MS);
    expect(gap.to).toBeGreaterThanOrEqual(goesOn - EDGE_MS);
    console.log(`stopped for ${(goesOn - stopped).toFixed(1)} to ${(goesOn - began).toFixed(1)} ms, the probe saw ${gap.ms.toFixed(1)} ms`);
  } finally {
    await probe.stop();
  }
});

function allStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')));
}
