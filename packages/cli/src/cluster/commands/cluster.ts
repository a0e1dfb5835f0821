/** `godwit cluster …` */
import path from 'node:path';
import type { Baseline, ClusterSettings, Input, OperatorRole } from '@godwit/wire';
import { exitCodes, usageError } from '../../errors';
import type { Command, Invocation, Options } from '../core/command';
import { OUTPUT, readSettings, SETTINGS, WAIT } from '../core/shared-options';
import { conclude } from '../follow/wait';
import { joined } from '../output/output';
import { BASELINE_HOST_KIND, BASELINE_KIND, SETTINGS_KIND, STATUS_KIND } from '../views/cluster';
import { MOVE_KIND } from '../views/moving';
import { change, changeOnce, remote } from './shared';

const text = (summary: string, value: string, more = {}): Options[string] => ({ summary, value, ...more });

/** Reads its own options, which stand here for help and completion. */
const init: Command = {
  path: ['cluster', 'init'],
  summary: 'makes a new cluster: certificates, a first controller, a context for this command line',
  about: [
    "What it makes lies in one folder; nothing in it is a default of Godwit's. The password of the first user of the dashboard is written to standard output, once.",
  ],
  examples: [
    ['cluster init --advertise ctl-1.example.org:7443', 'one controller with an embedded store'],
    ['cluster init --advertise ctl-1:7443 --http 0.0.0.0:8443', 'with the dashboard'],
    ['cluster init --advertise ctl-1:7443 --controller ctl-1:7443 --controller ctl-2:7443 --nats n1:4222', 'the first of two, with NATS'],
  ],
  options: {
    advertise: text('where hosts and people reach this controller', 'HOST:PORT'),
    listen: text('where it listens, if not there', 'HOST:PORT'),
    http: text('where it serves the dashboard and metrics', 'HOST:PORT'),
    folder: text('what is made lies there', 'FOLDER', { complete: 'folder' }),
    name: text('of the cluster', 'NAME'),
    context: text('of the context; without it: the name', 'NAME'),
    'controller-name': text('of this controller', 'NAME'),
    controller: text('every controller of the cluster; may be repeated', 'HOST:PORT', { many: true }),
    nats: text('the store: a NATS server with JetStream; may be repeated', 'HOST:PORT', { many: true }),
    'nats-replicas': text('copies of what is stored', 'N'),
    'nats-tls': text('ca.pem, cert.pem, key.pem for the NATS servers, on every controller in the same place', 'FOLDER'),
    from: text("makes a further controller: a copy of the first one's folder", 'FOLDER'),
  },
  run: async ({ command, flags }) => {
    const argv = Object.keys(command.options ?? {}).flatMap((name) => flags.texts(name).map((value) => `--${name}=${value}`));
    const { clusterInit } = await import('../../cluster-init.js');
    return clusterInit(argv);
  },
};

const certificate: Command = {
  path: ['cluster', 'certificate'],
  summary: "makes an operator's certificate, on a controller's machine",
  about: [
    "The certificate is made by the cluster's authority, which lies in the folder that godwit cluster init has made; no controller is asked. Without certificates, operators log in: godwit user, godwit login.",
  ],
  examples: [
    ['cluster certificate vera --role view', 'for somebody who looks'],
    ['cluster certificate ops --role admin --out /root/ops', 'a new one, before the old one ends'],
  ],
  args: [{ name: 'NAME' }],
  options: {
    role: text('what its owner may do', 'ROLE', { choices: ['view', 'operate', 'admin'] }),
    days: text('how long it is good; 365', 'N'),
    folder: text("the controller's, with ca/", 'FOLDER', { complete: 'folder' }),
    out: text('gets cert.pem, key.pem, ca.pem; without it: NAME in the working folder', 'FOLDER', { complete: 'folder' }),
  },
  run: async ({ args: [name], flags }) => {
    const role = flags.text('role') as OperatorRole | undefined;
    if (role === undefined) throw usageError('godwit cluster certificate needs --role view, operate or admin');
    const { clusterCertificate, DEFAULT_DAYS } = await import('../../cluster-certificate.js');
    const { defaultFolder } = await import('../../cluster-init.js');
    return clusterCertificate({
      name,
      role,
      days: flags.whole('days', 1, 3650) ?? DEFAULT_DAYS,
      folder: path.resolve(flags.text('folder') ?? defaultFolder()),
      out: path.resolve(flags.text('out') ?? name),
    });
  },
};

const status: Command = remote({
  path: ['cluster', 'status'],
  summary: 'how the cluster is: controllers, hosts, VMs, and what is not as it should be',
  examples: [
    ['cluster status', 'with each problem in a line'],
    ['cluster status --check', 'exit code 1 unless all is well'],
  ],
  options: { check: { summary: 'exit code 1 unless the health is ok' }, ...OUTPUT },
  run: async ({ flags, output, session }) => {
    const status = await session().ask((client, options) => client('Cluster').getStatus({}, options));
    output.one(STATUS_KIND, status);
    return flags.has('check') && status.health !== 'ok' ? exitCodes.failed : exitCodes.ok;
  },
});

const settings: Command = remote({
  path: ['cluster', 'settings'],
  summary: "shows the cluster's settings",
  examples: [['cluster settings', 'limits, times, what migrations may do; godwit cluster set changes them']],
  options: OUTPUT,
  run: async ({ output, session }) => {
    output.one(SETTINGS_KIND, await session().ask((client, options) => client('Cluster').getSettings({}, options)));
    return exitCodes.ok;
  },
});

const CHANGES: Options = {
  ...SETTINGS,
  'migrations-per-host': { value: 'N', summary: 'at a time, in and out' },
  'migrations-in-cluster': { value: 'N', summary: 'at a time' },
  'host-unreachable': { value: '15s', summary: 'silent for so long, a host counts as unreachable' },
  'host-dead': { value: '60s', summary: 'and as dead: its VMs are then started elsewhere, as their leases run out' },
  'restart-vms': { value: 'yes|no', summary: 'whether they are', choices: ['yes', 'no'] },
  'host-reserve': { value: 'SIZE', summary: 'memory that each host keeps for itself' },
  'host-failures': { value: 'N', summary: 'hosts whose death the memory of the others must be able to bear; 0: not looked at' },
  balance: { value: 'off|propose|automatic', summary: 'what is done about uneven load', choices: ['off', 'propose', 'automatic'] },
  'balance-interval': { value: '5m', summary: 'how often it is looked at' },
  'operation-time': { value: '10m', summary: 'longest time of an operation, unless its request says otherwise' },
};

const set: Command = remote({
  path: ['cluster', 'set'],
  summary: "changes the cluster's settings: those that are given",
  examples: [
    ['cluster set --max-pause 50ms --bandwidth 500M', 'for every migration that does not say otherwise'],
    ['cluster set --migrations-per-host 2 --balance automatic', 'how many at a time; balances by itself'],
  ],
  options: { ...CHANGES, ...OUTPUT },
  run: async (given) => {
    const { flags, io, output, session } = given;
    if (!Object.keys(CHANGES).some((name) => flags.has(name)))
      throw usageError('nothing is to be changed: name an option, as --max-pause 50ms');
    const now = await session().ask((client, options) => client('Cluster').getSettings({}, options));
    const changed = await changeOnce(given, (client, options) =>
      client('Cluster').changeSettings({ settings: settingsOf(given, now) }, options),
    );
    io.say('the settings were changed');
    output.result(changed, (one) => String(one.revision));
    return exitCodes.ok;
  },
});

function settingsOf({ flags }: Invocation, now: ClusterSettings): Input<ClusterSettings> {
  const { policies, ...migration } = readSettings(flags);
  const restart = flags.text('restart-vms');
  const given: Input<ClusterSettings> = {
    migrationsPerHost: flags.whole('migrations-per-host', 1, 1_000),
    migrationsInCluster: flags.whole('migrations-in-cluster', 1, 10_000),
    hostUnreachableMs: flags.duration('host-unreachable'),
    hostDeadMs: flags.duration('host-dead'),
    restartVms: restart === undefined ? undefined : restart === 'yes',
    hostReserveBytes: flags.size('host-reserve'),
    hostFailures: flags.whole('host-failures', 0, 1_000),
    balanceMode: flags.text('balance'),
    balanceIntervalMs: flags.duration('balance-interval'),
    operationMs: flags.duration('operation-time'),
  };
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...now, ...set, migration: { ...now.migration, ...migration, ...(policies?.length ? { policies } : {}) } };
}

const baseline: Command = remote({
  path: ['cluster', 'baseline'],
  summary: 'the CPU features that VMs are given, so that they can move between unequal hosts',
  about: [
    'Without an option: the baseline that is applied. It holds for VMs that start from now on; those that run keep what they have, and the answer names those that need a restart. What is masked cannot be executed by the guest either.',
  ],
  examples: [
    ['cluster baseline', 'the one that is applied'],
    ['cluster baseline --compute', 'what all hosts have in common, and what it costs each'],
    ['cluster baseline --apply', 'computes it, and applies it'],
    ['cluster baseline --apply --host alpha --host beta', 'of these two hosts; VMs cannot run on those that lack something'],
    ['cluster baseline --clear', 'takes it off'],
  ],
  options: {
    compute: { summary: 'what all hosts have in common' },
    apply: { summary: 'and applies it' },
    clear: { summary: 'takes the baseline off' },
    host: { value: 'HOST', summary: 'only of these hosts; may be repeated', many: true, complete: 'host' },
    ...OUTPUT,
  },
  run: async (given) => {
    const { flags, session } = given;
    if (['compute', 'apply', 'clear'].filter((name) => flags.has(name)).length > 1)
      throw usageError('--compute, --apply and --clear exclude each other');
    if (flags.has('clear'))
      return showBaseline(given, await changeOnce(given, (client, options) => client('Cluster').applyBaseline({}, options)));
    if (!flags.has('compute') && !flags.has('apply'))
      return showBaseline(given, await session().ask((client, options) => client('Cluster').getBaseline({}, options)));
    const hosts = flags.list('host');
    const computed = await session().ask((client, options) => client('Cluster').computeBaseline({ hosts }, options));
    if (!flags.has('apply')) return showBaseline(given, computed);
    const { vendor, features } = computed;
    return showBaseline(
      given,
      await changeOnce(given, (client, options) => client('Cluster').applyBaseline({ vendor, features }, options)),
    );
  },
});

function showBaseline({ output, io }: Invocation, one: Baseline): number {
  output.one(BASELINE_KIND, one);
  if (output.forPeople && one.hosts.length > 0) io.out(`\n${joined(output.table(BASELINE_HOST_KIND, one.hosts))}`);
  return exitCodes.ok;
}

const balance: Command = remote({
  path: ['cluster', 'balance'],
  summary: 'moves VMs so that the hosts are loaded more evenly',
  examples: [
    ['cluster balance --dry-run', 'which would move, and why'],
    ['cluster balance', 'moves them'],
  ],
  options: { 'dry-run': { summary: 'moves nothing' }, ...WAIT },
  run: async (given) => {
    const { flags, io, output, session } = given;
    const plan = flags.has('dry-run')
      ? await session().ask((client, options) => client('Cluster').balance({ dryRun: true }, options))
      : await change(given, (client, options, idempotencyKey) => client('Cluster').balance({ idempotencyKey }, options));
    if (plan.operation) {
      if (plan.line) io.say(plan.line);
      return conclude(given, plan.operation);
    }
    if (output.format === 'json' || output.format === 'yaml') output.one(MOVE_KIND as never, plan);
    else output.list(MOVE_KIND, plan.moves, plan.line || 'nothing is to be moved');
    if (output.forPeople && plan.moves.length > 0)
      io.say(`${plan.line}${plan.line ? '; ' : ''}unevenness ${plan.before.toFixed(2)}, then ${plan.after.toFixed(2)}`);
    return exitCodes.ok;
  },
});

export const clusterCommands: readonly Command[] = [init, certificate, status, settings, set, baseline, balance];
