/**
 * Proves what an agent's metrics tell of its VMs as they come, move and end: the one that has the VM speaks for it, its series
 * go with it, a lost lease is seen, and a record as it came over the wire is counted.
 */
import { EventEmitter } from 'node:events';
import pino from 'pino';
import type { AgentConfig } from '../config';
import type { Supervisor } from '../vmms/supervisor';
import { AgentMetrics } from './agent-metrics';
import { migrationReading, stateWord } from './readings';

const status = {
  pauses: [],
  line: '',
  ended: '',
  pid: 0,
  leaseEpoch: 3,
  migrationId: '',
  vm: { vmId: 'id-1', name: 'web-1', memoryBytes: 1 << 26, vcpus: 1 },
};
const vmmOf = (vmmId: string, more: object = {}) => ({
  about: { vmmId, vmId: 'id-1', name: 'web-1', memoryBytes: 1 << 26, migrationId: '' },
  vmmId,
  vmId: 'id-1',
  status,
  state: 'VM_STATE_RUNNING',
  hasVm: true,
  arriving: false,
  over: false,
  silent: false,
  leaseLosses: 0,
  counters: {},
  refreshCounters: async () => undefined,
  ...more,
});
type Fake = ReturnType<typeof vmmOf>;

const facts = {
  facts: { cpus: 2, freeMemoryBytes: 5 },
  load: {
    cpuUsed: 0.5,
    cpuPressure: 0,
    memoryPressure: 0,
    networkRxBytesPerSecond: 1,
    networkTxBytesPerSecond: 2,
    migrationsIn: 0,
    migrationsOut: 1,
  },
  totalMemoryBytes: 10,
};

function setUp(metrics: AgentConfig['metrics'] = { listen: '' }) {
  const vmms: Fake[] = [];
  const supervisor = Object.assign(new EventEmitter(), {
    get all() {
      return vmms;
    },
    runnerOf: (vmId: string) => vmms.find((vmm) => vmm.vmId === vmId && !vmm.arriving && !vmm.over),
  });
  const agent = new AgentMetrics({
    config: { name: 'host-a', metrics, migration: { host: '10.0.0.1' } } as AgentConfig,
    version: '1',
    log: pino({ level: 'silent' }),
    supervisor: supervisor as unknown as Supervisor,
    facts: () => ({ report: () => facts }) as never,
    datastores: () => [{ name: 'main', reachable: true, totalBytes: 100, freeBytes: 40 } as never],
    maintenance: () => false,
    certificates: () => undefined,
  });
  return { vmms, supervisor, agent, text: () => agent.registry.text('prometheus') };
}

test('a VM that runs here has series; one that only waits for it does not speak for it; they go with it', async () => {
  const { vmms, supervisor, text } = setUp();
  const [runs, waits] = [vmmOf('p-1'), vmmOf('p-2', { arriving: true, hasVm: false, state: 'VM_STATE_INCOMING' })];
  vmms.push(runs, waits);
  for (const vmm of vmms) supervisor.emit('changed', vmm);
  supervisor.emit('counters', Object.assign(runs, { counters: { native_kicks: 7 } }));
  expect(await text()).toContain('godwit_vm_info{host="host-a",vm="web-1",vm_id="id-1",vmm_id="p-1"} 1');
  expect(await text()).toContain('godwit_vm_kicks_total{host="host-a",vm="web-1",vm_id="id-1"} 7');
  expect(await text()).toContain('godwit_host_vms{host="host-a",state="incoming"} 1');
  expect(await text()).not.toContain('p-2');
  // The waiting one ends: the VM is still here.
  vmms.splice(1, 1);
  supervisor.emit('ended', waits);
  expect(await text()).toContain('godwit_vm_running{host="host-a",vm="web-1",vm_id="id-1"} 1');
  vmms.splice(0, 1);
  supervisor.emit('ended', runs);
  expect(await text()).not.toContain('web-1');
});

test('a lease that was lost is seen after its process has ended', async () => {
  const { supervisor, text } = setUp();
  supervisor.emit('ended', vmmOf('p-1', { over: true, leaseLosses: 1 }));
  expect((await text()).match(/^.*web-1.*$/gm)).toEqual(['godwit_vm_lease_losses_total{host="host-a",vm="web-1",vm_id="id-1"} 1']);
});

test('host, datastores, orders, sessions', async () => {
  const { agent, text } = setUp();
  agent.connected(true);
  agent.orderEnded({ state: 'ORDER_STATE_FAILED' } as never);
  agent.connected(false);
  for (const line of [
    'godwit_agent_connected{host="host-a"} 0',
    'godwit_agent_sessions_total{host="host-a"} 1',
    'godwit_agent_orders_total{host="host-a",state="failed"} 1',
    'godwit_datastore_free_bytes{host="host-a",datastore="main"} 40',
    'godwit_host_cpus{host="host-a"} 2',
    'godwit_migrations_active{host="host-a",direction="out"} 1',
  ])
    expect((await text()).split('\n')).toContain(line);
});

test('where it serves: nowhere, loopback, every address under the name that others reach it by; TLS waits for a certificate', async () => {
  const nowhere = setUp();
  await nowhere.agent.start();
  expect(nowhere.agent.address).toBe('');
  await nowhere.agent.stop();
  const all = setUp({ listen: '0.0.0.0:0', tls: false });
  await all.agent.start();
  expect(all.agent.address).toMatch(/^http:\/\/10\.0\.0\.1:\d+$/);
  await all.agent.stop();
  expect(all.agent.address).toBe('');
  const secure = setUp({ listen: '0.0.0.0:0' });
  await secure.agent.start();
  expect(secure.agent.address).toBe('');
  await secure.agent.stop();
});

test('a record as it comes over the wire: what is not set is 0 or not there', () => {
  const bare = { migrationId: 'm', vmId: 'v', phase: 'checking', vmIs: 'source', outcome: '', line: '' };
  expect(migrationReading(bare)).toMatchObject({
    outcome: null,
    roundCount: 0,
    pause: null,
    pauseMs: null,
    counts: { rawPages: 0, wireBytes: 0 },
  });
  const whole = {
    ...bare,
    outcome: 'completed',
    pauseMs: 12,
    pause: { stopMs: 1 },
    counts: { rawPages: 4 },
    settings: { pauseBudgetMs: 50 },
  };
  expect(migrationReading(whole)).toMatchObject({
    outcome: 'completed',
    pauseMs: 12,
    pause: { stopMs: 1 },
    counts: { rawPages: 4, zeroPages: 0 },
    settings: { pauseBudgetMs: 50 },
  });
  expect([stateWord('VM_STATE_RUNNING'), stateWord('')]).toEqual(['running', 'unknown']);
});
