/** Figures for people. */

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `512 MiB`, `1.5 GiB` */
export function bytesText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < BINARY.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1)} ${BINARY[unit]}`;
}

/** `131 MB/s` */
export const rateText = (bytesPerSecond: number): string => {
  const mega = bytesPerSecond / 1e6;
  return `${mega >= 10 || mega === 0 ? mega.toFixed(0) : mega.toFixed(1)} MB/s`;
};

/** `31.2 ms`, `14.2 s`, `3 m 20 s`, `2 h 5 m`, `3 d 4 h` */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${ms < 100 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600) % 24, Math.floor(seconds / 60) % 60];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes} m` : `${minutes} m ${seconds % 60} s`;
}

/** Whole seconds: `3s`, `5m`, `2h`, `4d`; empty for never. */
export function ageText(sinceMs: number, nowMs: number): string {
  if (sinceMs === 0) return '';
  const seconds = Math.max(0, Math.round((nowMs - sinceMs) / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 2 * 3_600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 48 * 3_600 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

export const percentText = (share: number): string => `${(share * 100).toFixed(0)} %`;

/** ISO 8601 in UTC, to the second; empty for 0. */
export const timeText = (ms: number): string => (ms === 0 ? '' : `${new Date(ms).toISOString().slice(0, 19)}Z`);

/** `2026-11-23 12:50:01`, in this terminal's time zone. */
export function localTime(ms: number): string {
  const date = new Date(ms);
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `VM_STATE_RUNNING` → `running` */
export const wordOfEnum = (value: string, prefix: string): string => {
  const word = value.startsWith(prefix) ? value.slice(prefix.length).toLowerCase() : value.toLowerCase();
  return word === 'unspecified' ? '' : word.replaceAll('_', '-');
};

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
