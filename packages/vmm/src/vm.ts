import { EventEmitter } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { loadNative } from '@godwit/metal';
import type { EngineStats, Outcome, ShellMessage, VcpuMessage, VmConfig } from './config';

/**
 * One virtual machine as its process sees it: starts the vCPU's thread and
 * passes messages. Events: `serial` (Uint8Array), `trace` (string).
 */
export class Vm extends EventEmitter {
  private worker: Worker | undefined;
  /** Resolves when the guest has ended; rejects with the vCPU thread's error. */
  readonly ended: Promise<{ outcome: Outcome; stats: EngineStats }>;
  private settle!: { resolve(value: { outcome: Outcome; stats: EngineStats }): void; reject(error: Error): void };

  constructor(private readonly config: VmConfig) {
    super();
    this.ended = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
  }

  start(): void {
    const worker = new Worker(path.join(__dirname, 'vcpu-worker.js'), { workerData: this.config });
    this.worker = worker;
    worker.on('message', (message: VcpuMessage) => {
      if (message.type === 'serial') this.emit('serial', message.bytes);
      else if (message.type === 'trace') this.emit('trace', message.line);
      else this.settle.resolve({ outcome: message.outcome, stats: message.stats });
    });
    worker.on('error', (error) => this.settle.reject(error));
    worker.on('exit', (code) => this.settle.reject(new Error(`the vCPU thread ended unexpectedly (code ${code})`)));
  }

  input(bytes: Uint8Array): void {
    this.send({ type: 'input', bytes });
  }

  powerButton(): void {
    this.send({ type: 'powerButton' });
  }

  stop(): void {
    this.send({ type: 'stop' });
  }

  private send(message: ShellMessage): void {
    this.worker?.postMessage(message);
    loadNative().kick();
  }
}
