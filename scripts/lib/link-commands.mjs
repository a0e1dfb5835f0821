/**
 * Makes `npx godwit` work. npm links a workspace's commands into node_modules/.bin when
 * it installs, but only those that exist: here they are compiled later, so a fresh
 * checkout would get no link, and npx would look for a stranger's package of that name.
 * tsc sets no execute permission either.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root, StepFailed } from './run.mjs';

const BIN = join(root, 'node_modules/.bin');

export function linkCommands() {
  for (const folder of readdirSync(join(root, 'packages'))) {
    const manifest = join(root, 'packages', folder, 'package.json');
    if (!existsSync(manifest)) continue;
    const { name, bin = {} } = JSON.parse(readFileSync(manifest, 'utf8'));
    for (const [command, file] of Object.entries(bin)) link(command, join(root, 'packages', folder, file), join(name, file));
  }
}

/** @param path where the program lies; @param installed the same below node_modules, where npm's own link would point. */
function link(command, path, installed) {
  const { mode } = statSync(path, { throwIfNoEntry: false }) ?? {};
  if (mode === undefined) throw new StepFailed(`the build made no ${relative(root, path)}, the program of the command ${command}`);
  if ((mode & 0o111) !== 0o111) chmodSync(path, mode | 0o111);

  const from = join(BIN, command);
  const target = relative(dirname(from), join(root, 'node_modules', installed));
  if (linkTarget(from) === target) return;
  mkdirSync(BIN, { recursive: true });
  rmSync(from, { force: true });
  symlinkSync(target, from);
}

function linkTarget(path) {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
