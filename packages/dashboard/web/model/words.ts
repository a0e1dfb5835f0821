/** Figures and states as people read them. Widths hold still: digits are tabular, units have a fixed place. */
import type { Host, Vm } from './types';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function bytes(value: number): string {
  let at = 0;
  let left = value;
  while (left >= 1024 && at < UNITS.length - 1) {
    left /= 1024;
    at++;
  }
  return `${left >= 100 || at === 0 ? Math.round(left) : left.toFixed(1)} ${UNITS[at]}`;
}

export const rate = (bytesPerSecond: number): string => `${bytes(bytesPerSecond)}/s`;
export const percent = (share: number): string => `${Math.round(share * 100)} %`;

export function duration(ms: number): string {
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 1_000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;
  return `${Math.floor(ms / 86_400_000)} d ${Math.floor((ms % 86_400_000) / 3_600_000)} h`;
}

export const clock = (atMs: number): string => (atMs ? new Date(atMs).toLocaleTimeString('en-GB') : '–');
export const dateAndTime = (atMs: number): string =>
  atMs ? `${new Date(atMs).toLocaleDateString('en-CA')} ${new Date(atMs).toLocaleTimeString('en-GB')}` : '–';

export const stateWord = (state: string): string => state.replace(/^(VM|HOST|OPERATION|WANTED)_STATE_/, '').toLowerCase();
export const roleWord = (role: string): string => role.replace('ROLE_', '').toLowerCase();
export const severityWord = (severity: string): string => severity.replace('SEVERITY_', '').toLowerCase();

/** A shape for each state: colour is never the only sign. */
export const VM_SIGNS: Readonly<Record<string, string>> = {
  running: '●',
  starting: '◔',
  paused: '❚❚',
  suspended: '◐',
  stopped: '○',
  incoming: '◌',
  unknown: '?',
};

export const vmWord = (vm: Vm): string => stateWord(vm.state);
export const hostWord = (host: Host): string => stateWord(host.state);

/** What a shell needs quoted. */
export const shellWord = (word: string): string => (/^[A-Za-z0-9._:@%+/=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
