/** `godwit top`: hosts, migrations and VMs, live. */
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodes, usageError } from '../../errors';
import type { Command, Invocation } from '../core/command';
import { OUTPUT } from '../core/shared-options';
import { attend } from '../follow/attention';
import { joined } from '../output/output';
import { Redraw } from '../output/redraw';
import { plain } from '../output/style';
import { allHosts, allVms } from '../session/whole-lists';
import { type Picture, type Sort, SORTS, sorted, topLines } from '../views/top';
import { VM_KIND } from '../views/vm';
import { remote } from './shared';

const EVERY_MS = 1_000;
/** Faster would load the controller for nothing: hosts report once a second. */
const LEAST_MS = 500;

export const top: Command = remote({
  path: ['top'],
  summary: 'hosts, migrations and VMs on one screen, live',
  about: ['On a terminal until Ctrl-C; elsewhere, and with -o json, once.'],
  examples: [
    ['top', 'the busiest VMs first'],
    ['top --sort writes', 'those first that write most: they are the hardest to move'],
    ['top --once', 'one picture'],
  ],
  options: {
    sort: { value: 'BY', summary: `the order of VMs: ${SORTS.join(', ')} (without it: cpu)`, choices: SORTS },
    every: { value: '1s', summary: 'how often it is looked at' },
    once: { summary: 'one picture' },
    ...OUTPUT,
  },
  run: async (given) => {
    const { flags, io, output } = given;
    const by = (flags.text('sort') ?? 'cpu') as Sort;
    const everyMs = flags.duration('every') ?? EVERY_MS;
    if (everyMs < LEAST_MS) throw usageError(`--every is at least ${LEAST_MS}ms`);
    const first = await picture(given);
    if (!output.forPeople) {
      if (output.format === 'name') output.list(VM_KIND, sorted(first.vms, by), '');
      else output.one({ columns: [], name: () => '' }, { ...first, vms: sorted(first.vms, by) });
      return exitCodes.ok;
    }
    if (!io.outIsTerminal || flags.has('once')) {
      io.out(joined(topLines(first, by, Date.now(), io.outIsTerminal ? output.style : plain)));
      return exitCodes.ok;
    }
    const redraw = new Redraw(
      (text) => io.out(text),
      () => io.rows(),
    );
    const draw = (now: Picture): void => redraw.show(() => topLines(now, by, Date.now(), output.style, io.columns(), io.rows() - 1));
    await attend(io, flags.duration('timeout'), async (signal) => {
      // Ctrl-C is attended to before there is anything to see.
      draw(first);
      for (;;) {
        await sleep(everyMs, undefined, { signal });
        draw(await picture(given));
      }
    }).finally(() => redraw.end());
    return exitCodes.ok;
  },
});

async function picture({ session }: Invocation): Promise<Picture> {
  return session().ask(async (client, options) => {
    const [hosts, vms, { migrations }] = await Promise.all([
      allHosts(client, options),
      allVms(client, options),
      client('Migrations').listMigrations({ runningOnly: true }, options),
    ]);
    return { hosts, vms, migrations };
  });
}
