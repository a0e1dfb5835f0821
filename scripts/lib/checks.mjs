/** The checks that run no code: style, import directions, types of the tests. */
import { runNode, tool } from './run.mjs';

export function lint() {
  runNode(tool.biome, ['lint', '--diagnostic-level=error', '.'], { quiet: true });
}

export function layers() {
  runNode(tool.depcruise, ['--config', '.dependency-cruiser.cjs', 'packages'], { quiet: true });
}

/** swc only strips types from the tests; this looks at them. */
export function testTypes() {
  runNode(tool.tsc, ['-p', 'tsconfig.tests.json']);
  // The dashboard's pages: vite, too, only strips types.
  runNode(tool.tsc, ['-p', 'packages/dashboard/web']);
}
