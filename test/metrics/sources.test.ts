/**
 * Proves that the catalogue and the VMM speak of the same counters: a real VM's statistics have every counter that the
 * catalogue builds on, and none that the catalogue does not know.
 */
import { CATALOGUE, createRegistry, type Row, serveMetrics, VmFeed } from '../../packages/metrics/src';
import { flatStats } from '../../packages/vmm/src/process/stats';
import { assemble, readGuest, runGuest } from '../engine/support/guest.mjs';

/** Of parts that a bare guest has none of: disks, adapters, a lease. */
const OF_PARTS = /^(disk#|nic#|lease)_/;

const sources = [
  ...new Set((Object.values(CATALOGUE) as Row[]).flatMap((row) => row.sources ?? []).flatMap(({ name, less = [] }) => [name, ...less])),
];

test('every counter of the engine is in the catalogue, and the other way round', async () => {
  const { source } = readGuest('self-modify.s');
  const { stats } = await runGuest(assemble(source), { mode: 'translate' });
  const pushed = flatStats(stats);
  expect(sources.filter((name) => !OF_PARTS.test(name) && !(name in pushed))).toEqual([]);
  expect(Object.keys(pushed).filter((name) => !sources.includes(name))).toEqual([]);

  const registry = createRegistry('agent', { host: 'host-a', version: '1' });
  new VmFeed(registry).counters({ vmId: 'id-1', name: 'guest', vmmId: 'vmm-1' }, pushed, 0);
  const { body } = await serveMetrics(registry);
  const series = (start: string): number =>
    Number(
      body
        .split('\n')
        .find((line) => line.startsWith(start))
        ?.split(' ')
        .at(-1),
    );
  expect(series('godwit_vm_translated_blocks_total{host="host-a",vm="guest",vm_id="id-1"}')).toBeGreaterThan(0);
  expect(series('godwit_vm_code_invalidations_total{host="host-a",vm="guest",vm_id="id-1"}')).toBeGreaterThan(0);
  expect(series('godwit_vm_exits_total{host="host-a",vm="guest",vm_id="id-1",kind="miss"}')).toBe(stats.exits.miss);
  expect(series('godwit_vm_callouts_total{host="host-a",vm="guest",vm_id="id-1",kind="other"}')).toBeGreaterThanOrEqual(0);
});
