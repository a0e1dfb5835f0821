/** gRPC server reflection: `grpcurl` and its like can ask what is served here. */
import * as grpc from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { PACKAGE, PROTO_FOLDER, protoFiles } from '../schema/schema';
import { guarded } from './guarded';
import type { HandlerPorts } from './handlers';

let definition: PackageDefinition | undefined;

/** Descriptors take some 100 ms to make: only once somebody asks. */
function reflectionFor(services: readonly string[]): ReflectionService {
  // Names as the files have them: tools show those.
  definition ??= loadSync(protoFiles(), { includeDirs: [PROTO_FOLDER], keepCase: true });
  return new ReflectionService(definition, { services: services.map((service) => `${PACKAGE}.${service}`) });
}

export function addReflection(server: grpc.Server, services: readonly string[], ports: HandlerPorts): void {
  // The service's own definition needs no descriptors of ours: take it from an empty package.
  let real: Map<string, grpc.UntypedHandleCall> | undefined;
  const find = (path: string): grpc.UntypedHandleCall => (real ??= handlersOf(reflectionFor(services))).get(path)!;
  new ReflectionService({}).addToServer({
    addService: (service, implementation) => {
      const lazy = Object.fromEntries(
        Object.keys(implementation).map((name) => [
          name,
          ((call: never, answer: never) =>
            (find(service[name].path) as (call: never, answer: never) => void)(call, answer)) as grpc.UntypedHandleCall,
        ]),
      );
      guarded(server, ports).addService(service, lazy);
    },
  });
}

function handlersOf(reflection: ReflectionService): Map<string, grpc.UntypedHandleCall> {
  const handlers = new Map<string, grpc.UntypedHandleCall>();
  reflection.addToServer({
    addService: (service, implementation) => {
      for (const [name, handler] of Object.entries(implementation)) handlers.set(service[name].path, handler);
    },
  });
  return handlers;
}
