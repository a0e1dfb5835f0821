import type { EngineStats } from '../config';

/**
 * The engine's and devices' counters under one flat set of names: `translation_blocks`, `exits_miss`, `native_…`,
 * `disk0_read_requests`, `nic0_tx_frames`. Times in seconds, sizes in bytes.
 */
export function flatStats(stats: EngineStats): Record<string, number> {
  const flat: Record<string, number> = {};
  const put = (prefix: string, value: unknown): void => {
    if (typeof value === 'number') flat[prefix] = value;
    else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [name, part] of Object.entries(value)) put(prefix === '' ? snake(name) : `${prefix}_${snake(name)}`, part);
    }
  };
  const { interpretedMnemonics: _, disks, nics, ...counted } = stats;
  put('', counted);
  disks.forEach(({ requests, ...disk }, number) => {
    put(`disk${number}`, disk);
    for (const [kind, { count, seconds }] of Object.entries(requests)) put(`disk${number}_${snake(kind)}`, { requests: count, seconds });
  });
  nics.forEach((nic, number) => put(`nic${number}`, nic));
  return flat;
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/^_/, '').replaceAll('-', '_');
