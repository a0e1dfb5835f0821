/** Records and what is observed, as the messages of controller.proto. */
import { vmsOn } from '../core/batches';
import { whyNotPowerOff } from '../core/cluster-requests';
import type { Context } from '../core/context';
import type { DrainPlan, PlannedMove, Verdict } from '../core/planner';
import type { MigrationRecord, OperationRecord, OperationState } from '../core/records';
import { type ClusterState, type Host, runnerOf, stateOf, type Vm } from '../core/state';
import { enumName } from '../rpc/fields';
import { writeSpec } from '../rpc/spec-codec';

export function vmView(state: ClusterState, vm: Vm): object {
  const { record } = vm;
  const runner = runnerOf(state, vm);
  const hostId = runner?.host.record.id ?? record.hostId;
  return {
    spec: writeSpec(record.spec),
    place: record.place,
    wanted: enumName('WANTED_STATE_', record.wanted),
    state: enumName('VM_STATE_', stateOf(state, vm)),
    hostId,
    hostName: hostId && state.hostName(hostId),
    line: runner?.report.line || record.line,
    migrationId: vm.migrationId,
    operationId: vm.operationId || vm.migrationId,
    createdAtMs: record.createdAtMs,
    startedAtMs: runner ? record.begunAtMs || runner.report.startedAtMs : 0,
    seenAtMs: vm.seenAtMs,
    leaseEpoch: record.epoch,
    pauses: runner?.report.pauses ?? [],
    cpuUsed: runner?.report.cpuUsed ?? 0,
    dirtyBytesPerSecond: runner?.report.dirtyBytesPerSecond ?? 0,
    revision: record.revision,
    adopted: record.adopted,
    vmmId: runner?.report.vmmId ?? '',
    cpu: runner?.report.facts?.cpu ?? record.cpu ?? null,
  };
}

export function hostView(ctx: Context, host: Host): object {
  const { record, report } = host;
  const vms = vmsOn(ctx, host);
  const why = whyNotPowerOff(ctx, host);
  return {
    hostId: record.id,
    name: record.name,
    state: enumName('HOST_STATE_', hostState(host)),
    facts: report?.facts ?? null,
    load: report?.load ?? null,
    totalMemoryBytes: report?.totalMemoryBytes ?? 0,
    promisedMemoryBytes: vms.reduce((sum, { record: { spec } }) => sum + (spec.reservedMemoryBytes || spec.memoryBytes), 0),
    datastores: [...host.datastores.values()].map(({ vms: _, vmsListed: __, vmsMore: ___, ...rest }) => rest),
    vmIds: vms.map((vm) => vm.record.id),
    agentVersion: host.agentVersion,
    bootId: record.bootId,
    joinedAtMs: record.joinedAtMs,
    seenAtMs: host.status === 'waiting' ? 0 : host.heardAtMs,
    certificateEndsAtMs: record.certificateEndsAtMs,
    warnings: report?.warnings ?? [],
    groups: [...ctx.state.groups.values()]
      .filter(({ hosts }) => hosts.includes(record.id) || hosts.includes(record.name))
      .map(({ name }) => name),
    safeToPowerOff: why === '',
    line: record.maintenance === 'no' ? '' : why,
    operationId: host.operationId,
  };
}

function hostState({ status, sessionId, record }: Host): string {
  if (status === 'dead') return 'dead';
  if (status !== 'ready' || !sessionId) return 'unreachable';
  return record.maintenance === 'no' ? 'ready' : record.maintenance === 'draining' ? 'draining' : 'maintenance';
}

export function migrationView(state: ClusterState, migration: MigrationRecord): object {
  const { id, sourceHostId, targetHostId, parentId, stage } = migration;
  const names = ['vmId', 'vmName', 'stage', 'vmIs', 'line', 'cause', 'actor', 'createdAtMs', 'endedAtMs', 'cancelWanted'] as const;
  return {
    ...Object.fromEntries(names.map((name) => [name, migration[name]])),
    migrationId: id,
    sourceHostId,
    sourceHostName: state.hostName(sourceHostId),
    targetHostId,
    targetHostName: targetHostId && state.hostName(targetHostId),
    outcome: stage === 'ended' ? migration.outcome : '',
    record: migration.record ?? null,
    operationId: parentId || id,
  };
}

const ENDED: Readonly<Record<string, OperationState>> = { completed: 'succeeded', cancelled: 'cancelled', unknown: 'unknown' };

/** A migration is an operation, too, of the same id. */
export function migrationOperation(state: ClusterState, migration: MigrationRecord): object {
  const { id, stage, outcome, targetHostId, endedAtMs, errorCode } = migration;
  const names = ['vmId', 'vmName', 'line', 'createdAtMs', 'deadlineAtMs', 'actor', 'cancelWanted'] as const;
  const is: OperationState = stage === 'ended' ? (ENDED[outcome] ?? 'failed') : 'running';
  return {
    ...Object.fromEntries(names.map((name) => [name, migration[name]])),
    operationId: id,
    kind: 'migrate-vm',
    state: enumName('OPERATION_STATE_', is),
    hostId: targetHostId,
    hostName: targetHostId && state.hostName(targetHostId),
    migrationId: id,
    errorCode: is === 'succeeded' ? '' : errorCode,
    items: [],
    endedAtMs,
    // What remains grows again with each round: no share of it would never run backwards. The record tells rounds and rates.
    progress: is === 'succeeded' ? 1 : 0,
  };
}

export function operationView(state: ClusterState, operation: OperationRecord): object {
  const names = [
    'kind',
    'vmId',
    'vmName',
    'hostId',
    'line',
    'errorCode',
    'createdAtMs',
    'endedAtMs',
    'deadlineAtMs',
    'actor',
    'progress',
    'cancelWanted',
  ] as const;
  return {
    ...Object.fromEntries(names.map((name) => [name, operation[name]])),
    operationId: operation.id,
    hostName: operation.hostId && state.hostName(operation.hostId),
    state: enumName('OPERATION_STATE_', operation.state),
    migrationId: '',
    items: operation.items.map(({ vmId, vmName, state: is, line, errorCode, migrationId, toHostName }) => ({
      vmId,
      vmName,
      state: enumName('OPERATION_STATE_', is),
      line,
      errorCode,
      migrationId,
      toHostName,
    })),
  };
}

/** An operation or migration of that id; undefined: none. */
export function anyOperation(state: ClusterState, id: string): object | undefined {
  const operation = state.operations.get(id);
  const migration = state.migrations.get(id);
  return operation ? operationView(state, operation) : migration && migrationOperation(state, migration);
}

export const verdictView = ({ missingFeatures, missingUsedFeatures, ...rest }: Verdict): object => ({
  ...rest,
  missingFeatures,
  missingUsedFeatures,
});

export function planView(state: ClusterState, { blockers, moves }: DrainPlan): object {
  const name = (vmId: string): string => state.vms.get(vmId)?.record.spec.name ?? vmId;
  return {
    blockers: blockers.map(({ vmId, hosts, line }) => ({ vmId, vmName: name(vmId), hosts: hosts.map(verdictView), line })),
    moves: moves.map((move) => moveView(state, move)),
  };
}

export const moveView = (state: ClusterState, { vmId, toHostId, line, how = 'live' }: PlannedMove): object => ({
  vmId,
  vmName: state.vms.get(vmId)?.record.spec.name ?? vmId,
  toHostId,
  toHostName: state.hostName(toHostId),
  how,
  line,
});
