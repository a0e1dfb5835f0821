/**
 * `npm run up`: a cluster to try, on this machine, from nothing: a controller, some hosts, real Linux guests with disk
 * and network. It stays until Ctrl-C, and then nothing of it is left. Its parts are in up/.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ensureGuestImages, ImageError } from '@godwit/images';
import { checkoutConfigFile } from './cluster/context/file';
import { CliError, exitCodes } from './errors';
import { readyNative } from './ready-native';
import { guestInitramfs } from './up/guest';
import { LocalCluster } from './up/local-cluster';
import { type NfsPlan, planNfs } from './up/nfs';
import { parseUpOptions, type UpOptions } from './up/options';
import { Ports } from './up/ports';
import { beginWebVm, INITRD, KERNEL, type WebVm } from './up/web-vms';

const root = path.join(__dirname, '..', '..', '..');
const say = (line: string): void => void process.stderr.write(`godwit: ${line}\n`);

export async function up(argv: string[]): Promise<number> {
  const options = parseUpOptions(argv);
  readyNative();
  const over = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => over.abort());
  const home = options.home ?? path.dirname(checkoutConfigFile(root));
  await LocalCluster.clear(home);
  const images = await guestImages(home);
  let cluster: LocalCluster | undefined;
  try {
    const ports = await choosePorts(options);
    cluster = await step(
      'controller',
      () => LocalCluster.begin({ home, ...ports }, over.signal),
      () => `at 127.0.0.1:${ports.controllerPort}`,
    );
    const begun = cluster;
    await step(
      'hosts',
      () => begun.addHosts(options.hosts, images, over.signal),
      (all) => all.join(', '),
    );
    const vms = await step(
      'guests',
      () => beginVms(begun, options, ports.guestPorts, over.signal),
      (all) => (all.length > 0 ? `${names(all)} booted; curl gets an answer` : 'none'),
    );
    begun.announce();
    process.stdout.write(`${introduction(begun, ports.httpPort, vms)}\n`);
    await tellUntil(begun, over.signal);
  } catch (error) {
    if (!over.signal.aborted) throw error;
  } finally {
    const last = cluster;
    if (last)
      await step(
        'ending everything',
        () => last.end(),
        () => 'nothing is left running',
      );
  }
  return exitCodes.ok;
}

const names = (vms: readonly WebVm[]): string => vms.map(({ name }) => name).join(', ');

/** As scripts/ tells of its own. */
async function step<T>(name: string, work: () => Promise<T>, outcome: (result: T) => string): Promise<T> {
  const begun = performance.now();
  const result = await work();
  say(`${name}: ${outcome(result)} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
  return result;
}

async function guestImages(home: string): Promise<Record<string, string>> {
  const cache = path.join(root, '.cache', 'images');
  try {
    const images = await ensureGuestImages(cache, say);
    mkdirSync(home, { recursive: true });
    const initrd = path.join(home, 'initrd.gz');
    writeFileSync(initrd, guestInitramfs(images));
    return { [KERNEL]: images.kernel686, [INITRD]: initrd };
  } catch (error) {
    if (error instanceof ImageError) throw new CliError(exitCodes.precondition, error.message);
    throw error;
  }
}

async function choosePorts({
  controllerPort,
  httpPort,
  guestPort,
  vms,
  nfs,
}: UpOptions): Promise<{ controllerPort: number; httpPort: number; guestPorts: number[]; nfs: NfsPlan | undefined }> {
  const ports = new Ports();
  const controller = await ports.choose('the controller', '--port', controllerPort);
  const http = await ports.choose('the dashboard', '--http-port', httpPort);
  const guestPorts: number[] = [];
  for (let port = guestPort.port; guestPorts.length < vms; port = guestPorts.at(-1)! + 1)
    guestPorts.push(await ports.choose(`the page of web${guestPorts.length + 1}`, '--guest-port', { ...guestPort, port }));
  return { controllerPort: controller, httpPort: http, guestPorts, nfs: nfs ? await planNfs(ports) : undefined };
}

/** Two at a time: a guest that boots wants a CPU. */
async function beginVms(cluster: LocalCluster, { memoryMiB }: UpOptions, ports: readonly number[], signal: AbortSignal): Promise<WebVm[]> {
  const vms: WebVm[] = [];
  const wanted = ports.map((port, at) => ({ name: `web${at + 1}`, port }));
  for (let at = 0; at < wanted.length; at += 2)
    vms.push(...(await Promise.all(wanted.slice(at, at + 2).map(({ name, port }) => beginWebVm(cluster, name, memoryMiB, port, signal)))));
  return vms;
}

function introduction({ access }: LocalCluster, httpPort: number, vms: readonly WebVm[]): string {
  const rows: [string, string, string?][] = [
    ['dashboard', `https://127.0.0.1:${httpPort}/`, `user ${access.user}, password ${access.password}`],
    ...vms.map(({ name, url }, at): [string, string, string?] => [at === 0 ? 'guests' : '', `curl ${url}cgi-bin/now`, name]),
    ['what runs', 'npx godwit vm ls'],
    ...vms.slice(0, 1).flatMap(({ name }): [string, string, string?][] => [
      ['move it', `npx godwit migrate ${name}`, 'while curl goes on'],
      ['console', `npx godwit vm console ${name}`, 'Ctrl-] leaves'],
    ]),
  ];
  const width = Math.max(...rows.map(([, how]) => how.length));
  const lines = rows.map(([what, how, note]) => `  ${what.padEnd(10)}  ${note ? `${how.padEnd(width)}  ${note}` : how}`);
  return ['', ...lines, '', '  Ctrl-C ends everything.', ''].join('\n');
}

/** What happens in the cluster, a line each, until the end. */
async function tellUntil(cluster: LocalCluster, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const { line } of cluster.api('Events').watchEvents({}, { signal })) say(line);
    } catch (error) {
      if (signal.aborted) return;
      // A controller that was ended by hand: this goes on when it is back.
      say((error as Error).message);
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 2_000);
      signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
}
