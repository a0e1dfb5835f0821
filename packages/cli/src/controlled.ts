import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { allowedFeatures, openLink, serveVmm, suspendToFile, Vm, VmmProcess, type VmSpec } from '@godwit/vmm';
import { attachConsole } from './console';
import { exitCodes, usageError } from './errors';
import type { HeldLease } from './lease';
import type { NetOption } from './net-options';
import { loadInto, type Resumable } from './resume';
import { report, writeStats } from './outcome';
import type { RunOptions } from './run-options';

interface Run {
  readonly options: RunOptions;
  readonly resumed: Resumable | undefined;
  readonly lease: HeldLease | undefined;
  readonly spec: VmSpec;
}

/** What brings a VM to a waiting process: written by `run --incoming`, read by `migrate`. Secret. */
export interface Ticket {
  readonly address: string;
  readonly token: string;
  readonly vm: string;
}

/** `godwit run` with a control socket, or waiting for a VM: it can be moved while it runs. Returns the exit code. */
export async function runControlled({ options, resumed, lease, spec }: Run): Promise<number> {
  if (!lease) throw usageError('--control and --incoming need --vm DATASTORE/NAME: a VM moves by its lease there');
  const { hostId, hostName, vmmId } = lease.owner;
  const networks = options.nets.map(networkName);
  const vmm = new VmmProcess({
    vm: { vmId: lease.vmId, name: lease.name, datastores: [lease.datastore.id], networks, localMedia: localMedia(spec, lease.datastore.where) },
    host: { hostId, hostName, features: allowedFeatures(), datastores: [lease.datastore.id], networks },
    vmmId,
    holder: lease.holder,
    openLink: (waiting) => openLink({ listen: listenAt(options.listen), tls: options.tls, incoming: () => waiting.waiting, log: (line) => process.stderr.write(`godwit: ${line}\n`) }),
    suspend: suspendToFile(options.suspendTo, options.origin),
    log: (line) => process.stderr.write(`godwit: ${line}\n`),
  });
  const service = options.control === undefined ? undefined : await serveVmm(vmm, options.control);
  let detach = (): void => {};
  const leave = (): void => {
    if (vmm.arriving) vmm.waiting.cancel('left');
    else if (options.suspendTo === undefined) vmm.vm?.stop();
    else vmm.suspend().catch((error: Error) => process.stderr.write(`godwit: ${error.message}\n`));
    if (!vmm.vm) vmm.giveUpWaiting('left before the VM came');
  };
  const take = (vm: Vm): void => {
    detach = attachConsole(vm, leave);
    vm.on('trace', (line: string) => process.stderr.write(`trace: ${line}\n`));
  };
  process.on('SIGINT', leave);
  process.on('SIGTERM', leave);
  try {
    vmm.on('arrived', take);
    if (options.incoming !== undefined) await expect(vmm, spec, options);
    else await start(vmm, spec, resumed, take);
    const end = await vmm.ended;
    // Whoever watches hears of the end before the socket goes.
    await service?.close();
    if (options.stats !== undefined && end.stats) writeStats(options.stats, end.stats);
    if (end.reason !== 'migrated') return end.reason === 'not-come' ? notCome(end.line) : report({ kind: end.reason, detail: end.line });
    const [last] = vmm.migrations.records;
    process.stderr.write(`godwit: the VM runs on ${last.targetHost} now; it stood still for ${last.pauseMs?.toFixed(1)} ms\n`);
    return exitCodes.ok;
  } finally {
    detach();
    process.off('SIGINT', leave);
    process.off('SIGTERM', leave);
    await service?.close();
  }
}

async function start(vmm: VmmProcess, spec: VmSpec, resumed: Resumable | undefined, take: (vm: Vm) => void): Promise<void> {
  const vm = new Vm(spec);
  vmm.adopt(vm);
  take(vm);
  await vm.start();
  if (resumed) await loadInto(vm, resumed);
}

async function expect(vmm: VmmProcess, spec: VmSpec, { incoming, vm, control }: RunOptions): Promise<void> {
  vmm.wait((features) => ({ ...spec, features: [...features] }));
  const { address, token } = await vmm.waiting.expect('', '');
  const ticket: Ticket = { address, token, vm: vm! };
  writeFileSync(incoming!, `${JSON.stringify(ticket)}\n`, { mode: 0o600 });
  process.stderr.write(`godwit: waiting for the VM at ${address}; where it runs: npx godwit migrate --control ${control ? 'ITS_SOCKET' : 'SOCKET'} --ticket ${path.resolve(incoming!)}\n`);
}

function notCome(line: string): number {
  process.stderr.write(`godwit: the VM did not come: ${line}\n`);
  return exitCodes.failed;
}

function listenAt(text: string | undefined): { host: string; port: number } {
  if (text === undefined) return { host: '127.0.0.1', port: 0 };
  const at = text.lastIndexOf(':');
  const port = Number(text.slice(at + 1));
  if (at <= 0 || !Number.isInteger(port) || port < 0 || port > 65535) throw usageError(`--listen is HOST:PORT, not '${text}'`);
  return { host: text.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port };
}

/** The same on both hosts when the VM finds the same network there. */
const networkName = ({ network }: NetOption): string => (network.kind === 'bridge' ? network.name : network.kind);

/** Images that lie outside the datastore: another host does not have them. */
function localMedia({ disks = [] }: VmSpec, where: string): string[] {
  const shared = (file: string, store: string | undefined): boolean => store !== undefined || file.startsWith(`${path.resolve(where)}/`);
  return disks.filter(({ image }) => !shared(path.resolve(image.location), image.store)).map(({ image }) => image.location);
}
