/**
 * Proves the lease on real files, with real processes and a real NFS server: a second VMM is
 * refused by name; a killed holder's VM is had after the lease has run out and not before; a holder
 * that was stopped writes nothing when it wakes; a storage that hangs pauses the holder in
 * time; passing on leaves exactly one owner, even when the server hangs in its midst.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Datastore, type FileSystem, LeaseHolder, type LeaseTiming, type Owner, VmDirectory } from '@godwit/storage';
import { NfsServer } from '../support/nfs-server';

const timing: LeaseTiming = { leaseMs: 2_400, beatMs: 400, pauseLeadMs: 800 };
const owner = (name: string): Owner => ({ hostId: `id-${name}`, hostName: name, vmmId: randomUUID() });

interface Line {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** holder.cjs as a process. */
class Vmm {
  readonly lines: Line[] = [];
  readonly child: ChildProcess;

  constructor(where: string, vm: string, name: string, ...more: string[]) {
    this.child = spawn(process.execPath, [path.join(__dirname, 'holder.cjs'), where, vm, name, JSON.stringify(timing), ...more], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let rest = '';
    this.child.stdout!.on('data', (bytes) => {
      const parts = `${rest}${bytes}`.split('\n');
      rest = parts.pop()!;
      for (const line of parts) this.lines.push(JSON.parse(line));
    });
  }

  /** The first line of that kind. */
  async says(event: string, withinMs = 15_000): Promise<Line> {
    for (const until = Date.now() + withinMs; Date.now() < until; await sleep(10)) {
      const line = this.lines.find((one) => one.event === event);
      if (line) return line;
    }
    throw new Error(`no '${event}' within ${withinMs} ms, only ${JSON.stringify(this.lines)}`);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGCONT');
    this.child.kill(signal);
    await ended;
  }
}

let server: NfsServer;
let local: string;
beforeAll(async () => {
  server = await NfsServer.start();
  local = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-lease-'));
});
afterAll(async () => {
  await server.stop();
  fs.rmSync(local, { recursive: true });
});

describe.each(['local', 'nfs'])('on %s files', (kind) => {
  let store: Datastore;
  let vm: VmDirectory;
  let serial = 0;
  const running: Vmm[] = [];
  const vmm = (name: string, ...more: string[]): Vmm => {
    const one = new Vmm(store.where, vm.name, name, ...more);
    running.push(one);
    return one;
  };
  const holder = async (name: string): Promise<LeaseHolder> => new LeaseHolder(await vm.leasePlace(), owner(name), timing);

  beforeAll(async () => {
    store = await Datastore.init(kind === 'nfs' ? server.url : local);
  });
  beforeEach(async () => {
    const name = `vm-${++serial}`;
    vm = await VmDirectory.create(store, {
      schema: 1,
      vmId: randomUUID(),
      name,
      memoryBytes: 1 << 20,
      disks: [],
      networks: [],
      settings: {},
    });
  });
  afterEach(async () => {
    for (const one of running.splice(0)) await one.end('SIGKILL');
  });
  afterAll(() => store.close());

  test('the second VMM is refused with the name of the owner; after a clean end it gets the VM at once', async () => {
    const first = vmm('alpha');
    expect(await first.says('acquired')).toMatchObject({ epoch: 1, takenFrom: null });
    const second = vmm('beta');
    expect((await second.says('failed')).message).toMatch(/VM vm-\d+ is in use on alpha \(host id-alpha, VMM alpha-\d+\)/);
    await first.end('SIGTERM');
    expect(first.lines.at(-1)).toEqual({ event: 'released', clean: true });
    const start = Date.now();
    const third = await holder('gamma');
    expect(await third.acquire()).toMatchObject({ epoch: 3 });
    expect(Date.now() - start).toBeLessThan(timing.leaseMs);
    expect([third.mayRun(), await third.release(), third.mayRun()]).toEqual([true, true, false]);
  });

  test('kill -9 of the holder: the next one gets the VM when the lease has run out, and not before', async () => {
    const first = vmm('alpha');
    await first.says('acquired');
    await sleep(700);
    await first.end('SIGKILL');
    const killed = Date.now();
    const second = await holder('beta');
    const { takenFrom, epoch } = await second.acquire();
    const waited = Date.now() - killed;
    expect([takenFrom?.hostName, epoch]).toEqual(['alpha', 2]);
    expect(waited).toBeGreaterThan(timing.leaseMs);
    expect(waited).toBeLessThan(2 * timing.leaseMs);
    await second.release();
  });

  test('a holder that is stopped and wakes after it was taken over: knows it at once, and writes nothing', async () => {
    const first = vmm('alpha');
    await first.says('acquired');
    await sleep(300);
    first.child.kill('SIGSTOP');
    const second = await holder('beta');
    await second.acquire({ wait: true });
    const disk = await vm.openDisk('root', { write: true, create: 'if-missing', guard: second.deadline.guard });
    const mine = Buffer.alloc(512, 0xee);
    await disk.write([mine], 0);
    first.child.kill('SIGCONT');
    expect(await first.says('lost')).toEqual({ event: 'lost', owner: 'beta' });
    await sleep(300);
    const back = Buffer.alloc(512);
    await disk.read(back, 0);
    expect(back.equals(mine)).toBe(true);
    expect(first.lines.some((line) => line.event === 'runs' || line.event === 'mayResume')).toBe(false);
    await disk.close();
    await second.release();
  });

  test('passing on: the source stops, the target runs, the source cannot get it back', async () => {
    const [source, target] = [await holder('alpha'), await holder('beta')];
    await source.acquire();
    const expecting = target.expect();
    await sleep(200);
    source.announce({ migrationId: 'm-1', target: target.owner });
    const start = performance.now();
    const passing = source.passTo(target.owner, 'm-1');
    expect([source.mayRun(), source.mayWrite()]).toEqual([false, false]);
    expect(await passing).toBe(true);
    target.look();
    expect(await expecting).toMatchObject({ epoch: 2 });
    expect(performance.now() - start).toBeLessThan(500);
    expect([source.mayRun(), target.mayRun()]).toEqual([false, true]);
    const third = await holder('gamma');
    await expect(third.acquire()).rejects.toMatchObject({ name: 'LeaseRefused', owner: { hostName: 'beta' } });
    await target.release();
  });

  test('starting is given up with the reason when the lease cannot be read', async () => {
    const place = { ...(await vm.leasePlace()), folder: 'vms/none/lease' };
    await expect(new LeaseHolder(place, owner('alpha'), timing).acquire()).rejects.toThrow(
      /cannot tell whether VM .* is in use.*no such file/,
    );
  });

  test('a start can be called off', async () => {
    const first = vmm('alpha');
    await first.says('acquired');
    await first.end('SIGKILL');
    await expect((await holder('beta')).acquire({ signal: AbortSignal.timeout(300) })).rejects.toThrow(/timeout|aborted/);
  });
});

describe('an NFS server that hangs', () => {
  let store: Datastore;
  let vm: VmDirectory;
  beforeEach(async () => {
    store = await Datastore.init(server.url, { timeoutMs: 2_000 });
    vm = await VmDirectory.create(store, {
      schema: 1,
      vmId: randomUUID(),
      name: `hang-${Date.now()}`,
      memoryBytes: 1 << 20,
      disks: [],
      networks: [],
      settings: {},
    });
  });
  afterEach(async () => {
    server.goOn();
    await store.close();
  });

  test('the holder is told to pause before its lease ends, and goes on in a new epoch', async () => {
    const first = new Vmm(server.url, vm.name, 'alpha');
    try {
      await first.says('acquired');
      await sleep(600);
      await server.hang();
      const start = Date.now();
      await first.says('mustPause');
      const toldMs = Date.now() - start;
      expect(toldMs).toBeLessThan(timing.leaseMs - timing.pauseLeadMs + 400);
      expect(toldMs).toBeGreaterThan(timing.leaseMs - timing.pauseLeadMs - timing.beatMs - 400);
      await first.says('stands', 500);
      await sleep(timing.leaseMs);
      server.goOn();
      expect(await first.says('mayResume')).toEqual({ event: 'mayResume', epoch: 2 });
      await first.says('runs');
    } finally {
      await first.end('SIGKILL');
    }
  });

  test.each([400, 3_000])(
    'in the midst of a pass, for %i ms: source stays paused until it knows, and exactly one has the VM',
    async (afterMs) => {
      const place = await vm.leasePlace();
      // The server hangs right before the link that is the commit.
      let hang = async (): Promise<void> => undefined;
      const link = (from: string, to: string): Promise<void> => hang().then(() => place.files.link(from, to));
      const files: FileSystem = Object.assign(Object.create(place.files), { link });
      const source = new LeaseHolder({ ...place, files }, owner('alpha'), timing);
      const target = new LeaseHolder(place, owner('beta'), timing);
      await source.acquire();
      const expecting = target.expect().then(
        () => 'runs',
        (error) => error.name,
      );
      await sleep(300);
      hang = async () => {
        hang = async () => undefined;
        await server.hang();
      };
      const passing = source.passTo(target.owner, 'm-1');
      let known = false;
      passing.finally(() => (known = true));
      await sleep(afterMs);
      expect([known, source.mayRun(), source.mayWrite(), target.mayRun()]).toEqual([false, false, false, false]);
      server.goOn();
      if (await passing) {
        expect(await expecting).toBe('runs');
        expect([source.mayRun(), target.mayRun()]).toEqual([false, true]);
        await target.release();
      } else {
        expect([source.mayRun(), target.mayRun()]).toEqual([true, false]);
        await target.release();
        expect(await expecting).toBe('LeaseRefused');
        await source.release();
      }
    },
  );

  test('no second VMM gets the VM while nobody can read the lease', async () => {
    const source = new LeaseHolder(await vm.leasePlace(), owner('alpha'), timing);
    await source.acquire();
    await server.hang();
    const second = new Vmm(server.url, vm.name, 'beta', '--wait');
    await sleep(timing.leaseMs + 1_500);
    server.goOn();
    expect(second.lines.filter((line) => line.event === 'acquired')).toEqual([]);
    await second.end('SIGKILL');
    await source.release();
  });
});
