/** A client that asks a page again and again, one request at a time, each on a connection of its own. */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Longer than any pause, and than a slow machine needs; what takes longer was not answered. */
const PATIENCE_MS = 20_000;

export class Poller {
  /** Requests that have been answered. */
  count = 0;
  /** In the client's words. */
  readonly failures: string[] = [];
  private isOver = false;
  private readonly done: Promise<void>;

  constructor(private readonly url: string) {
    this.done = this.run();
  }

  /** Until that many have been answered. */
  async more(count: number): Promise<void> {
    const limit = Date.now() + PATIENCE_MS;
    while (this.count < count && this.failures.length === 0 && Date.now() < limit) await sleep(10);
  }

  async end(): Promise<{ count: number; failures: readonly string[] }> {
    this.isOver = true;
    await this.done;
    return this;
  }

  private async run(): Promise<void> {
    while (!this.isOver) {
      await ask(this.url).then(
        () => this.count++,
        (error: Error) => this.failures.push(`after ${this.count} answers: ${error.message}`),
      );
      // Else an address that answers nobody would be asked without a breath.
      await sleep(5);
    }
  }
}

function ask(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false, timeout: PATIENCE_MS }, (response) => {
      response.resume();
      response.once('end', () =>
        response.statusCode === 200 && response.complete ? resolve() : reject(new Error(`status ${response.statusCode}`)),
      );
      response.once('error', reject);
    });
    request.once('timeout', () => request.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)));
    request.once('error', reject);
  });
}
