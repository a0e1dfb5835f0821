/*
 * The guest's whole userland: busybox, the workloads and a script that runs
 * them. Written here as a "newc" cpio archive (Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst), uncompressed, so
 * that boot time is not mostly the inflating of this archive.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { settleSeconds } from './limits.mjs';
import { cache } from './paths.mjs';

export const bootMarker = 'godwit: init started';
export const endMarker = 'bench: end';

const DIRECTORY = 0o040755;
const FILE = 0o100755;
const CHARACTER_DEVICE = 0o020600;

/**
 * Path of an archive that runs the workloads at this scale and powers off. Its name
 * holds a hash of its content: another run, with other workloads, cannot replace it
 * between two boots of this one.
 */
export function writeInitramfs({ busybox, binary, workloads, scale }) {
  const entries = [
    ...['dev', 'proc', 'sys', 'bin'].map((name) => ({ name, mode: DIRECTORY })),
    { name: 'dev/console', mode: CHARACTER_DEVICE, device: [5, 1] },
    { name: 'bin/busybox', mode: FILE, body: readFileSync(busybox) },
    { name: 'bin/godwit-bench', mode: FILE, body: readFileSync(binary) },
    { name: 'init', mode: FILE, body: Buffer.from(script(workloads, scale)) },
  ];
  const archive = Buffer.concat([...entries.map(record), record({ name: 'TRAILER!!!', mode: 0 })]);
  const path = join(cache, `initramfs-${createHash('sha256').update(archive).digest('hex').slice(0, 12)}.cpio`);
  if (existsSync(path)) return path;
  const partial = `${path}.partial-${process.pid}`;
  writeFileSync(partial, archive);
  renameSync(partial, path);
  return path;
}

/* Kernel messages are turned off after boot: they would land in the middle of result lines. */
const script = (workloads, scale) => `#!/bin/busybox sh
echo "${bootMarker}"
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /dev/shm
/bin/busybox mount -t tmpfs shm /dev/shm
echo 1 > /proc/sys/kernel/printk
echo "bench: clocksource $(/bin/busybox cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
${workloads.map((w) => `/bin/godwit-bench ${w.name} ${scale}`).join('\n')}
echo "${endMarker}"
/bin/busybox sleep ${settleSeconds}
/bin/busybox poweroff -f
`;

let inode = 0;

function record({ name, mode, body = Buffer.alloc(0), device = [0, 0] }) {
  const hex = (value) => value.toString(16).padStart(8, '0');
  const fields = [++inode, mode, 0, 0, 1, 0, body.length, 0, 0, device[0], device[1], name.length + 1, 0];
  const head = Buffer.from(`070701${fields.map(hex).join('')}${name}\0`);
  return Buffer.concat([padded(head), padded(body)]);
}

const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
