/**
 * Between the agent and its storage processes (storage-main.ts), over Node's IPC. A datastore that hangs, hangs
 * every thread that touches it, for as long as it likes; so the agent's own process never touches one.
 *
 *     agent ── Request(id) ─►  process        a looker for each datastore, for as long as it answers
 *           ◄─ progress(id) ─                 a worker for each order that changes one: it holds the VM's lease,
 *           ◄─ ok | error ───                 and whatever it does ends with it
 */
import type { OrderCode } from '../errors';
import type { VmFolder, VmSpec } from '../messages';

export interface StoreRef {
  /** A folder or nfs:// URL. */
  readonly where: string;
  /** Its identity as the agent knows it: another one at that place is refused. */
  readonly id: string;
}

/** Who holds the lease while a VM's folder is changed. */
export interface Holder {
  readonly hostId: string;
  readonly hostName: string;
  readonly vmmId: string;
}

export interface Job {
  readonly store: StoreRef;
  readonly folder: string;
  readonly owner: Holder;
}

export interface Requests {
  /** What is it, how full is it? */
  readonly probe: { readonly where: string };
  readonly list: { readonly store: StoreRef };
  readonly look: { readonly store: StoreRef; readonly folder: string };
  readonly create: Job & { readonly spec: VmSpec; readonly stores: Readonly<Record<string, string>>; readonly images: string | undefined };
  readonly change: Job & { readonly spec: VmSpec; readonly growDisks: Readonly<Record<string, number>> };
  readonly remove: Job & { readonly vmId: string };
  readonly discardState: Job;
  /** Removes what a creation left that was cut short. */
  readonly clean: Job & { readonly vmId: string };
}
export type RequestKind = keyof Requests;

export interface Probe {
  readonly id: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
}

export interface Answers {
  readonly probe: Probe;
  readonly list: { readonly vms: readonly VmFolder[] };
  readonly look: VmFolder;
  readonly create: VmFolder;
  readonly change: VmFolder;
  readonly remove: object;
  readonly discardState: object;
  readonly clean: object;
}

export interface RequestMessage<K extends RequestKind = RequestKind> {
  readonly id: number;
  readonly do: K;
  readonly request: Requests[K];
}

export type AnswerMessage =
  | { readonly id: number; readonly progress: number }
  | { readonly id: number; readonly ok: unknown }
  | { readonly id: number; readonly error: { readonly code: OrderCode; readonly line: string; readonly refused: boolean } };
