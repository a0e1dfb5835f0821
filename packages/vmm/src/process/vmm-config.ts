/** What `godwit vmm CONFIG.json` is told: by an agent, or by hand. */
import { z } from 'zod';
import { WireError } from '@godwit/wire';
import { hostNetwork } from './plan';

const text = z.string().min(1).max(4096);

export const vmmConfig = z.strictObject({
  schema: z.literal(1),
  /** `datastore`: a folder or an nfs:// URL. */
  vm: z.strictObject({ datastore: text, name: text }),
  hostId: text,
  hostName: text,
  /** A UUID, new for each process. */
  vmmId: z.uuid(),
  /** Path of the unix socket that serves Vmm; `ended.json` is written beside it. */
  control: text,
  /** start: boots; resume: goes on from its suspended state; incoming: waits for a migration. */
  mode: z.enum(['start', 'resume', 'incoming']),
  /** Where other hosts reach this process for migrations; port 0: any. */
  listen: z.strictObject({ host: text, port: z.number().int().min(0).max(65535) }).optional(),
  /** Folder with cert.pem, key.pem, ca.pem; looked into again when they are renewed. Absent: no TLS, on the loopback address only. */
  tls: text.optional(),
  networks: z.record(z.string(), hostNetwork).default({}),
  /** CPU features that VMs may have on this host; absent: all of it. */
  features: z.array(z.string()).optional(),
  /** incoming: what the VM that will come was given, if that is known: the process makes itself ready for it. */
  expects: z.strictObject({ features: z.array(z.string()) }).optional(),
  startPaused: z.boolean().optional(),
  /** Seconds that an incoming process waits for the migration to begin; 0: for ever. */
  waitSeconds: z.number().min(0).default(60),
});
export type VmmConfig = z.infer<typeof vmmConfig>;

/** @throws WireError naming the field */
export function parseVmmConfig(json: string, where: string): VmmConfig {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new WireError('invalid', `${where} is not JSON: ${(error as Error).message}`);
  }
  const parsed = vmmConfig.safeParse(value);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new WireError('invalid', `${where}: ${path.join('.') || 'the whole'}: ${message}`);
}
