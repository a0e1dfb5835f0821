/** How a VM in a datastore becomes a VmSpec on this host: its vm.json, the host's networks, the features it may have. */
import type { StorageFile, VmConfig, VmDirectory } from '@godwit/storage';
import { type NetBackend, openTap, parseMac, type Tap } from '@godwit/network';
import { z } from 'zod';
import type { NicSpec, VmSpec } from '../vm';
import { WireError } from '@godwit/wire';

const MAX_BOOT_BYTES = 256 << 20;
const file = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'the name of a file in the VM\'s boot folder');

/** What this program keeps under `settings` in vm.json. */
export const vmSettings = z.object({
  boot: z.object({ kernel: file, initrd: file.optional(), append: z.string().max(2048).default('console=ttyS0') }),
  /** What CPUID shows the guest; absent: all that the host has where it is started. */
  features: z.array(z.string().max(64)).max(512).optional(),
});
export type VmSettings = z.infer<typeof vmSettings>;

/** A network of the host under the name that VMs know it by. */
export const hostNetwork = z.discriminatedUnion('kind', [
  /** The user-mode network that serves at that socket. */
  z.object({ kind: z.literal('user'), socket: z.string() }),
  z.object({ kind: z.literal('bridge'), bridge: z.string() }),
  z.object({ kind: z.literal('tap'), interface: z.string() }),
]);
export type HostNetwork = z.infer<typeof hostNetwork>;

export interface Plan {
  readonly config: VmConfig;
  readonly settings: VmSettings;
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array | undefined;
}

/** Reads what a VM is made of. @throws StorageError or WireError */
export async function readPlan(directory: VmDirectory): Promise<Plan> {
  const config = await directory.readConfig();
  const parsed = vmSettings.safeParse(config.settings);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new WireError('precondition', `VM ${config.name}: settings.${path.join('.')} in its vm.json: ${message}`);
  }
  const { boot } = parsed.data;
  return {
    config,
    settings: parsed.data,
    kernel: await readBoot(directory, boot.kernel),
    initrd: boot.initrd === undefined ? undefined : await readBoot(directory, boot.initrd),
  };
}

async function readBoot(directory: VmDirectory, name: string): Promise<Uint8Array> {
  const from: StorageFile = await directory.datastore.files.open(directory.path('boot', name));
  try {
    const size = await from.size();
    if (size > MAX_BOOT_BYTES) throw new WireError('precondition', `${name} of VM ${directory.name} is larger than ${MAX_BOOT_BYTES >> 20} MiB: is it a kernel?`);
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      const read = await from.read(bytes.subarray(at, Math.min(size, at + (1 << 20))), at);
      if (read === 0) throw new WireError('precondition', `${name} of VM ${directory.name} became shorter while it was read`);
      at += read;
    }
    return bytes;
  } finally {
    await from.close();
  }
}

export interface OpenNics {
  readonly nics: NicSpec[];
  close(): void;
}

/** Plugs the VM's adapters into the host's networks. @throws WireError naming the network that this host lacks */
export function openNics(config: VmConfig, networks: Readonly<Record<string, HostNetwork>>): OpenNics {
  const taps: Tap[] = [];
  const close = (): void => {
    for (const tap of taps.splice(0)) tap.close();
  };
  const backendOf = (network: HostNetwork): NetBackend => {
    if (network.kind === 'user') return { kind: 'socket', path: network.socket };
    const tap = openTap(network.kind === 'tap' ? { name: network.interface } : { bridge: network.bridge });
    taps.push(tap);
    return { kind: 'tap', fd: tap.fd };
  };
  try {
    const nics = config.networks.map(({ adapter, mac, network }) => {
      const there = networks[network];
      if (!there) throw new WireError('precondition', `VM ${config.name} is to be on network '${network}', which this host does not have: add it to the agent's configuration`);
      return { adapter, mac: parseMac(mac), backend: backendOf(there), offloads: true };
    });
    return { nics, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** @param lease shared memory of the lease: disk writes stop with it */
export function specOf(plan: Plan, options: { where: string; disks: string; features: readonly string[]; nics: NicSpec[]; lease: SharedArrayBuffer; early: Pick<VmSpec, 'clockSample' | 'processStartMs'> }): VmSpec {
  const { config, settings, kernel, initrd } = plan;
  return {
    kernel,
    initrd,
    commandLine: settings.boot.append,
    memoryBytes: config.memoryBytes,
    features: [...options.features],
    mode: 'translate',
    trace: [],
    ...options.early,
    lease: options.lease,
    disks: config.disks.map((disk) => ({
      adapter: disk.bus,
      image: { location: `${options.disks}/${disk.file}`, store: options.where, readOnly: disk.readOnly, lease: disk.readOnly ? undefined : options.lease },
    })),
    nics: options.nics,
  };
}
