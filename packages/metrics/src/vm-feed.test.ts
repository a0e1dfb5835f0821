/** Proves that a VM's series follow what its processes push, never go back, and go with the VM. */
import fc from 'fast-check';
import { CATALOGUE } from './catalogue';
import type { Row } from './catalogue/row';
import { parseStat, processUsage } from './process-readings';
import { createRegistry } from './registry';
import { serveMetrics } from './serve';
import { VmFeed } from './vm-feed';

const setUp = () => {
  const registry = createRegistry('agent', { host: 'host-a', version: '1', readings: () => {} });
  return { registry, feed: new VmFeed(registry), body: async () => (await serveMetrics(registry)).body };
};
const web1 = (vmmId = 'vmm-1') => ({ vmId: 'id-1', name: 'web-1', vmmId });
const valueOf = (body: string, name: string, ...labels: string[]): number | undefined => {
  const line = body
    .split('\n')
    .find((one) => one.startsWith(`${name}{`) && one.includes('vm="web-1"') && labels.every((label) => one.includes(label)));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
};
const reading = { running: true, pauses: [], silent: false, memoryBytes: 1 << 29, vcpus: 1, leaseEpoch: 3 };

test('counters by their names, with labels, units, and what counts twice taken away', async () => {
  const { feed, body } = setUp();
  feed.counters(
    web1(),
    {
      exits_miss: 7,
      native_faults: 10,
      native_fault_guest: 3,
      native_fault_interpret: 2,
      start_to_first_instruction_ms: 250,
      disk0_read_bytes: 4096,
      disk12_read_bytes: 512,
      nic1_tx_frames: 9,
      disk99_read_bytes: 1,
      unknown_thing: 5,
      translation_blocks: NaN,
      native_kicks: -4,
    },
    1_700_000_000_000,
  );
  const text = await body();
  expect(valueOf(text, 'godwit_vm_exits_total', 'kind="miss"')).toBe(7);
  expect(valueOf(text, 'godwit_vm_faults_total', 'kind="window"')).toBe(5);
  expect(valueOf(text, 'godwit_vm_start_seconds')).toBe(0.25);
  expect(valueOf(text, 'godwit_vm_disk_bytes_total', 'disk="0"', 'direction="read"')).toBe(4096);
  expect(valueOf(text, 'godwit_vm_disk_bytes_total', 'disk="12"')).toBe(512);
  expect(valueOf(text, 'godwit_vm_network_frames_total', 'nic="1"', 'direction="transmit"')).toBe(9);
  expect(valueOf(text, 'godwit_vm_counters_timestamp_seconds')).toBe(1.7e9);
  expect(text).not.toMatch(/disk="99"|unknown_thing|godwit_vm_translated_blocks_total|godwit_vm_kicks_total/);
});

test('another process of the VM begins at 0; the series goes on', async () => {
  const { feed, body } = setUp();
  const kicks = async (value: number, vmmId?: string): Promise<number | undefined> => {
    feed.counters(web1(vmmId), { native_kicks: value }, 0);
    return valueOf(await body(), 'godwit_vm_kicks_total');
  };
  expect([
    await kicks(100),
    await kicks(150),
    await kicks(20, 'vmm-2'),
    await kicks(25, 'vmm-2'),
    await kicks(5, 'vmm-2'),
    await kicks(400, 'vmm-3'),
  ]).toEqual([100, 150, 170, 175, 180, 580]);
  expect((await body()).match(/^godwit_vm_info\{.*$/gm)).toEqual([
    'godwit_vm_info{host="host-a",vm="web-1",vm_id="id-1",vmm_id="vmm-3"} 1',
  ]);
});

test('whatever is pushed, counters never go back and count each process in full', async () => {
  const names = [
    'native_faults',
    'native_fault_guest',
    'native_fault_interpret',
    'native_callouts',
    'native_misses',
    'native_chains',
    'disk0_read_requests',
  ];
  const process = fc.array(fc.array(fc.nat(1000), { minLength: names.length, maxLength: names.length }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.array(process, { minLength: 1, maxLength: 5 }), (processes) => {
      const { registry, feed } = setUp();
      let before = new Map<string, number>();
      const sums = names.map(() => 0);
      processes.forEach((pushes, index) => {
        const raw = names.map(() => 0);
        for (const push of pushes) {
          push.forEach((more, at) => {
            raw[at] += more;
            sums[at] += more;
          });
          feed.counters(web1(`vmm-${index}`), Object.fromEntries(names.map((name, at) => [name, raw[at]])), 0);
          const now = new Map<string, number>();
          for (const family of registry.collect())
            if (family.row.type === 'counter')
              for (const { labels, value } of family.series()) now.set(family.name + JSON.stringify(labels), value);
          for (const [key, value] of before) expect(now.get(key)).toBeGreaterThanOrEqual(value);
          before = now;
        }
      });
      expect(before.get('godwit_vm_disk_requests_total{"vm":"web-1","vm_id":"id-1","disk":"0","kind":"read"}')).toBe(sums[6]);
      expect(before.get('godwit_vm_faults_total{"vm":"web-1","vm_id":"id-1","kind":"guest"}')).toBe(sums[1]);
    }),
  );
});

test("a VMM's histogram is added to the host's, also with other bounds, and once", async () => {
  const { feed, body } = setUp();
  const push = {
    lease_renewal_seconds_count: 10,
    lease_renewal_seconds_sum: 0.5,
    'lease_renewal_seconds_le_0.005': 4,
    'lease_renewal_seconds_le_0.03': 7,
    'lease_renewal_seconds_le_0.05': 9,
  };
  feed.counters(web1(), push, 0);
  feed.counters(web1(), push, 0);
  feed.counters(
    { vmId: 'id-2', name: 'web-2', vmmId: 'vmm-9' },
    { lease_renewal_seconds_count: 1, lease_renewal_seconds_sum: 0.002, 'lease_renewal_seconds_le_0.005': 1 },
    0,
  );
  const bucket = async (le: string): Promise<number> =>
    Number(
      new RegExp(`^godwit_lease_renewal_seconds_bucket\\{le="${le.replace(/[.+]/g, '\\$&')}",host="host-a"\\} (.*)$`, 'm').exec(
        await body(),
      )?.[1],
    );
  expect([
    await bucket('0.0025'),
    await bucket('0.005'),
    await bucket('0.025'),
    await bucket('0.05'),
    await bucket('5.0'),
    await bucket('+Inf'),
  ]).toEqual([0, 5, 5, 10, 10, 11]);
  expect(Number(/^godwit_lease_renewal_seconds_sum\{.*\} (.*)$/m.exec(await body())?.[1])).toBeCloseTo(0.502);
});

test('pauses: since when, why, how long', async () => {
  const { feed, body } = setUp();
  feed.status(web1(), reading, 1_000);
  expect(valueOf(await body(), 'godwit_vm_pauses_total', 'reason="storage"')).toBe(0);
  feed.status(web1(), { ...reading, running: false, pauses: ['storage', 'a reason from a newer version'] }, 2_000);
  feed.status(web1(), { ...reading, running: false, pauses: ['storage', 'operator'] }, 5_000);
  feed.status(web1(), { ...reading, running: false, pauses: ['operator'] }, 9_000);
  const text = await body();
  expect(valueOf(text, 'godwit_vm_paused', 'reason="storage"')).toBe(0);
  expect(valueOf(text, 'godwit_vm_paused', 'reason="operator"')).toBe(1);
  expect(valueOf(text, 'godwit_vm_pauses_total', 'reason="storage"')).toBe(1);
  expect(valueOf(text, 'godwit_vm_paused_seconds_total', 'reason="storage"')).toBe(7);
  expect(valueOf(text, 'godwit_vm_paused_seconds_total', 'reason="operator"')).toBe(4);
  expect(valueOf(text, 'godwit_vm_running')).toBe(0);
});

test('a VM that has left takes every series along; others stay; a new name replaces the old one', async () => {
  const { feed, body } = setUp();
  const all = Object.fromEntries(
    (Object.values(CATALOGUE) as Row[]).flatMap(({ sources = [] }) => sources.map(({ name }) => [name.replace('#', '0'), 3])),
  );
  const web2 = { vmId: 'id-2', name: 'web-2', vmmId: 'vmm-9' };
  for (const key of [web1(), web2]) {
    feed.counters(key, all, 0);
    feed.status(key, reading, 0);
    feed.usage(key, { userSeconds: 1, systemSeconds: 1, residentBytes: 1 });
  }
  feed.forget('id-1');
  expect(await body()).not.toContain('web-1');
  expect(await body()).toContain('vm="web-2"');
  feed.status({ ...web2, name: 'db-1' }, reading, 0);
  expect(await body()).not.toContain('web-2');
  feed.keepOnly(new Set());
  expect(await body()).not.toContain('vm_id=');
});

test('CPU time of the process: of each one in full', async () => {
  const { feed, body } = setUp();
  for (const [vmmId, userSeconds] of [
    ['vmm-1', 5],
    ['vmm-1', 8],
    ['vmm-2', 2],
  ] as const)
    feed.usage(web1(vmmId), { userSeconds, systemSeconds: 0, residentBytes: 7 });
  expect(valueOf(await body(), 'godwit_vm_process_cpu_seconds_total', 'mode="user"')).toBe(10);
  expect(
    parseStat(`42 (a) b (c)) S ${Array.from({ length: 22 }, (_, at) => (at === 10 ? 250 : at === 11 ? 50 : at === 20 ? 3 : 0)).join(' ')}`),
  ).toEqual({ userSeconds: 2.5, systemSeconds: 0.5, residentBytes: 12_288 });
  expect(processUsage(process.pid)!.residentBytes).toBeGreaterThan(1 << 20);
  expect(processUsage(2 ** 22 + 1)).toBeUndefined();
});
