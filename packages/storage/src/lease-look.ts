/** One look at a VM's lease, for whoever only wants to know: it takes and changes nothing. */
import type { Owner } from '@godwit/lease';
import type { LeasePlace } from './lease-holder';
import { LeaseFiles } from './lease-files';
import { LEASE_NFS_TIMEOUT_MS } from './limits';
import { StorageError } from './errors';

export interface LeaseLook {
  /** 0: never held. */
  readonly epoch: number;
  /** Null: free, or the record does not say. */
  readonly owner: Owner | null;
  /** How long its heartbeat is good for, ms; 0 when nobody owns it. */
  readonly leaseMs: number;
  /** Equal in two looks: the owner has not renewed it in between. */
  readonly beat: string;
}

/** @throws StorageError when the storage does not answer in time */
export async function lookAtLease({ files, folder, vmName }: Omit<LeasePlace, 'vmId'>, timeoutMs = 2 * LEASE_NFS_TIMEOUT_MS): Promise<LeaseLook> {
  const records = new LeaseFiles(files, folder, timeoutMs);
  const seen = await records.observe();
  if (!seen) throw records.lastError ?? new StorageError('ETIMEDOUT', `the lease of VM ${vmName} cannot be read: ${files.where} does not answer`);
  return { epoch: seen.epoch, owner: seen.claim?.owner ?? null, leaseMs: seen.claim?.owner ? seen.claim.leaseMs : 0, beat: `${seen.epoch} ${seen.beat}` };
}
