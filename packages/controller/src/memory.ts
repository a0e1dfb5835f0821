/** Opens the store that the configuration names. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { endOfHolder, keepBackups, type Memory, openEmbedded, openNats } from '@godwit/store';
import { ConfigError, type ControllerConfig } from './config';

const HOUR_MS = 3_600_000;

/** @param told a line for each backup that could not be made */
export async function openMemory({ store }: ControllerConfig, told: (line: string) => void): Promise<Memory> {
  if (store.kind === 'nats') {
    const { servers, name, replicas, tls } = store;
    return openNats({ servers, name, replicas, ...(tls === undefined ? {} : { tls: pemsOf(tls) }) });
  }
  const memory = await openEmbedded({ file: store.file });
  try {
    // One process at a time has the file: a controller that was killed leads no more.
    await endOfHolder(memory.store);
    const { everyHours, keep } = store.backups;
    const end = keepBackups(memory, store.file, { everyMs: everyHours * HOUR_MS, keep }, told);
    return {
      ...memory,
      close: async () => {
        await end();
        await memory.close();
      },
    };
  } catch (error) {
    await memory.close();
    throw error;
  }
}

/** @throws ConfigError naming the file */
function pemsOf(folder: string): { ca: string; cert: string; key: string } {
  const read = (name: string): string => {
    const file = path.join(folder, name);
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw new ConfigError(
        `store.tls: ${file} cannot be read (${(error as Error).message}): the folder is to have ca.pem, cert.pem and key.pem for the NATS servers`,
      );
    }
  };
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
}
