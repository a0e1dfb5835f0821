/**
 * The agent: one a host. It starts, watches and adopts VMMs, tells the controllers what is here, and does what they
 * order. It holds no VM itself, and its end is no VM's.
 *
 *     VMMs ⇄ Supervisor ─┐                       ┌─ Orders ◄──┐
 *     datastores ⇄ storage processes ─ Reporter ─┴─ Outbox ─► Session ⇄ controller
 *     networks ──────────┘
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { clientTls, WireError } from '@godwit/wire';
import pino, { type Logger } from 'pino';
import { type AgentConfig, checkAgentConfig } from './config';
import { AgentError, lineOf } from './errors';
import { hostCpu } from './facts/cpu';
import { HostFactsReader } from './facts/host-facts';
import { Networks } from './networks/networks';
import { folderOrders } from './orders/folder-orders';
import { JournalFile } from './orders/journal-file';
import { MigrationBook } from './orders/migration-book';
import { migrationOrders } from './orders/migration-orders';
import { Orders } from './orders/orders';
import { settleInterrupted } from './orders/interrupted';
import { AgentMetrics } from './metrics/agent-metrics';
import { newHolder, vmOrders } from './orders/vm-orders';
import type { World } from './orders/world';
import { Peer } from './rpc';
import { Consoles } from './session/consoles';
import { dialForEver } from './session/dialer';
import { Identity } from './session/identity';
import { Outbox } from './session/outbox';
import { Reporter } from './session/reporter';
import { runSession, type SessionEnd } from './session/session';
import { HostState } from './state/host-state';
import { lockFolder } from './state/lock';
import { bootId } from './state/processes';
import { Datastores } from './storage/datastores';
import { Supervisor } from './vmms/supervisor';

export interface AgentOptions {
  /** Program and arguments that run a VM when a configuration's path is added: `[node, main.js, 'vmm']`. */
  readonly vmmCommand: readonly string[];
  readonly version: string;
  readonly log?: Logger;
}

export interface Agent {
  readonly hostId: string;
  /** The cluster does not take this host: its join token, its name. Trying again is of no use. Never settles otherwise. */
  readonly refused: Promise<AgentError>;
  /** Ends the agent; VMs and networks go on. */
  stop(): Promise<void>;
}

/** Starts; resolves when the VMs that are here have been found and the controllers are being dialled. @throws AgentError, one line */
export async function startAgent(input: unknown, options: AgentOptions): Promise<Agent> {
  const config = checkAgentConfig(input, "the agent's configuration");
  privateFolder(config.stateDir);
  const log = options.log ?? loggerOf(config);
  const unlock = lockFolder(config.stateDir);
  const stopped = new AbortController();
  const closers: (() => unknown)[] = [unlock, () => stopped.abort()];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  let refuse!: (error: AgentError) => void;
  const refused = new Promise<AgentError>((resolve) => {
    refuse = resolve;
  });
  try {
    return { hostId: await run(config, options, log, stopped.signal, closers, refuse), refused, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function run(
  config: AgentConfig,
  options: AgentOptions,
  log: Logger,
  signal: AbortSignal,
  closers: (() => unknown)[],
  refuse: (error: AgentError) => void,
): Promise<string> {
  const state = HostState.open(config.stateDir, config.hostId);
  const { hostId } = state;
  const cpu = hostCpu(config.cpu);
  const journal = new JournalFile(config.stateDir);
  closers.push(() => journal.close());
  const book = new MigrationBook(config.stateDir);
  const supervisor = new Supervisor({
    stateDir: config.stateDir,
    host: { hostId, hostName: config.name },
    command: options.vmmCommand,
    log,
  });
  closers.push(() => supervisor.leave());
  const datastores = new Datastores(config.datastores, log);
  closers.push(() => datastores.stop());
  const networks = new Networks(config, log);
  closers.push(() => networks.stop());
  const identity = new Identity(config, state, log);
  closers.push(() => identity.stop());

  const metrics: AgentMetrics = new AgentMetrics({
    config,
    version: options.version,
    log,
    supervisor,
    facts: () => facts,
    datastores: () => datastores.reports(),
    maintenance: () => state.maintenance,
    certificates: () => identity.current,
  });
  closers.push(() => metrics.stop());
  const facts: HostFactsReader = new HostFactsReader({
    config,
    hostId,
    cpu,
    maintenance: () => state.maintenance,
    vmms: () => supervisor.all,
    datastores: () => datastores.reachable,
    networks: () => networks.usable,
    warnings: () => [...datastores.warnings, ...networks.warnings],
    metricsAddress: () => metrics.address,
  });
  const outbox = new Outbox();
  const agent = { agentId: randomUUID(), version: options.version, bootId: bootId() };
  const reporter = new Reporter({ outbox, agent, facts, state, supervisor, datastores, book, journal: journal.journal });
  networks.on('changed', () => reporter.host());

  let controller: Peer | undefined;
  const consoles = new Consoles(() => controller?.duplex('Console'), log);
  const world: World = {
    config,
    cpu,
    state,
    supervisor,
    datastores,
    networks,
    facts,
    book,
    consoles,
    tls: identity.folder,
    holder: newHolder(hostId, config.name),
  };
  const handlers = { ...vmOrders(world), ...migrationOrders(world), ...folderOrders(world) };
  const orders = new Orders({
    state,
    journal: journal.journal,
    handlers,
    log,
    hostName: config.name,
    send: (result, vmId) => reporter.result(result, vmId),
    ended: (result) => metrics.orderEnded(result),
  });

  // VMs first: they are here, whatever else is missing.
  for (const report of await supervisor.adopt()) reporter.ended(report);
  await Promise.all([networks.start(), datastores.start()]);
  settleInterrupted(world, journal.journal, log);
  await metrics.start();

  const session = async (address: string, ended: AbortSignal): Promise<SessionEnd> => {
    const certificates = await identity.certificates(address, ended).catch((error: unknown) => {
      if (isRefusal(error)) refuse(new AgentError(`${config.name} cannot join the cluster: ${lineOf(error)}`));
      throw error;
    });
    await metrics.serve();
    const peer = new Peer('Agents', address, clientTls(certificates, { kind: 'controller' }));
    try {
      controller = peer;
      return await runSession(
        peer,
        {
          outbox,
          hello: () => reporter.hello(),
          welcomed: (welcome) => {
            if (!state.obey(welcome.term)) return false;
            state.setControllers(welcome.controllers);
            state.setMaintenance(welcome.maintenance);
            reporter.begin(welcome);
            identity.connected(peer);
            metrics.connected(true);
            log.info({ controller: address, term: welcome.term }, 'a controller is connected');
            return true;
          },
          order: (order) => orders.take(order),
          acknowledged: (orderIds, migrationIds) => {
            journal.journal.acknowledge(orderIds, Date.now());
            book.acknowledge(migrationIds);
          },
          asked: (ask) => reporter.asked(ask),
        },
        ended,
      );
    } finally {
      controller = undefined;
      reporter.end();
      identity.connected(undefined);
      metrics.connected(false);
      peer.close();
    }
  };
  const addresses = (): string[] => [...new Set([...config.controllers, ...state.controllers])];
  void dialForEver({ addresses, session, log }, signal);
  log.info(
    { hostId, vms: supervisor.all.length, datastores: datastores.reachable, networks: networks.usable },
    'the agent is up',
  );
  return hostId;
}

/** By the controller itself, for what this host asks: another try would be refused as well. */
const isRefusal = (error: unknown): boolean =>
  error instanceof WireError && error.remote && ['denied', 'invalid', 'exists', 'precondition'].includes(error.code);

/** @throws AgentError when others could read it */
function privateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { mode, uid } = statSync(folder);
    if (mode & 0o077) throw new AgentError(`the state folder ${folder} is open to others: chmod 700 ${folder}`);
    if (uid !== process.getuid!())
      throw new AgentError(`the state folder ${folder} belongs to another user: run the agent as that one, or choose another stateDir`);
  } catch (error) {
    if (error instanceof AgentError) throw error;
    throw new AgentError(`the state folder ${folder} cannot be used: ${lineOf(error)}`);
  }
}

const loggerOf = ({ log, name }: AgentConfig): Logger =>
  pino(
    { level: log.level, base: { host: name }, redact: ['token', '*.token', '*.*.token'], timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: log.file ?? 2, sync: true }),
  );
