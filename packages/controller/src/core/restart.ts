/**
 * VMs that are to run and do not: their process or their host has died. A restart is an operation
 * like any other. It asks the new host to take the lease over, which it can only once the old
 * owner's has run out: a host that is merely silent keeps its VMs.
 */
import type { Context } from './context';
import { FIRST_RESTART_MS, LAST_RESTART_MS, RESTART_FORGOTTEN_MS } from './limits';
import { begin } from './operations';
import { hasVmmAt, runnerOf, type Vm } from './state';
import { saveVm, setHost } from './vms';

const keyOf = (vm: Vm): string => `restart/${vm.record.id}`;

/** Sets or clears the VM's next restart. */
export function considerRestart(ctx: Context, vm: Vm): void {
  if (!isDue(ctx, vm)) return ctx.timers.clear(keyOf(vm));
  if (ctx.timers.has(keyOf(vm))) return;
  const { record } = vm;
  if (ctx.now - record.restartedAtMs > RESTART_FORGOTTEN_MS) record.restarts = 0;
  const waitMs = Math.min(FIRST_RESTART_MS * 2 ** Math.min(record.restarts, 10), LAST_RESTART_MS);
  ctx.timers.set(keyOf(vm), Math.max(ctx.now + FIRST_RESTART_MS, record.restartedAtMs + waitMs));
}

/** Its time has come. */
export function restart(ctx: Context, vm: Vm): void {
  if (!isDue(ctx, vm)) return;
  const { record } = vm;
  if (record.hostId && ctx.state.hosts.get(record.hostId)?.sessionId) setHost(ctx, vm, '');
  record.restarts++;
  record.restartedAtMs = ctx.now;
  const placement = ctx.ports.planner.place(
    ctx.state,
    { vm, move: record.suspended ? 'resume' : 'start', hostId: '', exclude: new Set(), force: true, purpose: 'restart' },
    ctx.now,
  );
  if (!placement.hostId) {
    const line = `waits for a host to restart on: ${placement.line}`;
    if (record.line !== line) ctx.tell({ kind: 'vm.restart-waits', vmId: record.id, line: `${record.spec.name} ${line}`, cause: 'policy' });
    record.line = line;
    saveVm(ctx, vm);
    return considerRestart(ctx, vm);
  }
  begin(ctx, {
    kind: 'restart-vm',
    vm,
    hostId: placement.hostId,
    actor: 'controller',
    cause: 'restart',
    timeMs: ctx.state.settings.operationMs,
    arguments: { takeOver: true, paused: record.wanted === 'paused' },
  });
}

function isDue(ctx: Context, vm: Vm): boolean {
  const { record } = vm;
  if (!ctx.state.settings.restartVms || record.spec.restart !== 'always' || (record.wanted !== 'running' && record.wanted !== 'paused'))
    return false;
  if (vm.operationId || vm.migrationId || record.creating) return false;
  const runner = runnerOf(ctx.state, vm);
  if (runner && runner.host.status !== 'dead') return false;
  const host = ctx.state.hosts.get(record.hostId);
  if (!host || host.status === 'dead') return true;
  // Silent, but not for long: unknown is not absent. It speaks: it would have said so.
  return host.sessionId !== undefined && !hasVmmAt(ctx.state, vm, record.hostId);
}
