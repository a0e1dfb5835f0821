/** Service Hosts. */
import { drainHost, removeHost, resumeHost } from '../core/cluster-requests';
import { findHost } from '../core/vm-requests';
import { flag, inner, number, text } from '../rpc/fields';
import { readSettings } from '../rpc/spec-codec';
import { tellAccess } from './access';
import type { Message } from '../rpc/rpc';
import type { Leadership } from '../leader/leadership';
import type { ApiPorts, ApiService } from './ports';
import { asked } from './requests';
import { hostView, operationView, planView } from './views';

const OTHERWISE = { suspend: 'suspend', stop: 'stop', leave: 'leave', '': 'leave' } as const;

export function hostsService(ports: ApiPorts): ApiService {
  const host = (request: Message): string => text(request, 'host');
  return {
    GetHost: (request) => ports.leadership().ask((ctx) => hostView(ctx, findHost(ctx, host(request)))),
    ListHosts: () =>
      ports.leadership().ask((ctx) => ({
        hosts: [...ctx.state.hosts.values()].sort((a, b) => (a.record.name < b.record.name ? -1 : 1)).map((one) => hostView(ctx, one)),
      })),
    WatchHosts: { stream: (_, { signal }) => watchHosts(ports, ports.leadership(), signal) },
    CreateJoinToken: async (request, { identity }) => {
      const { token, endsAtMs } = await ports.access.createJoinToken(text(request, 'hostName'), number(request, 'validMs'));
      await tellAccess(ports, identity.user, `a token for host ${text(request, 'hostName')} to join with was made`);
      const { addresses, seal } = ports.joining();
      return { token: seal(token), endsAtMs, controllers: addresses };
    },
    DrainHost: (request, { identity }) =>
      ports.leadership().ask((ctx) => {
        const otherwise = OTHERWISE[text(request, 'otherwise') as keyof typeof OTHERWISE] ?? 'leave';
        const given = {
          ...asked(request, identity.user),
          host: host(request),
          dryRun: flag(request, 'dryRun'),
          otherwise,
          settings: readSettings(inner(request, 'settings')),
          concurrent: number(request, 'concurrent'),
        };
        const { plan, operation } = drainHost(ctx, given);
        return { plan: planView(ctx.state, plan), operation: operation ? operationView(ctx.state, operation) : null };
      }),
    ResumeHost: (request, { identity }) => ports.leadership().ask((ctx) => hostView(ctx, resumeHost(ctx, host(request), identity.user))),
    RemoveHost: async (request, { identity }) => {
      await ports.leadership().ask((ctx) => removeHost(ctx, host(request), flag(request, 'force'), identity.user));
      return {};
    },
  };
}

async function* watchHosts(ports: ApiPorts, leadership: Leadership, signal: AbortSignal): AsyncIterable<object> {
  const shown = new Map<string, object>();
  let first = true;
  for await (const changed of ports.watchers.watch('host', signal)) {
    for (const id of first ? [...leadership.state.hosts.keys()] : changed) {
      const now = await leadership.ask((ctx) => {
        const one = ctx.state.hosts.get(id);
        return one && hostView(ctx, one);
      });
      const before = shown.get(id);
      if (now) {
        shown.set(id, now);
        yield { change: 'CHANGE_KIND_PUT', host: now };
      } else if (before) {
        shown.delete(id);
        yield { change: 'CHANGE_KIND_REMOVED', host: before };
      }
    }
    if (first) yield { change: 'CHANGE_KIND_SYNCED' };
    first = false;
  }
}
