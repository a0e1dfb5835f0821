/**
 * Proves, with a real controller and an agent, what an operator meets when the store cannot go on: a second controller on
 * the same file, a damaged file, a full disk: one clear line each, nothing lost, and a way back without a restart of hosts.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startCluster } from '../support/cluster.mjs';

type Cluster = Awaited<ReturnType<typeof startCluster>>;
const clusters: Cluster[] = [];
afterEach(async () => {
  if ((expect.getState() as { suppressedErrors?: unknown[] }).suppressedErrors?.length)
    for (const cluster of clusters) console.log(cluster.logs());
  for (const cluster of clusters.splice(0)) await cluster.stop();
});

const group = (cluster: Cluster, name: string) => cluster.api('Cluster').putGroup({ name, hosts: ['host-1'] });
const groups = async (cluster: Cluster) => (await cluster.api('Cluster').listGroups({})).groups.map(({ name }) => name).sort();

test('a second controller on the same store is refused by the name of the first; a damaged store is refused, and comes back from its backup', async () => {
  const cluster = await startCluster({ hosts: 1 });
  clusters.push(cluster);
  const [controller] = cluster.controllers;
  const file = path.join(controller.folder, 'cluster.db');
  await group(cluster, 'before');

  const second = await cluster.godwit('controller', controller.file);
  expect(second).toMatchObject({
    code: 4,
    stdout: '',
    stderr: expect.stringMatching(
      new RegExp(`^godwit: the store ${file} is in use by process ${controller.pid} .*; stop that one first\\n$`),
    ),
  });

  await cluster.godwit('store', 'show', file).then(({ code }) => expect(code).toBe(4));
  await controller.end();
  const whole = readFileSync(file);
  const shown = await cluster.godwit('store', 'show', file);
  expect(shown.stdout).toMatch(/cluster\.db: whole\n.*backup-\d+T\d+Z: whole\n/s);

  const at = whole.lastIndexOf('"before"');
  const damaged = Buffer.from(whole);
  damaged[at + 1] ^= 1;
  writeFileSync(file, damaged);
  const refused = await cluster.godwit('controller', controller.file);
  expect(refused).toMatchObject({
    stdout: '',
    stderr: expect.stringMatching(
      /^godwit: the store .* is damaged \(.*\); nothing was changed: stop the controller and restore the newest backup \(godwit store restore \S+\)/,
    ),
  });
  expect([refused.code, refused.stderr.trimEnd().split('\n').length]).toEqual([4, 1]);
  expect(readFileSync(file).equals(damaged)).toBe(true);

  const restored = await cluster.godwit('store', 'restore', file);
  expect(restored).toMatchObject({ code: 0, stderr: expect.stringContaining('what stood there is kept as') });
  await controller.start();
  await cluster.ready();
  // Nothing was lost: the last backup was made when the controller stopped.
  expect(await groups(cluster)).toEqual(['before']);
  expect((await cluster.api('Hosts').listHosts({})).hosts).toMatchObject([{ name: 'host-1', state: 'HOST_STATE_READY' }]);
});

const rooted = process.getuid?.() === 0 ? test : test.skip;

rooted(
  'on a full disk every change is refused with the reason, what was stored stays, and it goes on by itself when there is room',
  async () => {
    const folder = path.join(os.tmpdir(), `godwit-full-${process.pid}`);
    mkdirSync(folder);
    try {
      // A disk of its own, which only the controller's process sees.
      const wrap = (argv: string[]) => [
        'unshare',
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-c',
        `mount -t tmpfs -o size=4m,mode=0700 none ${folder} && exec "$0" "$@"`,
        ...argv,
      ];
      const cluster = await startCluster({
        hosts: 1,
        controllers: [{ wrap }],
        store: { kind: 'embedded', file: path.join(folder, 'cluster.db') },
      });
      clusters.push(cluster);
      const [controller] = cluster.controllers;
      await group(cluster, 'before');

      const filler = `/proc/${controller.pid}/root${folder}/filler`;
      for (let bytes = 4 << 20; bytes >= 4_096; bytes >>= 1) append(filler, bytes);
      const told: { code: string; message: string }[] = [];
      for (let n = 0; n < 200 && told.length < 3; n++)
        await group(cluster, `full-${n}`).catch((error: { code: string; message: string }) => told.push(error));
      expect(told).toHaveLength(3);
      for (const { message } of told)
        expect(message).toMatch(/the disk of the store .* is full; nothing was lost or changed: make room there and try again$/);
      // The host's agent has lost nothing but its controller's ear.
      expect(cluster.host('host-1').isAlive).toBe(true);

      rmSync(filler);
      await cluster.until(async () => Boolean(await group(cluster, 'after')), 'store again');
      const now = await groups(cluster);
      expect(now).toEqual(expect.arrayContaining(['before', 'after']));
      await cluster.ready();
      expect(controller.isAlive).toBe(true);
    } finally {
      await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

function append(file: string, bytes: number): void {
  try {
    writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' });
  } catch {
    // No more room for so much.
  }
}
