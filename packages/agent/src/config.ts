/** What `godwit agent` is configured with. */
import { hostname } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { AgentError } from './errors';
import { MAX_SOCKET_PATH } from './limits';

const text = z.string().min(1).max(4096);
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a name of letters, digits and . _ -');
const address = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/, 'HOST:PORT');
const interfaceName = z.string().regex(/^[A-Za-z0-9._-]{1,15}$/, 'the name of a network interface');

/** A network of this host under the name that VMs know it by. */
const network = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('user'),
    /** Its socket; agents on one machine that name the same one share the network. Absent: one of this agent's own. */
    socket: text.optional(),
    /** ADDRESS/BITS; default 10.0.2.0/24. */
    network: text.optional(),
    /** `tcp:127.0.0.1:8080-80` */
    forwards: z.array(text).max(256).optional(),
    restrict: z.boolean().optional(),
    hostLoopback: z.boolean().optional(),
    dns: z.boolean().optional(),
  }),
  z.strictObject({
    kind: z.literal('bridge'),
    bridge: interfaceName,
    /** Made when it is missing; needs CAP_NET_ADMIN. */
    create: z
      .strictObject({
        /** This host's own on it, 10.1.0.1/24. */
        address: text.optional(),
        mtu: z.number().int().optional(),
        uplink: interfaceName.optional(),
        vxlan: z
          .strictObject({
            name: interfaceName,
            id: z.number().int(),
            local: text,
            remotes: z.array(text),
            port: z.number().int().optional(),
            mtu: z.number().int().optional(),
          })
          .optional(),
      })
      .optional(),
  }),
  z.strictObject({ kind: z.literal('tap'), interface: interfaceName }),
]);
export type NetworkConfig = z.infer<typeof network>;

export const agentConfig = z.strictObject({
  schema: z.literal(1),
  /** The agent's own folder: identity, certificates, the VMs' control sockets. Not shared, not on a network. */
  stateDir: text,
  /** For people; default: the machine's. */
  name: name.optional(),
  /** Default: one made at the first start and kept. */
  hostId: z.uuid().optional(),
  /** HOST:PORT of any of the controllers. */
  controllers: z.array(address).min(1).max(16),
  /** One-time token of `godwit host add`, or a file that holds it; needed once. */
  join: z.union([z.strictObject({ token: text }), z.strictObject({ tokenFile: text })]).optional(),
  /** Where VMMs of other hosts reach those of this one. Default 127.0.0.1: for hosts on one machine only. */
  migration: z.strictObject({ host: text }).default({ host: '127.0.0.1' }),
  /** By any name: a mounted folder or nfs://server/export/path. */
  datastores: z.record(name, text).default({}),
  networks: z.record(name, network).default({ user: { kind: 'user' } }),
  /** A folder of images and kernels that VMs may be made from, by name. */
  images: text.optional(),
  /** What of the CPU VMs may have: only these, or all without those. */
  cpu: z
    .union([z.strictObject({ features: z.array(text).min(1).max(512) }), z.strictObject({ without: z.array(text).max(512) })])
    .optional(),
  /**
   * Where Prometheus reads this host's metrics: HOST:PORT; '' for nowhere. `tls`: with the host's certificate, for
   * clients that have one of the cluster's CA; default: everywhere but on loopback.
   */
  metrics: z.strictObject({ listen: z.union([address, z.literal('')]), tls: z.boolean().optional() }).optional(),
  /** Kept for the host itself, MiB. */
  reservedMemoryMiB: z.number().int().min(0).default(256),
  log: z
    .strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'), file: text.optional() })
    .default({ level: 'info' }),
});
/** As it is written; `parseAgentConfig` fills in the defaults. */
export type AgentConfigInput = z.input<typeof agentConfig>;
export type AgentConfig = Omit<z.infer<typeof agentConfig>, 'name'> & { readonly name: string };

/** @param where for messages: the file. @throws AgentError naming the field and what it should be */
export function parseAgentConfig(json: string, where: string): AgentConfig {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new AgentError(`${where} is not JSON: ${(error as Error).message}`);
  }
  return checkAgentConfig(value, where);
}

export function checkAgentConfig(value: unknown, where: string): AgentConfig {
  const parsed = agentConfig.safeParse(value);
  if (!parsed.success) throw new AgentError(`${where}: ${explain(parsed.error.issues[0])}`);
  const config = { ...parsed.data, stateDir: path.resolve(parsed.data.stateDir), name: parsed.data.name ?? hostname() };
  const socket = controlSocket(config.stateDir, '0'.repeat(36));
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
    const most = MAX_SOCKET_PATH - (Buffer.byteLength(socket) - Buffer.byteLength(config.stateDir));
    throw new AgentError(
      `${where}: stateDir: its path must have at most ${most} bytes, for sockets lie in it: choose a shorter one than ${config.stateDir}`,
    );
  }
  return config;
}

/** Of the VMM with that id. */
export const controlSocket = (stateDir: string, vmmId: string): string => path.join(stateDir, 'vms', vmmId, 'control.sock');

type Issue = z.core.$ZodIssue;

function explain(issue: Issue): string {
  const field = issue.path.join('.') || 'the whole';
  if (issue.code === 'unrecognized_keys') return `${field}: ${issue.keys.map((key) => `'${key}'`).join(', ')} is not known here`;
  // Of a union the branch with the fewest mistakes tells what is meant.
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const [nearest] = [...issue.errors].sort((a, b) => a.length - b.length)[0];
    if (nearest) return explain({ ...nearest, path: [...issue.path, ...nearest.path] });
  }
  return `${field}: ${issue.message}`;
}
