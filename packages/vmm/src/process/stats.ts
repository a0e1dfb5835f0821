import type { EngineStats } from '../config';

/** The engine's counters under one flat set of names: `translation_blocks`, `exits_miss`, `native_…`. Times in seconds, sizes in bytes. */
export function flatStats(stats: EngineStats): Record<string, number> {
  const flat: Record<string, number> = {};
  const put = (prefix: string, value: unknown): void => {
    if (typeof value === 'number') flat[prefix] = value;
    else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [name, part] of Object.entries(value)) put(prefix === '' ? snake(name) : `${prefix}_${snake(name)}`, part);
    }
  };
  const { interpretedMnemonics: _, ...counted } = stats;
  put('', counted);
  return flat;
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/^_/, '');
