/** A unix socket that only its owner can open, in the place of one that nobody serves any more. */
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import net from 'node:net';
import { WireError } from '../errors';

const ANSWER_MS = 1_000;

/** Removes what a process left that has died. @throws WireError 'exists': somebody answers there; 'precondition': it is no socket */
export async function clearStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new WireError('precondition', `${path} is there and is no socket: choose another path, or remove it`);
  const answer = await knock(path);
  if (answer === 'nobody') rmSync(path, { force: true });
  else throw new WireError('exists', `another process serves at ${path} already: choose another socket`);
}

/** A process that is stopped accepts, and one with a full backlog says EAGAIN: both are there. */
function knock(path: string): Promise<'somebody' | 'nobody'> {
  return new Promise((resolve) => {
    const probe = net.connect(path);
    const tell = (answer: 'somebody' | 'nobody'): void => {
      clearTimeout(timer);
      probe.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => tell('somebody'), ANSWER_MS);
    probe.once('connect', () => tell('somebody'));
    probe.once('error', (error: NodeJS.ErrnoException) =>
      tell(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? 'nobody' : 'somebody'),
    );
  });
}

/** Listens with mode 0600 from the first moment on. @throws as `listen` does */
export function listenPrivately(server: net.Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // bind() happens within this call: no other code of this process sees the mask.
    const before = process.umask(0o177);
    try {
      server.once('error', reject);
      server.listen(path, () => {
        server.off('error', reject);
        chmodSync(path, 0o600);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
}
