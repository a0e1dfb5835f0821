/** Many hosts with running VMs, as agents without a network: for tests and benchmarks of what watches them. */
import { randomUUID } from 'node:crypto';
import type { Controller } from '../controller';
import type { Call, Message } from '../rpc/rpc';
import { FakeAgent } from './fake-agent';

const MIB = 2 ** 20;

export const ADMIN: Call = {
  certificate: { kind: 'operator', id: 'ops', name: 'ops', role: 'admin' },
  bearer: '',
  peer: 'test',
  signal: new AbortController().signal,
};

/** Hosts that have joined, each with VMs that run: `host-1` with `vm-1`… */
export async function startCrowd({ services }: Controller, { hosts, vms }: { hosts: number; vms: number }): Promise<FakeAgent[]> {
  const agents: FakeAgent[] = [];
  for (let at = 1; at <= hosts; at++) {
    const name = `host-${at}`;
    const hostId = randomUUID();
    const { token } = (await unary(services.api.Hosts.CreateJoinToken, { hostName: name }, ADMIN)) as { token: string };
    await unary(services.agents.Agents.Join, { token, csrPem: 'csr', hostId, hostName: name }, { ...ADMIN, certificate: undefined });
    const agent = new FakeAgent(services.agents, hostId, name);
    for (let one = at; one <= vms; one += hosts) add(agent, `vm-${one}`, one);
    agent.connect();
    agents.push(agent);
  }
  return agents;
}

function add({ vmms }: FakeAgent, name: string, epoch: number): void {
  const vmId = randomUUID();
  const vm = {
    vmId,
    name,
    state: 'VM_STATE_RUNNING',
    cpu: { vendor: 'GenuineIntel', features: ['cmov'], xsaveBytes: 512 },
    vcpus: 1,
    memoryBytes: 256 * MIB,
    machineVersion: 1,
    datastores: ['ds'],
    networks: ['user'],
  };
  const spec = { vmId, name, memoryBytes: 256 * MIB, vcpus: 1, labels: {} };
  vmms.set(vmId, {
    vmmId: `vmm-${vmId}`,
    place: { datastoreId: 'ds', folder: name },
    spec,
    status: { vm, leaseEpoch: epoch, pauses: [] }, cpuUsed: 0.2,
  });
}

function unary(method: Controller['services']['api'][string][string], request: Message, call: Call): Promise<object> {
  if (!('unary' in method)) throw new Error('this is a unary method');
  return method.unary(request, call);
}
