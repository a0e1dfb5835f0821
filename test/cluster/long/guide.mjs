/**
 * Does what deploy/README.md tells an operator to do, block by block, on five machines in namespaces (machine.mjs), and
 * sees whether there is a cluster in the end: node test/cluster/long/guide.mjs. Needs root, nats-server. Ends with 1 if
 * a command fails.
 */
import { mkdtempSync, copyFileSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { webImages } from '../../support/cluster.mjs';
import { inOwnNamespaces } from '../../support/own-namespaces.mjs';
import { FleetNet } from './fleet-net.mjs';
import { Machine } from './machine.mjs';

const INSIDE = 'GODWIT_GUIDE_INSIDE';
const ADDRESSES = { filer: '10.78.0.5', 'ctl-1': '10.78.0.21', 'ctl-2': '10.78.0.22', alpha: '10.78.0.11', beta: '10.78.0.12' };
const guide = fileURLToPath(new URL('../../../deploy/README.md', import.meta.url));
const log = (line) => console.error(line);

/** The blocks of the guide, with their machines, in its order. */
function blocks() {
  return [...readFileSync(guide, 'utf8').matchAll(/^```sh ([\w -]+)\n(.*?)^```$/gms)].map(([, machines, script]) => ({ machines: machines.split(' '), script }));
}

/** What the guide does not say since it goes without saying: how long to wait, and images of the operator's own. */
async function before(script, machines, images) {
  if (script.includes('godwit vm create')) {
    for (const [name, file] of Object.entries(images)) copyFileSync(file, path.join(machines.filer.at, 'srv', 'vms', 'images', name));
    await machines.filer.run('chown -R godwit: /srv/vms/images');
  }
  // Services take a moment to come up.
  if (script.startsWith('godwit ') && !script.startsWith('godwit cluster init')) await until(() => machines['ctl-1'].run('godwit cluster status -o json'), 'a cluster that answers');
  if (script.startsWith('rm /root/alpha.token')) await until(async () => ready(await machines['ctl-1'].run('godwit host ls -o json')), 'two hosts that are ready');
}

const ready = (json) => {
  if ((json.match(/HOST_STATE_READY/g) ?? []).length !== 2) throw new Error(json);
};

async function until(work, what) {
  for (const limit = Date.now() + 90_000; ; await sleep(500)) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > limit) throw new Error(`waited in vain for ${what}: ${error.message}`, { cause: error });
    }
  }
}

async function main() {
  if (process.getuid?.() !== 0) {
    log('this needs root: it makes network namespaces');
    return 2;
  }
  if (!process.env[INSIDE]) return inOwnNamespaces(fileURLToPath(import.meta.url), process.argv.slice(2), { [INSIDE]: '1' });
  const folder = mkdtempSync(path.join(os.tmpdir(), 'guide-'));
  const net = await FleetNet.here();
  const machines = {};
  try {
    const hosts = Object.entries(ADDRESSES).map(([name, address]) => `${address} ${name}`);
    for (const [name, address] of Object.entries(ADDRESSES))
      machines[name] = await Machine.start({ name, space: await net.host(name.replace('-', ''), address), folder, hosts: ['127.0.0.1 localhost', ...hosts].join('\n') });
    const images = await webImages();
    for (const { machines: names, script } of blocks()) {
      await before(script, machines, images);
      for (const name of names) {
        log(`── ${name}\n${script.trimEnd()}`);
        const said = (await machines[name].run(script)).trimEnd();
        if (said) log(`${said}\n`);
      }
    }
    await check(machines);
    log('the guide works');
    return 0;
  } catch (error) {
    log(`BROKEN: ${error.message}`);
    for (const machine of Object.values(machines)) log(`── journal of ${machine.name}\n${machine.logs()}`);
    return 1;
  } finally {
    // The machines' processes and mounts end with this namespace.
    for (const machine of Object.values(machines)) machine.child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the operator should have now. */
async function check(machines) {
  const vms = JSON.parse(await machines['ctl-1'].run('godwit vm ls -o json'));
  const [vm] = vms.vms ?? vms;
  if (vm.state !== 'VM_STATE_RUNNING') throw new Error(`web1 does not run: ${JSON.stringify(vm)}`);
  // An agent that is stopped leaves its VM; the next one finds it.
  const host = machines[vm.hostName ?? vm.host_name];
  await host.run('systemctl stop godwit-agent; sleep 2; pgrep -f "dist/main.js vmm" > /dev/null; systemctl enable --now godwit-agent');
  await until(async () => ready(await machines['ctl-1'].run('godwit host ls -o json')), 'the host to come back');
  // Neither VMs nor agents are root's.
  const users = await host.run("ps -ewwo user=,args= | grep -E '(main.js|bin/godwit) (agent|vmm|controller) ' | grep -v grep | cut -d' ' -f1 | sort | uniq -c");
  log(`processes of godwit by user:\n${users.trimEnd()}`);
  // Two controllers, two agents, a VM.
  if (!/^\s*([5-9]|\d\d+) godwit\s*$/.test(users)) throw new Error(`not all processes are the user godwit's: ${users}`);
}

process.exitCode = await main();
