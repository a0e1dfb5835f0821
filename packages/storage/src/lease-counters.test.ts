/** Proves that heartbeats are counted once, in cumulative buckets, with what failed. */
import { LeaseCounters } from './lease-counters';

test('renewals by how long they took, failures, losses, age', () => {
  const lease = new LeaseCounters();
  for (const [ms, taken] of [
    [0.5, true],
    [5, true],
    [700, false],
    [60_000, false],
  ] as const)
    lease.renewed(ms, taken);
  lease.lost();
  expect(lease.counters(1_500)).toMatchObject({
    'lease_renewal_seconds_le_0.001': 1,
    'lease_renewal_seconds_le_0.005': 2,
    'lease_renewal_seconds_le_0.5': 2,
    lease_renewal_seconds_le_1: 3,
    lease_renewal_seconds_le_5: 3,
    lease_renewal_seconds_count: 4,
    lease_renewal_failures: 2,
    lease_losses: 1,
    lease_age_seconds: 1.5,
  });
  expect(lease.counters(undefined)).not.toHaveProperty('lease_age_seconds');
});
