/**
 * `npm run up -- --nfs`: the datastore on a real NFS server, nfs-ganesha in user space, version 3 over TCP on loopback.
 * It insists on registering with rpcbind, which wants port 111 and a socket in /run: both get a /run of their own, and
 * rpcbind a network of its own, until the server is up. Hosts name the ports themselves and ask no rpcbind.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CliError, exitCodes } from '../errors';
import type { Ports } from './ports';
import { identify, killAll, type Processes } from './processes';

const PLUGINS = '/usr/lib/x86_64-linux-gnu/ganesha';
/** First choices; any free port does. */
const PORTS = { nfs: 7449, mount: 7450 };

export interface NfsPlan {
  readonly nfsPort: number;
  readonly mountPort: number;
}

/** What is missing is said before anything is begun. @throws CliError */
export async function planNfs(ports: Ports): Promise<NfsPlan> {
  if (process.getuid?.() !== 0)
    throw new CliError(
      exitCodes.precondition,
      '--nfs needs root: the NFS server opens files by handle; without it the hosts share a folder',
    );
  const missing = Object.entries({
    '/usr/bin/ganesha.nfsd': 'nfs-ganesha',
    [`${PLUGINS}/libfsalvfs.so`]: 'nfs-ganesha-vfs',
    '/sbin/rpcbind': 'rpcbind',
  }).filter(([file]) => !existsSync(file));
  if (missing.length > 0)
    throw new CliError(
      exitCodes.precondition,
      `--nfs needs what is not installed here: apt-get install ${missing.map(([, name]) => name).join(' ')} libnfs13`,
    );
  const port = (what: string, first: number): Promise<number> => ports.choose(what, '--nfs', { port: first, isAsked: false });
  return { nfsPort: await port('the NFS server', PORTS.nfs), mountPort: await port("the NFS server's mounts", PORTS.mount) };
}

/** @param folder is exported @param state gets the server's files @returns the export's `nfs://…`, once it is served */
export async function serveNfs(
  processes: Processes,
  { nfsPort, mountPort }: NfsPlan,
  { folder, state, until }: { readonly folder: string; readonly state: string; until(holds: () => boolean, what: string): Promise<void> },
): Promise<string> {
  mkdirSync(path.join(state, 'recovery'), { recursive: true });
  const at = (name: string): string => path.join(state, name);
  writeFileSync(
    at('ganesha.conf'),
    `NFS_CORE_PARAM { Protocols = 3; NFS_Port = ${nfsPort}; MNT_Port = ${mountPort}; Bind_addr = 127.0.0.1;
  Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; Plugins_Dir = ${PLUGINS}; }
NFSv4 { RecoveryBackend = fs; RecoveryRoot = ${at('recovery')}; Graceless = true; }
EXPORT { Export_Id = 1; Path = ${folder}; Pseudo = /export; Access_Type = RW; Squash = No_Root_Squash;
  SecType = sys, none; Protocols = 3; Transports = TCP; FSAL { Name = VFS; } }
LOG { Default_Log_Level = EVENT; }
`,
  );
  const script = `set -e
mount -t tmpfs none /run
mkdir /run/rpcbind
unshare -n /sbin/rpcbind -f -w & echo $! > ${at('rpcbind.pid')}
for try in $(seq 100); do [ -S /run/rpcbind.sock ] && break; sleep 0.05; done
exec /usr/bin/ganesha.nfsd -F -f ${at('ganesha.conf')} -L ${at('log')} -p ${at('ganesha.pid')}`;
  await processes.start('nfs', ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script]);
  try {
    await until(
      () => existsSync(at('log')) && readFileSync(at('log'), 'utf8').includes('NFS SERVER INITIALIZED'),
      'the NFS server does not come',
    );
  } finally {
    const rpcbind = existsSync(at('rpcbind.pid')) ? identify(Number(readFileSync(at('rpcbind.pid'), 'utf8'))) : undefined;
    if (rpcbind) await killAll([rpcbind]);
  }
  return `nfs://127.0.0.1${folder}?nfsport=${nfsPort}&mountport=${mountPort}`;
}
