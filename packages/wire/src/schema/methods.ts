/** Services of the schema as this package calls and serves them: paths, directions, codecs. */
import type { Method, Service } from 'protobufjs';
import type { ServiceName } from '../generated/services';
import { type Codec, codecOf } from './codec';
import { PACKAGE, schema } from './schema';

export interface MethodInfo {
  /** As in the .proto: GetStatus. */
  readonly protoName: string;
  /** /godwit.v1.Vmm/GetStatus */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly request: Codec;
  readonly response: Codec;
}

/** Methods by their name in TypeScript: getStatus. */
export type ServiceInfo = ReadonlyMap<string, MethodInfo>;

const services = new Map<string, ServiceInfo>();

export function serviceInfo(name: ServiceName): ServiceInfo {
  const known = services.get(name);
  if (known) return known;
  const service = schema().lookupService(`${PACKAGE}.${name}`);
  const info = new Map(service.methodsArray.map((method) => [camel(method.name), methodInfo(service, method)]));
  services.set(name, info);
  return info;
}

export const camel = (name: string): string => name[0].toLowerCase() + name.slice(1);

const methodInfo = (service: Service, method: Method): MethodInfo => ({
  protoName: method.name,
  path: `/${PACKAGE}.${service.name}/${method.name}`,
  requestStream: method.requestStream ?? false,
  responseStream: method.responseStream ?? false,
  request: codecOf(method.resolvedRequestType!),
  response: codecOf(method.resolvedResponseType!),
});
