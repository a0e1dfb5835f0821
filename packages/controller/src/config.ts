/** The controller's configuration: checked before anything is begun, with one line for each thing that is wrong. */
import { z } from 'zod';

const address = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^\s:]+):\d{1,5}$/, 'must be HOST:PORT');

export const CONTROLLER_CONFIG = z.strictObject({
  clusterId: z.uuid(),
  clusterName: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'must be letters, digits and . _ -, 63 at most'),
  /** This controller's, for people. */
  name: z.string().min(1).max(63),
  /** Where agents and clients reach it. */
  advertise: address,
  /** Every controller of the cluster. */
  controllers: z.array(address).default([]),
  store: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('embedded'), file: z.string().startsWith('/', 'must be an absolute path') }),
    z.strictObject({
      kind: z.literal('nats'),
      servers: z.array(address).min(1, 'must name at least one server'),
      name: z.string().default('godwit'),
      replicas: z.union([z.literal(1), z.literal(3), z.literal(5)]).default(1),
    }),
  ]),
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
