import path from 'node:path';
import { getSystemErrorName } from 'node:util';
import { RING_LAYOUT } from './frame-ring';

/** What a pump tells: the other side has something to do; or the network is gone, with the errno. */
export const enum PumpEvent {
  Wake = 0,
  Down = 1,
}

/**
 * The native contract: the twin of native/addon.cc, same names in the same
 * order. Calls that can fail answer -errno. Each thread loads it for itself;
 * descriptors are the whole process's.
 */
export interface Native {
  ringLayout(): [string, number][];
  /** Joins the TAP interface to an open /dev/net/tun; makes it if there is none of that name. */
  tapAttach(fd: number, name: string): number;
  /** The interface behind a TAP's descriptor, which is prepared for the pump. */
  tapName(fd: number): string | number;
  /** What the kernel may leave to the guest: 1 checksums, 2 TCP over IPv4, 4 over IPv6, 8 ECN. */
  tapSetOffload(fd: number, bits: number): number;
  bridgeAdd(bridge: string, name: string): number;
  linkUp(name: string): number;
  /** An eventfd. */
  openBell(): number;
  ringBell(fd: number): void;
  unixConnect(path: string): number;
  limitFiles(count: number): number;
  startPump(
    fd: number,
    stream: boolean,
    bell: number,
    tx: Uint8Array,
    rx: Uint8Array,
    callback: (event: PumpEvent, errno: number) => void,
  ): number;
  /** Frames that the network refused. */
  pumpDropped(id: number): number;
  /** One ring record (header, frame) → plain frames behind 4-byte lengths; their bytes, or 0 to drop it. */
  finish(record: Uint8Array, out: Uint8Array): number;
  /** Its id, or in words why not. flags: 1 restricted, 2 host's loopback out of reach, 4 no DNS. */
  slirpStart(
    library: string,
    network: number,
    prefixBits: number,
    flags: number,
    out: Uint8Array,
    callback: (event: number, bytes: number) => void,
  ): number | string;
  /** Frames behind 4-byte lengths (big-endian); how many were taken. */
  slirpInput(id: number, frames: Uint8Array): number;
  slirpForward(
    id: number,
    add: boolean,
    udp: boolean,
    hostAddress: number,
    hostPort: number,
    guestAddress: number,
    guestPort: number,
  ): number;
  slirpConnections(id: number): string;
  /** Ends a pump or a slirp; never twice the same, descriptors stay open. */
  closeEngine(id: number): void;
}

let loaded: Native | undefined;

/** Loads the addon; throws an Error with code GODWIT_NETWORK whose message tells what to do when it is not built. */
export function loadNative(): Native {
  if (loaded) return loaded;
  const file = path.join(__dirname, '..', 'build', process.env.GODWIT_NATIVE ?? 'Release', 'godwit_network.node');
  let native: Native;
  try {
    native = require(file) as Native;
  } catch (error) {
    const why = (error as Error).message.split('\n')[0];
    throw networkError(`the native part of the network is not built for this Node (${why}): run npm run build`);
  }
  const layout = Object.entries(RING_LAYOUT);
  if (JSON.stringify(native.ringLayout()) !== JSON.stringify(layout)) {
    throw networkError('the native part of the network is of another version: run npm run build');
  }
  loaded = native;
  return native;
}

/** An error for people: one line that says what to do. */
export function networkError(message: string): Error {
  return Object.assign(new Error(message), { code: 'GODWIT_NETWORK' });
}

/** `EPERM` for -1. */
export function errnoName(negativeErrno: number): string {
  return negativeErrno < 0 ? getSystemErrorName(negativeErrno) : String(negativeErrno);
}
