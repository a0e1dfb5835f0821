/** The controller's configuration: checked before anything is begun, with one line for each thing that is wrong. */
import { z } from 'zod';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const address = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^\s:]+):\d{1,5}$/, 'must be HOST:PORT');
const listener = z.string().regex(/^(unix:\/\S+|(\[[0-9a-fA-F:]+\]|[^\s:]+):\d{1,5})$/, 'must be HOST:PORT or unix:/PATH');
const folder = z.string().startsWith('/', 'must be an absolute path');

export const CONTROLLER_CONFIG = z.strictObject({
  clusterId: z.uuid(),
  clusterName: z.string().regex(NAME, 'must be letters, digits and . _ -, 63 at most'),
  /** This controller's, for people. */
  name: z.string().min(1).max(63),
  /** Where agents and clients reach it. */
  advertise: address,
  /** Every controller of the cluster. */
  controllers: z.array(address).default([]),
  /** Where it serves: HOST:PORT over TLS, and unix:/PATH, whose owner is an admin. Left out: `advertise`. */
  listen: z.array(listener).min(1, 'must name at least one address').optional(),
  /** Folder with cert.pem, key.pem, ca.pem; made by the authority when it is missing. */
  tls: folder.optional(),
  /** Folder of the cluster's certificate authority: ca.pem, ca-key.pem; every controller has it. */
  authority: folder.optional(),
  /** Made once, by the first controller that leads: whose password `cluster init` has shown. */
  firstAdmin: z.strictObject({ name: z.string().regex(NAME, 'must be a name'), passwordHash: z.string().startsWith('scrypt$') }).optional(),
  store: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('embedded'),
      file: z.string().startsWith('/', 'must be an absolute path'),
      /** Made beside the file while it is in use, and when the controller stops. */
      backups: z.strictObject({ everyHours: z.number().min(0.1).max(24 * 7), keep: z.int().min(1).max(1_000) }).default({ everyHours: 1, keep: 24 }),
    }),
    z.strictObject({
      kind: z.literal('nats'),
      servers: z.array(address).min(1, 'must name at least one server'),
      /** Folder with ca.pem, cert.pem, key.pem, which the servers are known by and ask for. Left out: plain, for loopback or a closed network. */
      tls: folder.optional(),
      name: z.string().default('godwit'),
      replicas: z.union([z.literal(1), z.literal(3), z.literal(5)]).default(1),
    }),
  ]),
  /**
   * Where Prometheus reads metrics without a login: HOST:PORT; '' for nowhere. `tls`: for clients that have a certificate
   * of the cluster's CA; default: everywhere but on loopback.
   */
  metrics: z.strictObject({ listen: z.union([address, z.literal('')]), tls: z.boolean().optional() }).optional(),
  /**
   * The dashboard, its API and /metrics over HTTP, for browsers: HOST:PORT. Over TLS with the controller's certificate; `tls: false`
   * is in clear, on a loopback address only. Left out: not served.
   */
  http: z.strictObject({ listen: address, tls: z.boolean().optional() }).optional(),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  version: z.string().default('0.1.0'),
});

export type ControllerConfig = z.infer<typeof CONTROLLER_CONFIG>;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** @param where named in messages @throws ConfigError with a line for each thing that is wrong */
export function checkConfig(value: unknown, where: string): ControllerConfig {
  const result = CONTROLLER_CONFIG.safeParse(value);
  if (result.success) return result.data;
  const lines = result.error.issues.map(({ path, message }) => `${where}: ${path.length > 0 ? path.join('.') : 'the whole'}: ${message}`);
  throw new ConfigError(lines.join('\n'));
}
