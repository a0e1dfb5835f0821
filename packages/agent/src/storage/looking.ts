/** What a storage process tells of a datastore without changing it. */
import { clockMs, codeOf, Datastore, lookAtLease, type VmConfig } from '@godwit/storage';
import type { LeaseView, VmFolder } from '../messages';
import { FOLDERS_AT_ONCE } from '../limits';
import { lineOf, refusal } from '../errors';
import type { Probe, StoreRef } from './protocol';
import { SUSPENDED_STATE, specOf } from './vm-file';

/** @throws StorageError, or OrderError when another datastore stands there */
export async function openStore({ where, id }: StoreRef): Promise<Datastore> {
  const store = await Datastore.open(where);
  if (store.id === id) return store;
  await store.close();
  throw refusal('storage', `${where} is datastore ${store.id} now, not ${id}: is the right one mounted?`);
}

export async function withStore<T>(ref: StoreRef, act: (store: Datastore) => Promise<T>): Promise<T> {
  const store = await openStore(ref);
  try {
    return await act(store);
  } finally {
    await store.close();
  }
}

export async function probe(where: string): Promise<Probe> {
  const store = await Datastore.open(where);
  try {
    return { id: store.id, ...(await store.space()) };
  } finally {
    await store.close();
  }
}

/** Since when each lease's heartbeat has been standing still, by its folder. */
export class LeaseWatch {
  private readonly seen = new Map<string, { readonly beat: string; readonly since: number }>();

  async view(store: Datastore, folder: string): Promise<LeaseView> {
    const began = clockMs();
    const { epoch, owner, leaseMs, beat } = await lookAtLease({ vmName: folder, files: store.leaseFiles, folder: `vms/${folder}/lease` });
    const key = `${store.id}/${folder}`;
    const before = this.seen.get(key);
    // From the end of the first look to the start of this one: never too long.
    const stillMs = before?.beat === beat ? Math.max(0, began - before.since) : 0;
    if (before?.beat !== beat) this.seen.set(key, { beat, since: clockMs() });
    return {
      epoch,
      ownerHostId: owner?.hostId ?? '',
      ownerHostName: owner?.hostName ?? '',
      ownerVmmId: owner?.vmmId ?? '',
      stillMs,
      leaseMs,
    };
  }
}

/** Undefined: there is no such VM. */
export async function lookAtFolder(store: Datastore, folder: string, leases: LeaseWatch): Promise<VmFolder | undefined> {
  const problems: string[] = [];
  const note = (error: unknown): undefined => void problems.push(lineOf(error));
  let config: VmConfig | undefined;
  try {
    config = await (await store.vm(folder)).readConfig();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    note(error);
  }
  const suspended = await store.files.stat(`vms/${folder}/state/${SUSPENDED_STATE}`).then(
    () => true,
    (error) => {
      if (codeOf(error) !== 'ENOENT') note(error);
      return false;
    },
  );
  const lease = config && (await leases.view(store, folder).catch(note));
  return { folder, ...(config ? { spec: specOf(config) } : {}), suspended, ...(lease ? { lease } : {}), line: problems[0] ?? '' };
}

export async function list(store: Datastore, leases: LeaseWatch): Promise<VmFolder[]> {
  const names = await store.vmNames().catch((error) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  const found: (VmFolder | undefined)[] = new Array(names.length);
  let next = 0;
  const looker = async (): Promise<void> => {
    for (let at = next++; at < names.length; at = next++) found[at] = await lookAtFolder(store, names[at], leases);
  };
  await Promise.all(Array.from({ length: Math.min(FOLDERS_AT_ONCE, names.length) }, looker));
  return found.filter((one) => one !== undefined);
}

/** @throws OrderError */
export async function lookAtVm(store: Datastore, folder: string, leases: LeaseWatch): Promise<VmFolder> {
  const found = await lookAtFolder(store, folder, leases);
  if (!found) throw refusal('not-here', `there is no VM named ${folder} in ${store.where}`);
  if (!found.spec) throw refusal('storage', found.line);
  return found;
}
