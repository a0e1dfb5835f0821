/**
 * Lists that may be longer than one message can be (wire: 4 MiB, some thousand VMs): read from the beginning of a watch,
 * where each item is a message of its own.
 */
import type { CallOptions, ChangeKind, Host, Input, ListVmsRequest, Vm } from '@godwit/wire';
import type { Client } from './session';

/** By name. */
export const allVms = async (client: Client, options: CallOptions, request: Input<ListVmsRequest> = {}): Promise<Vm[]> =>
  whole(
    client('Vms').watchVms(request, options),
    ({ vm }) => vm,
    ({ spec }) => spec?.vmId ?? '',
    ({ spec }) => spec?.name ?? '',
  );

/** By name. */
export const allHosts = async (client: Client, options: CallOptions): Promise<Host[]> =>
  whole(
    client('Hosts').watchHosts({}, options),
    ({ host }) => host,
    ({ hostId }) => hostId,
    ({ name }) => name,
  );

async function whole<M extends { readonly change: ChangeKind }, T>(
  messages: AsyncIterable<M>,
  itemOf: (message: M) => T | undefined,
  idOf: (item: T) => string,
  nameOf: (item: T) => string,
): Promise<T[]> {
  const items = new Map<string, T>();
  for await (const message of messages) {
    if (message.change === 'CHANGE_KIND_SYNCED') break;
    const item = itemOf(message);
    if (!item) continue;
    if (message.change === 'CHANGE_KIND_REMOVED') items.delete(idOf(item));
    else items.set(idOf(item), item);
  }
  return [...items.values()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}
