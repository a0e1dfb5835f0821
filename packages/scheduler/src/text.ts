/** Words for people, and an order of texts that is the same everywhere. */
import { MAX_NAMED } from './limits';

/** By UTF-16 units: no locale, so that every controller chooses alike. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
export const percent = (share: number): string => `${Math.round(share * 100)} %`;
export const cpus = (milli: number): string => String(Math.round(milli / 10) / 100);
export const seconds = (ms: number): string =>
  ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : ms < 600_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;

/** `a, b, c and 4 more` */
export const names = (all: readonly string[]): string =>
  all.length <= MAX_NAMED ? all.join(', ') : `${all.slice(0, MAX_NAMED).join(', ')} and ${all.length - MAX_NAMED} more`;

export const count = (number: number, one: string): string => `${number} ${one}${number === 1 ? '' : 's'}`;
