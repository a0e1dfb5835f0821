/** Every kind of event, its severity, and what it tells: docs/events.md is made from this table. */
export type Severity = 'info' | 'warning' | 'error';

interface EventKindRow {
  readonly severity: Severity;
  readonly doc: string;
}

export const EVENT_KINDS = {
  'vm.created': { severity: 'info', doc: 'a VM was made' },
  'vm.adopted': { severity: 'info', doc: 'a VM that was not made here was found on a host or datastore' },
  'vm.removed': { severity: 'info', doc: 'a VM and its files were removed' },
  'vm.started': { severity: 'info', doc: 'a VM runs on a host where it did not run before' },
  'vm.stopped': { severity: 'info', doc: 'a VM has ended: by its guest, or as asked' },
  'vm.crashed': { severity: 'error', doc: 'a VM has ended without having been asked to' },
  'vm.paused': { severity: 'info', doc: 'a VM was paused by an operator' },
  'vm.resumed': { severity: 'info', doc: 'a VM goes on' },
  'vm.suspended': { severity: 'info', doc: "a VM's state was saved, and it has ended" },
  'vm.changed': { severity: 'info', doc: "a VM's settings were changed" },
  'vm.stalled': { severity: 'warning', doc: 'a VM stands still because of its storage or its lease' },
  'vm.two-reports': {
    severity: 'warning',
    doc: 'two hosts speak of one VM as theirs; the higher lease epoch is right, the other may not run it',
  },
  'vm.restart-waits': { severity: 'warning', doc: 'a VM is to be restarted, and could not be yet' },
  'host.joined': { severity: 'info', doc: 'a host has joined the cluster' },
  'host.connected': { severity: 'info', doc: "a host's agent is connected" },
  'host.rebooted': { severity: 'warning', doc: 'a host has started anew: what ran there has ended' },
  'host.unreachable': { severity: 'warning', doc: 'a host is silent; its VMs may well run' },
  'host.dead': {
    severity: 'error',
    doc: 'a host has been silent for so long that its VMs are restarted elsewhere as their leases run out',
  },
  'host.draining': { severity: 'info', doc: 'a host is being emptied' },
  'host.maintenance': { severity: 'info', doc: 'a host is in maintenance and empty' },
  'host.resumed': { severity: 'info', doc: "a host's maintenance has ended" },
  'host.removed': { severity: 'info', doc: 'a host was taken out of the cluster' },
  'host.warning': { severity: 'warning', doc: 'a host reports that something is wrong with it' },
  'migration.queued': { severity: 'info', doc: 'a migration waits for its turn' },
  'migration.started': { severity: 'info', doc: 'a migration has begun' },
  'migration.completed': { severity: 'info', doc: 'a VM has moved' },
  'migration.cancelled': { severity: 'info', doc: 'a migration was cancelled; the VM stayed where it was' },
  'migration.failed': { severity: 'warning', doc: 'a migration failed; the line says where the VM runs' },
  'migration.unknown': { severity: 'error', doc: 'a migration has ended, and nobody could tell where the VM runs' },
  'operation.started': { severity: 'info', doc: 'an operation has begun' },
  'operation.succeeded': { severity: 'info', doc: 'an operation has succeeded' },
  'operation.partial': { severity: 'warning', doc: 'a part of a batch did not succeed' },
  'operation.failed': { severity: 'warning', doc: 'an operation failed' },
  'operation.cancelled': { severity: 'info', doc: 'an operation was cancelled' },
  'operation.unknown': { severity: 'error', doc: 'an operation ended, and nobody could tell what became of it' },
  'order.late': { severity: 'info', doc: 'an agent answered after the operation had ended' },
  'target.cleaned': { severity: 'info', doc: "a migration's waiting process was found after its end, and removed" },
  'cluster.changed': { severity: 'info', doc: 'settings, rules, groups or the CPU baseline were changed' },
  'balance.proposed': { severity: 'info', doc: 'moves that would even out the load; nothing is done' },
  'access.changed': { severity: 'info', doc: 'users, roles or tokens were changed' },
  'controller.leads': { severity: 'info', doc: 'a controller leads from now on' },
} as const satisfies Record<string, EventKindRow>;

export type EventKind = keyof typeof EVENT_KINDS;

export interface EventDraft {
  readonly kind: EventKind;
  readonly line: string;
  readonly vmId?: string;
  readonly hostId?: string;
  readonly migrationId?: string;
  readonly operationId?: string;
  readonly actor?: string;
  readonly cause?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}
