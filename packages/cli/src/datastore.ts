import { Datastore } from '@godwit/storage';
import { exitCodes, usageError } from './errors';

/** `godwit datastore init WHERE` makes a folder one; `godwit datastore show WHERE` says what it is. */
export async function datastore(argv: string[]): Promise<number> {
  const [verb, where, ...rest] = argv;
  if ((verb !== 'init' && verb !== 'show') || where === undefined || rest.length > 0) {
    throw usageError('use: godwit datastore init FOLDER|nfs://SERVER/EXPORT, or godwit datastore show …');
  }
  const store = verb === 'init' ? await Datastore.init(where) : await Datastore.open(where);
  try {
    const { totalBytes, freeBytes } = await store.space();
    const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
    process.stdout.write(`datastore ${store.id} at ${store.where}\n${gib(freeBytes)} free of ${gib(totalBytes)}\nVMs: ${(await store.vmNames()).join(', ') || 'none'}\n`);
  } finally {
    await store.close();
  }
  return exitCodes.ok;
}
