/** Proves: a start that would break the reserve for failures is refused, by how much is said, and what is let in can be restarted if memory is the only limit. */
import fc from 'fast-check';
import { reserveOf } from './admission';
import { ClusterIndex } from './cluster-index';
import { place } from './place';
import { checkFailover } from './restart';
import { GIB, host, PLAIN, vm } from './testing/cluster';

const settings = { ...PLAIN, hostFailures: 1 };
const cluster = (used: readonly number[], size = 16) =>
  ClusterIndex.of({
    hosts: used.map((_, i) => host(`h${i}`, { memoryBytes: size * GIB })),
    vms: used.flatMap((gib, i) => Array.from({ length: gib }, (_, n) => vm(`v${i}-${n}`, `h${i}`))),
    settings,
  });

test('the last VM that the others could restart gets in, the next one does not', () => {
  const fits = place(cluster([10, 11, 10]), { vm: vm('new', null), move: 'start' });
  expect(fits.hostId).not.toBeNull();
  const full = place(cluster([11, 11, 10]), { vm: vm('new', null), move: 'start' });
  expect(full.hostId).toBeNull();
  expect(full.line).toBe(
    'no host can take new: with new there would be 1024 MiB of memory too little to restart all VMs if h0 failed: stop VMs, add a host, or lower the number of failures to be borne',
  );
});

test('it binds starts, not moves of what runs already, nor restarts, for which the reserve is', () => {
  const index = cluster([11, 11, 10]);
  expect(place(index, { vm: index.vm('vm-v0-0')!, move: 'live' }).hostId).not.toBeNull();
  expect(place(index, { vm: vm('new', null), move: 'start', purpose: 'restart' }).hostId).not.toBeNull();
});

test('a host in maintenance is no reserve, and what is still on it must find room', () => {
  const index = cluster([4, 4, 4]);
  expect(reserveOf(index)).toMatchObject({ freeBytes: 36 * GIB, keptBytes: 16 * GIB });
  index.putHost(host('h0', { state: 'draining' }));
  expect(reserveOf(index)).toMatchObject({ freeBytes: 24 * GIB, keptBytes: 20 * GIB, worst: ['h1'] });
});

test('with VMs of one size, whatever admission let in survives the failure of any one host', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 4, max: 12 }), { minLength: 2, maxLength: 5 }), (sizes) => {
      const hosts = sizes.map((gib, i) => host(`h${i}`, { memoryBytes: gib * GIB }));
      const index = ClusterIndex.of({ hosts, vms: [], settings });
      for (let n = 0; n < 80; n++) {
        const { hostId } = place(index, { vm: vm(`v${n}`, null), move: 'start' });
        if (hostId === null) break;
        index.putVm(vm(`v${n}`, hostId.slice(3)));
      }
      for (const { id } of hosts) expect(checkFailover(index, [id]).stranded).toEqual([]);
    }),
    { numRuns: 40 },
  );
});
