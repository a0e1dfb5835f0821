/** Migrations and operations are named by their id, by its beginning, or by their VM: its latest. */
import type { CallOptions } from '@godwit/wire';
import { CliError, exitCodes } from '../../errors';
import type { Client, Session } from '../session/session';

const FULL = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** An id's beginning: less would too often be several. */
const BEGINNING = /^[0-9a-f][0-9a-f-]{3,}$/i;
/** The latest that are looked through. */
const MOST = 1_000;

type Find<T> = (client: Client, options: CallOptions, vm: string) => Promise<readonly T[]>;

/** @throws CliError: none, or several */
async function idOf<T>(session: Session, word: string, what: string, find: Find<T>, id: (item: T) => string): Promise<string> {
  if (FULL.test(word)) return word;
  if (BEGINNING.test(word)) {
    const all = await session.ask((client, options) => find(client, options, ''));
    const ids = all.map(id).filter((one) => one.startsWith(word.toLowerCase()));
    if (ids.length === 1) return ids[0];
    if (ids.length > 1)
      throw new CliError(exitCodes.usage, `${word} begins the ids of ${ids.length} ${what}s: ${ids.slice(0, 4).join(', ')}`);
  }
  const ofVm = await session.ask((client, options) => find(client, options, word));
  if (ofVm.length > 0) return id(ofVm[0]);
  throw new CliError(exitCodes.notFound, `there is no ${what} ${word}, and none of a VM of that name: see godwit ${what} ls`);
}

export const migrationId = (session: Session, word: string): Promise<string> =>
  idOf(
    session,
    word,
    'migration',
    async (client, options, vm) => (await client('Migrations').listMigrations({ vm, limit: vm ? 1 : MOST }, options)).migrations,
    (one) => one.migrationId,
  );

export const operationId = (session: Session, word: string): Promise<string> =>
  idOf(
    session,
    word,
    'operation',
    async (client, options, vm) => (await client('Operations').listOperations({ vm, limit: vm ? 1 : MOST }, options)).operations,
    (one) => one.operationId,
  );

/** Enough to tell them apart in a table. */
export const shortId = (id: string): string => id.slice(0, 8);
