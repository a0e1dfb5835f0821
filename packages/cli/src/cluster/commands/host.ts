/** `godwit host …` */
import type { DrainPlan, Host } from '@godwit/wire';
import { CliError, exitCodes } from '../../errors';
import type { Command, Invocation } from '../core/command';
import { LIST, OUTPUT, readSettings, SETTINGS, WAIT, WATCH } from '../core/shared-options';
import { follow, isRunning } from '../follow/wait';
import { watchList } from '../follow/watch-list';
import { confirm } from '../output/prompt';
import { localTime } from '../output/units';
import { allHosts } from '../session/whole-lists';
import { HOST_KIND } from '../views/host';
import { PLAN_KIND, planRows } from '../views/moving';
import { asChanges, change, changeOnce, remote } from './shared';

const HOST = { name: 'HOST', complete: 'host' } as const;
const NONE = 'there are no hosts: godwit host add NAME makes a token for one';

const ls: Command = {
  path: ['host', 'ls'],
  summary: 'lists hosts',
  examples: [
    ['host ls', 'state, VMs, load, memory'],
    ['host ls -o wide', 'and datastores, groups, versions, remarks'],
    ['host ls --watch', 'goes on'],
  ],
  options: { ...LIST, ...WATCH },
  run: async (given) => {
    if (given.flags.has('watch'))
      return watchList(given, {
        kind: HOST_KIND,
        id: ({ hostId }) => hostId,
        none: NONE,
        begin: (client, options) => asChanges(client('Hosts').watchHosts({}, options), ({ host }) => host),
      });
    const hosts = await given.session().ask(allHosts);
    given.output.list(HOST_KIND, hosts, NONE);
    return exitCodes.ok;
  },
};

const getHost = ({ session }: Invocation, host: string): Promise<Host> =>
  session().ask((client, options) => client('Hosts').getHost({ host }, options));

const show: Command = {
  path: ['host', 'show'],
  summary: 'shows one host at length',
  examples: [['host show alpha', 'its CPU features, memory, datastores, networks, and whether it may be powered off']],
  args: [HOST],
  options: OUTPUT,
  run: async (given) => {
    given.output.one(HOST_KIND, await getHost(given, given.args[0]));
    return exitCodes.ok;
  },
};

const add: Command = {
  path: ['host', 'add'],
  summary: 'makes a one-time token with which a host joins the cluster',
  about: [
    'The token is written to standard output, and what to do with it to standard error. It is secret, works once, and is shown this once.',
  ],
  examples: [
    ['host add gamma', 'a token that only a host named gamma can use, for an hour'],
    ['host add gamma --valid 10m > token', 'for ten minutes, into a file'],
  ],
  args: [{ name: 'NAME', optional: true }],
  options: { valid: { value: '1h', summary: 'how long the token can be used (a week at most)' }, ...OUTPUT },
  run: async (given) => {
    const { args, flags, io, output } = given;
    const [hostName = ''] = args;
    const made = await changeOnce(given, (client, options) =>
      client('Hosts').createJoinToken({ hostName, validMs: flags.duration('valid') ?? 0 }, options),
    );
    if (!output.forPeople) output.result(made, ({ token }) => token);
    else io.out(`${made.token}\n`);
    const config = JSON.stringify({
      schema: 1,
      stateDir: '/var/lib/godwit',
      ...(hostName ? { name: hostName } : {}),
      controllers: made.controllers,
      join: { tokenFile: '/etc/godwit/token' },
    });
    io.say(`the token joins ${hostName || 'any host'} once, until ${localTime(made.endsAtMs)}`);
    io.say(
      'on that host: put it into /etc/godwit/token (chmod 600), this into /etc/godwit/agent.json, and run: godwit agent /etc/godwit/agent.json',
    );
    io.err(`${config}\n`);
    return exitCodes.ok;
  },
};

const drain: Command = {
  path: ['host', 'drain'],
  summary: 'maintenance: moves every VM away and lets none come',
  about: [
    'VMs that cannot move live are left where they are, and the drain then ends as done in part; with --otherwise suspend they are suspended and go on elsewhere, with --otherwise stop they are shut down. A VM that fails does not keep the others.',
    'A dry run lists the VMs that cannot go first; its exit code is 4 if there are any.',
  ],
  examples: [
    ['host drain alpha --dry-run', 'where each VM would go, and which cannot'],
    ['host drain alpha', 'until the host may be powered off'],
    ['host drain alpha --otherwise suspend --concurrent 2', 'two at a time; what cannot move live is suspended'],
    ['host resume alpha', 'ends the maintenance'],
  ],
  args: [HOST],
  options: {
    'dry-run': { summary: 'moves nothing: shows the plan' },
    otherwise: {
      value: 'leave|suspend|stop',
      summary: 'VMs that cannot move live (without it: leave)',
      choices: ['leave', 'suspend', 'stop'],
    },
    concurrent: { value: 'N', summary: "VMs at a time (without it: the cluster's limit)" },
    ...SETTINGS,
    ...WAIT,
  },
  run: async (given) => {
    const { args, flags, io, output, session } = given;
    const [host] = args;
    const request = {
      host,
      otherwise: flags.text('otherwise') ?? '',
      settings: readSettings(flags),
      concurrent: flags.whole('concurrent', 1, 1_000) ?? 0,
      timeMs: flags.duration('timeout') ?? 0,
    };
    if (flags.has('dry-run')) {
      const { plan } = await session().ask((client, options) => client('Hosts').drainHost({ ...request, dryRun: true }, options));
      return showPlan(given, host, plan ?? { blockers: [], moves: [] });
    }
    const { operation } = await change(given, (client, options, idempotencyKey) =>
      client('Hosts').drainHost({ ...request, idempotencyKey }, options),
    );
    if (!operation) throw new CliError(exitCodes.failed, 'the controller began no operation');
    if (flags.has('detach') && isRunning(operation)) {
      if (output.forPeople) io.out(`${operation.operationId}\n`);
      else output.result(operation, (one) => one.operationId);
      return exitCodes.ok;
    }
    const { operation: last, code } = await follow(io, session(), operation, flags.duration('timeout'));
    output.result(last, (one) => one.hostName || one.operationId);
    if (!isRunning(last) && !last.line.includes('power off')) await sayPower(given, host);
    return code;
  },
};

function showPlan({ io, output }: Invocation, host: string, plan: DrainPlan): number {
  if (output.format === 'json' || output.format === 'yaml') output.one(PLAN_KIND as never, plan);
  else output.list(PLAN_KIND, planRows(plan), `${host} has no VMs: it may be drained at once`);
  const { blockers, moves } = plan;
  if (output.forPeople && blockers.length + moves.length > 0)
    io.say(
      blockers.length > 0
        ? `${blockers.length} of ${blockers.length + moves.length} VMs cannot go: see above, or --otherwise suspend`
        : `all ${moves.length} VMs can go`,
    );
  return blockers.length > 0 ? exitCodes.precondition : exitCodes.ok;
}

async function sayPower(given: Invocation, name: string): Promise<void> {
  const host = await getHost(given, name).catch(() => undefined);
  if (host)
    given.io.say(
      host.safeToPowerOff
        ? `${host.name} is safe to power off`
        : `${host.name} is not safe to power off: ${host.line || 'godwit host show tells why'}`,
    );
}

const resume: Command = {
  path: ['host', 'resume'],
  summary: 'ends the maintenance of a host: VMs may come again',
  examples: [['host resume alpha', 'a drain under way is cancelled']],
  args: [HOST],
  options: OUTPUT,
  run: async (given) => {
    const host = await changeOnce(given, (client, options) => client('Hosts').resumeHost({ host: given.args[0] }, options));
    given.io.say(`${host.name} takes VMs again`);
    given.output.result(host, ({ name }) => name);
    return exitCodes.ok;
  },
};

const rm: Command = {
  path: ['host', 'rm'],
  summary: 'forgets a host and refuses its certificate',
  about: ['Drain it first. On a terminal it asks first, unless --yes is given.'],
  examples: [
    ['host rm gamma', 'a host without VMs'],
    ['host rm gamma --force', 'a dead one, whose VMs are or may be elsewhere by now'],
  ],
  args: [HOST],
  options: { force: { summary: 'a dead host, although VMs may be there' }, yes: { short: 'y', summary: 'does not ask' } },
  run: async (given) => {
    const { args, flags, io } = given;
    const [host] = args;
    if (!flags.has('yes') && !(await confirm(io, `remove the host ${host} from the cluster?`)))
      throw new CliError(exitCodes.failed, 'nothing was removed');
    await changeOnce(given, (client, options) => client('Hosts').removeHost({ host, force: flags.has('force') }, options));
    io.say(`${host} was removed from the cluster`);
    return exitCodes.ok;
  },
};

export const hostCommands: readonly Command[] = [ls, show, add, drain, resume, rm].map(remote);
