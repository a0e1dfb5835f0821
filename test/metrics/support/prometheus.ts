/** Debian's Prometheus and promtool, as scripts/lib/prometheus.mjs fetches them: one server on a free port of loopback. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './expressions';

const START_MS = 60_000;
const PROMTOOL_MS = 120_000;

export function program(name: 'prometheus' | 'promtool'): string {
  const found = [path.join(root, '.cache/prometheus', name), `/usr/bin/${name}`].find((place) => fs.existsSync(place));
  if (!found) throw new Error(`${name} is missing: run node scripts/setup.mjs --tests`);
  return found;
}

/** What it said, and whether it was content. */
export function promtool(args: readonly string[], input = ''): { readonly code: number | null; readonly output: string } {
  const { status, stdout, stderr, error } = spawnSync(program('promtool'), args, {
    input,
    encoding: 'utf8',
    timeout: PROMTOOL_MS,
    maxBuffer: 1 << 26,
  });
  if (error) throw error;
  return { code: status, output: `${stdout}${stderr}`.trim() };
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export class Prometheus {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    private readonly url: string,
    private readonly output: () => string,
  ) {}

  /** @param config prometheus.yml as JSON, which is YAML */
  static async start(config: object): Promise<Prometheus> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-prometheus-'));
    const file = path.join(folder, 'prometheus.yml');
    fs.writeFileSync(file, JSON.stringify(config));
    const port = await freePort();
    const args = [
      `--config.file=${file}`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--storage.tsdb.min-block-duration=2h',
      '--log.level=warn',
    ];
    const child = spawn(program('prometheus'), args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr!.on('data', (piece: Buffer) => {
      log = (log + piece.toString()).slice(-4_000);
    });
    const server = new Prometheus(child, folder, `http://127.0.0.1:${port}`, () => log);
    try {
      await server.until('ready', START_MS, async () => (await fetch(`${server.url}/-/ready`)).ok);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** An instant query; labels and values. @throws Error with Prometheus' own words */
  async query(expr: string): Promise<Sample[]> {
    const { result } = (await this.get(`/api/v1/query?${new URLSearchParams({ query: expr })}`)) as { result: Sample[] };
    return result;
  }

  async get(at: string): Promise<unknown> {
    const answer = (await (await fetch(this.url + at)).json()) as { status: string; data: unknown; error?: string };
    if (answer.status !== 'success') throw new Error(answer.error);
    return answer.data;
  }

  /** Asks again until it is so. @throws Error after `limitMs`, or when Prometheus has ended */
  async until(what: string, limitMs: number, is: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + limitMs;
    for (;;) {
      if (await is().catch(() => false)) return;
      if (this.child.exitCode !== null || Date.now() > end) throw new Error(`Prometheus is not ${what}: ${this.output()}`);
      await sleep(200);
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await ended;
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
