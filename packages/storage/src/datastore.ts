/**
 * A datastore: a folder that hosts share, with
 *
 *     datastore.json     its identity; two hosts see one store if the ids are equal, whatever the paths
 *     vms/               a folder for each VM (vm-directory.ts)
 */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { codeOf, StorageError } from './errors';
import { uniqueSuffix, writeNewFile, type FileSystem, type Space } from './file-system';
import { LEASE_NFS_TIMEOUT_MS, MAX_SMALL_FILE_BYTES, MAX_VMS } from './limits';
import { LocalFileSystem } from './local-file-system';
import { isName } from './names';
import { isNfsUrl, NfsFileSystem, type NfsOptions } from './nfs-file-system';
import { VMS, VmDirectory } from './vm-directory';

export const DATASTORE_FORMAT = 1;
const IDENTITY = 'datastore.json';

export class Datastore {
  private constructor(
    /** A UUID. */
    readonly id: string,
    readonly files: FileSystem,
    /** The same files over a connection of their own: a heartbeat does not queue behind disk writes. */
    readonly leaseFiles: FileSystem,
  ) {}

  /** A folder's path, or `nfs://server/export/path`. @throws StorageError that says what is wrong with it. */
  static async open(where: string, options: NfsOptions = {}): Promise<Datastore> {
    const [files, leaseFiles] = connect(where, options);
    try {
      return new Datastore(await readIdentity(files), files, leaseFiles);
    } catch (error) {
      await close(files, leaseFiles);
      throw error;
    }
  }

  /** Makes a folder, which must exist, a datastore; one that is a datastore already stays as it is. */
  static async init(where: string, options: NfsOptions = {}): Promise<Datastore> {
    const [files, leaseFiles] = connect(where, options);
    try {
      await writeIdentity(files);
      await files.makeFolder(VMS).catch((error) => {
        if (codeOf(error) !== 'EEXIST') throw error;
      });
    } finally {
      await close(files, leaseFiles);
    }
    return Datastore.open(where, options);
  }

  get where(): string {
    return this.files.where;
  }

  space(): Promise<Space> {
    return this.files.space();
  }

  /** Names of the folders that may be VMs, in order; one whose creation was cut short is among them. */
  async vmNames(): Promise<string[]> {
    const names = (await this.files.list(VMS)).filter(isName).sort();
    if (names.length > MAX_VMS) throw new StorageError('EFBIG', `${this.where} has more than ${MAX_VMS} VMs`);
    return names;
  }

  vm(name: string): Promise<VmDirectory> {
    return VmDirectory.open(this, name);
  }

  close(): Promise<void> {
    return close(this.files, this.leaseFiles);
  }
}

function connect(where: string, options: NfsOptions): [FileSystem, FileSystem] {
  if (isNfsUrl(where))
    return [new NfsFileSystem(where, options), new NfsFileSystem(where, { ...options, timeoutMs: LEASE_NFS_TIMEOUT_MS })];
  if (where.includes('://')) throw new StorageError('EINVAL', `${where}: a datastore is a folder or nfs://server/export/path`);
  const files = new LocalFileSystem(path.resolve(where));
  return [files, files];
}

async function close(files: FileSystem, leaseFiles: FileSystem): Promise<void> {
  await files.close();
  await leaseFiles.close();
}

async function readIdentity(files: FileSystem): Promise<string> {
  const { where } = files;
  let text: string;
  try {
    text = (await files.readFresh(IDENTITY, MAX_SMALL_FILE_BYTES)).toString('utf8');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    const known = await files.stat('').catch(() => undefined);
    if (known?.type !== 'folder')
      throw new StorageError('ENOENT', `${where} cannot be a datastore: there is no such folder; is it mounted?`);
    throw new StorageError('ENOENT', `${where} is no datastore: it holds no ${IDENTITY}. Is it mounted? If it is new, initialise it first`);
  }
  const { format, id } = parse(text) ?? {};
  if (Number.isInteger(format) && (format as number) > DATASTORE_FORMAT) {
    throw new StorageError('ENOTSUP', `${where} has format ${format}, made by a newer Godwit; this one reads format ${DATASTORE_FORMAT}`);
  }
  if (format !== DATASTORE_FORMAT || typeof id !== 'string' || !/^[0-9a-f-]{36}$/.test(id)) {
    throw new StorageError('EINVAL', `${where}: ${IDENTITY} is damaged`);
  }
  return id;
}

async function writeIdentity(files: FileSystem): Promise<void> {
  const temporary = `${IDENTITY}.${uniqueSuffix()}.tmp`;
  await writeNewFile(files, temporary, `${JSON.stringify({ format: DATASTORE_FORMAT, id: randomUUID() })}\n`);
  try {
    // A link: of two hosts that initialise one folder, one makes the identity.
    await files.link(temporary, IDENTITY);
    await files.syncFolder('');
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return;
    if (['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code)) {
      throw new StorageError('ENOTSUP', `${files.where} cannot be a datastore: its file system has no hard links, and leases need them`);
    }
    throw error;
  } finally {
    await files.unlink(temporary).catch(() => undefined);
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
