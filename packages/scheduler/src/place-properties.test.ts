/**
 * Proves for clusters of every kind: no placement breaks a hard rule, a reservation or a limit; the explanation is
 * complete; the answer is the same every time, in whatever order the cluster came to be; the quick choice is the
 * explained one.
 */
import fc from 'fast-check';
import { ClusterIndex } from './cluster-index';
import type { MoveKind } from './model';
import { choose, place } from './place';
import { snapshots } from './testing/arbitrary';
import { judge } from './testing/referee';

const MOVES: readonly MoveKind[] = ['live', 'resume', 'cold', 'start'];
const moveFor = (hostId: string | null): MoveKind[] => (hostId === null ? ['start', 'cold', 'resume'] : ['live', 'start']);
const RUNS = { numRuns: 100 };

test('no placement breaks a hard rule or takes what is not there', () => {
  let chosen = 0;
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const index = ClusterIndex.of(snapshot);
      for (const vm of snapshot.vms) {
        for (const move of moveFor(vm.hostId)) {
          const { hostId } = place(index, { vm, move });
          if (hostId === null) continue;
          chosen++;
          expect(judge(snapshot, [{ vmId: vm.facts.vmId, targetId: hostId }])).toEqual([]);
        }
      }
    }),
    RUNS,
  );
  // The clusters are not so odd that the property holds for want of placements.
  expect(chosen).toBeGreaterThan(100);
});

test('the explanation is complete: every host stands in it, the chosen one without a reason, and each refused one with a reason and no score', () => {
  fc.assert(
    fc.property(snapshots, fc.constantFrom(...MOVES), (snapshot, move) => {
      const index = ClusterIndex.of(snapshot);
      for (const vm of snapshot.vms.slice(0, 6)) {
        const { hostId, hosts, line } = place(index, { vm, move });
        const open = hosts.filter(({ blockers }) => blockers.length === 0);
        const closed = hosts.slice(open.length);
        const said = (message: string): boolean => /^[^\n]{5,}$/.test(message);
        const holds = {
          everyHost:
            hosts
              .map((verdict) => verdict.hostId)
              .sort()
              .join() ===
            snapshot.hosts
              .map(({ id }) => id)
              .sort()
              .join(),
          bestIsChosen: hostId === (open[0]?.hostId ?? null) && line !== '',
          openHaveParts: open.every(
            ({ parts, score }) => parts.length > 0 && parts.every((part) => said(part.line)) && score >= 0 && score <= 1,
          ),
          closedHaveReasons: closed.every(({ blockers, score, parts }) => blockers.length > 0 && score === 0 && parts.length === 0),
          reasonsAreLines: closed.every(({ blockers }) => blockers.every(({ message }) => said(message))),
          bestFirst: open.every(
            (verdict, i) => i === 0 || (open[i - 1].broken.length - verdict.broken.length || verdict.score - open[i - 1].score) <= 0,
          ),
        };
        expect(holds).toEqual({
          everyHost: true,
          bestIsChosen: true,
          openHaveParts: true,
          closedHaveReasons: true,
          reasonsAreLines: true,
          bestFirst: true,
        });
      }
    }),
    RUNS,
  );
});

test('the quick choice is the explained one, also for a host that was asked for', () => {
  fc.assert(
    fc.property(snapshots, fc.constantFrom(...MOVES), fc.boolean(), fc.nat(), (snapshot, move, force, n) => {
      const index = ClusterIndex.of(snapshot);
      const wanted = snapshot.hosts[n % snapshot.hosts.length].id;
      for (const vm of snapshot.vms.slice(0, 6)) {
        for (const request of [
          { vm, move },
          { vm, move, hostId: wanted, force },
        ]) {
          expect(choose(index, request)?.host.id ?? null).toBe(place(index, request).hostId);
        }
      }
    }),
    RUNS,
  );
});

test('soft rules are broken only if every host would break as many', () => {
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const index = ClusterIndex.of(snapshot);
      for (const vm of snapshot.vms) {
        const { hosts, hostId } = place(index, { vm, move: 'live' });
        const open = hosts.filter(({ blockers }) => blockers.length === 0);
        const chosen = open.find((verdict) => verdict.hostId === hostId);
        for (const other of open) expect(chosen!.broken.length).toBeLessThanOrEqual(other.broken.length);
      }
    }),
    { numRuns: 100 },
  );
});

test('order does not matter, and asking changes nothing', () => {
  fc.assert(
    fc.property(snapshots, fc.infiniteStream(fc.nat()), (snapshot, numbers) => {
      const shuffled = <T>(items: readonly T[]): T[] =>
        items
          .map((item) => ({ item, at: numbers.next().value! }))
          .sort((a, b) => a.at - b.at)
          .map(({ item }) => item);
      const index = ClusterIndex.of(snapshot);
      const other = ClusterIndex.of({
        ...snapshot,
        hosts: shuffled(snapshot.hosts),
        vms: shuffled(snapshot.vms),
        moves: shuffled(snapshot.moves),
        rules: shuffled(snapshot.rules),
      });
      for (const vm of snapshot.vms.slice(0, 3)) {
        for (const move of moveFor(vm.hostId)) {
          const answer = place(index, { vm, move });
          expect(place(other, { vm, move })).toEqual(answer);
          expect(place(index, { vm, move })).toEqual(answer);
        }
      }
    }),
    { numRuns: 100 },
  );
});

test('the memory of compatible kinds changes no answer', () => {
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const index = ClusterIndex.of(snapshot);
      for (const vm of snapshot.vms) choose(index, { vm, move: 'live' });
      for (const vm of snapshot.vms.slice(0, 4))
        expect(place(index, { vm, move: 'live' })).toEqual(place(ClusterIndex.of(snapshot), { vm, move: 'live' }));
    }),
    { numRuns: 50 },
  );
});
