import { hostFeatures } from '@godwit/cpu';
import { checkFits, hostCpuidQuery, type OpenedState, openSavedVm, type Vm } from '@godwit/vmm';
import { CliError, exitCodes } from './errors';
import { readyNative } from './ready-native';

/** What `godwit run` keeps in a saved VM, to find everything again: its own options, paths absolute. */
export interface RunOrigin {
  disk: string[];
  cdrom: string[];
  net: string[];
  vm?: string;
  kernel?: string;
  initrd?: string;
  append?: string;
}

export interface Resumable {
  readonly file: string;
  readonly state: OpenedState;
  readonly origin: RunOrigin;
}

/** Opens a saved VM and sees whether this host can run it. @throws CliError or SnapshotError */
export async function openResumable(file: string): Promise<Resumable> {
  const state = await openSavedVm(file);
  const host = new Set<string>(hostFeatures(hostCpuidQuery(readyNative())));
  const missing = state.config.features.filter((name) => !host.has(name));
  if (missing.length > 0) {
    await state.close();
    throw new CliError(
      exitCodes.precondition,
      `${file}: this host's CPU lacks ${missing.join(', ')}, which the VM has: resume it on a host that has them; a VM that boots anew can do without`,
    );
  }
  return { file, state, origin: checkOrigin(file, state.config.origin) };
}

/** Into a VM that was started with `waitForState`: memory first, then everything else, then it runs. */
export async function loadInto(vm: Vm, { file, state }: Resumable): Promise<void> {
  checkFits(file, state.config, vm.spec, vm.diskSectors, await vm.settleDisks());
  const saved = await state.load(vm.ram());
  await state.close();
  await vm.restore(saved).catch((error: Error) => {
    throw new CliError(exitCodes.precondition, `${file}: ${error.message}`);
  });
  vm.resume('restore');
}

function checkOrigin(file: string, origin: unknown): RunOrigin {
  const { disk, cdrom, net, vm, kernel, initrd, append } = (origin ?? {}) as RunOrigin;
  const texts = (list: unknown): boolean => Array.isArray(list) && list.every((each) => typeof each === 'string');
  const optional = [vm, kernel, initrd, append].every((each) => each === undefined || typeof each === 'string');
  if (texts(disk) && texts(cdrom) && texts(net) && optional) return { disk, cdrom, net, vm, kernel, initrd, append };
  throw new CliError(exitCodes.precondition, `${file}: was not saved by godwit run: resume it where it came from`);
}
