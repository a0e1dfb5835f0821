import { existsSync } from 'node:fs';
import path from 'node:path';
import { Authority, type OperatorRole, saveMaterial } from '@godwit/wire';
import { CliError, exitCodes } from './errors';

const DAY_MS = 24 * 3600_000;
export const DEFAULT_DAYS = 365;

export interface CertificatePlan {
  /** Whose it is, as events and refusals name them. */
  readonly name: string;
  readonly role: OperatorRole;
  readonly days: number;
  /** The controller's folder, with ca/ and controller.json. */
  readonly folder: string;
  /** Gets cert.pem, key.pem, ca.pem. */
  readonly out: string;
}

/** `godwit cluster certificate`: an operator's certificate, made beside the cluster's authority. No controller is asked. */
export async function clusterCertificate({ name, role, days, folder, out }: CertificatePlan): Promise<number> {
  const ca = path.join(folder, 'ca');
  if (!Authority.exists(ca))
    throw new CliError(exitCodes.notFound, `there is no certificate authority in ${ca}: name the folder that godwit cluster init has made, on a controller, by --folder`);
  if (existsSync(path.join(out, 'key.pem'))) throw new CliError(exitCodes.precondition, `there is a key in ${out} already: name another folder by --out, or remove it`);
  const authority = await Authority.open(ca);
  saveMaterial(out, await authority.certify({ kind: 'operator', role, name }, { validMs: days * DAY_MS }));
  process.stdout.write(`${out}\n`);
  process.stderr.write(
    `godwit: ${out} holds ${name}'s certificate of the role ${role}, good for ${days} days; to use it: godwit context add NAME --controller HOST:PORT --certificates ${out}\n`,
  );
  return exitCodes.ok;
}
