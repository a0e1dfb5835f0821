/** Proves that the parts of a vCPU's time sum up to the time that the VM did not stand still, and never go back. */
import { VcpuTime } from './vcpu-time';

test('measured parts, the remainder, and standing still', () => {
  let now = 1_000;
  const spend = (ns: number) => () => {
    now += ns;
  };
  const time = new VcpuTime(() => now);
  time.halt(spend(3e9));
  time.rest(spend(1e9));
  time.stretch(spend(2e9));
  spend(4e9)();
  time.stands();
  spend(100e9)();
  time.stands();
  time.goesOn();
  time.goesOn();
  expect(time.seconds(0.5e9)).toEqual({ translatedSeconds: 3.5, interpretedSeconds: 2, haltedSeconds: 3, throttledSeconds: 1 });
  time.stands();
  spend(7e9)();
  expect(time.seconds(0.5e9).translatedSeconds).toBe(3.5);
  // More was translated than passed: nothing goes back.
  expect(time.seconds(3e9).translatedSeconds).toBe(3.5);
});

test('single steps are sampled: the sum is right on average', () => {
  let now = 0;
  const time = new VcpuTime(() => now);
  for (let step = 0; step < 6_400; step++)
    time.step(() => {
      now += 1_000;
    });
  expect(time.seconds(0).interpretedSeconds).toBeCloseTo(6.4e-3);
});

test('a guest that is no more leaves nothing', () => {
  let now = 0;
  const time = new VcpuTime(() => now);
  time.stands();
  now = 5e9;
  time.forget();
  now = 6e9;
  time.goesOn();
  now = 8e9;
  expect(time.seconds(0)).toEqual({ translatedSeconds: 2, interpretedSeconds: 0, haltedSeconds: 0, throttledSeconds: 0 });
});
