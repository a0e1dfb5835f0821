/**
 * Builds the guest's root file system: busybox, a link for each of its applets, /init
 * and what the caller adds. No modules: Debian's kernels have the serial port, the
 * timers, initramfs and tmpfs built in, and that is all the first boot needs.
 */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path/posix';
import { gzipSync } from 'node:zlib';
import { busyboxApplets } from './busybox-applets';
import { type CpioEntry, writeCpio } from './cpio';
import { INIT_SCRIPT } from './init-script';

export interface InitramfsFile {
  /** Absolute in the guest, as `/root/bench.sh`; missing folders are made. */
  path: string;
  data: Buffer | string;
  /** Permission bits; 0o755 for programs. Default 0o644. */
  mode?: number;
}

export interface InitramfsOptions {
  /** Path of a static i386 busybox, as in GuestImages. */
  busybox: string;
  /** May replace any file the image has by itself, /init too. */
  files?: readonly InitramfsFile[];
  /** zlib level, 1 to 9. The guest unpacks any of them equally fast. */
  compression?: number;
}

const FOLDERS = ['bin', 'dev', 'etc', 'proc', 'root', 'run', 'sbin', 'sys', 'tmp', 'usr', 'usr/bin', 'usr/sbin', 'var'];

/** What must be there before devtmpfs is mounted: the console that the kernel opens for /init (devices.txt). */
const DEVICES: CpioEntry[] = [
  { kind: 'device', path: 'dev/console', type: 'character', major: 5, minor: 1 },
  { kind: 'device', path: 'dev/null', type: 'character', major: 1, minor: 3, mode: 0o666 },
  { kind: 'device', path: 'dev/ttyS0', type: 'character', major: 4, minor: 64 },
];

const TEXT_FILES: InitramfsFile[] = [
  { path: '/init', data: INIT_SCRIPT, mode: 0o755 },
  { path: '/etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
  { path: '/etc/group', data: 'root:x:0:\ntty:x:5:\n' },
];

/** A gzipped newc archive. The same options give the same bytes. */
export function buildInitramfs(options: InitramfsOptions): Buffer {
  const busybox = readFileSync(options.busybox);
  const entries = new Map<string, CpioEntry>();
  const add = (entry: CpioEntry) => entries.set(entry.path, entry);

  for (const path of FOLDERS) add({ kind: 'directory', path, mode: path === 'tmp' ? 0o1777 : 0o755 });
  for (const device of DEVICES) add(device);
  for (const applet of busyboxApplets(busybox)) add({ kind: 'link', path: `bin/${applet}`, target: 'busybox' });
  // After the links: one of the applets is called busybox too.
  add({ kind: 'file', path: 'bin/busybox', data: busybox, mode: 0o755 });
  for (const file of [...TEXT_FILES, ...(options.files ?? [])]) addFile(entries, file);

  return gzipSync(writeCpio([...entries.values()]), { level: options.compression ?? 6 });
}

function addFile(entries: Map<string, CpioEntry>, file: InitramfsFile): void {
  const path = file.path.replace(/^\/+/, '');
  addParents(entries, path);
  const data = typeof file.data === 'string' ? Buffer.from(file.data) : file.data;
  // A Map keeps the place of a replaced key: parents stay before children.
  entries.set(path, { kind: 'file', path, data, mode: file.mode ?? 0o644 });
}

function addParents(entries: Map<string, CpioEntry>, path: string): void {
  const parent = dirname(path);
  if (parent === '.' || entries.has(parent)) return;
  addParents(entries, parent);
  entries.set(parent, { kind: 'directory', path: parent });
}
