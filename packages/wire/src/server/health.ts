/** grpc.health.v1.Health, the standard way to ask whether a server and its services are at work. */
import type * as grpc from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { PACKAGE } from '../schema/schema';
import { guarded } from './guarded';
import type { HandlerPorts } from './handlers';

export interface Health {
  /** `service` empty: the server as a whole; else a name such as `Vms`. At first all are serving. */
  set(service: string, serving: boolean): void;
}

const fullName = (service: string): string => (service === '' ? '' : `${PACKAGE}.${service}`);

export function healthOf(server: grpc.Server, services: readonly string[], ports: HandlerPorts): Health {
  const health = new HealthImplementation(Object.fromEntries(['', ...services].map((service) => [fullName(service), 'SERVING' as const])));
  health.addToServer(guarded(server, ports) as Parameters<HealthImplementation['addToServer']>[0]);
  return { set: (service, serving) => health.setStatus(fullName(service), serving ? 'SERVING' : 'NOT_SERVING') };
}
