/** Why a request is refused: a fixed word of the table at the head of controller.proto, and a line for people. */
export type ErrorCode =
  | 'invalid'
  | 'bad-name'
  | 'bad-settings'
  | 'no-vm'
  | 'no-host'
  | 'no-migration'
  | 'no-operation'
  | 'no-rule'
  | 'no-group'
  | 'no-user'
  | 'no-token'
  | 'vm-exists'
  | 'host-exists'
  | 'user-exists'
  | 'key-reused'
  | 'wrong-state'
  | 'busy'
  | 'blocked'
  | 'in-use'
  | 'lease-held'
  | 'not-drained'
  | 'storage'
  | 'changed'
  | 'cancelled'
  | 'host-unreachable'
  | 'not-leader'
  | 'store'
  | 'starting'
  | 'no-login'
  | 'login-ended'
  | 'wrong-password'
  | 'role'
  | 'limit'
  | 'unsupported'
  | 'internal';

export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly code: ErrorCode,
    line: string,
  ) {
    super(line);
  }
}
