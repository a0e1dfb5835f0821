import { loadNative } from '@godwit/metal';
import { openStateFile, type PageRun, saveStateFile, type Section, SnapshotError, type StateReader, type TransferOptions, type WriteReport } from '@godwit/snapshot';
import type { DiskMark } from './block/disk-host';
import type { SavedVm } from './engine';
import type { Vm, VmSpec } from './vm';

/**
 * A VM as a file: what it was made of (`config`), its vCPU, its clock, one
 * section for each device, its memory. packages/snapshot has the format; here
 * is what goes into it.
 */

/** The emulated PC as guests see it: raised when a guest could tell the difference. */
export const MACHINE_VERSION = 1;
export const WRITER_VERSION = '0.1.0';
const CONFIG_VERSION = 1;
const DEVICE_PREFIX = 'device.';
/** Optional: a list of hot blocks (warm-list.ts), so that a resumed VM is quick from the start. */
const HOT_BLOCKS = 'hot-blocks', HOT_BLOCKS_VERSION = 1;
const MAX_POPULATED_RUNS = 65536;
const ANY_VERSION = 0xffffffff;

/** The `config` section: what must be there for the state to make sense. */
export interface SavedConfig {
  memoryBytes: number;
  features: string[];
  /** `mark`: the image as it was then; a disk that was written to since would not fit the memory. */
  disks: { adapter: string; sectors: number; mark: DiskMark }[];
  nics: { adapter: string; mac: number[]; offloads: boolean }[];
  /** The shell's own: how it found disks and networks. Opaque here. */
  origin: unknown;
}

/** What of a VM's making its saved state depends on. */
export function savedConfig(spec: VmSpec, sectors: readonly number[], marks: readonly DiskMark[], origin: unknown): SavedConfig {
  return {
    memoryBytes: spec.memoryBytes,
    features: [...spec.features].sort(),
    disks: (spec.disks ?? []).map((disk, index) => ({ adapter: disk.adapter, sectors: sectors[index], mark: marks[index] })),
    nics: (spec.nics ?? []).map(({ adapter, mac, offloads }) => ({ adapter, mac: [...mac], offloads })),
    origin,
  };
}

/** Pauses the VM, writes it to `path`, and leaves it paused for 'save'. @throws SnapshotError; the VM is as it was, still paused */
export async function saveVm(vm: Vm, path: string, origin: unknown, options?: TransferOptions): Promise<WriteReport> {
  const saved = await vm.save();
  const hotBlocks = (await vm.hotBlocks(true)) ?? undefined;
  const state: SavedVm = { ...saved, hotBlocks };
  const marks = await vm.settleDisks();
  return saveStateFile(path, {
    machineVersion: MACHINE_VERSION,
    writerVersion: WRITER_VERSION,
    createdMs: Date.now(),
    sections: sectionsOf(state, savedConfig(vm.spec, vm.diskSectors, marks, origin)),
    memory: { bytes: vm.ram(), populated: populatedRuns() },
  }, options);
}

export function sectionsOf(state: SavedVm, config: SavedConfig): Section[] {
  const { version, devices } = state.machine;
  return [
    { name: 'config', version: CONFIG_VERSION, json: config },
    { name: 'vcpu', version: versionOf(state.vcpu), json: state.vcpu },
    { name: 'clock', version: versionOf(state.clock), json: state.clock },
    { name: 'machine', version, json: { version } },
    ...Object.entries(devices).map(([name, saved]) => ({ name: DEVICE_PREFIX + name, version: saved.version, json: saved })),
    ...(state.hotBlocks ? [{ name: HOT_BLOCKS, version: HOT_BLOCKS_VERSION, bytes: state.hotBlocks }] : []),
  ];
}

export interface OpenedState {
  readonly config: SavedConfig;
  /** Fills RAM, which must be fresh, and gives the rest once all of the file has proved whole. @throws SnapshotError */
  load(ram: Uint8Array, options?: TransferOptions): Promise<SavedVm>;
  close(): Promise<void>;
}

/** @throws SnapshotError for a file that is not whole, or not for this program. */
export async function openSavedVm(path: string): Promise<OpenedState> {
  const reader = await openStateFile(path);
  try {
    if (reader.info.machineVersion > MACHINE_VERSION) {
      throw new SnapshotError('newer', `${path}: its machine has version ${reader.info.machineVersion}, this program makes version ${MACHINE_VERSION}: update Godwit on this host`);
    }
    reader.expect(expectedSections(reader));
    const config = checkConfig(path, reader);
    return {
      config,
      load: async (ram, options) => {
        await reader.loadMemory({ bytes: ram, fresh: true }, options);
        return stateOf(reader);
      },
      close: () => reader.close(),
    };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/**
 * Opens nothing and starts nothing: says whether a VM made so, with disks that
 * look so, is the one that was saved. @throws SnapshotError naming the first difference
 */
export function checkFits(path: string, saved: SavedConfig, spec: VmSpec, sectors: readonly number[], marks: readonly DiskMark[]): void {
  const now = savedConfig(spec, sectors, marks, null);
  const differ = (what: string): never => {
    throw new SnapshotError('mismatch', `${path}: ${what}`);
  };
  if (now.disks.length !== saved.disks.length) differ(`it was saved with ${saved.disks.length} disks, not ${now.disks.length}`);
  saved.disks.forEach((was, index) => {
    const is = now.disks[index];
    if (is.adapter !== was.adapter) differ(`disk ${index} was on adapter ${was.adapter}, not ${is.adapter}`);
    if (is.sectors !== was.sectors) differ(`disk ${index} had ${was.sectors} sectors, not ${is.sectors}: is it the same image?`);
    if (is.mark.bytes !== was.mark.bytes || is.mark.mtimeMs !== was.mark.mtimeMs) {
      differ(`disk ${index} was written to after the VM was saved; going on with the old memory would damage it: boot the disk instead, or give a copy from then`);
    }
  });
  const nicOf = ({ adapter, mac, offloads }: SavedConfig['nics'][number]): string => `${adapter} ${mac} ${offloads}`;
  if (now.nics.map(nicOf).join() !== saved.nics.map(nicOf).join()) differ('its network adapters were others: give the same --net options');
}

/** Stretches of guest RAM that have memory behind them. */
export function populatedRuns(): PageRun[] {
  const pairs = new Uint32Array(MAX_POPULATED_RUNS * 2);
  const count = loadNative().populated(pairs);
  return Array.from({ length: count }, (_, index) => ({ firstPage: pairs[index * 2], pages: pairs[index * 2 + 1] }));
}

const versionOf = (section: unknown): number => (section as { version: number }).version;

/** Devices judge their own sections, versions included, when they take them over. */
function expectedSections(reader: StateReader): Parameters<StateReader['expect']>[0] {
  const fixed = { config: CONFIG_VERSION, vcpu: ANY_VERSION, clock: ANY_VERSION, machine: ANY_VERSION };
  const devices = [...reader.sections.keys()].filter((name) => name.startsWith(DEVICE_PREFIX));
  return Object.fromEntries([
    ...Object.entries(fixed).map(([name, newest]) => [name, { kind: 'json' as const, oldest: 1, newest }]),
    ...devices.map((name) => [name, { kind: 'json' as const, oldest: 1, newest: ANY_VERSION }]),
    [HOT_BLOCKS, { kind: 'binary' as const, oldest: 1, newest: ANY_VERSION, optional: true }],
  ]);
}

function stateOf(reader: StateReader): SavedVm {
  const devices: SavedVm['machine']['devices'] = {};
  for (const name of reader.sections.keys()) {
    if (name.startsWith(DEVICE_PREFIX)) devices[name.slice(DEVICE_PREFIX.length)] = reader.json(name) as { version: number };
  }
  const { version } = reader.json('machine') as { version: number };
  const hotBlocks = reader.sections.has(HOT_BLOCKS) ? reader.bytes(HOT_BLOCKS) : undefined;
  return { vcpu: reader.json('vcpu'), clock: reader.json('clock') as SavedVm['clock'], machine: { version, devices }, hotBlocks };
}

function checkConfig(path: string, reader: StateReader): SavedConfig {
  const config = reader.json('config') as Partial<SavedConfig> | null;
  const fits =
    config !== null &&
    typeof config === 'object' &&
    config.memoryBytes === reader.memoryBytes &&
    Array.isArray(config.features) && config.features.every((name) => typeof name === 'string') &&
    Array.isArray(config.disks) && config.disks.every(isDisk) &&
    Array.isArray(config.nics) && config.nics.every(isNic);
  if (!fits) throw new SnapshotError('mismatch', `${path}: its section "config" does not describe a VM of this program`);
  return config as SavedConfig;
}

function isDisk(disk: unknown): boolean {
  const { adapter, sectors, mark } = (disk ?? {}) as SavedConfig['disks'][number];
  return typeof adapter === 'string' && Number.isSafeInteger(sectors) && typeof mark?.bytes === 'number' && typeof mark.mtimeMs === 'number';
}

function isNic(nic: unknown): boolean {
  const { adapter, mac, offloads } = (nic ?? {}) as SavedConfig['nics'][number];
  return typeof adapter === 'string' && typeof offloads === 'boolean' && Array.isArray(mac) && mac.length === 6 && mac.every((byte) => byte >= 0 && byte < 256);
}
