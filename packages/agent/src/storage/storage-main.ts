/**
 * A storage process of the agent (protocol.ts): `node storage-main.js`, forked. It ends with the agent, and with it
 * whatever it was at: the lease that it holds runs out by itself.
 */
import { codeOf, StorageError } from '@godwit/storage';
import { lineOf, OrderError } from '../errors';
import { PROGRESS_MS } from '../limits';
import { change, clean, create, discardState, type Progress, remove } from './changing';
import { LeaseWatch, list, lookAtVm, probe, withStore } from './looking';
import type { AnswerMessage, Answers, RequestKind, RequestMessage, Requests } from './protocol';

const leases = new LeaseWatch();

const doing: { readonly [K in RequestKind]: (request: Requests[K], progress: Progress) => Promise<Answers[K]> } = {
  probe: ({ where }) => probe(where),
  list: async ({ store }) => ({ vms: await withStore(store, (opened) => list(opened, leases)) }),
  look: ({ store, folder }) => withStore(store, (opened) => lookAtVm(opened, folder, leases)),
  create,
  change,
  remove,
  discardState,
  clean,
};

process.on('disconnect', () => process.exit(0));
let calledOff = false;
process.on('message', (message: RequestMessage | { readonly callOff: true }) => {
  if ('callOff' in message) calledOff = true;
  else void answer(message);
});
process.send?.({ id: 0, progress: 0 } satisfies AnswerMessage);

async function answer({ id, do: kind, request }: RequestMessage): Promise<void> {
  let toldAt = 0;
  const progress = (done: number): void => {
    if (calledOff) throw new OrderError('cancelled', 'it was called off');
    if (Date.now() - toldAt < PROGRESS_MS) return;
    toldAt = Date.now();
    send({ id, progress: done });
  };
  try {
    send({ id, ok: await (doing[kind] as (request: unknown, progress: Progress) => Promise<unknown>)(request, progress) });
  } catch (error) {
    send({ id, error: explain(error) });
  }
}

const send = (message: AnswerMessage): void => {
  if (process.connected) process.send!(message);
};

function explain(error: unknown): { code: OrderError['code']; line: string; refused: boolean } {
  if (error instanceof OrderError) return { code: error.code, line: error.message, refused: error.refused };
  const line = lineOf(error);
  const { name } = error as Error;
  if (error instanceof StorageError) return { code: codeOf(error) === 'EEXIST' ? 'exists' : 'storage', line, refused: false };
  if (name === 'ImageFormatError' || name === 'ImageRequestError') return { code: 'image', line, refused: false };
  return { code: 'internal', line: (error as Error)?.stack ?? line, refused: false };
}
