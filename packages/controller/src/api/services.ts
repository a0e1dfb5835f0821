/** The public API as services: who calls, whether they may, then the method; errors in the form that callers are told. */
import type { Logger } from 'pino';
import { Refusal } from '../core/errors';
import type { Call, Method, Services } from '../rpc/rpc';
import { accessService } from './access';
import { clusterService } from './cluster';
import { told } from './errors';
import { hostsService } from './hosts';
import { eventsService, migrationsService, operationsService } from './migrations';
import type { ApiCall, ApiMethod, ApiPorts } from './ports';
import { roleOf, suffices } from './roles';
import { vmsService } from './vms';

/** An error as a caller is told of it. */
export class Told extends Error {
  override readonly name = 'Told';
  readonly code: string;
  readonly status: string;

  constructor(error: unknown, id: string) {
    const { code, status, line } = told(error, id);
    super(line);
    this.code = code;
    this.status = status;
  }
}

/** Told of each call: how it ended, by its gRPC status. */
export interface CallObserver {
  call(method: string): (code: string) => void;
  stream(method: string): (code: string) => void;
}

const NOBODY: CallObserver = { call: () => () => undefined, stream: () => () => undefined };

export function apiServices(ports: ApiPorts, log: Logger, newId: () => string, observer?: CallObserver): Services {
  const all = {
    Vms: vmsService(ports),
    Hosts: hostsService(ports),
    Migrations: migrationsService(ports),
    Operations: operationsService(ports),
    Events: eventsService(ports),
    Cluster: clusterService(ports),
    Access: accessService(ports),
  };
  const guard = new Guard(ports, log, newId, observer);
  return Object.fromEntries(
    Object.entries(all).map(([service, methods]) => [
      service,
      Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, guard.wrap(service, name, method)])),
    ]),
  );
}

export class Guard {
  constructor(
    private readonly ports: Pick<ApiPorts, 'access'>,
    private readonly log: Logger,
    private readonly newId: () => string,
    private readonly observer: CallObserver = NOBODY,
  ) {}

  wrap(service: string, name: string, method: ApiMethod): Method {
    if (typeof method === 'function') {
      return {
        unary: async (request, call) => {
          const ended = this.observer.call(`${service}.${name}`);
          let code = 'OK';
          try {
            return await method(request, await this.admit(service, name, call));
          } catch (error) {
            const known = this.tell(error, service, name);
            code = known.status;
            throw known;
          } finally {
            ended(code);
          }
        },
      };
    }
    if ('stream' in method)
      return { stream: (request, call) => this.streaming(service, name, call, (known) => method.stream(request, known)) };
    return { bidi: (requests, call) => this.streaming(service, name, call, (known) => method.bidi(requests, known)) };
  }

  private async *streaming(
    service: string,
    name: string,
    call: Call,
    begin: (call: ApiCall) => AsyncIterable<object>,
  ): AsyncIterable<object> {
    const ended = this.observer.stream(`${service}.${name}`);
    let code = 'OK';
    try {
      yield* begin(await this.admit(service, name, call));
    } catch (error) {
      const known = this.tell(error, service, name);
      code = known.status;
      throw known;
    } finally {
      ended(code);
    }
  }

  private async admit(service: string, name: string, call: Call): Promise<ApiCall> {
    const needs = roleOf(service, name);
    if (!needs) throw new Refusal('unsupported', `${service}.${name} is not served`);
    const identity = await this.ports.access.identify(call);
    if (suffices(identity.role, needs)) return { ...call, identity };
    if (!identity.user) throw new Refusal('no-login', 'log in first, or show a certificate');
    throw new Refusal('role', `${identity.user} has the role ${identity.role}; this needs ${needs}`);
  }

  private tell(error: unknown, service: string, name: string): Told {
    const id = this.newId();
    const known = new Told(error, id);
    if (known.code === 'internal')
      this.log.error(
        { id, service, method: name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
        'an error that should not be',
      );
    return known;
  }
}
