/**
 * A cluster as an operator would build it, of real parts: hosts and two controllers in network namespaces on one
 * Ethernet, a real NATS server for the store, a real NFS server for the disks, VMs on bridges, and a client for each
 * VM that writes and remembers what was acknowledged. All of it in namespaces (network, mounts, processes) that this
 * script makes, so that nothing is left however it ends.
 *
 *   node test/cluster/long/fleet.mjs [--hosts 3] [--vms 8] [--only drain,kill-agent] [--json FILE]
 *
 * Needs root, nfs-ganesha, rpcbind, nats-server. Ends with 1 if a promise of a scenario (scenarios.mjs) is broken.
 *
 *     10.78.0.1   switch: NFS, NATS, DHCP, clients          10.78.0.21, .22   controllers
 *                                                            10.78.0.11 …      hosts;  .101 …  VMs
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { inOwnNamespaces } from '../../support/own-namespaces.mjs';
import { Fleet } from './fleet-parts.mjs';
import { SCENARIOS } from './scenarios.mjs';

const OPTIONS = { hosts: { type: 'string', default: '3' }, vms: { type: 'string', default: '8' }, only: { type: 'string' }, json: { type: 'string' } };
const INSIDE = 'GODWIT_FLEET_INSIDE';

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  const names = values.only?.split(',') ?? SCENARIOS.map(({ name }) => name);
  const unknown = names.find((name) => !SCENARIOS.some((one) => one.name === name));
  if (unknown) {
    console.error(`there is no scenario ${unknown}: there are ${SCENARIOS.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  if (process.getuid?.() !== 0) {
    console.error('this needs root: it makes network namespaces');
    return 2;
  }
  if (!process.env[INSIDE]) return inOwnNamespaces(fileURLToPath(import.meta.url), process.argv.slice(2), { [INSIDE]: '1' });

  const began = Date.now();
  const log = (line) => console.error(`${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`);
  const report = { hosts: Number(values.hosts), vms: Number(values.vms), scenarios: [], broken: [] };
  let fleet;
  try {
    fleet = await Fleet.start({ hosts: report.hosts, vms: report.vms, log });
    for (const { name, run } of SCENARIOS) {
      if (!names.includes(name)) continue;
      log(`── ${name}`);
      const from = Date.now();
      const row = { name, broken: [], figures: {} };
      report.scenarios.push(row);
      try {
        row.figures = (await run(fleet)) ?? {};
      } catch (error) {
        row.broken.push(error.message);
        log(`BROKEN: ${error.stack}\n${fleet.cluster.logs(2_000)}`);
      }
      row.seconds = Math.round((Date.now() - from) / 1000);
      // What one has broken the next would be blamed for.
      if (row.broken.length > 0) break;
    }
    if (report.scenarios.every(({ broken }) => broken.length === 0)) Object.assign(report, await fleet.verdict());
  } catch (error) {
    report.broken.push(error.message);
    log(`BROKEN: ${error.stack}`);
  } finally {
    await fleet?.stop();
  }
  report.seconds = Math.round((Date.now() - began) / 1000);
  const json = `${JSON.stringify(report, null, 2)}\n`;
  if (values.json) writeFileSync(values.json, json);
  process.stdout.write(json);
  return report.broken.length + report.scenarios.reduce((sum, { broken }) => sum + broken.length, 0) > 0 ? 1 : 0;
}

process.exitCode = await main();
