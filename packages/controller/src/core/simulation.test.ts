/**
 * Proves, over seeded schedules of users, hosts, agents and two controllers, with delays, cuts, doubled and
 * lost messages, crashes of everything and changes of leader: the rules at the head of testing/world.ts.
 * And that they can fail: cores broken on purpose are caught. Longer: `npm run simulate -- --schedules 10000`.
 */
import { hostView, migrationView, operationView, vmView } from '../api/views';
import { type Rule, simulate } from '../testing/world';
import type { Context } from './context';
import { Core } from './core';

const SEEDS = 150;

test(`${SEEDS} schedules break no rule, and all that can happen did`, () => {
  const counts: Record<string, number> = {};
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = simulate(seed);
    expect(outcome.failure).toBeUndefined();
    for (const [what, times] of Object.entries(outcome.counts)) counts[what] = (counts[what] ?? 0) + times;
  }
  const wanted = [
    'migration.completed',
    'migration.cancelled',
    'migration.failed',
    'migration.unknown',
    'committed',
    'fenced',
    'host.dead',
    'host.rebooted',
    'host.maintenance',
    'operation.unknown',
    'operation.partial',
    'vm.crashed',
    'vm.removed',
  ];
  for (const what of wanted) expect([what, (counts[what] ?? 0) > 0]).toEqual([what, true]);
}, 120_000);

test('a larger cluster, full of VMs, keeps them as well', () => {
  for (let seed = 1; seed <= 3; seed++) {
    const { failure, counts } = simulate(seed, Core, { hosts: 10, vms: 120 });
    expect(failure).toBeUndefined();
    expect(counts['vm.created']).toBeGreaterThan(80);
  }
}, 120_000);

const contextOf = (core: Core): Context => (core as unknown as { context: Context }).context;

/** Never restarts what has died. */
class Forgets extends Core {
  override tick(now: number): ReturnType<Core['tick']> {
    for (const id of this.state.vms.keys()) contextOf(this).timers.clear(`restart/${id}`);
    return super.tick(now);
  }
}
/** Does not hear that a process has ended. */
class DeafToEnds extends Core {
  override report(...given: Parameters<Core['report']>): ReturnType<Core['report']> {
    const [now, hostId, sessionId, report] = given;
    return report.is === 'vmm' && report.vmm.ended ? super.tick(now) : super.report(now, hostId, sessionId, report);
  }
}
/** Says that a host is empty when it begins to empty it. */
class EmptyTooSoon extends Core {
  override ask<T>(...given: Parameters<typeof Core.prototype.ask<T>>): ReturnType<typeof Core.prototype.ask<T>> {
    const { value, output } = super.ask(...given);
    const begun = output.events.filter(({ kind }) => kind === 'host.draining');
    return {
      value,
      output: { ...output, events: [...output.events, ...begun.map((event) => ({ ...event, kind: 'host.maintenance' as const }))] },
    };
  }
}
/** Waits for ever where an answer was lost. */
class NoTimers extends Core {
  override tick(now: number): ReturnType<Core['tick']> {
    const { timers } = contextOf(this);
    for (const id of this.state.running) timers.clear(`operation/${id}`);
    for (const id of this.state.moving) timers.clear(`stage/${id}`);
    return super.tick(now);
  }
}
/** Sends its orders anew under other ids. */
class NewIds extends Core {
  override report(...given: Parameters<Core['report']>): ReturnType<Core['report']> {
    const output = super.report(...given);
    if (given[3].is !== 'hello') return output;
    return { ...output, messages: output.messages.flatMap((message) => [message, message]) };
  }
}
const broken: { name: string; make: typeof Core; rules: Rule[] }[] = [
  { name: 'never restarts', make: Forgets, rules: ['none-lost'] },
  { name: 'never gives up waiting', make: NoTimers, rules: ['ends', 'drained', 'none-lost'] },
  { name: 'does not hear of ends', make: DeafToEnds, rules: ['truth', 'none-lost'] },
  { name: 'says too soon that a host is empty', make: EmptyTooSoon, rules: ['drained'] },
];

test.each(broken)(
  'a core that $name is caught, and its seed reproduces the failure',
  ({ make, rules }) => {
    let seed = 1;
    while (seed < 60 && !simulate(seed, make).failure) seed++;
    const { failure } = simulate(seed, make);
    expect(rules).toContain(failure?.rule);
    expect(simulate(seed, make).failure).toEqual(failure);
  },
  60_000,
);

test('orders that are sent twice are done once', () => {
  for (let seed = 1; seed <= 20; seed++) expect(simulate(seed, NewIds).failure).toBeUndefined();
}, 60_000);

/** Looks at all that can be watched before and after each step: what looks different is to be told to those who watch it. */
class Watched extends Core {
  static checked = 0;
  private shown = new Map<string, string>();

  override load(...given: Parameters<Core['load']>): ReturnType<Core['load']> {
    // Nobody watches yet.
    return this.compared(super.load(...given), false);
  }
  override report(...given: Parameters<Core['report']>): ReturnType<Core['report']> {
    return this.compared(super.report(...given));
  }
  override tick(now: number): ReturnType<Core['tick']> {
    return this.compared(super.tick(now));
  }
  override ask<T>(...given: Parameters<typeof Core.prototype.ask<T>>): ReturnType<typeof Core.prototype.ask<T>> {
    const answer = super.ask(...given);
    this.compared(answer.output);
    return answer;
  }

  private compared(output: ReturnType<Core['tick']>, isWatched = true): ReturnType<Core['tick']> {
    const now = new Map<string, string>();
    const ctx = contextOf(this);
    const { state } = this;
    for (const [id, vm] of state.vms) now.set(`vm/${id}`, look(vmView(state, vm)));
    for (const [id, host] of state.hosts) now.set(`host/${id}`, look(hostView(ctx, host)));
    for (const [id, migration] of state.migrations) now.set(`migration/${id}`, look(migrationView(state, migration)));
    for (const [id, operation] of state.operations) now.set(`operation/${id}`, look(operationView(state, operation)));
    const told = new Set(output.changed.map(([what, id]) => `${what}/${id}`));
    for (const [key, text] of now) {
      const before = this.shown.get(key);
      if (before === text || !isWatched) continue;
      Watched.checked++;
      if (!told.has(key)) throw new Error(`${key} looks different, and nobody is told:\n${before}\n${text}`);
    }
    this.shown = now;
    return output;
  }
}
/** When something was heard last is shown with the next change. */
const look = (view: object): string => JSON.stringify({ ...view, seenAtMs: 0 });

test('whatever looks different is told to those who watch', () => {
  for (let seed = 1; seed <= 10; seed++) expect(simulate(seed, Watched).failure).toBeUndefined();
  expect(Watched.checked).toBeGreaterThan(2_000);
}, 120_000);
