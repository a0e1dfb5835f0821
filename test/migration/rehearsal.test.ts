/**
 * Proves that what a VM rehearses with while it waits for its state leaves nothing behind:
 * memory, machine, counters and features used are as they were, and a guest that then
 * comes finds a machine that works as any other.
 */
import { finish, guestImage, move, started, withSides } from './support/warm-move.mjs';

interface Look {
  readonly state: { readonly vcpu: unknown; readonly clock: object };
  readonly stats: { readonly vcpu: object };
  readonly written: number;
}

/** Without what the time of day decides, and the flags' bit that is always set once a state was taken over. */
const lasting = ({ state, stats, written }: Look): unknown => ({ written, state: { ...state, vcpu: undefined, clock: undefined }, stats: { ...stats, vcpu: undefined, runSeconds: undefined } });

test('a rehearsal runs a guest and leaves nothing of it', () =>
  withSides(async (_folder, side) => {
    const { instructions, before, after } = await side('target').do('rehearse', { ms: 300 });
    expect(instructions).toBeGreaterThan(1000);
    expect(after.written).toBe(-1);
    expect(lasting(after)).toEqual(lasting(before));
    expect(after.stats.featuresUsed).toEqual([]);
  }));

test('a guest that comes after it runs as it would have', () =>
  withSides(async (folder, side) => {
    const image = guestImage(folder, 0);
    const from = side('source', image), to = side('target');
    await started(from);
    await to.do('prepare');
    await move(from, to);
    const { stale, bad, end } = await finish(to);
    expect({ stale, bad, end }).toEqual({ stale: 0, bad: 0, end: 'power-off' });
  }));
