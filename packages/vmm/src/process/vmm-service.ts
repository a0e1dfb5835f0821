/** Serves one VM's process on its control socket: service Vmm of proto/godwit/v1/vmm.proto. */
import { PLAIN, serve, WireError } from '@godwit/wire';
import { vmmMethods } from './vmm-methods';
import type { VmmProcess } from './vmm-process';

const MAX_SOCKET_PATH = 107;

export interface VmmService {
  /** Whoever watches has heard of the end, or is too slow. Idempotent. */
  close(): Promise<void>;
}

/** @throws WireError when somebody serves there already, or the path cannot be used */
export async function serveVmm(vmm: VmmProcess, socket: string): Promise<VmmService> {
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) throw new WireError('invalid', `the control socket's path is longer than ${MAX_SOCKET_PATH} bytes: ${socket}: choose a shorter folder`);
  try {
    const server = await serve({ address: `unix:${socket}`, security: PLAIN, services: { Vmm: vmmMethods(vmm) }, onDefect: (error, path) => vmm.parts.log(`a defect in ${path}: ${(error as Error).stack ?? String(error)}`) });
    return { close: () => server.close() };
  } catch (error) {
    throw error instanceof WireError ? error : new WireError('precondition', `the control socket ${socket} cannot be made: ${(error as Error).message}`);
  }
}
