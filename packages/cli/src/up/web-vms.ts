/** The VMs of `npm run up`: made, booted, and their web pages reachable from here wherever they run. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connectUsernetControl, type UsernetControl } from '@godwit/network';
import { CliError, exitCodes } from '../errors';
import { commandLine, DISK_BYTES, HTTP_PORT } from './guest';
import { BOOT_MS, LOOK_MS } from './limits';
import type { LocalCluster } from './local-cluster';

/** As the agents' image folder has them. */
export const KERNEL = 'vmlinuz';
export const INITRD = 'initrd';

export interface WebVm {
  readonly name: string;
  readonly url: string;
}

/** @throws CliError, or whatever the controller says against it */
export async function beginWebVm(
  cluster: LocalCluster,
  name: string,
  memoryMiB: number,
  port: number,
  signal: AbortSignal,
): Promise<WebVm> {
  const spec = {
    name,
    memoryBytes: memoryMiB * 2 ** 20,
    vcpus: 1,
    disks: [{ file: 'data', bus: 'virtio', sizeBytes: DISK_BYTES, format: 'raw' }],
    networks: [{ network: 'user', adapter: 'virtio' }],
    boot: { kernel: KERNEL, initrd: INITRD, commandLine: commandLine(name), kernelOrigin: KERNEL, initrdOrigin: INITRD },
    labels: { made: 'up' },
  };
  let operation = await cluster.api('Vms').createVm({ spec, start: true }, { signal });
  for await (operation of cluster.api('Operations').watchOperation({ operationId: operation.operationId }, { signal }));
  if (operation.state !== 'OPERATION_STATE_SUCCEEDED') throw new CliError(exitCodes.failed, `${name} was not started: ${operation.line}`);
  const { spec: made } = await cluster.api('Vms').getVm({ vm: name }, { signal });
  const control = await connectUsernetControl(`${cluster.network}.control`);
  try {
    const address = await addressOf(control, made?.networks[0]?.mac ?? '', name, signal);
    await control.addForward(`tcp:127.0.0.1:${port}-${address}:${HTTP_PORT}`);
  } finally {
    control.close();
  }
  const url = `http://127.0.0.1:${port}/`;
  await cluster.until(
    async () => (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok,
    `${name} does not answer at ${url}`,
    signal,
    undefined,
    BOOT_MS,
  );
  return { name, url };
}

/** What the network's DHCP server has given it. */
async function addressOf(control: UsernetControl, mac: string, name: string, signal: AbortSignal): Promise<string> {
  const limit = Date.now() + BOOT_MS;
  for (;;) {
    const { leases } = await control.status();
    const lease = leases.find((one) => one.mac === mac.toLowerCase());
    if (lease) return lease.address;
    if (Date.now() > limit)
      throw new CliError(
        exitCodes.failed,
        `${name} runs, but has not asked for an address: see its console: npx godwit vm console ${name}`,
      );
    await sleep(LOOK_MS, undefined, { signal });
  }
}
