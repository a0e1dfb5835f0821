/** A VM's process from outside: the client of its control socket. */
import * as grpc from '@grpc/grpc-js';
import { ProcessError } from './errors';
import { raisedBy, serviceOf } from './grpc';

const DEADLINE_MS = 60_000;

export class VmmClient {
  private readonly client: grpc.Client & Record<string, (...args: unknown[]) => unknown>;

  constructor(private readonly socket: string) {
    const Client = grpc.makeGenericClientConstructor(serviceOf('Vmm'), 'Vmm');
    this.client = new Client(`unix:${socket}`, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 }) as unknown as typeof this.client;
  }

  /** One answer to one request, by the method's name in the .proto. @throws ProcessError */
  call<T>(method: string, request: object = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      this.client[method](request, { deadline: Date.now() + DEADLINE_MS }, (error: grpc.ServiceError | null, answer: T) => (error ? reject(this.explain(error)) : resolve(answer)));
    });
  }

  /** Many answers to one request. */
  async *stream<T>(method: string, request: object = {}): AsyncGenerator<T> {
    const call = this.client[method](request) as grpc.ClientReadableStream<T>;
    try {
      for await (const message of call) yield message as T;
    } catch (error) {
      throw this.explain(error as grpc.ServiceError);
    } finally {
      call.cancel();
    }
  }

  /** Messages both ways, as grpc-js gives them. */
  open(method: string): grpc.ClientDuplexStream<object, unknown> {
    return this.client[method]() as grpc.ClientDuplexStream<object, unknown>;
  }

  close(): void {
    this.client.close();
  }

  private explain(error: grpc.ServiceError): Error {
    const raised = raisedBy(error);
    if (raised) return raised;
    if (error.code === grpc.status.UNAVAILABLE) return new ProcessError('unavailable', `no VM answers at ${this.socket}: does it still run, and was it started with --control?`);
    return new ProcessError('unavailable', `the VM's process at ${this.socket} did not answer as it should: ${error.details}`);
  }
}
