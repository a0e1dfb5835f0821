/** What agents say (agent.proto), as the core reads it. Everything is from another process: nothing is taken on trust but its shape. */
import type { Report } from '../core/core';
import type { CpuFacts, HostFacts, LocalDevice, Versions } from '@godwit/migration';
import type {
  DatastoreReport,
  Hello,
  HostReport,
  MigrationReport,
  OrderResult,
  OrderState,
  SourceRecord,
  VmFolder,
  VmmReport,
  VmState,
} from '../core/reports';
import { flag, inner, messages, number, text, texts, word } from '../rpc/fields';
import type { Message } from '../rpc/rpc';
import { readPlace, readSpec } from '../rpc/spec-codec';

/** Undefined: a message of a newer agent, or counters (which `readCounters` takes). */
export function readReport(message: Message): Report | undefined {
  const of = (name: string): Message | undefined => inner(message, name);
  const [hello, host, vmm, migration, result, datastore] = ['hello', 'host', 'vmm', 'migration', 'result', 'datastore'].map(of);
  if (hello) return { is: 'hello', hello: readHello(hello) };
  if (host) return { is: 'host', host: readHost(host) };
  if (vmm) return { is: 'vmm', vmm: readVmm(vmm) };
  if (migration) return { is: 'migration', migration: readMigration(migration) };
  if (result) return { is: 'result', result: readResult(result) };
  if (datastore) return { is: 'datastore', datastore: readDatastore(datastore) };
  return undefined;
}

function readHello(hello: Message): Hello {
  return {
    bootId: text(hello, 'bootId'),
    agentId: text(hello, 'agentId'),
    agentVersion: text(hello, 'agentVersion'),
    host: readHost(inner(hello, 'host') ?? {}),
    vmms: messages(hello, 'vmms').map(readVmm),
    datastores: messages(hello, 'datastores').map(readDatastore),
    results: messages(hello, 'results').map(readResult),
    migrations: messages(hello, 'migrations').map(readMigration),
  };
}

const readCpu = (cpu: Message | undefined): CpuFacts => ({
  vendor: text(cpu, 'vendor'),
  features: texts(cpu, 'features'),
  xsaveBytes: number(cpu, 'xsaveBytes'),
});
const readVersions = (of: Message | undefined): Versions => ({ oldest: number(of, 'oldest'), newest: number(of, 'newest') });

function readFacts(facts: Message | undefined): HostFacts {
  return {
    hostId: text(facts, 'hostId'),
    name: text(facts, 'name'),
    cpu: readCpu(inner(facts, 'cpu')),
    cpus: number(facts, 'cpus'),
    freeMemoryBytes: number(facts, 'freeMemoryBytes'),
    protocol: readVersions(inner(facts, 'protocol')),
    machineVersions: readVersions(inner(facts, 'machineVersions')),
    datastores: texts(facts, 'datastores'),
    networks: texts(facts, 'networks'),
    wallClockMs: number(facts, 'wallClockMs'),
    maintenance: flag(facts, 'maintenance'),
  };
}

function readHost(host: Message): HostReport {
  const load = inner(host, 'load');
  return {
    facts: readFacts(inner(host, 'facts')),
    load: {
      cpuUsed: number(load, 'cpuUsed'),
      load1m: number(load, 'load1m'),
      memoryUsedBytes: number(load, 'memoryUsedBytes'),
      networkRxBytesPerSecond: number(load, 'networkRxBytesPerSecond'),
      networkTxBytesPerSecond: number(load, 'networkTxBytesPerSecond'),
      migrationsIn: number(load, 'migrationsIn'),
      migrationsOut: number(load, 'migrationsOut'),
      memoryPressure: number(load, 'memoryPressure'),
      cpuPressure: number(load, 'cpuPressure'),
    },
    warnings: texts(host, 'warnings'),
    totalMemoryBytes: number(host, 'totalMemoryBytes'),
    metricsAddress: text(host, 'metricsAddress'),
  };
}

function readVmm(vmm: Message): VmmReport {
  const status = inner(vmm, 'status');
  const vm = inner(status, 'vm');
  const used = texts(vm, 'usedFeatures');
  return {
    vmmId: text(vmm, 'vmmId'),
    vmId: text(vm, 'vmId'),
    name: text(vm, 'name'),
    place: readPlace(inner(vmm, 'place')),
    state: (word(vm, 'state', 'VM_STATE_') || 'unknown') as VmState,
    epoch: number(status, 'leaseEpoch'),
    pauses: texts(status, 'pauses'),
    line: text(status, 'line'),
    ended: text(status, 'ended'),
    silent: flag(vmm, 'silent'),
    orderId: text(vmm, 'orderId'),
    incomingMigrationId: text(vmm, 'incomingMigrationId'),
    migrationId: text(status, 'migrationId'),
    startedAtMs: number(status, 'startedAtMs'),
    facts: vm && {
      vmId: text(vm, 'vmId'),
      name: text(vm, 'name'),
      cpu: readCpu(inner(vm, 'cpu')),
      usedFeatures: used.length > 0 ? used : null,
      vcpus: number(vm, 'vcpus'),
      memoryBytes: number(vm, 'memoryBytes'),
      machineVersion: number(vm, 'machineVersion'),
      datastores: texts(vm, 'datastores'),
      networks: texts(vm, 'networks'),
      localDevices: messages(vm, 'localDevices').map((device) => ({
        kind: text(device, 'kind') as LocalDevice['kind'],
        name: text(device, 'name'),
      })),
    },
    cpuUsed: number(vmm, 'cpuUsed'),
    dirtyBytesPerSecond: number(vmm, 'dirtyBytesPerSecond'),
  };
}

function readFolder(folder: Message): VmFolder {
  const lease = inner(folder, 'lease');
  return {
    folder: text(folder, 'folder'),
    spec: inner(folder, 'spec') && readSpec(inner(folder, 'spec')),
    suspended: flag(folder, 'suspended'),
    lease: lease && {
      epoch: number(lease, 'epoch'),
      ownerHostId: text(lease, 'ownerHostId'),
      ownerHostName: text(lease, 'ownerHostName'),
      stillMs: number(lease, 'stillMs'),
      leaseMs: number(lease, 'leaseMs'),
    },
    line: text(folder, 'line'),
  };
}

function readDatastore(report: Message): DatastoreReport {
  return {
    datastoreId: text(report, 'datastoreId'),
    where: text(report, 'where'),
    name: text(report, 'name'),
    reachable: flag(report, 'reachable'),
    line: text(report, 'line'),
    totalBytes: number(report, 'totalBytes'),
    freeBytes: number(report, 'freeBytes'),
    vms: messages(report, 'vms').map(readFolder),
    vmsListed: flag(report, 'vmsListed'),
    vmsMore: flag(report, 'vmsMore'),
  };
}

/** The whole record is kept and handed on; the core looks only at these fields of it. */
function readRecord(record: Message | undefined): SourceRecord | undefined {
  if (!record) return undefined;
  const [migrationId, vmId, phase, vmIs, outcome, line] = ['migrationId', 'vmId', 'phase', 'vmIs', 'outcome', 'line'].map((name) =>
    text(record, name),
  );
  return { ...record, migrationId, vmId, phase, vmIs, outcome, line };
}

function readMigration(report: Message): MigrationReport {
  return {
    migrationId: text(report, 'migrationId'),
    vmId: text(report, 'vmId'),
    side: text(report, 'side') === 'target' ? 'target' : 'source',
    record: readRecord(inner(report, 'record')),
    targetPhase: text(report, 'targetPhase'),
    targetOutcome: text(report, 'targetOutcome'),
    line: text(report, 'line'),
  };
}

function readResult(result: Message): OrderResult {
  const waiting = inner(result, 'waiting');
  const [vmm, folder, record] = [inner(result, 'vmm'), inner(result, 'folder'), readRecord(inner(result, 'migration'))];
  return {
    orderId: text(result, 'orderId'),
    state: (word(result, 'state', 'ORDER_STATE_') || 'working') as OrderState,
    code: text(result, 'code'),
    line: text(result, 'line'),
    progress: number(result, 'progress'),
    ...(vmm ? { vmm: readVmm(vmm) } : {}),
    ...(waiting ? { waiting: { vmm: undefined, address: text(waiting, 'address'), token: text(waiting, 'token') } } : {}),
    ...(folder ? { folder: readFolder(folder) } : {}),
    ...(record ? { migration: record } : {}),
  };
}
