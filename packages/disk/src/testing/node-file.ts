/** A FilePort over a real file, for tests against qemu-img. */
import fs from 'node:fs';
import zlib from 'node:zlib';
import type { FilePort, InflateRaw } from '../ports';

export class NodeFile implements FilePort {
  private constructor(private readonly fd: number) {}

  static open(path: string, flags = 'r+'): NodeFile {
    return new NodeFile(fs.openSync(path, flags));
  }

  async size(): Promise<number> {
    return fs.fstatSync(this.fd).size;
  }

  readNow(buffer: Uint8Array, offset: number): number {
    return fs.readSync(this.fd, buffer, 0, buffer.length, offset);
  }

  async read(buffer: Uint8Array, offset: number): Promise<number> {
    return this.readNow(buffer, offset);
  }

  readPartsNow(buffers: readonly Uint8Array[], offset: number): number {
    return fs.readvSync(this.fd, buffers, offset);
  }

  async readParts(buffers: readonly Uint8Array[], offset: number): Promise<number> {
    return this.readPartsNow(buffers, offset);
  }

  writeNow(buffers: readonly Uint8Array[], offset: number): void {
    let at = offset;
    for (const buffer of buffers) at += fs.writeSync(this.fd, buffer, 0, buffer.length, at);
  }

  async write(buffers: readonly Uint8Array[], offset: number): Promise<void> {
    this.writeNow(buffers, offset);
  }

  /** These tests do not pull the plug. */
  syncNow(): void {}

  async sync(): Promise<void> {}

  async truncate(size: number): Promise<void> {
    fs.ftruncateSync(this.fd, size);
  }

  async close(): Promise<void> {
    fs.closeSync(this.fd);
  }
}

export const inflateRaw: InflateRaw = (compressed, bytes) => zlib.inflateRawSync(compressed, { maxOutputLength: bytes });
