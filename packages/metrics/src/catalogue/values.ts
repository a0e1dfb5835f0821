/** Fixed values of labels. One that is not listed is counted as `other`, so that no peer can make series. */

export const EXIT_KINDS = ['none', 'miss', 'interpret', 'exception', 'kick', 'halt', 'user_access', 'cache_full', 'triple_fault'] as const;
export const PAUSE_REASONS = ['operator', 'storage', 'lease', 'save', 'restore', 'migration'] as const;
export const PAUSE_PARTS = ['stop', 'pages', 'state', 'lease', 'start'] as const;
export const MIGRATION_OUTCOMES = ['completed', 'cancelled', 'failed', 'lost'] as const;
export const VM_STATES = ['starting', 'running', 'paused', 'suspended', 'stopped', 'incoming', 'unknown'] as const;
export const WANTED_STATES = ['running', 'paused', 'suspended', 'stopped'] as const;
export const HOST_STATES = ['waiting', 'ready', 'unreachable', 'dead', 'draining', 'maintenance'] as const;
export const CAUSES = ['operator', 'drain', 'balance', 'restart', 'policy', 'other'] as const;
export const ORDER_STATES = ['done', 'failed', 'refused', 'unknown'] as const;
export const DIRECTIONS = ['read', 'write'] as const;
export const DISK_REQUESTS = ['read', 'write', 'flush', 'discard', 'write_zeroes'] as const;
export const OPERATION_OUTCOMES = ['succeeded', 'failed', 'cancelled', 'partial', 'unknown'] as const;

export const OPERATION_KINDS = [
  'create_vm',
  'start_vm',
  'stop_vm',
  'suspend_vm',
  'resume_vm',
  'pause_vm',
  'reset_vm',
  'clone_vm',
  'change_vm',
  'remove_vm',
  'restart_vm',
  'drain_host',
  'balance',
  'other',
] as const;

/** packages/scheduler/src/filters.ts, ReasonCode. */
export const REFUSAL_REASONS = [
  'cpu_vendor',
  'cpu_features',
  'cpu_count',
  'state_area',
  'memory',
  'protocol',
  'machine_version',
  'datastore',
  'network',
  'local_device',
  'clock',
  'maintenance',
  'state',
  'excluded',
  'current',
  'busy',
  'memory_measured',
  'memory_overcommit',
  'vcpu_overcommit',
  'cpu_reservation',
  'admission',
  'rule_together',
  'rule_apart',
  'rule_on',
  'rule_off',
  'other',
] as const;

/** gRPC's status codes. */
export const GRPC_CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

export const STORE_OPERATIONS = ['get', 'list', 'put', 'delete', 'history', 'watch', 'event_append', 'event_read', 'other'] as const;
export const STORE_OUTCOMES = [
  'ok',
  'conflict',
  'not_found',
  'unavailable',
  'full',
  'corrupt',
  'too_large',
  'newer_schema',
  'other',
] as const;
export const AGENT_MESSAGES = ['hello', 'host', 'vmm', 'migration', 'result', 'counters', 'datastore', 'other'] as const;
