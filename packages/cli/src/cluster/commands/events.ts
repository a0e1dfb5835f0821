/** `godwit events`: the timeline. */
import type { Event, Input, ListEventsRequest, Severity } from '@godwit/wire';
import { exitCodes } from '../../errors';
import type { Command } from '../core/command';
import { LIST, WATCH } from '../core/shared-options';
import { attend } from '../follow/attention';
import { joined } from '../output/output';
import { EVENT_KIND } from '../views/cluster';
import { migrationId, operationId } from './ids';
import { remote } from './shared';

const LEVELS = ['info', 'warning', 'error'] as const;
/** Of the past, before what comes. */
const BEFORE_WATCH = 10;

export const events: Command = remote({
  path: ['events'],
  summary: 'what happened, to what, and who asked for it',
  examples: [
    ['events', 'the last 100, the newest last'],
    ['events --watch', 'the last ten, then what comes'],
    ['events --vm web1 --level warning', 'what was not as it should be with web1'],
    ['events --migration web1', 'the timeline of its latest migration'],
    ['events --kind migration. -o json --watch', 'migrations, an object a line, for programs'],
  ],
  options: {
    ...LIST,
    ...WATCH,
    vm: { value: 'VM', summary: 'of that VM', complete: 'vm' },
    host: { value: 'HOST', summary: 'of that host', complete: 'host' },
    migration: { value: 'MIGRATION', summary: 'of that migration', complete: 'migration' },
    operation: { value: 'OPERATION', summary: 'of that operation', complete: 'operation' },
    kind: { value: 'KIND', summary: '`vm.started`, or `vm.` for all that begin so; may be repeated', many: true },
    level: { value: 'LEVEL', summary: `at least: ${LEVELS.join(', ')}`, choices: LEVELS },
    limit: { value: 'N', summary: 'so many of the past at most (1000)' },
    after: { value: 'CURSOR', summary: 'those after the one with that cursor (-o wide shows them)' },
  },
  run: async ({ flags, io, output, session }) => {
    const watch = flags.has('watch');
    const [migration, operation, level] = [flags.text('migration'), flags.text('operation'), flags.text('level')];
    const request: Input<ListEventsRequest> = {
      vm: flags.text('vm') ?? '',
      host: flags.text('host') ?? '',
      migrationId: migration === undefined ? '' : await migrationId(session(), migration),
      operationId: operation === undefined ? '' : await operationId(session(), operation),
      kinds: flags.list('kind'),
      atLeast: level === undefined ? undefined : (`SEVERITY_${level.toUpperCase()}` as Severity),
      after: flags.text('after') ?? '',
      limit: flags.whole('limit', 1, 1_000) ?? (watch ? BEFORE_WATCH : 0),
    };
    const { events } = await session().ask((client, options) => client('Events').listEvents(request, options));
    if (!watch) {
      output.list(EVENT_KIND, events, 'no event is like that');
      return exitCodes.ok;
    }
    const widths: number[] = [];
    let last = request.after;
    const show = (found: readonly Event[], headers: boolean): void => {
      last = found.at(-1)?.cursor ?? last;
      if (output.forPeople) io.out(joined(output.table(EVENT_KIND, found, { widths, ...(headers ? {} : { headers: false }) })));
      else for (const event of found) output.change(EVENT_KIND, event, 'put');
    };
    // What happened between the two questions is asked for with the last cursor; without any event, from the beginning.
    await attend(io, flags.duration('timeout'), async (signal) => {
      // Ctrl-C is attended to before there is anything to see.
      if (events.length > 0 || output.forPeople) show(events, true);
      const coming = session().follow(
        (client, options) => client('Events').watchEvents({ ...request, after: last || '0', limit: 0 }, options),
        () => false,
        signal,
      );
      for await (const event of coming) show([event], false);
    });
    return exitCodes.ok;
  },
});
