/**
 * What lies in datastores. One host is asked for each; a thousand hosts that list the same twenty
 * thousand folders would say nothing new. VMs that are found and not known are adopted, stopped.
 */
import type { Context } from './context';
import { LISTING_ANSWER_MS, LISTING_MS, TOMBSTONE_MS } from './limits';
import type { DatastoreReport, VmFolder } from './reports';
import { type Host, runnerOf, type Vm } from './state';
import { newRecord, saveVm } from './vms';

/** Asks this host for those that nobody has listed lately. */
export function askListings(ctx: Context, host: Host): void {
  const due = [...host.datastores.values()].filter(({ datastoreId, reachable }) => reachable && isDue(ctx, datastoreId));
  if (due.length === 0 || !host.sessionId) return;
  const datastoreIds = due.map(({ datastoreId }) => datastoreId);
  for (const id of datastoreIds) {
    const doneAtMs = ctx.state.listings.get(id)?.doneAtMs ?? 0;
    ctx.state.listings.set(id, { hostId: host.record.id, askedAtMs: ctx.now, doneAtMs, seen: new Set() });
  }
  ctx.say(host, { say: 'ask', host: false, vmms: false, datastoreIds });
}

function isDue(ctx: Context, datastoreId: string): boolean {
  const listing = ctx.state.listings.get(datastoreId);
  if (!listing) return true;
  const waiting = listing.askedAtMs > listing.doneAtMs;
  return waiting
    ? ctx.now - listing.askedAtMs > LISTING_ANSWER_MS || !ctx.state.hosts.get(listing.hostId)?.sessionId
    : ctx.now - listing.doneAtMs > LISTING_MS;
}

export function observeDatastore(ctx: Context, host: Host, report: DatastoreReport): void {
  host.datastores.set(report.datastoreId, { ...report, vms: [] });
  ctx.touch('host', host.record.id);
  if (!report.vmsListed) return;
  const listing = ctx.state.listings.get(report.datastoreId);
  const asked = listing?.hostId === host.record.id && listing.askedAtMs > listing.doneAtMs;
  for (const folder of report.vms) {
    if (folder.spec) observeFolder(ctx, report.datastoreId, folder);
    if (asked && folder.spec) listing.seen.add(folder.spec.vmId);
  }
  if (!asked || report.vmsMore) return;
  dropGone(ctx, report.datastoreId, listing.seen, listing.askedAtMs);
  listing.doneAtMs = ctx.now;
  listing.seen.clear();
}

function observeFolder(ctx: Context, datastoreId: string, folder: VmFolder): void {
  const spec = folder.spec!;
  const place = { datastoreId, folder: folder.folder };
  const vm = ctx.state.vms.get(spec.vmId);
  if (vm) return complete(ctx, vm, folder);
  const removedAtMs = ctx.state.tombstones.get(spec.vmId);
  if (removedAtMs !== undefined && ctx.now - removedAtMs < TOMBSTONE_MS) return;
  const wanted = folder.suspended ? 'suspended' : 'stopped';
  saveVm(ctx, ctx.state.addVm(newRecord(ctx, spec, place, { wanted, suspended: folder.suspended, adopted: true })));
  const line = `${spec.name} was found in datastore ${datastoreId} and was not known: adopted`;
  ctx.tell({ kind: 'vm.adopted', vmId: spec.vmId, line, cause: 'report' });
}

/** A known VM: what only its folder tells. */
function complete(ctx: Context, vm: Vm, folder: VmFolder): void {
  const { record } = vm;
  if (vm.operationId || vm.migrationId) return;
  const thin = record.adopted && record.spec.disks.length === 0 && folder.spec!.disks.length > 0;
  const suspended = !record.hostId && !runnerOf(ctx.state, vm) ? folder.suspended : record.suspended;
  if (!thin && !record.creating && suspended === record.suspended) return;
  if (thin) record.spec = { ...folder.spec!, name: record.spec.name };
  record.creating = false;
  record.suspended = suspended;
  saveVm(ctx, vm);
}

/** What was only ever a folder is gone with it; what has been made or has run here stays, and says so. */
function dropGone(ctx: Context, datastoreId: string, seen: ReadonlySet<string>, askedAtMs: number): void {
  for (const vm of ctx.state.vms.values()) {
    const { record } = vm;
    if (record.place.datastoreId !== datastoreId || seen.has(record.id) || record.createdAtMs >= askedAtMs) continue;
    if (vm.operationId || vm.migrationId || record.hostId || vm.vmms.size > 0) continue;
    if (record.creating || record.removing || record.adopted) {
      ctx.state.dropVm(vm);
      ctx.erase('vm', record.id);
    } else if (!record.line) {
      record.line = `its folder ${record.place.folder} is no longer in the datastore ${datastoreId}`;
      saveVm(ctx, vm);
    }
  }
}
