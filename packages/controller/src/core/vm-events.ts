/** What reports of a VM's process tell by themselves: pauses that began and ended, two processes that both have the VM. */
import type { Context } from './context';
import type { VmmReport } from './reports';
import { type Host, isActive, type Vm } from './state';

/** Pauses that nobody asked for, and what is said of them. */
const STALLS: Readonly<Record<string, string>> = { storage: 'its datastore does not serve it', lease: 'its lease cannot be renewed' };

/** @param before of the same process; undefined: it is seen for the first time */
export function tellPauses(ctx: Context, host: Host, vm: Vm, before: VmmReport | undefined, report: VmmReport): void {
  if (!before || !isActive(report) || !isActive(before)) return;
  const { id: vmId, spec } = vm.record;
  const hostId = host.record.id;
  const operation = ctx.state.operations.get(vm.operationId);
  const asked = operation ? { operationId: operation.id, actor: operation.actor, cause: operation.cause } : { cause: 'report' };
  const is = (one: VmmReport, reason: string): boolean => one.pauses.includes(reason);
  const where = `on ${host.record.name}`;
  for (const [reason, why] of Object.entries(STALLS)) {
    if (is(report, reason) && !is(before, reason))
      ctx.tell({
        kind: 'vm.stalled',
        vmId,
        hostId,
        cause: 'report',
        line: `${spec.name} stands still ${where}: ${why}`,
        attributes: { reason },
      });
    if (is(before, reason) && !is(report, reason) && report.state === 'running')
      ctx.tell({ kind: 'vm.resumed', vmId, hostId, cause: 'report', line: `${spec.name} goes on ${where}`, attributes: { reason } });
  }
  if (is(report, 'operator') && !is(before, 'operator'))
    ctx.tell({ kind: 'vm.paused', vmId, hostId, ...asked, line: `${spec.name} is paused ${where}` });
  if (is(before, 'operator') && !is(report, 'operator'))
    ctx.tell({ kind: 'vm.resumed', vmId, hostId, ...asked, line: `${spec.name} goes on ${where}`, attributes: { reason: 'operator' } });
}

/** A process that is seen for the first time while another host's has the VM, and nothing is under way that explains it. */
export function tellTwo(ctx: Context, host: Host, vm: Vm, report: VmmReport): void {
  if (vm.migrationId || vm.operationId || !isActive(report) || report.epoch === 0) return;
  for (const [vmmId, hostId] of vm.vmms) {
    const other = hostId === host.record.id ? undefined : ctx.state.hosts.get(hostId);
    const theirs = other?.vmms.get(vmmId);
    if (!other || !theirs || !isActive(theirs) || theirs.epoch === 0) continue;
    const right = theirs.epoch > report.epoch ? other : host;
    const line = `${host.record.name} and ${other.record.name} both say that they have ${vm.record.spec.name}; by the epoch of its lease it is ${right.record.name}'s`;
    ctx.tell({ kind: 'vm.two-reports', vmId: vm.record.id, hostId: host.record.id, cause: 'report', line });
  }
}
