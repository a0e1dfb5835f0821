/** Proves that a throttled vCPU gets the share of time that was asked for. */
import { Throttle } from './throttle';

test.each([0, 10, 50, 90, 99])('%d %%', (percent) => {
  const throttle = new Throttle();
  throttle.set(percent, 0);
  let ran = 0;
  let now = 0;
  while (now < 20e9) {
    const rest = throttle.restNs(now);
    if (rest > 0) {
      now += rest;
      continue;
    }
    // Interrupted a little late, as a real vCPU is.
    const next = Math.min(throttle.deadlineNs, now + 1e9) + 20e3;
    ran += next - now;
    now = next;
  }
  expect((ran / now) * 100).toBeCloseTo(100 - percent, 0);
});

test('switching it off lets the vCPU run at once', () => {
  const throttle = new Throttle();
  throttle.set(99, 0);
  expect(throttle.restNs(6e6)).toBeGreaterThan(0);
  throttle.set(0, 7e6);
  expect(throttle.restNs(7e6)).toBe(0);
  expect(throttle.deadlineNs).toBe(Number.POSITIVE_INFINITY);
});
