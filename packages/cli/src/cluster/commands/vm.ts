/** `godwit vm …`: what there is, and its life. */
import type { Input, ListVmsRequest, VmState } from '@godwit/wire';
import { CliError, exitCodes, usageError } from '../../errors';
import type { Command, Invocation } from '../core/command';
import type { Flags } from '../core/flags';
import { LIST, OUTPUT, WAIT, WATCH } from '../core/shared-options';
import { watchList } from '../follow/watch-list';
import { confirm } from '../output/prompt';
import { allVms } from '../session/whole-lists';
import { VM_KIND } from '../views/vm';
import { asChanges, operateOnAll, remote } from './shared';

const VM = { name: 'VM', complete: 'vm' } as const;
const VMS = { ...VM, many: true } as const;
const HOST = { value: 'HOST', summary: 'on that host', complete: 'host' } as const;
const STATES = ['starting', 'running', 'paused', 'suspended', 'stopped', 'incoming', 'unknown'] as const;
const NONE = 'there are no VMs: godwit vm create NAME makes one';

const filterOf = (flags: Flags): Input<ListVmsRequest> => ({
  host: flags.text('host') ?? '',
  labels: flags.list('label'),
  states: flags.list('state').map((state) => {
    if (!(STATES as readonly string[]).includes(state)) throw usageError(`--state is one of ${STATES.join(', ')}, not '${state}'`);
    return `VM_STATE_${state.toUpperCase()}` as VmState;
  }),
  nameContains: flags.text('name') ?? '',
});

const ls: Command = {
  path: ['vm', 'ls'],
  summary: 'lists VMs, and where they run',
  examples: [
    ['vm ls', 'all of them'],
    ['vm ls --host alpha --state running', 'those that run on alpha'],
    ['vm ls -l team=db -o name', 'names, a line each, for scripts'],
    ['vm ls --watch', 'goes on, and shows them move'],
  ],
  options: {
    ...LIST,
    ...WATCH,
    host: HOST,
    label: { short: 'l', value: 'KEY[=VALUE]', summary: 'with that label; may be repeated', many: true },
    state: { value: 'STATE', summary: `${STATES.join(', ')}; may be repeated`, choices: STATES, many: true },
    name: { value: 'TEXT', summary: 'with that in its name' },
  },
  run: async (given) => {
    const filter = filterOf(given.flags);
    if (given.flags.has('watch'))
      return watchList(given, {
        kind: VM_KIND,
        id: ({ spec }) => spec?.vmId ?? '',
        none: NONE,
        begin: (client, options) => asChanges(client('Vms').watchVms(filter, options), ({ vm }) => vm),
      });
    const vms = await given.session().ask((client, options) => allVms(client, options, filter));
    // A host that is not there has no VMs either: that is a mistake.
    if (vms.length === 0 && filter.host)
      await given.session().ask((client, options) => client('Hosts').getHost({ host: filter.host }, options));
    given.output.list(
      VM_KIND,
      vms,
      given.flags.has('host') || given.flags.has('label') || given.flags.has('state') || given.flags.has('name')
        ? 'no VM is like that'
        : NONE,
    );
    return exitCodes.ok;
  },
};

const show: Command = {
  path: ['vm', 'show'],
  summary: 'shows one VM at length',
  examples: [
    ['vm show web1', 'what it is, where it runs, its disks and networks'],
    ['vm show web1 -o yaml', 'as the controller has it'],
  ],
  args: [VM],
  options: OUTPUT,
  run: async ({ args: [vm], output, session }) => {
    output.one(VM_KIND, await session().ask((client, options) => client('Vms').getVm({ vm }, options)));
    return exitCodes.ok;
  },
};

const start: Command = {
  path: ['vm', 'start'],
  summary: 'starts stopped VMs, and suspended ones where they were',
  examples: [
    ['vm start web1', 'on the host that suits it best'],
    ['vm start web1 web2 --host alpha', 'both on alpha'],
    ['vm start db1 --paused', 'ready, but standing still: godwit vm resume db1'],
  ],
  args: [VMS],
  options: {
    host: HOST,
    paused: { summary: 'starts it standing still' },
    'discard-saved-state': { summary: 'boots a suspended VM anew: what was in its memory is lost' },
    ...WAIT,
  },
  run: (given) =>
    operateOnAll(given, given.args, (vm, client, options, idempotencyKey) =>
      client('Vms').startVm(
        {
          vm,
          host: given.flags.text('host') ?? '',
          paused: given.flags.has('paused'),
          discardSavedState: given.flags.has('discard-saved-state'),
          idempotencyKey,
          timeMs: given.flags.duration('timeout') ?? 0,
        },
        options,
      ),
    ),
};

const stop: Command = {
  path: ['vm', 'stop'],
  summary: "presses the VM's power button and waits until it is off",
  examples: [
    ['vm stop web1', 'asks the guest to shut down'],
    ['vm stop web1 --kill-after 30s', 'and pulls the plug if it has not by then'],
    ['vm stop web1 --kill', 'pulls the plug now: what the guest has not written is lost'],
  ],
  args: [VMS],
  options: {
    kill: { summary: 'pulls the plug' },
    'kill-after': { value: '30s', summary: 'pulls the plug if the guest has not stopped by then' },
    ...WAIT,
  },
  run: (given) => {
    const { flags } = given;
    if (flags.has('kill') && flags.has('kill-after')) throw usageError('--kill and --kill-after exclude each other');
    const killAfterMs = flags.duration('kill-after');
    return operateOnAll(given, given.args, (vm, client, options, idempotencyKey) =>
      client('Vms').stopVm({ vm, kill: flags.has('kill'), killAfterMs, idempotencyKey, timeMs: flags.duration('timeout') ?? 0 }, options),
    );
  },
};

type Simple = 'suspendVm' | 'resumeVm' | 'pauseVm' | 'resetVm';

const simple = (verb: string, method: Simple, summary: string, examples: Command['examples'], about?: string): Command => ({
  path: ['vm', verb],
  summary,
  about: about === undefined ? [] : [about],
  examples,
  args: [VMS],
  options: WAIT,
  run: (given: Invocation) =>
    operateOnAll(given, given.args, (vm, client, options, idempotencyKey) =>
      client('Vms')[method]({ vm, idempotencyKey, timeMs: given.flags.duration('timeout') ?? 0 }, options),
    ),
});

const rm: Command = {
  path: ['vm', 'rm'],
  summary: 'removes VMs with their disks',
  about: ['On a terminal it asks first, unless --yes is given.'],
  examples: [
    ['vm rm web1', 'a stopped VM; its disks are gone then'],
    ['vm rm web1 --force --yes', 'pulls the plug first if it runs, and does not ask'],
  ],
  args: [VMS],
  options: { force: { summary: 'also VMs that run: pulls the plug first' }, yes: { short: 'y', summary: 'does not ask' }, ...WAIT },
  run: async (given) => {
    const { args, flags, io } = given;
    if (!flags.has('yes') && !(await confirm(io, `remove ${args.join(', ')} and all that is on the disks?`)))
      throw new CliError(exitCodes.failed, 'nothing was removed');
    return operateOnAll(given, args, (vm, client, options, idempotencyKey) =>
      client('Vms').removeVm({ vm, force: flags.has('force'), idempotencyKey }, options),
    );
  },
};

export const vmCommands: readonly Command[] = [
  ls,
  show,
  start,
  stop,
  simple('suspend', 'suspendVm', 'saves VMs to their datastore and ends their processes', [
    ['vm suspend web1', 'goes on with godwit vm start web1, on any host'],
  ]),
  simple('resume', 'resumeVm', 'lets VMs go on that were paused or suspended', [['vm resume web1', 'exactly where it was']]),
  simple('pause', 'pauseVm', 'lets VMs stand still, in memory', [['vm pause web1', 'goes on with godwit vm resume web1']]),
  simple('reset', 'resetVm', 'presses the reset button', [['vm reset web1', 'the guest boots anew; what it has not written is lost']]),
  rm,
].map(remote);
