/**
 * `godwit cluster init`: a cluster's beginnings in one folder, all of it made here and nothing of it a default:
 *
 *     FOLDER/controller.json   of the first controller (0600)
 *            ca/               the certificate authority: whoever has its key is the cluster
 *            tls/              the controller's certificate
 *            admin/            a certificate of the role admin, for the command line; the context names it
 *            cluster.db        the store, once the controller runs
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { checkConfig, hashPassword, resolvePaths } from '@godwit/controller';
import { Authority, saveMaterial } from '@godwit/wire';
import { saveContext, userConfigFile } from './cluster/context/file';
import { CliError, exitCodes, usageError } from './errors';

/** The operator's certificate, ms: made anew with `godwit cluster certificate`. */
const OPERATOR_MS = 365 * 24 * 3600_000;

export interface ClusterPlan {
  readonly folder: string;
  readonly clusterName: string;
  readonly controllerName: string;
  /** HOST:PORT at which hosts and people reach the controller. */
  readonly advertise: string;
  /** Every controller of the cluster, if there will be several. */
  readonly controllers?: readonly string[];
  readonly listen: readonly string[];
  /** Of the dashboard, HOST:PORT. */
  readonly http?: string;
  readonly store: object;
  readonly logLevel?: string;
}

export interface NewCluster {
  /** The configuration of its controller. */
  readonly configFile: string;
  /** The folder with the admin's certificate. */
  readonly certificates: string;
  /** Of the first user of the dashboard; told here and never again. */
  readonly user: string;
  readonly password: string;
}

/** @throws CliError if there is a cluster in the folder already */
export async function makeCluster(plan: ClusterPlan): Promise<NewCluster> {
  const { folder } = plan;
  privateFolder(folder);
  const configFile = path.join(folder, 'controller.json');
  if (existsSync(configFile))
    throw new CliError(exitCodes.precondition, `there is a cluster in ${folder} already: choose another --folder, or remove that one`);
  const user = 'admin';
  const password = randomBytes(15).toString('base64url');
  const config = {
    clusterId: randomUUID(),
    clusterName: plan.clusterName,
    name: plan.controllerName,
    advertise: plan.advertise,
    ...(plan.controllers?.length ? { controllers: plan.controllers } : {}),
    listen: plan.listen,
    tls: 'tls',
    authority: 'ca',
    ...(plan.http === undefined ? {} : { http: { listen: plan.http } }),
    firstAdmin: { name: user, passwordHash: await hashPassword(password) },
    store: plan.store,
    ...(plan.logLevel ? { logLevel: plan.logLevel } : {}),
  };
  checkConfig(resolvePaths(config, folder), 'the new cluster');
  const authority = await Authority.open(path.join(folder, 'ca'));
  const certificates = path.join(folder, 'admin');
  saveMaterial(certificates, await authority.certify({ kind: 'operator', role: 'admin', name: operatorName() }, { validMs: OPERATOR_MS }));
  // Last: a folder that has it is complete.
  writeFileSync(configFile, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return { configFile, certificates, user, password };
}

/** Who makes the cluster. In a container the user may have a number only. */
function operatorName(): string {
  try {
    return userInfo().username || 'admin';
  } catch {
    return process.env.USER || 'admin';
  }
}

/** A further controller of a cluster: the same store and authority, under a name and address of its own; its configuration's path. */
export function makeController(
  first: string,
  plan: Pick<ClusterPlan, 'folder' | 'controllerName' | 'advertise' | 'controllers' | 'listen' | 'http'>,
): string {
  const { folder } = plan;
  privateFolder(folder);
  const configFile = path.join(folder, 'controller.json');
  if (existsSync(configFile))
    throw new CliError(exitCodes.precondition, `there is a controller in ${folder} already: choose another --folder`);
  const { http: _, ...shared } = JSON.parse(readFileSync(first, 'utf8')) as { readonly authority: string; readonly http?: unknown };
  const config = {
    ...shared,
    name: plan.controllerName,
    advertise: plan.advertise,
    ...(plan.controllers ? { controllers: plan.controllers } : {}),
    listen: plan.listen,
    tls: 'tls',
    authority: 'ca',
    ...(plan.http === undefined ? {} : { http: { listen: plan.http } }),
  };
  const { store } = checkConfig(resolvePaths(config, folder), 'the new controller');
  if (store.kind !== 'nats')
    throw new CliError(
      exitCodes.precondition,
      'several controllers need a store that they share: make the cluster with godwit cluster init --nats HOST:PORT',
    );
  const from = path.resolve(path.dirname(first), shared.authority);
  cpSync(from, path.join(folder, 'ca'), { recursive: true });
  chmodSync(path.join(folder, 'ca'), 0o700);
  writeFileSync(configFile, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return configFile;
}

/** Made for its owner alone, or checked to be. */
function privateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { mode } = statSync(folder);
    if (mode & 0o077) throw new Error(`it is open to others: chmod 700 ${folder}`);
  } catch (error) {
    throw new CliError(exitCodes.precondition, `the folder ${folder} cannot be used: ${(error as Error).message}`);
  }
}

/** What stands on the command line; the context is written, and the password shown once. */
export async function clusterInit(argv: string[]): Promise<number> {
  const flags = parse(argv);
  const advertise = flags.advertise;
  if (advertise === undefined)
    throw usageError(
      'godwit cluster init needs --advertise HOST:PORT, where hosts and people will reach the controller, as --advertise ctl-1.example.org:7443',
    );
  const port = /^(?:\[[0-9a-fA-F:]+\]|[^\s:]+):(\d{1,5})$/.exec(advertise)?.[1];
  if (port === undefined || Number(port) > 65_535 || Number(port) === 0)
    throw usageError(`--advertise is to be HOST:PORT, not '${advertise}'`);
  const folder = path.resolve(flags.folder ?? defaultFolder());
  const name = flags.name ?? 'godwit';
  const socket = path.join(folder, 'controller.sock');
  if (flags.from !== undefined) return furtherController(flags.from, { folder, advertise, port, flags });
  const made = await makeCluster({
    folder,
    clusterName: name,
    controllerName: flags['controller-name'] ?? 'controller-1',
    advertise,
    controllers: flags.controller,
    // An unlikely long path: the socket is a convenience, not a need.
    listen: [
      flags.listen ?? (isLoopback(advertise) ? advertise : `0.0.0.0:${port}`),
      ...(Buffer.byteLength(socket) <= MAX_SOCKET_PATH ? ['unix:controller.sock'] : []),
    ],
    http: flags.http,
    store: flags.nats
      ? {
          kind: 'nats',
          servers: flags.nats,
          replicas: Number(flags['nats-replicas'] ?? 1),
          ...(flags['nats-tls'] ? { tls: path.resolve(flags['nats-tls']) } : {}),
        }
      : { kind: 'embedded', file: 'cluster.db' },
  });
  const contexts = userConfigFile();
  const context = flags.context ?? name;
  saveContext(
    contexts,
    context,
    { controllers: flags.controller?.length ? flags.controller : [advertise], certificates: made.certificates },
    { use: true },
  );
  process.stdout.write(`${made.password}\n`);
  process.stderr.write(`${told(made, { folder, context, contexts, http: flags.http })}\n`);
  return exitCodes.ok;
}

/** `--from FOLDER`: a copy of the first controller's folder, from which one beside it is made; the copy is not needed afterwards. */
function furtherController(
  from: string,
  { folder, advertise, port, flags }: { folder: string; advertise: string; port: string; flags: ReturnType<typeof parse> },
): number {
  const first = path.join(path.resolve(from), 'controller.json');
  if (!existsSync(first))
    throw new CliError(exitCodes.notFound, `there is no controller.json in ${from}: copy the whole folder of the first controller there`);
  const name = flags['controller-name'];
  if (name === undefined)
    throw usageError('godwit cluster init --from needs --controller-name NAME, another than those of the other controllers');
  const socket = path.join(folder, 'controller.sock');
  const configFile = makeController(first, {
    folder,
    controllerName: name,
    advertise,
    controllers: flags.controller,
    listen: [
      flags.listen ?? (isLoopback(advertise) ? advertise : `0.0.0.0:${port}`),
      ...(Buffer.byteLength(socket) <= MAX_SOCKET_PATH ? ['unix:controller.sock'] : []),
    ],
    http: flags.http,
  });
  process.stderr.write(`godwit: the controller ${name} was made in ${folder}; next: godwit controller ${configFile}\n`);
  return exitCodes.ok;
}

const MAX_SOCKET_PATH = 107;

function told(
  { configFile, user }: NewCluster,
  { folder, context, contexts, http }: { folder: string; context: string; contexts: string; http?: string },
): string {
  return [
    `godwit: the cluster was made in ${folder}; keep ca/ safe: whoever has its key is the cluster`,
    `godwit: above is the password of the user ${user}, for the dashboard: it is shown this once`,
    `godwit: context ${context} in ${contexts} holds an admin's certificate for this command line`,
    'godwit: next:',
    `godwit:   godwit controller ${configFile}${http === undefined ? '' : `      # dashboard at https://${http}`}`,
    'godwit:   godwit host add NAME                      # a token for each host',
  ].join('\n');
}

const isLoopback = (address: string): boolean => /^(127\.|localhost:|\[::1\])/.test(address);

/** Where services keep their state; an ordinary user's is in the home folder. */
export function defaultFolder(): string {
  if (process.getuid?.() === 0) return '/var/lib/godwit/controller';
  const { XDG_STATE_HOME } = process.env;
  return path.join(
    XDG_STATE_HOME && path.isAbsolute(XDG_STATE_HOME) ? XDG_STATE_HOME : path.join(homedir(), '.local', 'state'),
    'godwit',
    'controller',
  );
}

function parse(argv: string[]) {
  try {
    const text = { type: 'string' } as const;
    const { values } = parseArgs({
      args: argv,
      options: {
        advertise: text,
        listen: text,
        http: text,
        folder: text,
        name: text,
        context: text,
        'controller-name': text,
        controller: { type: 'string', multiple: true },
        nats: { type: 'string', multiple: true },
        'nats-replicas': text,
        'nats-tls': text,
        from: text,
      },
    });
    return values;
  } catch (error) {
    throw usageError(`godwit cluster init: ${(error as Error).message.split('. ')[0]}`);
  }
}
