/** Serves one VM's process on its control socket: service Vmm of proto/godwit/v1/vmm.proto. */
import { chmodSync, rmSync } from 'node:fs';
import net from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { ProcessError } from './errors';
import { handlers, serviceOf } from './grpc';
import { vmmMethods } from './vmm-methods';
import type { VmmProcess } from './vmm-process';

const MAX_SOCKET_PATH = 107;
const SETTLE_MS = 2_000;

export interface VmmService {
  /** Whoever watches has heard of the end, or is too slow. */
  settle(): Promise<void>;
  close(): void;
}

/** @throws ProcessError when somebody serves there already, or the path cannot be used */
export async function serveVmm(vmm: VmmProcess, socket: string): Promise<VmmService> {
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) throw new ProcessError('invalid', `the control socket's path is longer than ${MAX_SOCKET_PATH} bytes: ${socket}: choose a shorter folder`);
  if (await answers(socket)) throw new ProcessError('precondition', `another VM serves at ${socket} already: choose another socket`);
  rmSync(socket, { force: true });
  const server = new grpc.Server();
  const service = serviceOf('Vmm');
  server.addService(service, handlers(service, vmmMethods(vmm)));
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
    });
    chmodSync(socket, 0o600);
  } catch (error) {
    throw new ProcessError('precondition', `the control socket ${socket} cannot be made: ${(error as Error).message}`);
  } finally {
    process.umask(before);
  }
  return {
    settle: () =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, SETTLE_MS);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
    close: () => {
      server.forceShutdown();
      rmSync(socket, { force: true });
    },
  };
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
