import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import path from 'node:path';
import { Datastore, LeaseHolder, type Owner, VM_CONFIG_VERSION, VmDirectory } from '@godwit/storage';
import type { Vm } from '@godwit/vmm';
import { usageError } from './errors';

/**
 * The lease of a VM in a datastore, for `godwit run --vm DATASTORE/NAME`: while
 * it is held nobody else runs that VM, on whatever host.
 */
export interface HeldLease {
  readonly datastore: Datastore;
  readonly holder: LeaseHolder;
  readonly vmId: string;
  readonly name: string;
  readonly owner: Owner;
  /** The VM's folder of disks, in the datastore. */
  readonly disks: string;
  /** The VM stands still whenever the lease does not allow it to run, and ends when another host has it. */
  guard(vm: Vm): void;
  /** Gives the lease back. The VM has ended. */
  release(): Promise<void>;
}

/** `DATASTORE/NAME` with the datastore's path absolute. */
export function absoluteStore(text: string): string {
  const { store, name } = splitVm(text);
  return `${store.includes('://') ? store : path.resolve(store)}/${name}`;
}

/** For an nfs:// URL its options stay with the datastore: nfs://host/export?nfsport=…/name. */
export function splitVm(text: string): { store: string; name: string } {
  const at = text.lastIndexOf('/');
  if (at <= 0 || at === text.length - 1) throw usageError(`--vm is DATASTORE/NAME, not '${text}'`);
  return { store: text.slice(0, at), name: text.slice(at + 1) };
}

/** @param acquire false: the VM is to come from another host, with its lease. @throws LeaseRefused naming the owner, or StorageError */
export async function holdLease(text: string, memoryBytes: number, acquire = true): Promise<HeldLease> {
  const { store, name } = splitVm(text);
  const datastore = await Datastore.open(store);
  try {
    const directory = await openOrCreate(datastore, name, memoryBytes);
    const owner = { hostId: hostname(), hostName: hostname(), vmmId: randomUUID() };
    const place = await directory.leasePlace();
    const holder = new LeaseHolder(place, owner);
    if (acquire) await holder.acquire();
    return {
      vmId: place.vmId,
      name,
      owner,
      datastore,
      holder,
      disks: directory.path('disks'),
      guard: (vm) => {
        holder.onMustPause = () => {
          process.stderr.write(`godwit: the VM stands still: its lease in ${datastore.where} cannot be renewed; is the storage there?\n`);
          vm.pause('lease');
        };
        holder.onMayResume = () => {
          process.stderr.write('godwit: the lease is held again: the VM goes on\n');
          vm.resume('lease');
        };
        holder.onLost = (by) => {
          process.stderr.write(`godwit: VM ${name} is now ${by ? `on ${by.hostName}` : "another host's"}: this copy of it ends\n`);
          vm.stop();
        };
      },
      release: async () => {
        await holder.release().catch(() => false);
        await datastore.close();
      },
    };
  } catch (error) {
    await datastore.close();
    throw error;
  }
}

async function openOrCreate(datastore: Datastore, name: string, memoryBytes: number): Promise<VmDirectory> {
  try {
    return await datastore.vm(name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return VmDirectory.create(datastore, { schema: VM_CONFIG_VERSION, vmId: randomUUID(), name, memoryBytes, disks: [], networks: [], settings: {} });
  }
}
