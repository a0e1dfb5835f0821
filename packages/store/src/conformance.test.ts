/**
 * Proves that both back ends keep the port's promises: the same checks against one SQLite file and against a real
 * NATS server with JetStream on loopback. Concurrency is checked by its history (testing/linearizability.ts); the
 * seed is in each test's name.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { NatsServers } from '../../../test/support/nats-server';
import { openEmbedded } from './embedded/open-embedded';
import type { Memory } from './memory';
import { openNats } from './nats/open-nats';
import type { Bench, BenchOptions } from './testing/bench';
import { CONFORMANCE } from './testing/conformance';

const SEED = 1 + (Date.now() % 100_000);

describe('embedded', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-store-'));
  const opened: Bench[] = [];
  let serial = 0;

  afterEach(async () => {
    for (const bench of opened.splice(0)) await bench.closeAll();
  });
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** One process, one client: all share it. */
  const open = async (options: BenchOptions = {}): Promise<Bench> => {
    const file = path.join(folder, `${++serial}.db`);
    let memory: Promise<Memory> | undefined;
    const bench: Bench = {
      client: () => (memory ??= openEmbedded({ file, ...options })),
      async closeAll() {
        await (await memory)?.close();
        memory = undefined;
      },
    };
    opened.push(bench);
    return bench;
  };

  test.each(CONFORMANCE.map((check) => [check.name, check] as const))(`%s (seed ${SEED})`, (_name, check) => check.run(open, SEED));
});

describe('NATS, one server', () => {
  const opened: Bench[] = [];
  let servers: NatsServers;
  let serial = 0;

  beforeAll(async () => {
    servers = await NatsServers.start();
  });
  afterEach(async () => {
    for (const bench of opened.splice(0)) await bench.closeAll();
  });
  afterAll(() => servers.stop());

  const open = async (options: BenchOptions = {}): Promise<Bench> => {
    const name = `t${++serial}`;
    let clients: Memory[] = [];
    const problems: string[] = [];
    const bench: Bench = {
      async client() {
        const memory = await openNats({ servers: servers.urls, name, onProblem: (text) => problems.push(text), ...options });
        clients.push(memory);
        return memory;
      },
      async closeAll() {
        const closing = clients;
        clients = [];
        await Promise.all(closing.map((memory) => memory.close()));
        expect(problems).toEqual([]);
      },
    };
    opened.push(bench);
    return bench;
  };

  test.each(CONFORMANCE.map((check) => [check.name, check] as const))(`%s (seed ${SEED})`, (_name, check) => check.run(open, SEED));
});
