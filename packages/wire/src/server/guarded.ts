/** A server that adds others' ready-made services, behind the same check of the caller's certificate as our own. */
import type * as grpc from '@grpc/grpc-js';
import { toStatus, WireError } from '../errors';
import type { HandlerPorts } from './handlers';

type AnyCall = grpc.ServerDuplexStream<unknown, unknown>;
type AnyHandler = (call: AnyCall, answer?: (error: Partial<grpc.StatusObject>) => void) => void;

export const guarded = (server: grpc.Server, ports: HandlerPorts): Pick<grpc.Server, 'addService'> => ({
  addService: (definition, implementation) =>
    server.addService(
      definition,
      Object.fromEntries(
        Object.entries(implementation).map(([name, handler]) => [name, guard(handler as AnyHandler, ports) as grpc.UntypedHandleCall]),
      ),
    ),
});

const guard =
  (handler: AnyHandler, ports: HandlerPorts): AnyHandler =>
  (call, answer) => {
    const why = ports.refuses(ports.connectionOf(call.getPeer()));
    if (why === undefined) return handler(call, answer);
    const status = toStatus(new WireError('unauthenticated', why));
    if (answer) answer(status);
    else call.emit('error', status);
  };
