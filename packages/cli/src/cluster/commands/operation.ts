/** `godwit operation …`: what takes time, whoever began it. */
import { exitCodes } from '../../errors';
import type { Command } from '../core/command';
import { LIST, OUTPUT, WAIT } from '../core/shared-options';
import { conclude, isRunning } from '../follow/wait';
import { OPERATION_KIND } from '../views/moving';
import { operationId } from './ids';
import { changeOnce, remote } from './shared';

const OPERATION = { name: 'OPERATION', complete: 'operation' } as const;
const NAMING = 'An operation is named by its id, by the beginning of that, or by its VM: then the latest one is meant.';

const ls: Command = {
  path: ['operation', 'ls'],
  summary: 'lists operations, the newest first',
  examples: [
    ['operation ls --running', 'what is going on'],
    ['operation ls --vm web1', 'what was done with web1'],
  ],
  options: {
    ...LIST,
    running: { summary: 'that go on' },
    vm: { value: 'VM', summary: 'of that VM', complete: 'vm' },
    host: { value: 'HOST', summary: 'of that host', complete: 'host' },
    limit: { value: 'N', summary: 'so many at most' },
  },
  run: async ({ flags, output, session }) => {
    const request = {
      runningOnly: flags.has('running'),
      vm: flags.text('vm') ?? '',
      host: flags.text('host') ?? '',
      limit: flags.whole('limit', 1, 1_000) ?? 0,
    };
    const { operations } = await session().ask((client, options) => client('Operations').listOperations(request, options));
    output.list(OPERATION_KIND, operations, 'there are no operations');
    return exitCodes.ok;
  },
};

const show: Command = {
  path: ['operation', 'show'],
  summary: 'shows one operation, with each part of a batch',
  about: [NAMING],
  examples: [['operation show web1', 'the latest of web1']],
  args: [OPERATION],
  options: OUTPUT,
  run: async ({ args, output, session }) => {
    const id = await operationId(session(), args[0]);
    output.one(OPERATION_KIND, await session().ask((client, options) => client('Operations').getOperation({ operationId: id }, options)));
    return exitCodes.ok;
  },
};

const watch: Command = {
  path: ['operation', 'watch'],
  summary: 'follows an operation until it has ended; its exit code is that of the operation',
  about: [NAMING],
  examples: [['operation watch 3f0c', 'one that was begun with --detach']],
  args: [OPERATION],
  options: OUTPUT,
  run: async (given) => {
    const id = await operationId(given.session(), given.args[0]);
    return conclude(given, await given.session().ask((client, options) => client('Operations').getOperation({ operationId: id }, options)));
  },
};

const cancel: Command = {
  path: ['operation', 'cancel'],
  summary: 'cancels an operation; what was done already stays done',
  about: [NAMING],
  examples: [['operation cancel web1', 'the one under way with web1']],
  args: [OPERATION],
  options: { why: { value: 'TEXT', summary: 'the reason, for the history' }, ...WAIT },
  run: async (given) => {
    const { args, flags, io, session } = given;
    const id = await operationId(session(), args[0]);
    const operation = await changeOnce(given, (client, options) =>
      client('Operations').cancelOperation({ operationId: id, why: flags.text('why') ?? '' }, options),
    );
    const code = await conclude(given, operation);
    if (flags.has('detach') && isRunning(operation)) io.say('it is being cancelled');
    // That it was cancelled is what was asked for.
    return code === exitCodes.failed ? exitCodes.ok : code;
  },
};

export const operationCommands: readonly Command[] = [ls, show, watch, cancel].map(remote);
