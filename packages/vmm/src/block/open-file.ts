import path from 'node:path';
import { Deadline, isNfsUrl, LocalFileSystem, NfsFileSystem, type StorageFile } from '@godwit/storage';
import { DiskError, type DiskMark, type ImageSpec } from './disk-host';

/** An image's file, wherever it lies, and how to know it again. */
export interface OpenFile {
  readonly file: StorageFile;
  mark(): Promise<DiskMark>;
  /** After the file itself: lets go of the storage. */
  close(): Promise<void>;
}

/** @throws DiskError in one line */
export async function openFile(spec: Pick<ImageSpec, 'location' | 'store' | 'lease'>, write: boolean): Promise<OpenFile> {
  const { root, name } = place(spec);
  const files = isNfsUrl(root) ? new NfsFileSystem(root) : new LocalFileSystem(root);
  const guard = spec.lease && new Deadline(spec.lease).guard;
  try {
    const file = await files.open(name, { write, guard });
    return {
      file,
      mark: async () => {
        const { size: bytes, mtimeMs } = await files.stat(name);
        return { bytes, mtimeMs };
      },
      close: () => files.close(),
    };
  } catch (error) {
    await files.close();
    throw explain(error, spec);
  }
}

function place({ location, store }: Pick<ImageSpec, 'location' | 'store'>): { root: string; name: string } {
  if (store !== undefined) return { root: store, name: location };
  return { root: path.dirname(location), name: path.basename(location) };
}

const REASONS: Record<string, string> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be opened: look at its owner and mode',
  EROFS: 'its file system is read-only: add readonly',
  EISDIR: 'it is a folder',
};

function explain(error: unknown, { location, store }: Pick<ImageSpec, 'location' | 'store'>): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  return new DiskError(code, `cannot open disk ${location}${store ? ` in ${store}` : ''}: ${REASONS[code] ?? message}`);
}
