/**
 * Proves, over real connections: the controller that leads is found, and the one that is named is asked; one that is away
 * is waited for only once it was there; an answer that was lost is asked for again with the same key, and without a key its
 * outcome is said to be unknown; a watch goes on over a break.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PLAIN, serve, WireError, type WireServer } from '@godwit/wire';
import type { Chosen } from '../context/choose';
import { Session } from './session';

type Handler = (request: never, call: never) => unknown;
let folder: string;
const ends: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'godwit-session-'));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  rmSync(folder, { recursive: true, force: true });
});

const socket = (name: string): string => `unix:${path.join(folder, name)}`;
async function controller(name: string, methods: Record<string, Handler>): Promise<WireServer> {
  const other = (): never => {
    throw new WireError('unsupported', 'not of this test');
  };
  const all = new Proxy(methods, { get: (of, method) => of[String(method)] ?? other });
  const server = await serve({ address: socket(name), security: PLAIN, services: { Cluster: all, Vms: all } as never });
  ends.push(() => server.close().catch(() => {}));
  return server;
}
function session(names: readonly string[], timeoutMs?: number): Session {
  const chosen: Chosen = { name: 'test', context: { controllers: names.map(socket) }, file: '', isCheckout: false };
  const one = new Session(chosen, timeoutMs);
  ends.push(() => one.close());
  return one;
}
const refused = (word: string, line: string) => () => {
  throw new WireError('unavailable', line, { 'godwit-error-code': word });
};
const status = (of: Session) => of.ask((client, options) => client('Cluster').getStatus({}, options));

/** Stands before a controller, and breaks every connection when told to. */
async function breakable(name: string, behind: string): Promise<() => void> {
  const open = new Set<net.Socket>();
  const proxy = net.createServer((from) => {
    const to = net.connect(path.join(folder, behind));
    for (const one of [from, to]) {
      open.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        open.delete(one);
        from.destroy();
        to.destroy();
      });
    }
    from.pipe(to).pipe(from);
  });
  await new Promise<void>((resolve) => proxy.listen(path.join(folder, name), resolve));
  const cut = (): void => {
    for (const one of open) one.destroy();
  };
  ends.push(() => {
    cut();
    proxy.close();
  });
  return cut;
}

test('the first that answers is asked; one that does not lead names the one that does', async () => {
  await controller('b', { getStatus: refused('not-leader', `this controller does not lead: ask ${socket('c')}`) });
  await controller('c', { getStatus: () => ({ leader: 'c' }) });
  expect((await status(session(['a', 'b']))).leader).toBe('c');
});

test('nobody is there: said at once, as unavailable', async () => {
  await expect(status(session(['a', 'b']))).rejects.toMatchObject({ code: 5 });
});

test('one that has just begun is asked again', async () => {
  let asked = 0;
  await controller('a', { getStatus: () => (asked++ < 2 ? refused('starting', 'not all is read yet')() : { leader: 'a' }) });
  expect((await status(session(['a']))).leader).toBe('a');
  expect(asked).toBe(3);
});

test('what is refused for another reason is not asked again', async () => {
  let asked = 0;
  const deny = (): never => {
    asked++;
    throw new WireError('denied', 'view; this needs admin', { 'godwit-error-code': 'role' });
  };
  await controller('a', { getStatus: deny });
  await expect(status(session(['a', 'a']))).rejects.toMatchObject({ code: 6, word: 'role' });
  expect(asked).toBe(1);
});

describe('an answer that was lost', () => {
  const change = (of: Session, key: string, keyed: boolean) =>
    of.ask((client, options) => client('Vms').pauseVm({ vm: 'web1', idempotencyKey: key }, options), { changes: true, keyed });

  test('is asked for again with the same key', async () => {
    const keys: string[] = [];
    let cut = (): void => {};
    await controller('behind', {
      pauseVm: (({ idempotencyKey }: { idempotencyKey: string }) => {
        keys.push(idempotencyKey);
        if (keys.length === 1) cut();
        return { operationId: 'o1' };
      }) as never,
    });
    cut = await breakable('a', 'behind');
    const key = randomUUID();
    expect((await change(session(['a']), key, true)).operationId).toBe('o1');
    expect(keys).toEqual([key, key]);
  });

  test('without a key it is left open, and the code says so', async () => {
    let asked = 0;
    let cut = (): void => {};
    await controller('behind', {
      pauseVm: () => {
        asked++;
        cut();
        return { operationId: 'o1' };
      },
    });
    cut = await breakable('a', 'behind');
    await expect(change(session(['a']), '', false)).rejects.toMatchObject({ code: 8, message: expect.stringMatching(/not known/) });
    expect(asked).toBe(1);
  });
});

test('a watch that breaks is begun anew, and ends when it is over', async () => {
  let begun = 0;
  let cut = (): void => {};
  await controller('behind', {
    watchVms: async function* (_request: unknown, { signal }: { signal: AbortSignal }) {
      begun++;
      yield { change: 'CHANGE_KIND_SYNCED' };
      if (begun === 1) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    } as never,
  });
  cut = await breakable('a', 'behind');
  const seen: string[] = [];
  for await (const { change } of session(['a']).follow(
    (client, options) => client('Vms').watchVms({}, options),
    () => begun === 2,
  )) {
    seen.push(change);
    if (begun === 1) cut();
  }
  expect(seen).toEqual(['CHANGE_KIND_SYNCED', 'CHANGE_KIND_SYNCED']);
});
