/**
 * A VM's folder in a datastore:
 *
 *     vms/<name>/vm.json       its configuration (vm-config.ts); with it the VM exists
 *                disks/        disk images
 *                boot/         kernel and initial RAM disk
 *                state/        suspended machine states
 *                lease/        who may run it (lease-files.ts)
 */
import type { Datastore } from './datastore';
import { codeOf, StorageError } from './errors';
import { replaceFile, uniqueSuffix, writeNewFile, type OpenOptions, type StorageFile } from './file-system';
import type { LeasePlace } from './lease-holder';
import { MAX_CONFIG_BYTES } from './limits';
import { checkName } from './names';
import { checkVmConfig, parseVmConfig, type VmConfig } from './vm-config';

const FOLDERS = ['disks', 'boot', 'state', 'lease'] as const;
export type VmFolder = (typeof FOLDERS)[number];
export const VMS = 'vms';

export class VmDirectory {
  private constructor(
    readonly datastore: Datastore,
    readonly name: string,
  ) {}

  /** Makes a VM. @throws StorageError EEXIST when there is one of that name. */
  static async create(datastore: Datastore, config: VmConfig): Promise<VmDirectory> {
    const { files } = datastore;
    const vm = new VmDirectory(datastore, checkName(config.name, 'VM'));
    const text = encode(checkVmConfig(config, `the configuration of ${config.name}`));
    // A folder without vm.json is what a creation left that was cut short: it is gone on with.
    for (const folder of ['', ...FOLDERS]) await files.makeFolder(folder ? vm.path(folder as VmFolder) : vm.root).catch(unless('EEXIST'));
    const temporary = `${vm.configPath}.${uniqueSuffix()}.tmp`;
    await writeNewFile(files, temporary, text);
    try {
      // A link, not a rename: of two that create one VM, one fails.
      await files.link(temporary, vm.configPath);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') throw new StorageError('EEXIST', `there is a VM named ${vm.name} in ${files.where} already`);
      throw error;
    } finally {
      await files.unlink(temporary).catch(() => undefined);
    }
    await files.syncFolder(vm.root);
    return vm;
  }

  /** @throws StorageError ENOENT when there is no such VM. */
  static async open(datastore: Datastore, name: string): Promise<VmDirectory> {
    const vm = new VmDirectory(datastore, checkName(name, 'VM'));
    await vm.readConfig();
    return vm;
  }

  async readConfig(): Promise<VmConfig> {
    const { files } = this.datastore;
    try {
      const bytes = await files.readFresh(this.configPath, MAX_CONFIG_BYTES);
      const config = parseVmConfig(bytes.toString('utf8'), `${this.configPath} in ${files.where}`);
      if (config.name !== this.name)
        throw new StorageError('EINVAL', `${this.configPath} in ${files.where} is of a VM named ${config.name}`);
      return config;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw new StorageError('ENOENT', `there is no VM named ${this.name} in ${files.where}`);
      throw error;
    }
  }

  async writeConfig(config: VmConfig): Promise<void> {
    const checked = checkVmConfig(config, `the configuration of ${this.name}`);
    if (checked.name !== this.name) throw new StorageError('EINVAL', `${this.name} cannot be renamed to ${checked.name} here`);
    await replaceFile(this.datastore.files, this.configPath, encode(checked));
  }

  /** Path in the datastore of a file in one of the VM's folders. */
  path(folder: VmFolder, file?: string): string {
    return `${this.root}/${folder}${file === undefined ? '' : `/${checkName(file, 'file')}`}`;
  }

  openDisk(file: string, options: OpenOptions): Promise<StorageFile> {
    return this.datastore.files.open(this.path('disks', file), options);
  }

  /** Where the VM's lease is kept. */
  async leasePlace(): Promise<LeasePlace> {
    const { vmId } = await this.readConfig();
    return { vmName: this.name, vmId, files: this.datastore.leaseFiles, folder: this.path('lease') };
  }

  list(folder: VmFolder): Promise<string[]> {
    return this.datastore.files.list(this.path(folder));
  }

  /** Removes the VM with all that is its own. The caller holds its lease. */
  async remove(): Promise<void> {
    const { files } = this.datastore;
    // From here on there is no such VM; what a crash leaves is taken over by the next one of that name.
    await files.unlink(this.configPath).catch(unless('ENOENT'));
    for (const folder of FOLDERS) {
      for (const file of await this.list(folder).catch(unless('ENOENT', [])))
        await files.unlink(`${this.root}/${folder}/${file}`).catch(unless('ENOENT'));
      await files.removeFolder(this.path(folder)).catch(unless('ENOENT'));
    }
    for (const file of await files.list(this.root).catch(unless('ENOENT', []))) await files.unlink(`${this.root}/${file}`);
    await files.removeFolder(this.root).catch(unless('ENOENT'));
    await files.syncFolder(VMS);
  }

  private get root(): string {
    return `${VMS}/${this.name}`;
  }

  private get configPath(): string {
    return `${this.root}/vm.json`;
  }
}

const encode = (config: VmConfig): string => `${JSON.stringify(config, null, 2)}\n`;

/** Lets one error pass, giving `value` instead. */
function unless<T>(code: string, value?: T): (error: unknown) => T {
  return (error) => {
    if (codeOf(error) !== code) throw error;
    return value as T;
  };
}
