import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { StateFormatError } from '@godwit/machine';
import type { ShellMessage, VcpuMessage, VmConfig } from './config';
import { Engine } from './engine';
import { SERIAL_BATCH_BYTES } from './limits';

/**
 * The vCPU's thread. It never returns to its event loop while the guest runs:
 * messages are fetched one by one after a kick.
 */
const port = parentPort!;
const config = workerData as VmConfig;
const post = (message: VcpuMessage): void => port.postMessage(message);

const batch = new Uint8Array(SERIAL_BATCH_BYTES);
let batched = 0;

function flushSerial(): void {
  if (batched === 0) return;
  post({ type: 'serial', bytes: batch.slice(0, batched) });
  batched = 0;
}

/** Typed, and not yet taken by the serial port: what comes when this is full is lost, as on a real line. */
const pendingInput: Uint8Array[] = [];
const MAX_PENDING_INPUT_BYTES = 1 << 20;

function offerInput(engine: Engine): void {
  while (pendingInput.length > 0) {
    const taken = engine.machine.serialInput(pendingInput[0]);
    if (taken < pendingInput[0].length) {
      pendingInput[0] = pendingInput[0].subarray(taken);
      return;
    }
    pendingInput.shift();
  }
}

const handlers: { [K in ShellMessage['type']]: (engine: Engine, message: Extract<ShellMessage, { type: K }>) => void } = {
  input: (_engine, message) => {
    const waiting = pendingInput.reduce((sum, { length }) => sum + length, 0);
    if (waiting + message.bytes.length <= MAX_PENDING_INPUT_BYTES) pendingInput.push(message.bytes);
  },
  stop: (engine) => engine.end({ kind: 'stopped', detail: 'stopped by request' }),
  powerButton: (engine) => engine.machine.powerButton(),
  holdWarm: (engine) => engine.holdWarm(),
  reset: (engine) => engine.reset(),
  stats: (engine, { id }) => post({ type: 'stats', id, stats: engine.stats() }),
  link: (engine, { nic, up }) => engine.setLink(nic, up),
  pause: (engine, { reason }) => engine.pause(reason),
  resume: (engine, { reason }) => engine.resume(reason),
  save: (engine, { id, into }) => {
    engine.pause('save');
    engine.drain(() => {
      flushSerial();
      if (into) engine.beginDirtyRound(new Uint8Array(into));
      post({ type: 'saved', id, state: engine.saveState() });
    });
  },
  dirtyRound: (engine, { id, into }) => {
    engine.beginDirtyRound(new Uint8Array(into));
    post({ type: 'dirtyRound', id });
  },
  endDirtyLog: (engine) => engine.endDirtyLog(),
  measureHeat: (engine) => engine.measureHeat(),
  userAccesses: (engine, { id }) => post({ type: 'userAccesses', id, list: engine.userAccessList() }),
  hotBlocks: (engine, { list }) => engine.addHotBlocks(list),
  throttle: (engine, { percent }) => engine.setThrottle(percent),
  announce: (engine) => engine.announce(),
  takeFrames: (engine, { id }) => post({ type: 'frames', id, frames: engine.takeFrames() }),
  giveFrames: (engine, { frames }) => {
    try {
      engine.giveFrames(frames);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  },
  rehearse: (engine, { milliseconds }) => {
    post({ type: 'rehearsed', instructions: engine.rehearse(milliseconds * 1e6) });
  },
  restore: (engine, { state }) => {
    try {
      engine.restoreState(state);
    } catch (error) {
      if (!(error instanceof StateFormatError)) throw error;
      return post({ type: 'restored', error: error.message });
    }
    post({ type: 'restored' });
  },
};

function receive(engine: Engine): void {
  flushSerial();
  for (let item = receiveMessageOnPort(port); item; item = receiveMessageOnPort(port)) {
    const message = item.message as ShellMessage;
    (handlers[message.type] as (e: Engine, m: ShellMessage) => void)(engine, message);
  }
  offerInput(engine);
}

try {
  const engine = new Engine(config, {
    serialOutput: (bytes) => {
      for (const byte of bytes) {
        batch[batched++] = byte;
        if (byte === 10 || batched === batch.length) flushSerial();
      }
    },
    receive,
    restarted: () => post({ type: 'reset' }),
    paused: (reasons, held) => post({ type: 'paused', reasons, held }),
    trace: (line) => post({ type: 'trace', line }),
    wallClockMs: () => Date.now(),
    nowMs: () => performance.timeOrigin + performance.now(),
  });
  post({ type: 'created' });
  const outcome = engine.run();
  flushSerial();
  post({ type: 'ended', outcome, stats: engine.stats() });
} catch (error) {
  flushSerial();
  throw error;
}
port.close();
