/**
 * Proves that a VM whose disk and lease lie on a real NFS server runs on one host
 * at a time: a second start is refused by name, a dead host's VM is taken over
 * after its lease and not before, and a server that hangs makes the VM stand
 * still in time and go on afterwards, with nothing lost.
 */
import { copyFileSync, constants } from 'node:fs';
import path from 'node:path';
import { debianFiles, freePort, ssh, startGodwit, untilHttp } from '../state/debian.mjs';
import { NfsServer } from '../support/nfs-server';
import { Datastore, VmDirectory } from '@godwit/storage';

jest.setTimeout(300_000);

const LEASE_MS = 10_000;
let server: NfsServer;
let where: string;

beforeAll(async () => {
  server = await NfsServer.start();
  where = server.url;
  const store = await Datastore.init(where);
  await VmDirectory.create(store, { schema: 1, vmId: '11111111-2222-3333-4444-555555555555', name: 'web', memoryBytes: 512 << 20, disks: [], networks: [], settings: {} });
  await store.close();
  copyFileSync((await debianFiles()).disk, path.join(server.folder, 'vms/web/disks/root.raw'), constants.COPYFILE_FICLONE);
});
afterAll(() => server?.stop());

async function start() {
  const files = await debianFiles();
  const [sshPort, httpPort] = [await freePort(), await freePort()];
  const vm = startGodwit([
    '--kernel', files.kernel, '--initrd', files.initrd, '--append', `${files.kernelParameters} quiet`, '--memory', '512M',
    '--vm', `${where}/web`, '--disk', 'store:root.raw', '--net', `user,forward=tcp::${sshPort}-22+tcp::${httpPort}-80`,
  ]);
  return { vm, httpPort, ssh: (command: string) => ssh(files, sshPort, command) };
}

const until = async (holds: () => boolean, limitMs: number): Promise<void> => {
  for (const end = Date.now() + limitMs; !holds(); ) {
    if (Date.now() > end) throw new Error('what was waited for did not come');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

test('one host at a time, whatever happens to it or to the storage', async () => {
  const first = await start();
  await untilHttp(first.httpPort, 150_000);

  const second = await start();
  expect(await second.vm.ended).toBe(4);
  expect(second.vm.stderr).toMatch(/^godwit: VM web is in use on .*: stop it there, or migrate it, first\n$/);

  // The server hangs: the VM stands still before its lease ends, and goes on when the server does.
  await first.ssh('(i=0; while :; do i=$((i+1)); echo $i > /root/n.new && sync /root/n.new && mv /root/n.new /root/n && sync /root; done) > /dev/null 2>&1 &');
  const hung = Date.now();
  server.hang();
  await until(() => first.vm.stderr.includes('stands still'), 2 * LEASE_MS);
  expect(Date.now() - hung).toBeLessThan(LEASE_MS);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  server.goOn();
  await until(() => first.vm.stderr.includes('the VM goes on'), 3 * LEASE_MS);
  expect(Number(await first.ssh('cat /root/n'))).toBeGreaterThan(0);
  expect(await first.ssh('dmesg | grep -ciE "I/O error|remount" || true')).toBe('0\n');

  // The host dies: its VM is free after the lease.
  const before = Number(await first.ssh('n=$(cat /root/n); sync; echo $n'));
  const died = Date.now();
  first.vm.child.kill('SIGKILL');
  await first.vm.ended;
  const third = await start();
  await until(() => third.vm.stdout.length > 0, 60_000);
  expect(Date.now() - died).toBeGreaterThan(LEASE_MS - 2000);
  await untilHttp(third.httpPort, 150_000);
  expect(Number(await third.ssh('cat /root/n'))).toBeGreaterThanOrEqual(before);
  await third.ssh('poweroff').catch(() => {});
  expect(await third.vm.ended).toBe(0);
});
