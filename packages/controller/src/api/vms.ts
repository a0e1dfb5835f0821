/** Service Vms. */
import type { Context } from '../core/context';
import { cloneVm, changeVm, createVm, findVm, pauseVm, removeVm, resetVm, resumeVm, startVm, stopVm, suspendVm } from '../core/vm-requests';
import { migrate } from '../core/cluster-requests';
import type { OperationRecord } from '../core/records';
import { type ClusterState, runnerOf, stateOf, type Vm } from '../core/state';
import { flag, inner, maybe, number, text, texts } from '../rpc/fields';
import { readSettings, readSpec } from '../rpc/spec-codec';
import type { Message } from '../rpc/rpc';
import type { ApiPorts, ApiService, ApiUnary } from './ports';
import { asked } from './requests';
import { migrationOperation, operationView, verdictView, vmView } from './views';
import { watchAll } from './watching';

export function vmsService(ports: ApiPorts): ApiService {
  const operation =
    (begin: (ctx: Context, request: Message, actor: string) => OperationRecord): ApiUnary =>
    (request, { identity }) => {
      const leadership = ports.leadership();
      return leadership.ask((ctx) => operationView(ctx.state, begin(ctx, request, identity.user)));
    };
  const vm = (request: Message): string => text(request, 'vm');
  const simple = (begin: (ctx: Context, given: ReturnType<typeof asked> & { vm: string }) => OperationRecord): ApiUnary =>
    operation((ctx, request, actor) => begin(ctx, { ...asked(request, actor), vm: vm(request) }));
  return {
    GetVm: (request) => ports.leadership().ask((ctx) => vmView(ctx.state, findVm(ctx, vm(request)))),
    ListVms: async (request) => {
      const { state } = ports.leadership();
      const wanted = filterOf(request);
      const vms = [...state.vms.values()].filter((one) => wanted(state, one));
      vms.sort((a, b) => (a.record.spec.name < b.record.spec.name ? -1 : 1));
      return { vms: vms.map((one) => vmView(state, one)) };
    },
    WatchVms: {
      stream: (request, { signal }) => {
        const { state } = ports.leadership();
        const wanted = filterOf(request);
        const view = (id: string): object | undefined => {
          const one = state.vms.get(id);
          return one && wanted(state, one) ? vmView(state, one) : undefined;
        };
        return watchAll(ports, 'vm', 'vm', () => state.vms.keys(), view, signal);
      },
    },
    CreateVm: operation((ctx, request, actor) =>
      createVm(ctx, {
        ...asked(request, actor),
        spec: readSpec(inner(request, 'spec')),
        datastore: text(request, 'datastore'),
        host: text(request, 'host'),
        start: flag(request, 'start'),
      }),
    ),
    StartVm: operation((ctx, request, actor) =>
      startVm(ctx, {
        ...asked(request, actor),
        vm: vm(request),
        host: text(request, 'host'),
        paused: flag(request, 'paused'),
        discardSavedState: flag(request, 'discardSavedState'),
      }),
    ),
    StopVm: operation((ctx, request, actor) =>
      stopVm(ctx, { ...asked(request, actor), vm: vm(request), kill: flag(request, 'kill'), killAfterMs: maybe(request, 'killAfterMs') }),
    ),
    SuspendVm: simple(suspendVm),
    ResumeVm: simple(resumeVm),
    PauseVm: simple(pauseVm),
    ResetVm: simple(resetVm),
    CloneVm: operation((ctx, request, actor) =>
      cloneVm(ctx, {
        ...asked(request, actor),
        vm: vm(request),
        name: text(request, 'name'),
        datastore: text(request, 'datastore'),
        linked: flag(request, 'linked'),
        start: flag(request, 'start'),
      }),
    ),
    ChangeVm: (request, { identity }) =>
      ports.leadership().ask((ctx) => {
        const done = changeVm(ctx, {
          ...asked(request, identity.user),
          vm: vm(request),
          spec: readSpec(inner(request, 'spec')),
          revision: number(request, 'revision'),
        });
        const { record } = findVm(ctx, vm(request));
        return done
          ? operationView(ctx.state, done)
          : {
              kind: 'change-vm',
              state: 'OPERATION_STATE_SUCCEEDED',
              vmId: record.id,
              vmName: record.spec.name,
              line: 'changed',
              progress: 1,
              actor: identity.user,
            };
      }),
    RemoveVm: operation((ctx, request, actor) =>
      removeVm(ctx, { ...asked(request, actor), vm: vm(request), force: flag(request, 'force') }),
    ),
    Console: { bidi: (requests, call) => ports.consoles.user(requests, call, ports.leadership()) },
  };
}

/** Of service Migrations: beside its answer on every host. */
export const migrateMethod =
  (ports: ApiPorts): ApiUnary =>
  (request, { identity }) =>
    ports.leadership().ask((ctx) => {
      const given = {
        ...asked(request, identity.user),
        vm: text(request, 'vm'),
        toHost: text(request, 'toHost'),
        settings: readSettings(inner(request, 'settings')),
        dryRun: flag(request, 'dryRun'),
        force: flag(request, 'force'),
      };
      const { placement, migration } = migrate(ctx, given);
      const chosen = migration?.targetHostId ?? placement.hostId;
      return {
        migrationId: migration?.id ?? '',
        operation: migration ? migrationOperation(ctx.state, migration) : null,
        hosts: placement.hosts.map(verdictView),
        chosenHostId: chosen,
        chosenHostName: chosen && ctx.state.hostName(chosen),
        line: placement.line,
      };
    });

function filterOf(request: Message): (state: ClusterState, vm: Vm) => boolean {
  const [host, part] = [text(request, 'host'), text(request, 'nameContains')];
  const labels = texts(request, 'labels').map((label) => label.split('=', 2));
  const states = texts(request, 'states').map((state) => state.replace('VM_STATE_', '').toLowerCase());
  return (state, vm) => {
    const { spec, hostId } = vm.record;
    const at = runnerOf(state, vm)?.host.record.id ?? hostId;
    return (
      (!host || at === state.findHost(host)?.record.id) &&
      spec.name.includes(part) &&
      labels.every(([key, value]) => (value === undefined ? key in spec.labels : spec.labels[key] === value)) &&
      (states.length === 0 || states.includes(stateOf(state, vm)))
    );
  };
}
