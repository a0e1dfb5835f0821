/**
 * The operations on one VM, a row each: which orders go to which host, one after the other, by
 * what is seen that an order has been done even if its answer was lost, and what is wanted of the VM meanwhile.
 * A new operation is a row here, a case in requests.ts, and a message in controller.proto.
 */
import type { Context } from './context';
import { BUTTON_ORDER_MS, COPY_ORDER_MS, QUICK_ORDER_MS, SLOW_ORDER_MS, START_ORDER_MS } from './limits';
import type { OrderBody } from './orders';
import type { OperationKind, OperationRecord, WantedState } from './records';
import type { OrderResult } from './reports';
import { isActive, runnerOf, type Vm } from './state';

export interface Phase {
  readonly timeMs: number | ((operation: OperationRecord) => number);
  /** 'runner': where it runs; 'chosen': the operation's host. */
  readonly at: 'runner' | 'chosen';
  body(operation: OperationRecord, vm: Vm): OrderBody;
  /** By what is observed, whatever was answered. */
  reached?(ctx: Context, operation: OperationRecord, vm: Vm): boolean;
  done?(vm: Vm, result: OrderResult | undefined, operation: OperationRecord): void;
  /** The next phase; left out: the operation has succeeded. */
  readonly next?: string | ((operation: OperationRecord) => string | undefined);
  /** For an answer of that code, another phase instead of failing. */
  readonly instead?: (operation: OperationRecord, code: string) => string | undefined;
  /** The order starts the VM's process at its host: written down before it is sent. */
  readonly starts?: boolean;
  /** Another host may be tried after an answer of these codes. */
  readonly elsewhere?: readonly string[];
  /** The order that a cancel sends after it. */
  readonly undo?: 'kill' | 'remove';
}

export interface Kind {
  readonly first: string | ((operation: OperationRecord, vm: Vm) => string);
  readonly phases: Readonly<Record<string, Phase>>;
  /** What is wanted from its beginning on; put back if it fails for certain. */
  readonly wanted?: (operation: OperationRecord) => WantedState;
  /** As in "started web-1". */
  readonly past: string;
}

const runs = (ctx: Context, operation: OperationRecord, vm: Vm): boolean => {
  const runner = runnerOf(ctx.state, vm);
  const { epoch = 0 } = operation.arguments;
  return runner?.host.sessionId !== undefined && runner.report.epoch > epoch && ['running', 'paused'].includes(runner.report.state);
};
/** No process of it is left, as its host itself says. */
const ended = (ctx: Context, _: OperationRecord, vm: Vm): boolean =>
  !vm.record.hostId && ![...vm.vmms].some(([vmmId, hostId]) => isActive(ctx.state.hosts.get(hostId)!.vmms.get(vmmId)!));
const pausedByOperator = (ctx: Context, vm: Vm): boolean | undefined => runnerOf(ctx.state, vm)?.report.pauses.includes('operator');

/** What one host cannot and another may. */
const ANOTHER_HOST = ['no-memory', 'no-network', 'cpu', 'host', 'storage'];

const START: Phase = {
  timeMs: START_ORDER_MS,
  at: 'chosen',
  starts: true,
  elsewhere: ANOTHER_HOST,
  undo: 'kill',
  body: ({ arguments: given }, { record: { place, spec, suspended } }) =>
    suspended && !given.discardSavedState
      ? { kind: 'resumeSuspended', place, spec, takeOver: given.takeOver ?? false }
      : {
          kind: 'start',
          place,
          spec,
          takeOver: given.takeOver ?? false,
          paused: given.paused ?? false,
          discardSavedState: given.discardSavedState ?? false,
        },
  reached: runs,
};
const KILL: Phase = { timeMs: QUICK_ORDER_MS, at: 'runner', body: () => ({ kind: 'stop', how: 'kill' }), reached: ended };
const CREATE: Phase = {
  timeMs: COPY_ORDER_MS,
  at: 'chosen',
  undo: 'remove',
  body: (_, { record: { place, spec } }) => ({ kind: 'create', place, spec }),
  done: (vm) => {
    vm.record.creating = false;
  },
  next: ({ arguments: { start } }) => (start ? 'start' : undefined),
};
const REMOVE: Phase = { timeMs: SLOW_ORDER_MS, at: 'chosen', body: (_, { record: { place } }) => ({ kind: 'remove', place }) };

const wantStart = ({ arguments: { paused } }: OperationRecord): WantedState => (paused ? 'paused' : 'running');

export const KINDS: Readonly<Record<Exclude<OperationKind, 'drain-host' | 'balance'>, Kind>> = {
  'create-vm': { first: 'create', phases: { create: CREATE, start: START }, past: 'was made' },
  'clone-vm': { first: 'create', phases: { create: CREATE, start: START }, past: 'was made as a copy' },
  'start-vm': { first: 'start', phases: { start: START }, wanted: wantStart, past: 'runs' },
  'restart-vm': { first: 'start', phases: { start: START }, past: 'runs again' },
  'stop-vm': {
    first: ({ arguments: { kill } }) => (kill ? 'kill' : 'button'),
    wanted: () => 'stopped',
    past: 'is stopped',
    phases: {
      button: {
        timeMs: ({ arguments: { killAfterMs } }) => killAfterMs ?? BUTTON_ORDER_MS,
        at: 'runner',
        body: () => ({ kind: 'stop', how: 'button' }),
        reached: ended,
        instead: ({ arguments: { killAfterMs } }, code) => (code === 'time' && killAfterMs !== undefined ? 'kill' : undefined),
      },
      kill: KILL,
    },
  },
  'suspend-vm': {
    first: 'suspend',
    wanted: () => 'suspended',
    past: 'is suspended',
    phases: {
      suspend: {
        timeMs: SLOW_ORDER_MS,
        at: 'runner',
        body: () => ({ kind: 'suspend' }),
        reached: (ctx, operation, vm) => vm.record.suspended && ended(ctx, operation, vm),
        done: (vm) => {
          vm.record.suspended = true;
        },
      },
    },
  },
  'resume-vm': {
    first: (_, { record }) => (record.suspended ? 'start' : 'resume'),
    wanted: () => 'running',
    past: 'runs',
    phases: {
      start: START,
      resume: {
        timeMs: QUICK_ORDER_MS,
        at: 'runner',
        body: () => ({ kind: 'resume' }),
        reached: (ctx, _, vm) => pausedByOperator(ctx, vm) === false,
      },
    },
  },
  'pause-vm': {
    first: 'pause',
    wanted: () => 'paused',
    past: 'is paused',
    phases: {
      pause: {
        timeMs: QUICK_ORDER_MS,
        at: 'runner',
        body: () => ({ kind: 'pause' }),
        reached: (ctx, _, vm) => pausedByOperator(ctx, vm) === true,
      },
    },
  },
  'reset-vm': {
    first: 'reset',
    phases: { reset: { timeMs: QUICK_ORDER_MS, at: 'runner', body: () => ({ kind: 'reset' }) } },
    past: 'was reset',
  },
  'change-vm': {
    first: 'change',
    past: 'was changed',
    phases: {
      change: {
        timeMs: SLOW_ORDER_MS,
        at: 'chosen',
        body: ({ arguments: { spec } }, { record }) => ({
          kind: 'change',
          place: record.place,
          spec: spec!,
          growDisks: Object.fromEntries(
            spec!.disks
              .filter(({ file, sizeBytes }) => sizeBytes > (record.spec.disks.find((old) => old.file === file)?.sizeBytes ?? sizeBytes))
              .map(({ file, sizeBytes }) => [file, sizeBytes]),
          ),
        }),
      },
    },
  },
  'remove-vm': {
    first: (_, { record }) => (record.hostId ? 'kill' : 'remove'),
    wanted: () => 'stopped',
    past: 'was removed',
    phases: { kill: { ...KILL, next: 'remove' }, remove: REMOVE },
  },
};
