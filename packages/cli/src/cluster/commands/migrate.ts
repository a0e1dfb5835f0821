/** `godwit migrate VM`, and `godwit migration …`. */
import type { FindMigrationsRequest, Input, MigrateResponse, MigrationView } from '@godwit/wire';
import { CliError, exitCodes, usageError } from '../../errors';
import type { Command, Invocation } from '../core/command';
import { LIST, OUTPUT, readSettings, SETTINGS, WAIT, WATCH } from '../core/shared-options';
import { followMigration } from '../follow/migration';
import { whereText } from '../follow/migration-lines';
import { watchList } from '../follow/watch-list';
import { MIGRATION_KIND, VERDICT_KIND } from '../views/moving';
import { migrationId, shortId } from './ids';
import { asChanges, change, changeOnce, remote } from './shared';

const MIGRATION = { name: 'MIGRATION', complete: 'migration' } as const;
const RUNNING = { name: 'MIGRATION', complete: 'running-migration' } as const;
const NAMING = 'A migration is named by its id, by the beginning of that, or by its VM: then the latest one is meant.';

const migrate: Command = {
  path: ['migrate'],
  summary: 'moves a running VM to another host',
  about: [
    'Without --to, the host that suits the VM best is chosen. On a terminal the rounds are shown as they happen; Ctrl-C leaves the view, and the migration goes on. Whatever happens to a migration, the VM goes on running, on one of the two hosts.',
    'Without a controller, between two processes of godwit run: godwit migrate --control SOCKET --ticket FILE [--max-pause 50ms] [--bandwidth 100M] [--policy LIST] [--json].',
  ],
  examples: [
    ['migrate web1', 'to the host that suits it best'],
    ['migrate web1 --to beta --max-pause 50ms', 'to beta, standing still for 50 ms at most'],
    ['migrate web1 --dry-run', 'which hosts could take it, and what is against each of the others'],
    ['migrate web1 --detach', 'only begins it, and writes its id to standard output'],
  ],
  args: [{ name: 'VM', complete: 'vm' }],
  options: {
    to: { value: 'HOST', summary: 'to that host', complete: 'host' },
    ...SETTINGS,
    force: { summary: 'against soft placement rules, too' },
    'dry-run': { summary: 'moves nothing: lists every other host with what speaks against it, and tells which would be chosen' },
    ...WAIT,
  },
  run: async (given) => {
    const { args, flags, io, output, session } = given;
    const request = { vm: args[0], toHost: flags.text('to') ?? '', settings: readSettings(flags), force: flags.has('force') };
    if (flags.has('dry-run')) {
      const plan = await session().ask((client, options) => client('Migrations').migrate({ ...request, dryRun: true }, options));
      return dryRun(given, plan);
    }
    const timeMs = flags.duration('timeout') ?? 0;
    const begun = await change(given, (client, options, idempotencyKey) =>
      client('Migrations').migrate({ ...request, idempotencyKey, timeMs }, options),
    );
    if (flags.has('detach')) {
      if (output.forPeople) io.out(`${begun.migrationId}\n`);
      else output.result(begun, (one) => one.migrationId);
      return exitCodes.ok;
    }
    return watchOne(given, begun.migrationId);
  },
};

/** Every host with its verdict. 4: none can take it. */
function dryRun({ output, io }: Invocation, plan: MigrateResponse): number {
  if (output.format === 'json' || output.format === 'yaml') output.one(VERDICT_KIND(plan.chosenHostId) as never, plan);
  else output.list(VERDICT_KIND(plan.chosenHostId), plan.hosts, 'there is no other host');
  if (output.forPeople) io.say(plan.line);
  return plan.chosenHostId === '' ? exitCodes.precondition : exitCodes.ok;
}

async function watchOne({ flags, io, output, session }: Invocation, id: string): Promise<number> {
  const { last, code } = await followMigration(io, session(), id, flags.duration('timeout'));
  if (last) output.result(last, (one) => one.migrationId);
  return code;
}

const ls: Command = {
  path: ['migration', 'ls'],
  summary: 'lists migrations, the newest first',
  examples: [
    ['migration ls', 'the last 100, with rounds, pause and how they ended'],
    ['migration ls --running --watch', 'those under way, live'],
    ['migration ls --vm web1 -o json', 'the history of one VM, with all figures'],
  ],
  options: {
    ...LIST,
    ...WATCH,
    vm: { value: 'VM', summary: 'of that VM', complete: 'vm' },
    host: { value: 'HOST', summary: 'from or to that host', complete: 'host' },
    running: { summary: 'under way' },
    limit: { value: 'N', summary: 'so many at most' },
  },
  run: async (given) => {
    const { flags, output, session } = given;
    const request: Input<FindMigrationsRequest> = {
      vm: flags.text('vm') ?? '',
      host: flags.text('host') ?? '',
      runningOnly: flags.has('running'),
      limit: flags.whole('limit', 1, 1_000) ?? 0,
    };
    const none = flags.has('running') ? 'no migration is under way' : 'there are no migrations: godwit migrate VM begins one';
    if (flags.has('watch'))
      return watchList(given, {
        kind: MIGRATION_KIND,
        id: (one) => one.migrationId,
        none,
        order: (a, b) => b.createdAtMs - a.createdAtMs,
        begin: (client, options) => asChanges(client('Migrations').watchMigrations(request, options), ({ migration }) => migration),
      });
    const { migrations } = await session().ask((client, options) => client('Migrations').listMigrations(request, options));
    output.list(MIGRATION_KIND, migrations, none);
    return exitCodes.ok;
  },
};

const show: Command = {
  path: ['migration', 'show'],
  summary: 'shows one migration: its rounds, its pause by parts, how it ended',
  about: [NAMING],
  examples: [
    ['migration show web1', 'the latest of web1'],
    ['migration show 3f0c -o json', 'the one whose id begins so, with all figures'],
  ],
  args: [MIGRATION],
  options: OUTPUT,
  run: async ({ args, output, session }) => {
    const id = await migrationId(session(), args[0]);
    output.one(MIGRATION_KIND, await session().ask((client, options) => client('Migrations').getMigration({ migrationId: id }, options)));
    return exitCodes.ok;
  },
};

const watch: Command = {
  path: ['migration', 'watch'],
  summary: 'shows a migration as it happens, until it has ended',
  about: [NAMING, 'The exit code is that of the migration: 0 completed, 7 it did not succeed and the VM runs where it was, 8 not known.'],
  examples: [['migration watch web1', 'its rounds, what remains, rates, expected pause; then the real pause by parts']],
  args: [MIGRATION],
  options: OUTPUT,
  run: async (given) => watchOne(given, await migrationId(given.session(), given.args[0])),
};

const cancel: Command = {
  path: ['migration', 'cancel'],
  summary: 'cancels a migration: the VM goes on where it is',
  about: [NAMING],
  examples: [['migration cancel web1', 'in any phase; the answer says where web1 runs']],
  args: [RUNNING],
  options: { why: { value: 'TEXT', summary: 'the reason, for the history' }, ...WAIT },
  run: async (given) => {
    const { args, flags, io, output, session } = given;
    const id = await migrationId(session(), args[0]);
    const asked = await changeOnce(given, (client, options) =>
      client('Migrations').cancelMigration({ migrationId: id, why: flags.text('why') ?? '' }, options),
    );
    if (flags.has('detach') || asked.stage === 'ended') {
      output.result(asked, (one) => one.migrationId);
      return asked.stage === 'ended' ? cancelled(given, asked) : exitCodes.ok;
    }
    const quiet = { ...io, say: () => {}, err: () => {}, errIsTerminal: false };
    const { last } = await followMigration(quiet, session(), id, flags.duration('timeout'));
    if (last?.stage !== 'ended') {
      io.say(`it is being cancelled still; ${whereText(last ?? asked)}: godwit migration watch ${shortId(id)}`);
      return exitCodes.unknown;
    }
    output.result(last, (one) => one.migrationId);
    return cancelled(given, last);
  },
};

function cancelled({ io }: Invocation, view: MigrationView): number {
  const where = whereText(view);
  if (view.outcome === 'cancelled') {
    io.say(view.line.includes(where) ? view.line : `cancelled; ${where}`);
    return exitCodes.ok;
  }
  if (view.outcome === 'completed')
    throw new CliError(exitCodes.precondition, `it is too late to cancel: the migration is completed; ${where}`);
  io.say(`${view.outcome === 'failed' ? 'it had failed by itself' : 'its outcome is not known'}: ${view.line}; ${where}`);
  return view.vmIs === 'source' ? exitCodes.migrationFailed : exitCodes.unknown;
}

const set: Command = {
  path: ['migration', 'set'],
  summary: 'changes a migration while it runs',
  about: [NAMING],
  examples: [
    ['migration set web1 --max-pause 200ms', 'may stand still longer'],
    ['migration set web1 --bandwidth 50M', 'sends less'],
  ],
  args: [RUNNING],
  options: { ...SETTINGS, ...OUTPUT },
  run: async (given) => {
    const { args, flags, io, output, session } = given;
    const settings = readSettings(flags);
    if (!Object.keys(SETTINGS).some((name) => flags.has(name)))
      throw usageError('nothing is to be changed: name an option, as --max-pause 100ms');
    const id = await migrationId(session(), args[0]);
    const view = await changeOnce(given, (client, options) => client('Migrations').changeMigration({ migrationId: id, settings }, options));
    io.say(`the migration of ${view.vmName} was changed; ${whereText(view)}`);
    output.result(view, (one) => one.migrationId);
    return exitCodes.ok;
  },
};

export const migrationCommands: readonly Command[] = [migrate, ls, show, watch, cancel, set].map(remote);
