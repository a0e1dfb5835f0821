/** Names of live things: for completion, and for "did you mean". */
import type { Client } from '../session/session';
import type { CallOptions } from '@godwit/wire';
import type { Completer } from '../core/command';
import type { Session } from '../session/session';
import { allHosts, allVms } from '../session/whole-lists';
import { hostState } from '../views/host';
import { vmName, vmState } from '../views/vm';
import { plural, wordOfEnum } from '../output/units';

export interface Candidate {
  readonly text: string;
  /** What the shell shows beside it. */
  readonly note: string;
}

type Asker = (client: Client, options: CallOptions) => Promise<readonly Candidate[]>;
const MOST = 100;

const migrations =
  (runningOnly: boolean): Asker =>
  async (client, options) =>
    (await client('Migrations').listMigrations({ runningOnly, limit: MOST }, options)).migrations.map((one) => ({
      text: one.migrationId,
      note: `${one.vmName}, ${one.sourceHostName} → ${one.targetHostName}, ${one.outcome || one.stage}`,
    }));

const ASKERS: Readonly<Partial<Record<Completer, Asker>>> = {
  vm: async (client, options) =>
    (await allVms(client, options)).map((vm) => ({
      text: vmName(vm),
      note: `${vmState(vm)}${vm.hostName ? `, ${vm.hostName}` : ''}`,
    })),
  host: async (client, options) =>
    (await allHosts(client, options)).map((host) => ({
      text: host.name,
      note: `${hostState(host)}, ${plural(host.vmIds.length, 'VM')}`,
    })),
  migration: migrations(false),
  'running-migration': migrations(true),
  operation: async (client, options) =>
    (await client('Operations').listOperations({ limit: MOST }, options)).operations.map((one) => ({
      text: one.operationId,
      note: `${one.kind} ${one.vmName || one.hostName}, ${wordOfEnum(one.state, 'OPERATION_STATE_')}`,
    })),
  rule: async (client, options) =>
    (await client('Cluster').listRules({}, options)).rules.map(({ name, kind }) => ({ text: name, note: kind })),
  group: async (client, options) =>
    (await client('Cluster').listGroups({}, options)).groups.map(({ name, hosts }) => ({ text: name, note: hosts.join(', ') })),
  user: async (client, options) =>
    (await client('Access').listUsers({}, options)).users.map(({ name, role }) => ({ text: name, note: wordOfEnum(role, 'ROLE_') })),
  token: async (client, options) =>
    (await client('Access').listTokens({}, options)).tokens.map(({ tokenId, name }) => ({ text: tokenId.slice(0, 12), note: name })),
  datastore: async (client, options) => {
    const hosts = await allHosts(client, options);
    return [
      ...new Map(
        hosts.flatMap(({ datastores }) => datastores.map(({ name, where }) => [name, { text: name, note: where }] as const)),
      ).values(),
    ];
  },
};

/** None for what only the shell knows (files), or nobody. @throws CliError */
export async function candidatesFor(what: Completer | undefined, session: () => Session): Promise<readonly Candidate[]> {
  const asker = what === undefined ? undefined : ASKERS[what];
  return asker ? session().ask(asker) : [];
}
