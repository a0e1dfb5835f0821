/**
 * Proves that the whole engine (translator, native layer, interpreter, machine)
 * runs bare programs as the manual says. Each guests/*.s opens with what it
 * proves and promises its output line by line (`#=`); every one runs translated
 * and interpreted, each in a process of its own, and must end by power-off.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { assemble, readGuest, runGuest } from './support/guest.mjs';

const names = readdirSync(path.join(__dirname, 'guests')).filter((name) => name.endsWith('.s'));

describe.each(names)('%s', (name) => {
  const { source, expected, options } = readGuest(name);
  const bytes = assemble(source);
  for (const mode of ['translate', 'interpret']) {
    test(mode, async () => {
      const { lines, outcome } = await runGuest(bytes, { mode, ...options });
      expect({ lines, end: outcome.kind }).toEqual({ lines: expected, end: options.end ?? 'power-off' });
    });
  }
});
