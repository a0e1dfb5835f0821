/* Where things lie. Everything that a benchmark run writes is below `.cache/bench`. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const bench = dirname(dirname(fileURLToPath(import.meta.url)));
export const root = dirname(dirname(bench));
export const cache = join(root, '.cache', 'bench');
