/** Starting and steering a usernet process (usernet-main.ts). */
import { spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { LineReader } from './line-reader';
import { CONTROL_MS, MAX_CONTROL_LINE, USERNET_START_MS, USERNET_STOP_MS } from './limits';
import { networkError } from './native';
import { checkConfig, ControlAnswer, ControlRequest, UsernetConfig, UsernetStatus } from './usernet-protocol';

export interface Usernet {
  readonly pid: number;
  readonly config: UsernetConfig;
  /** Settles when the process has ended, with one line that says how. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

/** Resolves when it serves; rejects with code GODWIT_NETWORK and one line. The process ends with this one at the latest. */
export async function startUsernet(config: UsernetConfig): Promise<Usernet> {
  try {
    checkConfig(config);
  } catch (error) {
    throw networkError((error as Error).message);
  }
  const main = path.join(__dirname, '..', 'dist', 'usernet-main.js');
  const child = spawn(process.execPath, [main, JSON.stringify(config)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Its own process group: a Ctrl-C at the terminal is for the VM, which may want its network a little longer.
    detached: true,
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4096)));
  child.stdin.on('error', () => {});
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(`the usernet process cannot be started: ${error.message}`));
    child.on('close', (code, signal) =>
      resolve(said.trim().split('\n').pop() || `the usernet process ended (${signal ?? `exit code ${code}`})`),
    );
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), USERNET_STOP_MS);
    await ended;
    clearTimeout(timer);
  };

  let timer: NodeJS.Timeout | undefined;
  const failed = await Promise.race([
    new Promise<null>((resolve) => child.stdout.once('data', () => resolve(null))),
    ended,
    new Promise<string>((resolve) => {
      timer = setTimeout(resolve, USERNET_START_MS, `the usernet process did not start within ${USERNET_START_MS / 1000} s`);
    }),
  ]);
  clearTimeout(timer);
  if (failed !== null) {
    child.kill('SIGKILL');
    throw networkError(failed);
  }
  child.stdout.resume();
  return { pid: child.pid as number, config, ended, stop };
}

export interface UsernetControl {
  /** As parseForward reads it. Rejects in one line. */
  addForward(forward: string): Promise<void>;
  removeForward(forward: string): Promise<void>;
  status(): Promise<UsernetStatus>;
  close(): void;
}

type Waiting = { resolve: (ok: Partial<UsernetStatus>) => void; reject: (error: Error) => void; timer: NodeJS.Timeout };

/** `control`: the path in the usernet's configuration. */
export async function connectUsernetControl(control: string): Promise<UsernetControl> {
  const waiting = new Map<number, Waiting>();
  let nextId = 1;
  const socket = await new Promise<net.Socket>((resolve, reject) => {
    const opened = net.connect(control, () => resolve(opened));
    opened.once('error', (error: NodeJS.ErrnoException) =>
      reject(networkError(`no usernet answers at ${control} (${error.code}): is it running?`)),
    );
  });
  const settle = (answer: ControlAnswer): void => {
    const one = waiting.get(answer.id);
    if (!one) return;
    waiting.delete(answer.id);
    clearTimeout(one.timer);
    if ('error' in answer) one.reject(networkError(answer.error));
    else one.resolve(answer.ok);
  };
  const lines = new LineReader(MAX_CONTROL_LINE);
  socket.on('data', (chunk: Buffer) => {
    if (!lines.feed(chunk, (line) => settle(JSON.parse(line) as ControlAnswer))) socket.destroy();
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    for (const id of [...waiting.keys()]) settle({ id, error: 'the usernet process went away' });
  });

  const ask = (request: Record<string, unknown>): Promise<Partial<UsernetStatus>> =>
    new Promise((resolve, reject) => {
      if (socket.destroyed) return reject(networkError('the usernet process went away'));
      const id = nextId++;
      const timer = setTimeout(() => settle({ id, error: `the usernet process did not answer within ${CONTROL_MS / 1000} s` }), CONTROL_MS);
      waiting.set(id, { resolve, reject, timer });
      socket.write(`${JSON.stringify({ id, ...request } as unknown as ControlRequest)}\n`);
    });

  return {
    addForward: async (forward) => void (await ask({ do: 'add-forward', forward })),
    removeForward: async (forward) => void (await ask({ do: 'remove-forward', forward })),
    status: async () => (await ask({ do: 'status' })) as UsernetStatus,
    close: () => socket.destroy(),
  };
}
