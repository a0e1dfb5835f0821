/** Where each kind of record lies in the store. */
import { decodeJson, type Store } from '@godwit/store';
import type { LoadedRecord } from '../core/core';
import type { StoredKind } from '../core/records';

const FOLDERS: Readonly<Record<StoredKind, string>> = {
  vm: 'vms',
  host: 'hosts',
  operation: 'operations',
  migration: 'migrations',
  rule: 'rules',
  group: 'groups',
  baseline: 'cluster',
  settings: 'cluster',
  tombstone: 'tombstones',
};

/** Ids are UUIDs or checked names; anything else is escaped to what a key may hold. */
export const keyOf = (kind: StoredKind, id: string): string => `${FOLDERS[kind]}/${escapeId(id)}`;
const escapeId = (id: string): string => id.replace(/[^A-Za-z0-9-]/g, (mark) => `=${mark.codePointAt(0)!.toString(16)}=`);

/** Everything of the core, as it is stored. @throws StoreError */
export async function loadRecords(store: Store): Promise<LoadedRecord[]> {
  const kinds: readonly StoredKind[] = ['vm', 'host', 'operation', 'migration', 'rule', 'group', 'tombstone'];
  const lists = await Promise.all(
    kinds.map(async (kind) => (await store.list(`${FOLDERS[kind]}/`)).entries.map((entry) => ({ kind, value: decodeJson(entry) }))),
  );
  const single = await Promise.all(
    (['baseline', 'settings'] as const).map(async (kind) => ({ kind, entry: await store.get(keyOf(kind, kind)) })),
  );
  return [...lists.flat(), ...single.flatMap(({ kind, entry }) => (entry ? [{ kind, value: decodeJson(entry) }] : []))] as LoadedRecord[];
}
