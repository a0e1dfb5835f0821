/** Proves the lease's single steps: who gets it, when the holder is fenced, what a pass decides. */
import { Lease } from './lease';
import { takeoverWaitMs, type LeaseTiming } from './limits';
import type { Command, Step } from './protocol';
import { encodeBeat, type Claim, type Owner } from './record';

const timing: LeaseTiming = { leaseMs: 10_000, beatMs: 1_000, pauseLeadMs: 2_000 };
const owner = (n: number): Owner => ({ hostId: `h${n}`, hostName: `host${n}`, vmmId: `v${n}` });

/** A storage that does at once what it is told, unless a test answers itself. */
class Bench {
  claims: Claim[] = [];
  beat = '';
  events: string[] = [];
  hung: Command[] = [];
  hang: Command['do'][] = [];

  feed(lease: Lease, now: number, step: Step): void {
    for (const event of step.events) this.events.push(event.event);
    for (const command of step.commands) {
      if (this.hang.includes(command.do)) this.hung.push(command);
      else if (command.do === 'observe') this.feed(lease, now, lease.observed(now, command.id, this.seen()));
      else if (command.do === 'beat') {
        this.beat = encodeBeat(command.beat);
        this.feed(lease, now, lease.beaten(now, command.id, true));
      } else if (command.do === 'claim') this.feed(lease, now, lease.claimed(now, command.id, this.link(command.claim)));
    }
  }
  link(claim: Claim): 'won' | 'exists' {
    if (this.claims.some((one) => one.epoch === claim.epoch)) return 'exists';
    this.claims.push(claim);
    this.beat = '';
    return 'won';
  }
  seen() {
    const claim = this.claims.at(-1);
    return { epoch: claim?.epoch ?? 0, claim, beat: this.beat };
  }
  tick(lease: Lease, from: number, to: number, step = 250): void {
    for (let now = from; now <= to; now += step) this.feed(lease, now, lease.tick(now));
  }
  took(): string[] {
    return this.events.splice(0);
  }
}

function held(): { bench: Bench; lease: Lease } {
  const bench = new Bench();
  const lease = new Lease('vm', owner(1), timing);
  bench.feed(lease, 0, lease.acquire(0, false));
  expect(bench.took()).toEqual(['acquired']);
  return { bench, lease };
}

test('a free VM is had at once, and kept by heartbeats', () => {
  const { bench, lease } = held();
  bench.tick(lease, 0, 60_000);
  expect(bench.took()).toEqual([]);
  expect([lease.mayRun(60_000), lease.heldEpoch, lease.deadline]).toEqual([true, 1, 70_000]);
});

test('a holder is told to pause before its lease ends; what is acknowledged later does not revive it', () => {
  const { bench, lease } = held();
  bench.hang = ['beat', 'claim', 'observe'];
  bench.tick(lease, 250, 7_750);
  expect([bench.took(), lease.mayRun(7_999)]).toEqual([[], true]);
  bench.tick(lease, 8_000, 8_000);
  expect([bench.took(), lease.mayRun(8_000), lease.mayWrite(9_999), lease.mayWrite(10_000)]).toEqual([['mustPause'], false, true, false]);
  const beat = bench.hung.find((one) => one.do === 'beat')!;
  if (beat.do === 'beat') bench.feed(lease, 8_100, lease.beaten(8_100, beat.id, true));
  expect(lease.mayRun(8_100)).toBe(false);
  // The storage answers again: the next epoch is claimed, not the old one revived.
  bench.hang = [];
  const look = bench.hung.findLast((one) => one.do === 'observe')!;
  if (look.do === 'observe') bench.feed(lease, 20_000, lease.observed(20_000, look.id, bench.seen()));
  expect([bench.took(), lease.heldEpoch, lease.mayRun(20_000)]).toEqual([['mayResume'], 2, true]);
});

test('a process that was stopped may not run when it wakes, before anything has told it so', () => {
  const { lease } = held();
  expect([lease.mayRun(30_000), lease.mayWrite(30_000)]).toEqual([false, false]);
});

test('a second VMM is refused as soon as the heartbeat moves, with the owner', () => {
  const { bench } = held();
  const second = new Lease('vm', owner(2), timing);
  bench.feed(second, 0, second.acquire(0, false));
  bench.tick(second, 500, 2_000);
  expect(bench.took()).toEqual([]);
  bench.beat = 'moved';
  const events: unknown[] = [];
  for (const command of second.tick(2_500).commands)
    if (command.do === 'observe') events.push(...second.observed(2_500, command.id, bench.seen()).events);
  expect(events).toEqual([{ event: 'refused', owner: owner(1) }]);
});

test('a dead holder is taken over after the full lease with drift and slack, and not before', () => {
  const { bench } = held();
  const second = new Lease('vm', owner(2), timing);
  bench.feed(second, 5_000, second.acquire(5_000, false));
  const wait = takeoverWaitMs(timing.leaseMs);
  expect(wait).toBeGreaterThan(10_000 * 1.02);
  bench.tick(second, 5_000, 5_000 + wait - 1, 50);
  expect(bench.took()).toEqual([]);
  bench.tick(second, 5_000 + wait, 5_000 + wait + 500, 50);
  expect([bench.took(), second.heldEpoch]).toEqual([['acquired'], 2]);
});

test('pass: source stops at once, target runs when it reads that it is owner', () => {
  const { bench, lease } = held();
  const target = new Lease('vm', owner(2), timing);
  bench.feed(target, 1_000, target.expect(1_000));
  bench.hang = ['claim'];
  bench.feed(lease, 1_100, lease.pass(1_100, owner(2), 'm1'));
  expect([lease.mayRun(1_100), lease.mayWrite(1_100), target.mayRun(1_100)]).toEqual([false, false, false]);
  const claim = bench.hung[0];
  if (claim.do === 'claim') bench.feed(lease, 1_110, lease.claimed(1_110, claim.id, bench.link(claim.claim)));
  expect(bench.took()).toEqual(['passed']);
  bench.feed(target, 1_120, target.look(1_120));
  expect([bench.took(), target.heldEpoch, target.deadline]).toEqual([['acquired'], 2, expect.any(Number)]);
  expect(bench.claims[1]).toMatchObject({ owner: owner(2), epoch: 2, migrationId: 'm1', reason: 'pass' });
});

test('a target is refused once two new heartbeats of the source do not name its migration', () => {
  const { bench, lease } = held();
  const target = new Lease('vm', owner(2), timing);
  const next = { migrationId: 'm1', target: owner(2) };
  lease.announce(next);
  bench.feed(target, 500, target.expect(500, 'm1'));
  bench.tick(lease, 1_000, 3_000);
  bench.tick(target, 3_100, 3_100);
  expect([bench.took(), target.state]).toEqual([[], 'seeking']);
  lease.announce(null);
  for (const now of [4_000, 5_000]) {
    bench.tick(lease, now, now);
    bench.tick(target, now + 500, now + 500);
    expect(target.state).toBe(now === 4_000 ? 'seeking' : 'ended');
  }
  expect([bench.took(), lease.mayRun(5_600)]).toEqual([['refused'], true]);
});

test('a source that died before it passed the VM on leaves it free for anyone, not to its target', () => {
  const { bench } = held();
  const target = new Lease('vm', owner(2), timing);
  bench.feed(target, 1_000, target.expect(1_000, 'm1'));
  bench.tick(target, 1_250, 11_000);
  expect([bench.took(), target.state]).toEqual([[], 'seeking']);
  bench.tick(target, 11_250, 12_500);
  expect([bench.took(), target.state, target.mayRun(12_500)]).toEqual([['released'], 'ended', false]);
  expect(bench.claims.at(-1)).toMatchObject({ epoch: 2, owner: null });
});

test('a target that takes the source for dead finds that it was given the VM', () => {
  const { bench } = held();
  const target = new Lease('vm', owner(2), timing);
  bench.feed(target, 1_000, target.expect(1_000, 'm1'));
  bench.hang = ['claim'];
  bench.tick(target, 1_250, 12_500);
  const claim = bench.hung[0];
  if (claim?.do !== 'claim') throw new Error('no claim');
  bench.claims.push({ ...claim.claim, owner: owner(2), reason: 'pass', migrationId: 'm1', nonce: 'the source' });
  bench.hang = [];
  bench.feed(target, 12_600, target.claimed(12_600, claim.id, 'exists'));
  bench.tick(target, 12_700, 13_500);
  expect([bench.took(), target.mayRun(13_500)]).toEqual([['acquired'], true]);
});

test.each([
  { landed: true, event: 'passed', runs: false },
  { landed: false, event: 'passFailed', runs: true },
])('pass with unknown outcome (landed: $landed): stays paused until it knows, then $event', ({ landed, event, runs }) => {
  const { bench, lease } = held();
  bench.hang = ['claim', 'observe'];
  bench.feed(lease, 1_000, lease.pass(1_000, owner(2), 'm1'));
  const claim = bench.hung[0];
  if (claim.do !== 'claim') throw new Error('no claim');
  if (landed) bench.link(claim.claim);
  bench.feed(lease, 2_000, lease.claimed(2_000, claim.id, 'unknown'));
  expect([bench.took(), lease.mayRun(2_000)]).toEqual([[], false]);
  bench.hang = [];
  const look = bench.hung.at(-1)!;
  if (look.do === 'observe') bench.feed(lease, 2_100, lease.observed(2_100, look.id, bench.seen()));
  expect([bench.took(), lease.mayRun(2_100)]).toEqual([[event], runs]);
  // The pass that lands now, late, finds the epoch taken.
  expect(bench.link(claim.claim)).toBe('exists');
});

test('pass that was never sent: the source goes on in its own epoch', () => {
  const { bench, lease } = held();
  bench.hang = ['claim'];
  bench.feed(lease, 1_000, lease.pass(1_000, owner(2), 'm1'));
  const claim = bench.hung[0];
  if (claim.do === 'claim') bench.feed(lease, 1_100, lease.claimed(1_100, claim.id, 'unsent'));
  expect([bench.took(), lease.mayRun(1_100), lease.heldEpoch]).toEqual([['passFailed'], true, 1]);
});

test('a target that reads late claims the next epoch instead of trusting the old claim', () => {
  const { bench, lease } = held();
  const target = new Lease('vm', owner(2), timing);
  bench.feed(target, 1_000, target.expect(1_000));
  bench.feed(lease, 1_100, lease.pass(1_100, owner(2), 'm1'));
  bench.took();
  bench.feed(target, 15_000, target.look(15_000));
  expect([bench.took(), target.heldEpoch]).toEqual([['acquired'], 3]);
});

test('a released VM is had at once', () => {
  const { bench, lease } = held();
  bench.feed(lease, 100, lease.release(100));
  expect([bench.took(), lease.mayWrite(100)]).toEqual([['released'], false]);
  const second = new Lease('vm', owner(2), timing);
  bench.feed(second, 200, second.acquire(200, false));
  expect([bench.took(), second.heldEpoch]).toEqual([['acquired'], 3]);
});

test('timings that cannot work are refused', () => {
  expect(() => new Lease('vm', owner(1), { leaseMs: 1_000, beatMs: 500, pauseLeadMs: 100 })).toThrow(/must fit/);
  expect(() => new Lease('vm', owner(1), { leaseMs: 10, beatMs: 1, pauseLeadMs: 1 })).toThrow(/lasts from/);
  expect(() => new Lease('vm', { ...owner(1), hostName: '' }, timing)).toThrow(/characters/);
});
