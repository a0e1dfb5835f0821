/** The planner with its questions timed, and what stood against hosts when none was found. */
import type { Metrics } from '@godwit/metrics';
import type { Placement, Planner } from '../core/planner';

type PlannerMetrics = Pick<Metrics<'controller'>, 'schedulerDecisionSeconds' | 'schedulerPlacementsTotal' | 'schedulerRefusalsTotal'>;

export function countedPlanner(planner: Planner, metrics: PlannerMetrics): Planner {
  const time = <T>(question: 'place' | 'drain' | 'balance', ask: () => T): T => {
    const began = performance.now();
    try {
      return ask();
    } finally {
      metrics.schedulerDecisionSeconds.observe({ question }, (performance.now() - began) / 1e3);
    }
  };
  return {
    touched: (what, id) => planner.touched?.(what, id),
    place: (state, request, now) => {
      const placement = time('place', () => planner.place(state, request, now));
      count(placement, metrics);
      return placement;
    },
    drain: (...given) => time('drain', () => planner.drain(...given)),
    balance: (...given) => time('balance', () => planner.balance(...given)),
  };
}

function count({ hostId, hosts }: Placement, { schedulerPlacementsTotal, schedulerRefusalsTotal }: PlannerMetrics): void {
  schedulerPlacementsTotal.inc({ outcome: hostId ? 'placed' : 'refused' });
  if (hostId) return;
  for (const reason of new Set(hosts.flatMap(({ blockers }) => blockers.map(({ code }) => code)))) schedulerRefusalsTotal.inc({ reason });
}
