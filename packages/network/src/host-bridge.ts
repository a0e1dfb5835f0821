/**
 * Bridges and VXLAN tunnels of this host, by iproute2's `ip` and `bridge`,
 * which need CAP_NET_ADMIN. Each step that finds its work done already is
 * content, so that a call that was cut off can be made again.
 */
import { execFile } from 'node:child_process';
import { checkInterfaceName } from './interface-name';
import { parseIpv4 } from './ipv4';
import { IP_COMMAND_MS } from './limits';
import { networkError } from './native';

/** One network over several hosts: each sends what it must flood to every other (RFC 7348, without multicast). */
export interface VxlanOptions {
  readonly name: string;
  /** VXLAN network identifier, 1 to 16,777,215. */
  readonly id: number;
  /** This host's address on the network between the hosts. */
  readonly local: string;
  /** The other hosts' addresses there. */
  readonly remotes: readonly string[];
  /** Default 4789. */
  readonly port?: number;
  /** Bytes; default 1450: 50 less than the 1500 of the network between the hosts. */
  readonly mtu?: number;
}

export type RunCommand = (command: string, args: readonly string[]) => Promise<{ readonly code: number | string; readonly stderr: string }>;

export class HostBridge {
  constructor(
    readonly name: string,
    private readonly run: RunCommand = runCommand,
  ) {
    checkInterfaceName(name);
  }

  /** Makes the bridge and sets it up. `address`: this host's own on it, `10.1.0.1/24`. */
  async create(options: { readonly address?: string; readonly mtu?: number } = {}): Promise<void> {
    if (options.mtu !== undefined) checkRange('the MTU', options.mtu, 576, 65_535);
    if (options.address !== undefined) checkCidr(options.address);
    await this.ip(['link', 'add', 'name', this.name, 'type', 'bridge'], ['File exists']);
    // No spanning tree, so no waiting for it: a VM's frames pass at once.
    await this.ip(['link', 'set', 'dev', this.name, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0']);
    if (options.mtu !== undefined) await this.ip(['link', 'set', 'dev', this.name, 'mtu', String(options.mtu)]);
    if (options.address !== undefined)
      await this.ip(['address', 'add', options.address, 'dev', this.name], ['File exists', 'already assigned']);
    await this.ip(['link', 'set', 'dev', this.name, 'up']);
  }

  async remove(): Promise<void> {
    await this.ip(['link', 'delete', 'dev', this.name, 'type', 'bridge'], ['Cannot find device']);
  }

  async addInterface(name: string): Promise<void> {
    checkInterfaceName(name);
    await this.ip(['link', 'set', 'dev', name, 'master', this.name]);
    await this.ip(['link', 'set', 'dev', name, 'up']);
  }

  async addVxlan(options: VxlanOptions): Promise<void> {
    const { name, id, local, remotes, port = 4789, mtu = 1450 } = options;
    checkInterfaceName(name);
    checkRange('the VXLAN identifier', id, 1, 0xffffff);
    checkRange('the port', port, 1, 65_535);
    checkRange('the MTU', mtu, 576, 65_535);
    [local, ...remotes].forEach(parseIpv4);
    // `learning`: a migrated VM's announcement moves it to its new host.
    const kind = ['type', 'vxlan', 'id', String(id), 'local', local, 'dstport', String(port), 'learning'];
    await this.ip(['link', 'add', 'name', name, ...kind], ['File exists']);
    await this.ip(['link', 'set', 'dev', name, 'mtu', String(mtu)]);
    for (const remote of remotes) await this.addRemote(name, remote);
    await this.addInterface(name);
  }

  /** Another host joined. */
  async addRemote(vxlan: string, remote: string): Promise<void> {
    checkInterfaceName(vxlan);
    parseIpv4(remote);
    await this.command('bridge', ['fdb', 'append', '00:00:00:00:00:00', 'dev', vxlan, 'dst', remote], ['File exists']);
  }

  /** A host left. */
  async removeRemote(vxlan: string, remote: string): Promise<void> {
    checkInterfaceName(vxlan);
    parseIpv4(remote);
    await this.command('bridge', ['fdb', 'delete', '00:00:00:00:00:00', 'dev', vxlan, 'dst', remote], ['No such file']);
  }

  async removeVxlan(name: string): Promise<void> {
    checkInterfaceName(name);
    await this.ip(['link', 'delete', 'dev', name, 'type', 'vxlan'], ['Cannot find device']);
  }

  private ip(args: readonly string[], contentWith: readonly string[] = []): Promise<void> {
    return this.command('ip', args, contentWith);
  }

  private async command(command: string, args: readonly string[], contentWith: readonly string[]): Promise<void> {
    const { code, stderr } = await this.run(command, args);
    if (code === 0 || contentWith.some((text) => stderr.includes(text))) return;
    const line = `${command} ${args.join(' ')}`;
    if (code === 'ENOENT') throw networkError(`the command ${command} is missing: install iproute2`);
    if (stderr.includes('Operation not permitted')) {
      throw networkError(`bridge ${this.name} needs an administrator: run as root: ${line}`);
    }
    const why = stderr.trim().split('\n')[0] || `exit code ${code}`;
    throw networkError(`bridge ${this.name} is not as wanted: ${why} (${line})`);
  }
}

function runCommand(command: string, args: readonly string[]): ReturnType<RunCommand> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: IP_COMMAND_MS, env: { ...process.env, LC_ALL: 'C' } }, (error, _stdout, stderr) =>
      resolve({ code: error ? (error.code ?? 'killed') : 0, stderr }),
    );
  });
}

function checkRange(what: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    throw networkError(`${what} is ${value}: choose one from ${least} to ${most}`);
}

function checkCidr(text: string): void {
  const [address, bits, ...rest] = text.split('/');
  parseIpv4(address);
  if (rest.length > 0 || !/^\d{1,2}$/.test(bits ?? '') || Number(bits) > 32)
    throw networkError(`${text} is no address with a prefix, as in 10.1.0.1/24`);
}
