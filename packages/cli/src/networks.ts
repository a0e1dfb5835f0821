import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { macForVm, openTap, startUsernet, type Usernet } from '@godwit/network';
import type { NicSpec } from '@godwit/vmm';
import type { NetOption } from './net-options';

/** Networks that this process opened for its VM, and how to close them. */
export interface OpenNetworks {
  readonly nics: NicSpec[];
  close(): Promise<void>;
}

/**
 * Opens what --net asked for. @param vmId what adapters' addresses are made from where none is given.
 * @throws Error with code GODWIT_NETWORK, one line
 */
export async function openNetworks(options: readonly NetOption[], vmId: string): Promise<OpenNetworks> {
  const closers: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.reverse()) await closer();
  };
  try {
    const nics: NicSpec[] = [];
    for (const [index, { adapter, mac, network }] of options.entries()) {
      const { backend, offloads } = await open(network, closers);
      nics.push({ adapter, mac: mac ?? macForVm(vmId, index), backend, offloads });
    }
    return { nics, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(network: NetOption['network'], closers: (() => void | Promise<void>)[]): Promise<Pick<NicSpec, 'backend' | 'offloads'>> {
  if (network.kind === 'socket') return { backend: { kind: 'socket', path: network.path }, offloads: true };
  if (network.kind === 'user') {
    const folder = mkdtempSync(path.join(tmpdir(), 'godwit-net-'));
    closers.push(() => rmSync(folder, { recursive: true, force: true }));
    const usernet: Usernet = await startUsernet({ socket: path.join(folder, 'net'), control: path.join(folder, 'control'), forwards: [...network.forwards] });
    closers.push(() => usernet.stop());
    return { backend: { kind: 'socket', path: usernet.config.socket }, offloads: true };
  }
  const tap = openTap(network.kind === 'tap' ? { name: network.name } : { bridge: network.name });
  closers.push(() => tap.close());
  return { backend: { kind: 'tap', fd: tap.fd }, offloads: true };
}
