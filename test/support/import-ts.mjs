/** A TypeScript file of test/support for a script that node runs by itself: `const { NfsServer } = await importTs('nfs-server')`. */
import { transformFileSync } from '@swc/core';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));

/** @param {string} name without its end; it may import Node's own modules only */
export async function importTs(name) {
  const { code } = transformFileSync(path.join(here, `${name}.ts`), { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } });
  const folder = path.join(here, '..', '..', '.cache', 'test-support');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${name}-${process.pid}.mjs`);
  writeFileSync(file, code);
  return import(pathToFileURL(file).href);
}
