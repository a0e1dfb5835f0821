/**
 * What a storage process does to a VM's folder, always under the VM's lease: of two hosts that change one VM, or of
 * one that changes it and one that starts it, one is refused.
 *
 * A VM exists from the moment its vm.json does, which is written last; what a creation that was cut short leaves is
 * no VM, and the next creation of that name, or `clean`, removes it once the dead one's lease has run out.
 */
import { checkName, codeOf, type Datastore, LeaseHolder, type LeasePlace, LeaseRefused, VmDirectory } from '@godwit/storage';
import { openImage } from '@godwit/disk';
import { OrderError, refusal } from '../errors';
import type { VmFolder } from '../messages';
import { copyBootFile, emptyFolders, makeFolders, pathIn, removeFolders, unless } from './folder-files';
import { LeaseWatch, lookAtVm, withStore } from './looking';
import { makeDisk, withOriginFile } from './origins';
import type { Holder, Requests } from './protocol';
import { configOf, formatOf, SUSPENDED_STATE } from './vm-file';

/** Throws once the order has been called off. */
export type Progress = (done: number) => void;

export function create({ store: ref, folder, owner, spec, stores, images }: Requests['create'], progress: Progress): Promise<VmFolder> {
  return withStore(ref, async (store) => {
    checkName(folder, 'VM');
    if (spec.name !== folder) throw refusal('host', `VM ${spec.name} cannot lie in the folder ${folder}: a VM's folder has its name`);
    // What no VM can be is refused before anything is made.
    configOf(spec);
    const there = await vmIdOf(store, folder);
    if (there === spec.vmId) return lookAtVm(store, folder, new LeaseWatch());
    if (there !== undefined) throw refusal('exists', `there is a VM named ${folder} in ${store.where} already`);
    await makeFolders(store.files, folder);
    return holding(placeOf(store, folder, spec.vmId), owner, 'busy', async (holder) => {
      try {
        await emptyFolders(store.files, folder);
        const sources = { stores, images };
        for (const [file, origin] of [
          [spec.boot?.kernel, spec.boot?.kernelOrigin],
          [spec.boot?.initrd, spec.boot?.initrdOrigin],
        ]) {
          if (file && origin)
            await withOriginFile(origin, sources, (source) =>
              copyBootFile(source, store.files, pathIn(folder, 'boot', checkName(file, 'boot file'))),
            );
        }
        const sizes: Record<string, number> = {};
        for (const [index, disk] of spec.disks.entries()) {
          const to = pathIn(folder, 'disks', checkName(disk.file, 'disk'));
          sizes[disk.file] = await makeDisk(store, to, disk, sources, (done) => progress((index + done) / spec.disks.length));
        }
        for (const name of ['disks', 'boot']) await store.files.syncFolder(pathIn(folder, name));
        progress(1);
        if (!holder.mayWrite())
          throw new OrderError('storage', `VM ${folder} was not made: its lease ran out while ${store.where} did not answer`);
        await VmDirectory.create(store, configOf(spec, sizes));
      } catch (error) {
        await removeFolders(store.files, folder).catch(() => undefined);
        throw new FolderGone(error);
      }
      await holder.release();
      return lookAtVm(store, folder, new LeaseWatch());
    });
  });
}

export function change({ store: ref, folder, owner, spec, growDisks }: Requests['change']): Promise<VmFolder> {
  return withStore(ref, async (store) => {
    checkName(spec.name, 'VM');
    await finishRenaming(store, folder, spec.name, spec.vmId, owner);
    const found = await store.vm(folder).catch(notHere);
    const old = await found.readConfig();
    if (old.vmId !== spec.vmId) throw refusal('not-here', `${folder} in ${store.where} is VM ${old.vmId}, not ${spec.vmId}`);
    return holding(await found.leasePlace(), owner, 'lease-held', async (holder) => {
      const sizes: Record<string, number> = {};
      for (const [file, bytes] of Object.entries(growDisks))
        sizes[file] = await growDisk(store, pathIn(folder, 'disks', checkName(file, 'disk')), bytes);
      const config = configOf(spec, sizes);
      // The host's own settings of it, and those of later versions, stay.
      const settings = { ...old.settings, ...config.settings };
      await found.writeConfig({ ...config, name: folder, settings });
      await holder.release();
      if (spec.name !== folder) await rename(store, folder, spec.name, spec.vmId, owner);
      return lookAtVm(store, spec.name, new LeaseWatch());
    });
  });
}

export function remove({ store: ref, folder, owner, vmId }: Requests['remove']): Promise<object> {
  return withStore(ref, async (store) => {
    const there = await vmIdOf(store, checkName(folder, 'VM'));
    if (there === undefined) return {};
    if (vmId && there !== vmId) throw refusal('not-here', `${folder} in ${store.where} is VM ${there}, not ${vmId}: it stays`);
    // Its lease is not given back: with the folder it is gone, and this process ends.
    return holding(placeOf(store, folder, there), owner, 'lease-held', async () => {
      await removeFolders(store.files, folder);
      return {};
    });
  });
}

export function discardState({ store: ref, folder, owner }: Requests['discardState']): Promise<object> {
  return withStore(ref, async (store) => {
    const vm = await store.vm(folder).catch(notHere);
    return holding(await vm.leasePlace(), owner, 'lease-held', async (holder) => {
      await store.files.unlink(vm.path('state', SUSPENDED_STATE)).catch(unless('ENOENT'));
      await store.files.syncFolder(vm.path('state'));
      await holder.release();
      return {};
    });
  });
}

export function clean({ store: ref, folder, owner, vmId }: Requests['clean']): Promise<object> {
  return withStore(ref, async (store) => {
    checkName(folder, 'VM');
    if ((await vmIdOf(store, folder)) !== undefined) return {};
    const there = await store.files.stat(pathIn(folder)).catch(unless('ENOENT'));
    if (!there) return {};
    return holding(placeOf(store, folder, vmId), owner, 'busy', async () => {
      if ((await vmIdOf(store, folder)) === undefined) await removeFolders(store.files, folder);
      return {};
    });
  });
}

const placeOf = (store: Datastore, folder: string, vmId: string): LeasePlace => ({
  vmName: folder,
  vmId,
  files: store.leaseFiles,
  folder: pathIn(folder, 'lease'),
});

/** Waits a dead owner out; a living one refuses it. */
async function holding<T>(
  place: LeasePlace,
  owner: Holder,
  code: 'busy' | 'lease-held',
  act: (holder: LeaseHolder) => Promise<T>,
): Promise<T> {
  const holder = new LeaseHolder(place, owner);
  try {
    await holder.acquire();
  } catch (error) {
    if (error instanceof LeaseRefused) throw refusal(code, error.message);
    throw error;
  }
  try {
    return await act(holder);
  } catch (error) {
    // Never into a folder that somebody may have made anew by now; this process ends, and the holder with it.
    if (error instanceof FolderGone) throw error.cause;
    await holder.release().catch(() => false);
    throw error;
  }
}

/** With the VM's folder its lease is gone. */
class FolderGone extends Error {
  constructor(override readonly cause: unknown) {
    super('the folder was removed again');
  }
}

/** Undefined: there is no such VM. */
async function vmIdOf(store: Datastore, folder: string): Promise<string | undefined> {
  try {
    return (await (await store.vm(folder)).readConfig()).vmId;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function growDisk(store: Datastore, path: string, bytes: number): Promise<number> {
  const file = await store.files.open(path, { write: true });
  try {
    const image = await openImage(file, { name: path, format: formatOf(path) }, async (name) => {
      throw refusal('unsupported', `${path} lies over ${name}: a linked clone's size is not changed`);
    });
    await image.resize(bytes);
    await image.flush();
    return image.bytes;
  } finally {
    await file.close();
  }
}

/** The folder first, then its vm.json: a crash in between is mended by `finishRenaming` when the order comes again. */
async function rename(store: Datastore, from: string, to: string, vmId: string, owner: Holder): Promise<void> {
  if (await store.files.stat(pathIn(to)).catch(unless('ENOENT')))
    throw refusal('exists', `there is something named ${to} in ${store.where} already: VM ${from} keeps its name`);
  await store.files.rename(pathIn(from), pathIn(to));
  await store.files.syncFolder('vms');
  await finishRenaming(store, from, to, vmId, owner);
}

async function finishRenaming(store: Datastore, from: string, to: string, vmId: string, owner: Holder): Promise<void> {
  if (from === to || (await store.files.stat(pathIn(from)).catch(unless('ENOENT')))) return;
  const bytes = await store.files.readFresh(pathIn(to, 'vm.json'), 16_384).catch(unless<Buffer>('ENOENT'));
  if (!bytes) return;
  const found = JSON.parse(bytes.toString('utf8')) as { vmId?: string; name?: string };
  if (found.vmId !== vmId || found.name !== from) return;
  await holding(placeOf(store, to, vmId), owner, 'lease-held', async (holder) => {
    await rewriteName(store, to, found);
    await holder.release();
  });
}

async function rewriteName(store: Datastore, to: string, config: object): Promise<void> {
  const temporary = pathIn(to, 'vm.json.renamed.tmp');
  await store.files.unlink(temporary).catch(unless('ENOENT'));
  const file = await store.files.open(temporary, { write: true, create: 'new' });
  await file.write([Buffer.from(`${JSON.stringify({ ...config, name: to }, null, 2)}\n`)], 0);
  await file.sync();
  await file.close();
  await store.files.rename(temporary, pathIn(to, 'vm.json'));
  await store.files.syncFolder(pathIn(to));
}

function notHere(error: unknown): never {
  if (codeOf(error) === 'ENOENT') throw refusal('not-here', (error as Error).message);
  throw error;
}
