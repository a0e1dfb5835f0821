/** Proves that the kernel's figures are read as proc(5) gives them, and this very process is known again. */
import { identify, isAlive, parseStat } from '../state/processes';
import { memoryLine, parsePressure, parseTicks, parseTraffic } from './procfs';

test('memory, CPU time, traffic, pressure', () => {
  expect(memoryLine('MemTotal:       1024 kB\nMemAvailable:    512 kB\n', 'MemAvailable')).toBe(512 * 1024);
  expect(memoryLine('', 'MemTotal')).toBeUndefined();
  expect(parseTicks('cpu  10 1 9 70 10 0 0 0 5 0\ncpu0 1 1 1 1\n')).toEqual({ all: 100, busy: 20 });
  const header = 'Inter-|   Receive\n face |bytes\n';
  expect(parseTraffic(`${header}    lo: 9 0 0 0 0 0 0 0 9 0\n  eth0: 5 0 0 0 0 0 0 0 7 0\ngodwit0: 9 0 0 0 0 0 0 0 9 0\n`)).toEqual({
    rxBytes: 5,
    txBytes: 7,
  });
  expect(parsePressure('some avg10=2.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00\n')).toBe(0.025);
  expect(parsePressure('')).toBe(0);
});

test('a process with brackets and blanks in its name', () => {
  const stat = parseStat('7 (a) b) S 1 7 7 0 -1 4194304 1 2 3 4 11 22 0 0 20 0 1 0 9876 1000 55 18446744073709551615');
  expect(stat).toEqual({ state: 'S', startTime: 9876, cpuTicks: 33, residentPages: 55 });
});

test('a pid that is used again is another process', () => {
  const self = identify(process.pid)!;
  expect(isAlive(self)).toBe(true);
  expect(isAlive({ ...self, startTime: self.startTime - 1 })).toBe(false);
  expect(isAlive({ ...self, bootId: 'another boot' })).toBe(false);
});
