/** A suspended VM's state in its own folder of the datastore. */
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { codeOf, isNfsUrl, type VmDirectory } from '@godwit/storage';
import { checkFits, openSavedVm, saveVm, type OpenedState } from '../state-file';
import type { Vm } from '../vm';
import { WireError } from '@godwit/wire';

/** The VM is suspended if its folder has this file. */
export const SUSPENDED_STATE = 'suspended.godwit';
const COPY_BYTES = 1 << 20;

/** Writes the state of the VM, which stands still afterwards; whole and durable, or not at all. */
export async function suspendTo(directory: VmDirectory, vm: Vm): Promise<{ bytes: number }> {
  const name = directory.path('state', SUSPENDED_STATE);
  const { where } = directory.datastore;
  if (!isNfsUrl(where)) return { bytes: (await saveVm(vm, path.join(where, name), null)).fileBytes };
  // No program but ours can write there: by way of a file here.
  return withScratch(async (scratch) => {
    const { fileBytes } = await saveVm(vm, scratch, null);
    await upload(directory, scratch, name);
    return { bytes: fileBytes };
  });
}

/** Fills a VM made with `waitForState`; its state is used up then, for its disks go on from there. @throws SnapshotError, or WireError when there is none */
export async function resumeFrom(directory: VmDirectory, vm: Vm): Promise<void> {
  await withState(directory, async (where, state) => {
    checkFits(where, state.config, vm.spec, vm.diskSectors, await vm.settleDisks());
    await vm.restore(await state.load(vm.ram()));
  });
  await directory.datastore.files.unlink(directory.path('state', SUSPENDED_STATE));
  vm.resume('restore');
}

/** The CPU that the suspended VM was given. */
export async function suspendedFeatures(directory: VmDirectory): Promise<readonly string[]> {
  let features: readonly string[] = [];
  await withState(directory, async (_, state) => {
    features = state.config.features;
  });
  return features;
}

async function withState(directory: VmDirectory, act: (where: string, state: OpenedState) => Promise<void>): Promise<void> {
  const name = directory.path('state', SUSPENDED_STATE);
  const use = async (file: string): Promise<void> => {
    const state = await openSavedVm(file);
    try {
      await act(name, state);
    } finally {
      await state.close();
    }
  };
  const { where, files } = directory.datastore;
  await files.stat(name).catch((error) => {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new WireError('precondition', `VM ${directory.name} is not suspended: start it instead`);
  });
  if (!isNfsUrl(where)) return use(path.join(where, name));
  return withScratch(async (scratch) => {
    await download(directory, name, scratch);
    await use(scratch);
  });
}

async function withScratch<T>(act: (file: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'godwit-state-'));
  try {
    return await act(path.join(folder, SUSPENDED_STATE));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function upload({ datastore: { files } }: VmDirectory, from: string, name: string): Promise<void> {
  const temporary = `${name}.tmp`;
  await files.unlink(temporary).catch(() => {});
  const source = await open(from, 'r');
  try {
    const target = await files.open(temporary, { write: true, create: 'new' });
    const buffer = Buffer.alloc(COPY_BYTES);
    try {
      for (let at = 0; ; ) {
        const { bytesRead } = await source.read(buffer, 0, COPY_BYTES, at);
        if (bytesRead === 0) break;
        await target.write([buffer.subarray(0, bytesRead)], at);
        at += bytesRead;
      }
      await target.sync();
    } finally {
      await target.close();
    }
    await files.rename(temporary, name);
    await files.syncFolder(path.posix.dirname(name));
  } catch (error) {
    await files.unlink(temporary).catch(() => {});
    throw error;
  } finally {
    await source.close();
  }
}

async function download({ datastore: { files } }: VmDirectory, name: string, to: string): Promise<void> {
  const source = await files.open(name);
  const target = await open(to, 'wx');
  const buffer = new Uint8Array(COPY_BYTES);
  try {
    for (let at = 0; ; ) {
      const read = await source.read(buffer, at);
      if (read === 0) break;
      await target.write(buffer, 0, read, at);
      at += read;
    }
  } finally {
    await source.close();
    await target.close();
  }
}

/** The same into a file of this host, for `godwit run --suspend-to`; `origin` tells it how the VM was made. */
export const suspendToFile =
  (file: string | undefined, origin: unknown) =>
  async (vm: Vm): Promise<{ bytes: number }> => {
    if (file === undefined) throw new WireError('precondition', 'this VM has no place for its state: run it with --suspend-to FILE');
    return { bytes: (await saveVm(vm, file, JSON.parse(JSON.stringify(origin)))).fileBytes };
  };
