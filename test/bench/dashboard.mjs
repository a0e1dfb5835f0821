/**
 * The dashboard with many hosts and VMs: 200 simulated agents over the controller's own services, Debian's chromium. Prints
 * how long it takes until the map stands, how long a change at an agent takes to be on the screen while 5 % of all VMs
 * change every second, and how evenly pictures follow each other meanwhile.
 *
 *   node test/bench/dashboard.mjs [--hosts 200] [--vms 2000] [--seconds 8]
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { logIn, openPage, startBrowser } from '../dashboard/browser.mjs';

const require = createRequire(import.meta.url);
const { checkConfig, startController } = require('../../packages/controller');
const { ADMIN, startCrowd } = require('../../packages/controller/dist/testing/crowd.js');
const { values } = parseArgs({ options: { hosts: { type: 'string', default: '200' }, vms: { type: 'string', default: '2000' }, seconds: { type: 'string', default: '8' } } });
const [hosts, vms, seconds] = [values.hosts, values.vms, values.seconds].map(Number);
const PASSWORD = 'only for the benchmark';
const TICK_MS = 100;
const PROBES = 20;

const folder = mkdtempSync(path.join(os.tmpdir(), 'gwd-'));
const config = checkConfig(
  {
    clusterId: randomUUID(),
    clusterName: 'bench',
    name: 'c1',
    advertise: '127.0.0.1:1',
    store: { kind: 'embedded', file: path.join(folder, 'store.db') },
    http: { listen: '127.0.0.1:0', tls: false },
    metrics: { listen: '' },
    logLevel: 'silent',
  },
  'bench',
);
const transport = {
  authority: { caPem: 'CA', issueAgent: async () => ({ certificatePem: 'PEM', endsAtMs: 1e15 }) },
  sealJoinToken: (token) => token,
  listen: async () => {},
  close: async () => {},
};
const controller = await startController(config, { transport });
let browser;
try {
  while (!controller.health().leads) await sleep(20);
  await controller.services.api.Access.PutUser.unary({ name: 'ada', role: 'ROLE_ADMIN', password: PASSWORD }, ADMIN);
  const agents = await startCrowd(controller, { hosts, vms });
  for (;;) {
    const status = await controller.services.api.Cluster.GetStatus.unary({}, ADMIN);
    if (status.vmsRunning === vms && status.hostsReady === hosts) break;
    await sleep(100);
  }
  browser = await startBrowser();
  const { page, problems } = await openPage(browser, controller.httpUrl, { viewport: { width: 1920, height: 1080 } });
  await logIn(page, { user: 'ada', password: PASSWORD });
  const paints = [];
  for (let run = 0; run < 3; run++) {
    const start = performance.now();
    await page.goto('/');
    await page.waitForFunction(`document.querySelectorAll('[data-vm]').length === ${vms}`);
    const map = performance.now() - start;
    const first = await page.evaluate(`performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0`);
    paints.push({ first, map });
  }

  // Pictures as the browser draws them, and the load of 5 % of the VMs a second.
  await page.evaluate(`(() => { window.frames_ = []; let last = performance.now(); const next = (now) => { window.frames_.push(now - last); last = now; requestAnimationFrame(next); }; requestAnimationFrame(next); })()`);
  let over = false;
  const all = agents.flatMap((agent) => [...agent.vmms.values()].map((vmm) => ({ agent, vmm })));
  const load = (async () => {
    for (let at = 0; !over; await sleep(TICK_MS))
      for (let count = 0; count < (all.length * 0.05 * TICK_MS) / 1_000; count++, at++) {
        const { agent, vmm } = all[at % all.length];
        agent.say({ vmm: { ...vmm, cpuUsed: ((at * 37) % 100) / 100 } });
      }
  })();
  await sleep(1_000);
  const latencies = [];
  const end = performance.now() + seconds * 1_000;
  for (let probe = 0; probe < PROBES && performance.now() < end; probe++) {
    const { agent, vmm } = all[(probe * 97) % all.length];
    const paused = probe % 2 === 0;
    const changed = { ...vmm, status: { ...vmm.status, vm: { ...vmm.status.vm, state: 'VM_STATE_PAUSED' }, pauses: ['operator'] } };
    const seen = page.waitForFunction(`document.querySelector('[data-vm="${vmm.status.vm.vmId}"]')?.classList.contains('vm-paused')`, undefined, { polling: 'raf' });
    const start = performance.now();
    agent.say({ vmm: changed });
    await seen;
    latencies.push(performance.now() - start);
    agent.say({ vmm });
    void paused;
    await sleep(150);
  }
  over = true;
  await load;
  const frames = (await page.evaluate('window.frames_')).slice(5);
  const at = (list, share) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))];
  const ms = (value) => `${value.toFixed(0)} ms`;
  const rows = [
    ['hosts, VMs', `${hosts}, ${vms}`],
    ['first paint', ms(at(paints.map(({ first }) => first), 0.5))],
    ['whole map on the screen', ms(at(paints.map(({ map }) => map), 0.5))],
    ['change at an agent → on the screen, median', ms(at(latencies, 0.5))],
    ['change at an agent → on the screen, worst of ' + latencies.length, ms(at(latencies, 1))],
    ['between pictures, median', ms(at(frames, 0.5))],
    ['between pictures, 99 % within', ms(at(frames, 0.99))],
    ['errors on the page', String(problems.length)],
  ];
  for (const [name, value] of rows) console.log(`${name.padEnd(52)} ${value}`);
  for (const line of problems) console.error(line);
} finally {
  await browser?.close();
  await controller.stop();
  rmSync(folder, { recursive: true });
}
