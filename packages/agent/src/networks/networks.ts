/** The networks of this host: started, made, looked at now and then. Event: `changed`. */
import { EventEmitter } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HostBridge } from '@godwit/network';
import type { HostNetwork } from '@godwit/vmm';
import type { Logger } from 'pino';
import type { AgentConfig, NetworkConfig } from '../config';
import { lineOf } from '../errors';
import { NETWORK_INTERVAL_MS } from '../limits';
import { ensureUserNetwork, isServing } from './user-network';

interface State {
  readonly name: string;
  readonly config: NetworkConfig;
  /** Empty: it is as it should be. */
  line: string;
}

export class Networks extends EventEmitter {
  private readonly states: State[];
  private readonly stopped = new AbortController();

  constructor(
    private readonly config: Pick<AgentConfig, 'networks' | 'stateDir'>,
    private readonly log: Logger,
  ) {
    super();
    this.states = Object.entries(config.networks).map(([name, network]) => ({
      name,
      config: network,
      line: 'it has not been looked at yet',
    }));
  }

  /** Resolves when each has been made or could not be. */
  async start(): Promise<void> {
    await this.look();
    void this.keepLooking();
  }

  /** They stay as they are: VMs are on them. */
  stop(): void {
    this.stopped.abort();
  }

  get usable(): string[] {
    return this.states
      .filter(({ line }) => line === '')
      .map(({ name }) => name)
      .sort();
  }

  get warnings(): string[] {
    return this.states.filter(({ line }) => line !== '').map(({ name, line }) => `network ${name}: ${line}`);
  }

  /** As VMMs are told of them. */
  get forVmms(): Record<string, HostNetwork> {
    return Object.fromEntries(this.states.map(({ name, config }) => [name, this.forVmm(name, config)]));
  }

  /** In one line why a VM cannot be on these networks; undefined: it can. */
  missing(wanted: readonly string[]): string | undefined {
    for (const name of wanted) {
      const state = this.states.find((one) => one.name === name);
      if (!state) return `this host has no network '${name}': add it to the agent's configuration`;
      if (state.line !== '') return `network '${name}' of this host cannot be used: ${state.line}`;
    }
    return undefined;
  }

  private forVmm(name: string, config: NetworkConfig): HostNetwork {
    if (config.kind === 'user') return { kind: 'user', socket: this.socketOf(name, config.socket) };
    return config.kind === 'bridge' ? { kind: 'bridge', bridge: config.bridge } : { kind: 'tap', interface: config.interface };
  }

  private socketOf(name: string, socket: string | undefined): string {
    return socket === undefined ? path.join(this.config.stateDir, 'networks', name) : path.resolve(socket);
  }

  private async keepLooking(): Promise<void> {
    const { signal } = this.stopped;
    for (;;) {
      await sleep(NETWORK_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.look();
    }
  }

  private async look(): Promise<void> {
    for (const state of this.states) {
      const before = state.line;
      state.line = await this.ensure(state).then(
        () => '',
        (error) => lineOf(error),
      );
      if (state.line === before) continue;
      this.log[state.line ? 'warn' : 'info'](
        { network: state.name, line: state.line || undefined },
        state.line ? 'a network cannot be used' : 'a network is there',
      );
      this.emit('changed');
    }
  }

  private async ensure({ name, config }: State): Promise<void> {
    if (config.kind === 'tap') return requireInterface(config.interface);
    if (config.kind === 'bridge') return ensureBridge(config);
    const { kind: _, socket, ...rest } = config;
    const at = this.socketOf(name, socket);
    if (await isServing(at)) return;
    await ensureUserNetwork({ ...rest, socket: at }, `${at}.log`);
  }
}

function requireInterface(name: string): void {
  if (!existsSync(`/sys/class/net/${name}`)) throw new Error(`there is no interface ${name}`);
}

async function ensureBridge({ bridge: name, create }: Extract<NetworkConfig, { kind: 'bridge' }>): Promise<void> {
  if (existsSync(`/sys/class/net/${name}`)) {
    if (!existsSync(`/sys/class/net/${name}/bridge`)) throw new Error(`${name} is an interface, but no bridge`);
    const up = (Number(readFileSync(`/sys/class/net/${name}/flags`, 'utf8')) & 1) === 1;
    if (up) return;
    if (!create) throw new Error(`bridge ${name} is down: ip link set dev ${name} up`);
  } else if (!create) throw new Error(`there is no bridge ${name}: make it: ip link add ${name} type bridge && ip link set dev ${name} up`);
  const { uplink, vxlan, ...options } = create;
  const bridge = new HostBridge(name);
  await bridge.create(options);
  if (uplink !== undefined) await bridge.addInterface(uplink);
  if (vxlan) await bridge.addVxlan(vxlan);
}
