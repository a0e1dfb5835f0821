import { usageError } from './errors';

const TIME: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const BYTES: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, ki: 2 ** 10, mi: 2 ** 20, gi: 2 ** 30 };

/** `50ms`, `1.5s`, `2m` → milliseconds. */
export function parseDuration(option: string, text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  if (number === undefined) throw usageError(`${option} is a time like 50ms or 2s, not '${text}'`);
  return Number(number) * TIME[unit];
}

/** `100M`, `1.5G`, `200Mi`, with or without `B` and `/s` → bytes a second; 0 or `unlimited`: no limit. */
export function parseRate(option: string, text: string): number {
  if (text === 'unlimited') return 0;
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([kmg]i?|)b?(?:\/s)?$/i.exec(text) ?? [];
  if (number === undefined) throw usageError(`${option} is a rate like 100M (bytes a second) or unlimited, not '${text}'`);
  return Number(number) * BYTES[unit.toLowerCase()];
}
