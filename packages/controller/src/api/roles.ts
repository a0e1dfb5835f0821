/** Which role each method of the public API needs: the one table. A method that is not here is refused. */
export type RoleName = 'none' | 'view' | 'operate' | 'admin';

export const METHOD_ROLES = {
  Vms: {
    GetVm: 'view',
    ListVms: 'view',
    WatchVms: 'view',
    CreateVm: 'operate',
    StartVm: 'operate',
    StopVm: 'operate',
    SuspendVm: 'operate',
    ResumeVm: 'operate',
    PauseVm: 'operate',
    ResetVm: 'operate',
    CloneVm: 'operate',
    ChangeVm: 'operate',
    RemoveVm: 'operate',
    // It types into the guest.
    Console: 'operate',
  },
  Hosts: {
    GetHost: 'view',
    ListHosts: 'view',
    WatchHosts: 'view',
    DrainHost: 'operate',
    ResumeHost: 'operate',
    CreateJoinToken: 'admin',
    RemoveHost: 'admin',
  },
  Migrations: {
    GetMigration: 'view',
    ListMigrations: 'view',
    WatchMigrations: 'view',
    WatchMigration: 'view',
    Migrate: 'operate',
    ChangeMigration: 'operate',
    CancelMigration: 'operate',
  },
  Operations: { GetOperation: 'view', ListOperations: 'view', WatchOperation: 'view', CancelOperation: 'operate' },
  Events: { ListEvents: 'view', WatchEvents: 'view' },
  Cluster: {
    GetStatus: 'view',
    GetSettings: 'view',
    GetBaseline: 'view',
    ComputeBaseline: 'view',
    ListRules: 'view',
    ListGroups: 'view',
    Balance: 'operate',
    ChangeSettings: 'admin',
    ApplyBaseline: 'admin',
    PutRule: 'admin',
    RemoveRule: 'admin',
    PutGroup: 'admin',
    RemoveGroup: 'admin',
  },
  Access: {
    WhoAmI: 'none',
    Login: 'none',
    Logout: 'none',
    ListUsers: 'admin',
    PutUser: 'admin',
    RemoveUser: 'admin',
    CreateToken: 'admin',
    ListTokens: 'admin',
    RevokeToken: 'admin',
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, RoleName>>>>;

const RANK: Readonly<Record<RoleName, number>> = { none: 0, view: 1, operate: 2, admin: 3 };

export const suffices = (has: RoleName, needs: RoleName): boolean => RANK[has] >= RANK[needs];
export const roleOf = (service: string, method: string): RoleName | undefined =>
  (METHOD_ROLES as Readonly<Record<string, Readonly<Record<string, RoleName>>>>)[service]?.[method];
