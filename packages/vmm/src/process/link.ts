/**
 * How two VMMs find each other for a migration. The source asks the target to call
 * (Incoming.Call), the target calls the source (Migration.Exchange), and pages then
 * stream from the server to its client, which is the fast direction of grpc-js.
 */
import type { TransportPort } from '@godwit/migration';

export interface CallFor {
  readonly migrationId: string;
  /** As the target's `Expect` gave it: both calls carry it. */
  readonly token: string;
}

export interface MigrationLink {
  /** HOST:PORT at which other hosts reach this process. */
  readonly address: string;
  /** Source: the target's call. Rejects when none comes in time, or on `signal`. */
  awaitCall(call: CallFor, signal: AbortSignal): Promise<TransportPort>;
  /** Source: asks the target to call. @throws Error, one line: nobody there, wrong token, … */
  askToCall(target: string, call: CallFor & { readonly sourceAddress: string }, signal: AbortSignal): Promise<void>;
  /** Target: calls the source. @throws Error, one line */
  call(source: string, call: CallFor, signal: AbortSignal): Promise<TransportPort>;
  close(): Promise<void>;
}
