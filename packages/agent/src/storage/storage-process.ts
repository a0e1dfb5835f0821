/** One storage process from the agent's side: questions with a time limit, an end that does not wait for the storage. */
import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { OrderError } from '../errors';
import { CALL_OFF_MS } from '../limits';
import { cleanEnvironment } from '../vmms/launch';
import type { AnswerMessage, Answers, RequestKind, Requests } from './protocol';

const MAIN = path.join(__dirname, '..', '..', 'dist', 'storage', 'storage-main.js');

export interface AskOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number) => void;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
  readonly onProgress?: (done: number) => void;
}

export class StorageProcess {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, Waiting>();
  private serial = 0;
  /** The process is gone for good; a thread of it that hangs in the kernel keeps it for as long as it hangs. */
  readonly ended: Promise<void>;
  /** It has loaded its program, or ended. */
  readonly up: Promise<void>;
  private over = false;
  private isUp: () => void = () => undefined;

  constructor() {
    this.up = new Promise((resolve) => {
      this.isUp = resolve;
    });
    this.child = fork(MAIN, [], { env: cleanEnvironment(process.env), execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.ended = new Promise((resolve) => {
      const end = (line: string): void => {
        if (this.over) return;
        this.over = true;
        for (const { reject } of this.waiting.values()) reject(new OrderError('storage', line));
        this.waiting.clear();
        this.isUp();
        resolve();
      };
      this.child.on('exit', (code, signal) => end(`the process that looks after the storage ended (${signal ?? `exit code ${code}`})`));
      this.child.on('error', (error) => end(`the process that looks after the storage cannot be used: ${error.message}`));
    });
    this.child.on('message', (message: AnswerMessage) => this.hear(message));
  }

  get pid(): number | undefined {
    return this.child.pid;
  }
  get alive(): boolean {
    return !this.over;
  }

  /** @throws OrderError: the other side's, or `storage` when the time is over */
  ask<K extends RequestKind>(kind: K, request: Requests[K], { timeoutMs, signal, onProgress }: AskOptions): Promise<Answers[K]> {
    return new Promise<Answers[K]>((resolve, reject) => {
      if (this.over) return reject(new OrderError('storage', 'the process that looks after the storage has ended'));
      const id = ++this.serial;
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.waiting.delete(id);
      };
      const abort = (): void => {
        settle();
        reject(signal!.reason);
      };
      const timer = setTimeout(() => {
        settle();
        reject(new OrderError('storage', `the storage did not answer within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      this.waiting.set(id, {
        resolve: (value) => {
          settle();
          resolve(value as Answers[K]);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
        onProgress,
      });
      // A failure to send is an end of the process, which is heard of.
      this.child.send({ id, do: kind, request }, () => undefined);
    });
  }

  /** What it is at is to end soon, with nothing left of it. */
  callOff(): void {
    if (!this.over) this.child.send({ callOff: true }, () => undefined);
  }

  kill(): void {
    this.child.kill('SIGKILL');
    // Even if it cannot die yet, it no longer holds the agent.
    this.child.unref();
    this.child.channel?.unref();
  }

  private hear(message: AnswerMessage): void {
    this.isUp();
    const one = this.waiting.get(message.id);
    if (!one) return;
    if ('progress' in message) one.onProgress?.(message.progress);
    else if ('ok' in message) one.resolve(message.ok);
    else one.reject(new OrderError(message.error.code, message.error.line, message.error.refused));
  }
}

/**
 * One request by a process of its own, which ends with it: an order that changes a datastore. When it is called off the
 * process is told, so that it can clean up after itself; one that cannot is ended.
 */
export async function askOnce<K extends RequestKind>(
  kind: K,
  request: Requests[K],
  { signal, ...options }: AskOptions,
): Promise<Answers[K]> {
  const process = new StorageProcess();
  const over = new AbortController();
  const callOff = (): void => {
    process.callOff();
    setTimeout(() => over.abort(signal!.reason), CALL_OFF_MS).unref();
  };
  signal?.addEventListener('abort', callOff, { once: true });
  try {
    if (signal?.aborted) throw signal.reason;
    return await process.ask(kind, request, { ...options, signal: over.signal });
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    signal?.removeEventListener('abort', callOff);
    process.kill();
  }
}
