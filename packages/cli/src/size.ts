import { usageError } from './errors';

const units: Record<string, number> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** "256M" → bytes. A bare number is mebibytes, as for other machine emulators. */
export function parseMemory(text: string): number {
  const match = /^(\d+)([KMG]?)(?:i?B)?$/i.exec(text.trim());
  if (!match) throw usageError(`--memory '${text}' is not a size: write 256M or 1G`);
  const unit = match[2].toUpperCase() || 'M';
  const bytes = Number(match[1]) * units[unit];
  if (bytes < 16 * 2 ** 20 || bytes > 3 * 2 ** 30) throw usageError(`--memory ${text} is out of range: 16M to 3G`);
  if (bytes % 4096 !== 0) throw usageError(`--memory ${text} is not a whole number of 4 KiB pages`);
  return bytes;
}
