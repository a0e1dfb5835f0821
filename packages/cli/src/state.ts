import { describeState, verifyStateFile } from '@godwit/snapshot';
import { exitCodes, usageError } from './errors';

/** `godwit state show FILE`: what a saved VM is, after all of it has been checked. */
export async function state(argv: string[]): Promise<number> {
  const [verb, file, ...rest] = argv;
  if (verb !== 'show' || file === undefined || rest.length > 0) throw usageError('use: godwit state show FILE');
  process.stdout.write(`${describeState(await verifyStateFile(file))}\n`);
  return exitCodes.ok;
}
