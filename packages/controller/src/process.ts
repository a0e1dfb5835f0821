/**
 * A controller as `godwit controller` runs it: its certificate from the cluster's authority, which lies beside it,
 * renewed in time; its services on the configured addresses.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import { Authority as CertificateAuthority, Certificates, keepRenewed, PLAIN, saveMaterial, sealJoinToken, serverTls } from '@godwit/wire';
import pino, { type Logger } from 'pino';
import { checkConfig, ConfigError, type ControllerConfig } from './config';
import { type Controller, startController } from './controller';
import { wireTransport } from './transport/wire-transport';

export interface ControllerProcess {
  readonly controller: Controller;
  readonly config: ControllerConfig;
  /** As it serves them. */
  readonly addresses: readonly string[];
  stop(): Promise<void>;
}

export interface ControllerProcessOptions {
  readonly version: string;
  readonly log?: Logger;
}

/** @param file the configuration; relative paths in it are relative to its folder. @throws ConfigError, WireError, StoreError: one line for people */
export async function runController(file: string, { version, log: given }: ControllerProcessOptions): Promise<ControllerProcess> {
  const config = readConfig(file, version);
  const { tls, authority: authorityFolder } = config;
  if (!tls || !authorityFolder) throw new ConfigError(`${file}: tls, authority: both folders are needed: godwit cluster init makes them`);
  const log =
    given ?? pino({ level: config.logLevel, base: { controller: config.name }, redact: SECRETS, timestamp: pino.stdTimeFunctions.isoTime });
  const authority = await openAuthority(authorityFolder);
  const { certificates, endRenewal } = await certificatesOf(config, tls, authority, log);
  const transport = wireTransport({
    listeners: (config.listen ?? [config.advertise]).map((address) => ({
      address,
      security: address.startsWith('unix:') ? PLAIN : serverTls(certificates, 'optional'),
    })),
    authority: {
      caPem: authority.caPem,
      issueAgent: async (csrPem, hostId) => {
        const certificatePem = await authority.issue(csrPem, { kind: 'host', hostId });
        return { certificatePem, endsAtMs: Date.parse(new X509Certificate(certificatePem).validTo) };
      },
    },
    sealJoinToken: (secret) => sealJoinToken(authority.fingerprint, secret),
    log,
  });
  try {
    const controller = await startController(config, { transport, certificates, log });
    log.info({ addresses: transport.addresses, store: config.store.kind, pid: process.pid }, 'the controller is up');
    return {
      controller,
      config,
      addresses: transport.addresses,
      stop: async () => {
        endRenewal();
        await controller.stop();
      },
    };
  } catch (error) {
    endRenewal();
    throw error;
  }
}

const SECRETS = ['token', 'password', '*.token', '*.password', 'csrPem'];

function readConfig(file: string, version: string): ControllerConfig {
  let value: unknown;
  try {
    // It may hold a password's hash.
    if (statSync(file).mode & 0o007) throw new Error(`it is open to everybody: chmod 600 ${file}`);
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigError(`the configuration ${file} cannot be read: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null) throw new ConfigError(`${file}: the whole: must be an object`);
  return checkConfig({ version, ...resolvePaths(value as Draft, path.dirname(path.resolve(file))) }, file);
}

interface Draft {
  readonly [name: string]: unknown;
}

/** The configuration with absolute paths; what is not text is left for the check to name. */
export function resolvePaths(draft: Draft, folder: string): Draft {
  const absolute = (one: unknown): unknown => (typeof one === 'string' ? path.resolve(folder, one) : one);
  const socket = (one: unknown): unknown =>
    typeof one === 'string' && one.startsWith('unix:') ? `unix:${path.resolve(folder, one.slice('unix:'.length))}` : one;
  const { store, listen } = draft;
  const paths = ['tls', 'authority'].filter((name) => name in draft).map((name) => [name, absolute(draft[name])]);
  return {
    ...draft,
    ...Object.fromEntries(paths),
    ...(Array.isArray(listen) ? { listen: listen.map(socket) } : {}),
    ...(isRecord(store)
      ? {
          store: {
            ...store,
            ...Object.fromEntries(['file', 'tls'].filter((name) => name in store).map((name) => [name, absolute(store[name])])),
          },
        }
      : {}),
  };
}

const isRecord = (value: unknown): value is Draft => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A new authority is never made here: a cluster has one, and what it has issued is good nowhere else. */
async function openAuthority(folder: string): Promise<CertificateAuthority> {
  if (!CertificateAuthority.exists(folder))
    throw new ConfigError(
      `authority: there is no certificate authority in ${folder}: godwit cluster init makes it, or copy it from another controller`,
    );
  return CertificateAuthority.open(folder);
}

async function certificatesOf(
  config: ControllerConfig,
  folder: string,
  authority: CertificateAuthority,
  log: Logger,
): Promise<{ certificates: Certificates; endRenewal: () => void }> {
  const identity = { kind: 'controller', controllerId: config.name } as const;
  const addresses = namesOf(config);
  const held = existsSync(path.join(folder, 'cert.pem')) ? Certificates.fromFolder(folder) : undefined;
  const holds =
    held !== undefined &&
    held.material.caPem === authority.caPem &&
    held.endsAtMs > Date.now() &&
    hasNames(held.material.certPem, addresses);
  if (!holds) saveMaterial(folder, await authority.certify(identity, { addresses }));
  const certificates = holds ? held : Certificates.fromFolder(folder);
  const endRenewal = keepRenewed({
    certificates,
    folder,
    renew: async (csrPem) => ({ certPem: await authority.issue(csrPem, identity, { addresses }), caPem: authority.caPem }),
    told: (line) => log.info({ line }, "this controller's certificate"),
  });
  return { certificates, endRenewal };
}

/** What a browser may have typed to reach it: Godwit's own programs compare no addresses. */
function namesOf({ advertise, http }: ControllerConfig): string[] {
  const hosts = [advertise, ...(http ? [http.listen] : [])].map((one) => one.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
  return [...new Set([...hosts.filter((host) => host !== '0.0.0.0' && host !== '::'), 'localhost', '127.0.0.1'])];
}

function hasNames(certPem: string, names: readonly string[]): boolean {
  const certificate = new X509Certificate(certPem);
  return names.every((name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined);
}
