/** Proves: the TSC's rate comes out of two readings, and an operator's own clock policy is left alone. */
import { tscKhz, withClockHint } from './clock-hint';

test('rate from two readings', () => {
  expect(tscKhz({ tsc: 1000n, ns: 0 }, { tsc: 1000n + 26_000_000n, ns: 10_000_000 })).toBe(2_600_000);
  expect(tscKhz({ tsc: 0n, ns: 0 }, { tsc: 2600n, ns: 1000 })).toBeUndefined();
});

test('hints are added once, and not against the command line', () => {
  expect(withClockHint('console=ttyS0', 2_600_000)).toBe('console=ttyS0 tsc=reliable tsc_early_khz=2600000');
  for (const own of ['notsc', 'a clocksource=acpi_pm', 'tsc=unstable', 'tsc_early_khz=5']) expect(withClockHint(own, 1)).toBe(own);
  expect(withClockHint('quiet', undefined)).toBe('quiet');
});
