/** The adapter's surroundings for tests: RAM, a network that keeps what it is given, frames. */
import type { BusMaster } from '../../../ports/bus-master';
import type { NetworkPort } from '../../../ports/network';
import type { Pcnet } from '../pcnet';

export const MAC = Uint8Array.of(0x52, 0x54, 0x00, 0x12, 0x34, 0x56);
export const RAM_BYTES = 0x200000;
export const BROADCAST = new Uint8Array(6).fill(0xff);

/** Guest RAM, which ends at RAM_BYTES. */
export class TestRam implements BusMaster {
  readonly bytes = new Uint8Array(RAM_BYTES);
  view(gpa: number, length: number): Uint8Array | undefined {
    return gpa + length <= RAM_BYTES ? this.bytes.subarray(gpa, gpa + length) : undefined;
  }
  writable(gpa: number, length: number): Uint8Array | undefined {
    return this.view(gpa, length);
  }
}

/** Keeps what is sent, and offers again what was refused, as a network does. */
export class TestNetwork implements NetworkPort {
  readonly mac = MAC;
  readonly offloads = false;
  readonly sent: Uint8Array[] = [];
  readonly waiting: Uint8Array[] = [];
  readyCalls = 0;
  client: Pcnet | undefined;

  send(parts: readonly Uint8Array[]): void {
    this.sent.push(concatenate(parts));
  }

  ready(): void {
    this.readyCalls++;
    while (this.waiting.length > 0 && this.client!.receive(this.waiting[0])) this.waiting.shift();
  }

  /** False: it waits. */
  arrive(frame: Uint8Array): boolean {
    if (this.waiting.length === 0 && this.client!.receive(frame)) return true;
    this.waiting.push(frame);
    return false;
  }
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function frameTo(target: Uint8Array, length: number, seed = 1): Uint8Array {
  const header = [...target, 2, 0, 0, 0, 0, 9, 0x08, 0x00];
  return Uint8Array.from({ length }, (_, index) => header[index] ?? (index * 7 + seed) & 0xff);
}
