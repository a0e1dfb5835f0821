/**
 * Makes a release's sample of the file format, which the tests of every later release
 * read: `node packages/snapshot/dist/make-sample.js`. It writes
 * src/testdata/format-<version>.state and never replaces one: a released file stays as it is.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describeState, verifyStateFile } from './describe';
import { FORMAT_VERSION } from './layout';
import { saveStateFile } from './node-files';
import { sampleMachine, sampleMemory } from './sample';

async function main(): Promise<void> {
  const path = join(__dirname, '../src/testdata', `format-${FORMAT_VERSION}.state`);
  if (existsSync(path)) throw new Error(`${path} is there already: samples of released versions are not made anew`);
  await saveStateFile(path, sampleMachine(sampleMemory()));
  console.log(describeState(await verifyStateFile(path)));
}

main().catch((error: Error) => {
  console.error(`godwit: ${error.message}`);
  process.exitCode = 1;
});
