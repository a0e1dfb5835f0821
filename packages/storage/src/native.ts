/**
 * The native part's contract: the twin of packages/storage/native/addon.cc. Operations
 * answer with a number; negative is -errno (`check` in errors.ts makes it an error).
 * A guard is the lease's deadline (deadline.ts), looked at right before each system call.
 */
import path from 'node:path';

export type Guard = BigInt64Array;
/** An opaque handle. */
export type NativeMount = { readonly __mount: never };

export enum NfsOperation {
  Open,
  Create,
  Close,
  Read,
  Write,
  Sync,
  Truncate,
  Size,
  Link,
  Rename,
  Unlink,
  MakeDir,
  RemoveDir,
  List,
  Stat,
  Space,
}

export interface Native {
  /** CLOCK_BOOTTIME: monotonic, and runs while the host is suspended. */
  clockNs(): bigint;
  localRead(fd: number, buffers: readonly Uint8Array[], offset: number, guard: null): Promise<number>;
  localWrite(fd: number, buffers: readonly Uint8Array[], offset: number, guard: Guard | null): Promise<number>;
  localReadNow(fd: number, buffers: readonly Uint8Array[], offset: number, guard: null): number;
  localWriteNow(fd: number, buffers: readonly Uint8Array[], offset: number, guard: Guard | null): number;
  localPunchHole(fd: number, offset: number, length: number, guard: Guard | null): Promise<number>;
  /** A small file, past the page cache where the file system allows it. */
  localReadFresh(path: string, buffers: readonly Uint8Array[]): Promise<number>;
  /** Connects when first used. @throws with code GODWIT_LIBNFS */
  nfsMount(library: string, url: string, timeoutMs: number): NativeMount;
  nfsCall(
    mount: NativeMount,
    operation: NfsOperation,
    a: string,
    b: string,
    file: number,
    offset: number,
    number: number,
    buffers: readonly Uint8Array[] | null,
    guard: Guard | null,
  ): Promise<number | (number | string)[]>;
  nfsClose(mount: NativeMount): void;
}

let loaded: Native | undefined;

/** @throws Error when the native part has not been built. */
export function native(): Native {
  if (!loaded) {
    const file = path.join(__dirname, '..', 'build', process.env.GODWIT_NATIVE ?? 'Release', 'godwit_storage.node');
    try {
      loaded = require(file) as Native;
    } catch (error) {
      throw new Error(`the native part of packages/storage does not load: run npm run build (${(error as Error).message})`);
    }
  }
  return loaded;
}
