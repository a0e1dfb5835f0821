/** What this package's tests share: a folder that goes, servers with the methods that a test cares about, waiting with a limit. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Handlers } from '../server/handlers';

export class Scratch {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'godwit-wire-'));
  private readonly closers: (() => unknown)[] = [];

  constructor() {
    chmodSync(this.folder, 0o700);
  }

  path(name: string): string {
    return path.join(this.folder, name);
  }

  /** To be done at the end, the last first. */
  defer(act: () => unknown): void {
    this.closers.push(act);
  }

  async clear(): Promise<void> {
    for (const close of this.closers.splice(0).reverse()) await close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Service Vmm with those methods; the others are defects. */
export const vmmWith = (methods: Partial<Handlers<'Vmm'>>): Handlers<'Vmm'> =>
  new Proxy(methods as Handlers<'Vmm'>, {
    get: (target, name) => Reflect.get(target, name) ?? (() => Promise.reject(new Error(`${String(name)} is not part of this test`))),
  });

/** Looks again until it holds. @throws after `limitMs`, which is far more than a slow machine needs */
export async function until(holds: () => boolean, what: string, limitMs = 20_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`in ${limitMs / 1000} s it did not come to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
