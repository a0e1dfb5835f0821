/**
 * Moves frames between a VM's two rings and its network, on the event loop of
 * the thread that calls (native/pump.cc does the work; JavaScript runs only to
 * wake the vCPU). A TAP that vanishes stays gone; a usernet that vanishes is
 * looked for until it is back.
 */
import fs from 'node:fs';
import { RingCounters, ringCounters } from './frame-ring';
import { MAX_SOCKET_PATH, RECONNECT_MS } from './limits';
import { errnoName, loadNative, networkError, PumpEvent } from './native';

export type NetBackend =
  /** A TAP's descriptor, as openTap or adoptTap give it. The caller closes it after `stop`. */
  | { readonly kind: 'tap'; readonly fd: number }
  /** A stream socket with 4-byte lengths before plain frames: a usernet (or passt, or a QEMU `-netdev stream`). */
  | { readonly kind: 'socket'; readonly path: string };

export interface NetPumpOptions {
  readonly backend: NetBackend;
  /** From the guest. */
  readonly tx: SharedArrayBuffer;
  /** To the guest. */
  readonly rx: SharedArrayBuffer;
  /** From openBell; the rings' other side rings it. */
  readonly bell: number;
  /** The other side sleeps and has something to do now: kick the vCPU. */
  readonly wake: () => void;
  /** The network went away (`why`, one line) or came back. */
  readonly onLink?: (up: boolean, why: string) => void;
}

export interface NetPump {
  counters(): { readonly tx: RingCounters; readonly rx: RingCounters; readonly refusedByNetwork: number };
  /** Idempotent. */
  stop(): void;
}

/** An eventfd that wakes a pump; any thread of the process may ring it by `ringBell`. Close it after the pump's end. */
export function openBell(): number {
  const fd = loadNative().openBell();
  if (fd < 0) throw networkError(`no event descriptor could be opened (${errnoName(fd)}): raise the limit of open files (ulimit -n)`);
  return fd;
}

/** For RingPort, in the vCPU's thread. */
export function bellRinger(bell: number): () => void {
  const native = loadNative();
  return () => native.ringBell(bell);
}

/** Throws an Error with code GODWIT_NETWORK when the network cannot be reached at first. */
export function startNetPump(options: NetPumpOptions): NetPump {
  const native = loadNative();
  const { backend, bell, wake } = options;
  const tx = new Uint8Array(options.tx);
  const rx = new Uint8Array(options.rx);
  let engine = 0;
  let socket = -1;
  let retry: NodeJS.Timeout | undefined;
  let stopped = false;
  let refused = 0;

  const onEvent = (event: PumpEvent, errno: number): void => {
    if (event === PumpEvent.Wake) wake();
    else down(errno);
  };

  const begin = (fd: number): void => {
    engine = native.startPump(fd, backend.kind === 'socket', bell, tx, rx, onEvent);
    if (engine < 0) throw networkError(`frames cannot be moved to the network (${errnoName(engine)})`);
  };

  const end = (): void => {
    if (engine > 0) refused += native.pumpDropped(engine);
    if (engine > 0) native.closeEngine(engine);
    if (socket >= 0) fs.closeSync(socket);
    engine = 0;
    socket = -1;
  };

  const down = (errno: number): void => {
    end();
    if (backend.kind === 'tap') {
      options.onLink?.(false, `the TAP interface is gone (${errnoName(-errno)})`);
      return;
    }
    options.onLink?.(false, `the network at ${backend.path} went away (${errnoName(-errno)})`);
    if (!stopped) retry = setTimeout(again, RECONNECT_MS, backend.path);
  };

  const again = (path: string): void => {
    socket = native.unixConnect(path);
    if (socket < 0) {
      retry = setTimeout(again, RECONNECT_MS, path);
      return;
    }
    begin(socket);
    options.onLink?.(true, '');
  };

  if (backend.kind === 'socket') {
    socket = connect(backend.path);
    try {
      begin(socket);
    } catch (error) {
      end();
      throw error;
    }
  } else {
    begin(backend.fd);
  }

  return {
    counters: () => ({
      tx: ringCounters(options.tx),
      rx: ringCounters(options.rx),
      refusedByNetwork: refused + (engine > 0 ? native.pumpDropped(engine) : 0),
    }),
    stop: () => {
      stopped = true;
      clearTimeout(retry);
      end();
    },
  };
}

function connect(path: string): number {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw networkError(`the path of the network's socket is longer than ${MAX_SOCKET_PATH} bytes: ${path}: choose a shorter folder`);
  }
  const fd = loadNative().unixConnect(path);
  if (fd < 0) throw networkError(`no network answers at ${path} (${errnoName(fd)}): is its usernet process running?`);
  return fd;
}
