/**
 * Proves, with hosts in network namespaces and TLS: when the cable between two hosts is pulled at a named point of a
 * migration, or the NFS server that both use hangs there, exactly one of them has the VM in the end, or any other can
 * start it without an unlock; every write that the guest saw acknowledged is there; nothing is left over. And one whose
 * certificate is of another authority gets nothing.
 *
 * GODWIT_LONG=1 goes through every point that a migration passes.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Authority } from '../support/certificates.mjs';
import { Net } from '../support/hosts.mjs';
import { NfsServer } from '../support/nfs-server';
import { SOURCE_PHASES, TARGET_PHASES } from '@godwit/migration';
import { CountingVm, type Place, stopped, within } from './support/counting-vm';

jest.setTimeout(1_800_000);

/** Phases that a migration does not come through by itself, and in which there is no connection yet. */
const NOT_PASSED = { source: ['checking', 'uncertain', 'recovering', 'ended'], target: ['waiting', 'discarding', 'ended'] };
const all = (['source', 'target'] as const).flatMap((end) =>
  Object.keys(end === 'source' ? SOURCE_PHASES : TARGET_PHASES).filter((phase) => !NOT_PASSED[end].includes(phase)).map((phase) => [end, phase] as const),
);
const few = (...wanted: string[]): typeof all => (process.env.GODWIT_LONG ? all : all.filter(([end, phase]) => wanted.includes(`${end}:${phase}`)));
const REACHED_MS = 60_000;
const OVER_MS = 120_000;

/** Moves the VM until one end has stopped at its fault point, lets `befall` happen, and the end go on. */
async function play(vm: CountingVm, [end, phase]: (typeof all)[number], places: readonly [Place, Place], befall: () => Promise<void>, mend: () => Promise<void>): Promise<void> {
  const point = `${end}:${phase}:stop`;
  const source = await vm.boot('alpha', places[0], end === 'source' ? point : '');
  await vm.goesOn(source);
  const target = await vm.wait('beta', places[1], end === 'target' ? point : '');
  const victim = end === 'source' ? source : target;
  const over: Promise<{ readonly outcome?: string; readonly vmIs?: string; readonly line: string }> = source.migrateTo(target).catch((error: Error) => ({ line: error.message }));
  await within(REACHED_MS, () => stopped(victim), () => `${point} was not reached: ${source.log.slice(-500)}`);
  await befall();
  victim.kill('SIGCONT');
  try {
    // Its source, which lives, says how it ended; meanwhile the VM may still be on its way.
    const said = await Promise.race([over, sleep<Awaited<typeof over>>(OVER_MS, { line: 'nothing' })]);
    expect(said.line).not.toBe('nothing');
    const owner = await vm.settled([source, target], places[0]);
    // What the source said of it, if it could say so, is so.
    if (said.outcome === 'completed') expect(owner).toBe(target);
    else if (said.outcome !== undefined) expect([said, owner === source]).toEqual([said, said.vmIs === 'source']);
    await vm.end(owner);
  } finally {
    await mend();
    for (const one of [source, target]) one.kill();
  }
}

describe('the cable is pulled', () => {
  let net: InstanceType<typeof Net>;
  let vm: CountingVm;
  let places: [Place, Place];
  let foreign: Place;
  let plug: (plugged: boolean) => Promise<void>;

  beforeAll(async () => {
    net = await Net.create();
    const spaces = [await net.host('h0', '10.77.0.10'), await net.host('h1', '10.77.0.11')];
    plug = (plugged) => net.plug(spaces[0], plugged);
    vm = await CountingVm.create();
    const authority = new Authority(path.join(vm.folder, 'ca'));
    const other = new Authority(path.join(vm.folder, 'other'));
    const at = (from: InstanceType<typeof Authority>, number: number): Place => ({ space: spaces[number], tls: from.host(`host${number}`, [spaces[number].address]) });
    places = [at(authority, 0), at(authority, 1)];
    foreign = at(other, 1);
  });
  afterAll(async () => {
    await vm?.remove();
    await net?.remove();
  });

  test.each(few('source:committing', 'target:awaiting'))('at %s, %s', async (...point) => {
    await play(vm, point, places, () => plug(false), () => plug(true));
  });

  test('a certificate of another authority opens nothing, and the VM runs on', async () => {
    const source = await vm.boot('alpha', places[0]);
    const target = await vm.wait('beta', foreign);
    await expect(source.migrateTo(target)).rejects.toThrow(/certificate/);
    await vm.goesOn(source);
    await target.remove();
    await vm.end(source);
  });
});

describe('the storage hangs', () => {
  let server: NfsServer;
  let vm: CountingVm;

  beforeAll(async () => {
    server = await NfsServer.start();
    vm = await CountingVm.create({ url: server.url, shown: server.folder });
  });
  afterAll(async () => {
    await vm?.remove();
    await server?.stop();
  });

  /** Milliseconds: shorter than the lease, and longer. */
  const HANGS = process.env.GODWIT_LONG ? [3_000, 20_000] : [3_000];
  const points = few('source:committing').flatMap((point) => HANGS.map((ms) => [...point, ms] as const));
  test.each(points)('at %s, %s, for %i ms', async (end, phase, ms) => {
    const hang = async (): Promise<void> => {
      await server.hang();
      setTimeout(() => server.goOn(), ms);
    };
    await play(vm, [end, phase], [{}, {}], hang, async () => server.goOn());
  });
});
