/**
 * node_modules as package-lock.json wants it. npm leaves its own copy of the lock file
 * in node_modules when it has finished: older than the lock file, or missing, means
 * that there is work to do.
 */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, run, StepFailed } from './run.mjs';

const OLDEST_NODE = 20;

export function npmPackages() {
  const version = Number(process.versions.node.split('.')[0]);
  if (version < OLDEST_NODE) throw new StepFailed(`Node ${OLDEST_NODE} or newer is needed, this is ${process.version}`);
  if (changedAt('node_modules/.package-lock.json') >= changedAt('package-lock.json')) return 'present';
  // lz4 is compiled: with the headers beside this Node where there are some, so that nothing is downloaded.
  const prefix = join(dirname(realpathSync(process.execPath)), '..');
  const env = existsSync(join(prefix, 'include/node/node_api.h')) ? { npm_config_nodedir: prefix } : {};
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { quiet: true, env });
  return 'installed';
}

/** Milliseconds since 1970; 0 for a file that is not there. */
function changedAt(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
