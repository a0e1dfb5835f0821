/** What the controller tells: the messages of proto/godwit/v1, as it sends them. */
import type { ClusterStatus, Event, Host, HostVerdict, Identity, MigrateResponse, MigrationView, Operation, Vm } from '@godwit/wire';

export type { ClusterStatus, Event, Host, HostVerdict, Identity, MigrateResponse, MigrationView, Operation, Vm };
export type { DrainHostResponse, MigrationRecord, MigrationRound, MigrationPause } from '@godwit/wire';

/** One message of /api/live; see packages/controller/src/http/stream.ts. */
export interface Batch {
  readonly vms?: readonly Vm[];
  readonly hosts?: readonly Host[];
  readonly migrations?: readonly MigrationView[];
  readonly removed?: { readonly vms?: readonly string[]; readonly hosts?: readonly string[]; readonly migrations?: readonly string[] };
  readonly events?: readonly Event[];
  readonly status?: ClusterStatus;
  readonly synced?: boolean;
}

export type RoleWord = 'ROLE_VIEW' | 'ROLE_OPERATE' | 'ROLE_ADMIN';
