/** Services Migrations, Operations and Events. */
import { askCancelMigration, cancelOperation, changeMigration, findMigration } from '../core/cluster-requests';
import { Refusal } from '../core/errors';
import type { MigrationRecord, OperationRecord } from '../core/records';
import type { ClusterState } from '../core/state';
import { DEFAULT_LIST, MAX_EVENTS } from '../limits';
import { flag, inner, number, text } from '../rpc/fields';
import type { Message } from '../rpc/rpc';
import { readSettings } from '../rpc/spec-codec';
import type { ApiPorts, ApiService } from './ports';
import { anyOperation, migrationView } from './views';
import { migrateMethod } from './vms';
import { watchAll, watchOne } from './watching';

export function migrationsService(ports: ApiPorts): ApiService {
  const id = (request: Message): string => text(request, 'migrationId');
  return {
    Migrate: migrateMethod(ports),
    GetMigration: (request) => ports.leadership().ask((ctx) => migrationView(ctx.state, findMigration(ctx, id(request)))),
    ListMigrations: async (request) => {
      const { state } = ports.leadership();
      const wanted = filterOf(request, state);
      return {
        migrations: newest([...state.migrations.values()].filter(wanted), number(request, 'limit')).map((one) => migrationView(state, one)),
      };
    },
    WatchMigrations: {
      stream: (request, { signal }) => {
        const { state } = ports.leadership();
        const wanted = filterOf(request, state);
        const view = (migrationId: string): object | undefined => {
          const one = state.migrations.get(migrationId);
          return one && wanted(one) ? migrationView(state, one) : undefined;
        };
        return watchAll(ports, 'migration', 'migration', () => state.migrations.keys(), view, signal);
      },
    },
    WatchMigration: {
      stream: async function* (request, { signal }) {
        const leadership = ports.leadership();
        const migration = await leadership.ask((ctx) => findMigration(ctx, id(request)));
        yield* watchOne(
          ports,
          ['migration'],
          migration.id,
          () => migrationView(leadership.state, migration),
          () => migration.stage === 'ended',
          signal,
        );
      },
    },
    ChangeMigration: (request) =>
      ports
        .leadership()
        .ask((ctx) => migrationView(ctx.state, changeMigration(ctx, id(request), readSettings(inner(request, 'settings'))))),
    CancelMigration: (request, { identity }) =>
      ports
        .leadership()
        .ask((ctx) =>
          migrationView(ctx.state, askCancelMigration(ctx, id(request), text(request, 'why') || `cancelled by ${identity.user}`)),
        ),
  };
}

export function operationsService(ports: ApiPorts): ApiService {
  const id = (request: Message): string => text(request, 'operationId');
  const get = (state: ClusterState, wanted: string): object => {
    const operation = anyOperation(state, wanted);
    if (!operation) throw new Refusal('no-operation', `there is no operation ${wanted}`);
    return operation;
  };
  return {
    GetOperation: async (request) => get(ports.leadership().state, id(request)),
    ListOperations: async (request) => {
      const { state } = ports.leadership();
      const [vm, host, running] = [state.findVm(text(request, 'vm')), state.findHost(text(request, 'host')), flag(request, 'runningOnly')];
      const wanted = (one: OperationRecord | MigrationRecord): boolean =>
        (!text(request, 'vm') || one.vmId === vm?.record.id) &&
        (!text(request, 'host') ||
          ('kind' in one ? [one.hostId] : [one.sourceHostId, one.targetHostId]).includes(host?.record.id ?? '-')) &&
        (!running || one.endedAtMs === 0);
      const all = [...state.operations.values(), ...state.migrations.values()].filter(wanted);
      return { operations: newest(all, number(request, 'limit')).map((one) => get(state, one.id)) };
    },
    WatchOperation: {
      stream: async function* (request, { signal }) {
        const { state } = ports.leadership();
        const wanted = id(request);
        get(state, wanted);
        const isOver = (): boolean =>
          (state.operations.get(wanted)?.state ?? state.migrations.get(wanted)?.stage) !== 'running' &&
          (state.operations.has(wanted) || state.migrations.get(wanted)?.stage === 'ended');
        yield* watchOne(ports, ['operation', 'migration'], wanted, () => get(state, wanted), isOver, signal);
      },
    },
    CancelOperation: (request, { identity }) =>
      ports.leadership().ask((ctx) => {
        cancelOperation(ctx, id(request), text(request, 'why') || `cancelled by ${identity.user}`);
        return get(ctx.state, id(request));
      }),
  };
}

export const eventsService = ({ timeline }: ApiPorts): ApiService => ({
  ListEvents: async (request) => ({ events: await timeline.list(request) }),
  WatchEvents: { stream: (request, { signal }) => timeline.watch(request, signal) },
});

function filterOf(request: Message, state: ClusterState): (migration: MigrationRecord) => boolean {
  const vm = text(request, 'vm') && (state.findVm(text(request, 'vm'))?.record.id ?? text(request, 'vm'));
  const host = text(request, 'host') && (state.findHost(text(request, 'host'))?.record.id ?? text(request, 'host'));
  const running = flag(request, 'runningOnly');
  return ({ vmId, sourceHostId, targetHostId, stage }) =>
    (!vm || vmId === vm) && (!host || sourceHostId === host || targetHostId === host) && (!running || stage !== 'ended');
}

const newest = <T extends { createdAtMs: number }>(all: T[], limit: number): T[] =>
  all.sort((a, b) => b.createdAtMs - a.createdAtMs).slice(0, Math.min(limit || DEFAULT_LIST, MAX_EVENTS));
