/**
 * The native layer by node-gyp, then TypeScript by project references. Both look at
 * what changed: nothing to do takes a second or two.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildDashboard } from './dashboard.mjs';
import { linkCommands } from './link-commands.mjs';
import { root, runNode, tool } from './run.mjs';

export function compileNative() {
  const packages = readdirSync(join(root, 'packages')).filter((name) => existsSync(join(root, 'packages', name, 'binding.gyp')));
  for (const name of packages) runNode(join(root, 'scripts/build-native.cjs'), [name]);
}

export function compileTypeScript() {
  // Programs of test/ that are built, not run by jest, have a tsconfig.json of their own.
  const programs = readdirSync(join(root, 'test'))
    .map((name) => join('test', name))
    .filter((folder) => existsSync(join(root, folder, 'tsconfig.json')));
  runNode(tool.tsc, ['-b', '.', ...programs]);
  buildDashboard();
  linkCommands();
}
