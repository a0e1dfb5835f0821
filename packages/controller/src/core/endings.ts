/** How operations and migrations begin and end in the books: indexes, keys, events, and how long they are kept. */
import type { Context } from './context';
import { ENDED_KEPT_MS, MAX_ENDED, MAX_LINE } from './limits';
import type { MigrationRecord, OperationRecord, OperationState } from './records';

export interface Ending {
  readonly state: Exclude<OperationState, 'running'>;
  readonly line: string;
  readonly code?: string;
}

export function index(ctx: Context, operation: OperationRecord): void {
  const { state } = ctx;
  state.operations.set(operation.id, operation);
  if (operation.key) state.keys.set(operation.key, operation.id);
  if (operation.state === 'running') state.running.add(operation.id);
  else state.ended.add(operation.id);
}

export function tellStarted(ctx: Context, operation: OperationRecord): void {
  const { id, vmId, vmName, hostId, actor, cause, kind } = operation;
  const about = vmName || (hostId ? ctx.state.hostName(hostId) : '');
  const line = `${kind}${about ? ` ${about}` : ''} has begun`;
  ctx.tell({ kind: 'operation.started', line, vmId, hostId, operationId: id, actor, cause, attributes: { operation: kind } });
}

export function end(ctx: Context, operation: OperationRecord, { state, line, code }: Ending): void {
  operation.state = state;
  operation.line = line.slice(0, MAX_LINE);
  operation.errorCode = state === 'succeeded' ? '' : (code ?? '');
  operation.endedAtMs = ctx.now;
  operation.orderId = '';
  if (state === 'succeeded') operation.progress = 1;
  ctx.state.running.delete(operation.id);
  ctx.save('operation', operation.id, () => operation);
  const { id, vmId, hostId, actor, cause, kind } = operation;
  ctx.tell({
    kind: `operation.${state}`,
    line: `${kind}${operation.vmName ? ` ${operation.vmName}` : ''}: ${line}`,
    vmId,
    hostId,
    operationId: id,
    actor,
    cause,
    attributes: { operation: kind, ...(code ? { code } : {}) },
  });
  if (operation.parentId) ctx.signals.push({ signal: 'childEnded', parentId: operation.parentId, childId: id });
  retire(ctx, id);
}

/** Keeps a bounded history. */
export function retire(ctx: Context, id: string): void {
  const { state } = ctx;
  state.ended.add(id);
  for (const old of state.ended) {
    const record: OperationRecord | MigrationRecord | undefined = state.operations.get(old) ?? state.migrations.get(old);
    if (record && state.ended.size <= MAX_ENDED && ctx.now - record.endedAtMs < ENDED_KEPT_MS) return;
    state.ended.delete(old);
    if (!record) continue;
    if (record.key && state.keys.get(record.key) === old) state.keys.delete(record.key);
    ctx.erase(state.operations.delete(old) ? 'operation' : 'migration', old);
    state.migrations.delete(old);
  }
}
