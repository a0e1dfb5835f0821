/** Error codes and the gRPC status of each: the table at the head of controller.proto. */
import { StoreError } from '@godwit/store';
import { type ErrorCode, Refusal } from '../core/errors';

export type Status =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'UNAVAILABLE'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'UNIMPLEMENTED'
  | 'INTERNAL';

export const STATUS: Readonly<Record<ErrorCode, Status>> = {
  invalid: 'INVALID_ARGUMENT',
  'bad-name': 'INVALID_ARGUMENT',
  'bad-settings': 'INVALID_ARGUMENT',
  'no-vm': 'NOT_FOUND',
  'no-host': 'NOT_FOUND',
  'no-migration': 'NOT_FOUND',
  'no-operation': 'NOT_FOUND',
  'no-rule': 'NOT_FOUND',
  'no-group': 'NOT_FOUND',
  'no-user': 'NOT_FOUND',
  'no-token': 'NOT_FOUND',
  'vm-exists': 'ALREADY_EXISTS',
  'host-exists': 'ALREADY_EXISTS',
  'user-exists': 'ALREADY_EXISTS',
  'key-reused': 'ALREADY_EXISTS',
  'wrong-state': 'FAILED_PRECONDITION',
  busy: 'FAILED_PRECONDITION',
  blocked: 'FAILED_PRECONDITION',
  'in-use': 'FAILED_PRECONDITION',
  'lease-held': 'FAILED_PRECONDITION',
  'not-drained': 'FAILED_PRECONDITION',
  storage: 'FAILED_PRECONDITION',
  changed: 'ABORTED',
  cancelled: 'ABORTED',
  'host-unreachable': 'UNAVAILABLE',
  'not-leader': 'UNAVAILABLE',
  store: 'UNAVAILABLE',
  starting: 'UNAVAILABLE',
  'no-login': 'UNAUTHENTICATED',
  'login-ended': 'UNAUTHENTICATED',
  'wrong-password': 'UNAUTHENTICATED',
  role: 'PERMISSION_DENIED',
  limit: 'RESOURCE_EXHAUSTED',
  unsupported: 'UNIMPLEMENTED',
  internal: 'INTERNAL',
};

/** What callers are told of it; a defect's own message stays in the log, under `id`. */
export function told(error: unknown, id: string): { readonly code: ErrorCode; readonly status: Status; readonly line: string } {
  if (error instanceof Refusal) return { code: error.code, status: STATUS[error.code], line: error.message };
  if (error instanceof StoreError) {
    const code: ErrorCode = error.code === 'conflict' ? 'changed' : 'store';
    return { code, status: STATUS[code], line: error.message };
  }
  return { code: 'internal', status: 'INTERNAL', line: `an error that should not be: the controller's log has it under ${id}` };
}
