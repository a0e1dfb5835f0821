/** The dashboard's pages by vite, if anything they are made of has changed: a hash of it lies beside what was built. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runNode } from './run.mjs';

const PACKAGE = join(root, 'packages/dashboard');
const STAMP = join(PACKAGE, 'dist/web.hash');

export function buildDashboard() {
  const hash = hashOf(['web', 'vite.config.mjs', 'package.json']);
  if (existsSync(join(PACKAGE, 'dist/web/index.html')) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hash) return;
  runNode(join(root, 'node_modules/vite/bin/vite.js'), ['build', '--logLevel', 'error'], { cwd: PACKAGE, quiet: true });
  writeFileSync(STAMP, hash);
}

function hashOf(names) {
  const hash = createHash('sha256');
  for (const name of names) {
    const at = join(PACKAGE, name);
    const files = statSync(at).isDirectory() ? readdirSync(at, { recursive: true, encoding: 'utf8' }).sort().map((file) => join(at, file)) : [at];
    for (const file of files) if (statSync(file).isFile()) hash.update(file.slice(PACKAGE.length)).update(readFileSync(file));
  }
  return hash.digest('hex');
}
