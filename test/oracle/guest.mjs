/**
 * The oracle as a guest: Debian's kernel, busybox, the drivers of a virtio network adapter and
 * oracle.c, in an initramfs; and the other end of its serial line.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildTool } from '../bench/migration/probe.mjs';
import { nowMs } from '../bench/migration/series.mjs';

const require = createRequire(import.meta.url);
const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, '..', '..');
const { buildInitramfs, ensureDebianDisk, ensureGuestImages } = require(path.join(root, 'packages', 'images'));
export const cache = path.join(root, '.cache', 'oracle');

/** Between two heartbeats, microseconds. */
export const BEAT_US = 4000;

const PANIC = /Kernel panic|---\[ end trace|BUG: /;

/** In the order in which they are loaded. */
const MODULES = [
  ...['virtio', 'virtio_ring', 'virtio_pci_modern_dev', 'virtio_pci_legacy_dev', 'virtio_pci'].map((name) => `drivers/virtio/${name}`),
  'net/core/failover', 'drivers/net/net_failover', 'drivers/net/virtio_net',
];

const INIT = `#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
echo 1 > /proc/sys/kernel/printk
ip link set lo up
for word in $(cat /proc/cmdline); do
  case $word in
    oracle=*) oracle=$(echo \${word#oracle=} | tr , ' ') ;;
    address=*)
      for module in ${MODULES.map((name) => path.basename(name)).join(' ')}; do insmod /modules/$module.ko; done
      ip link set eth0 up
      ip addr add \${word#address=}/24 dev eth0 ;;
    web=1)
      mkdir /tmp/www
      for size in 1 16 64; do head -c \${size}k /bin/busybox > /tmp/www/$size; done
      httpd -h /tmp/www ;;
  esac
done
cd /tmp
/bin/godwit-oracle $oracle < /dev/ttyS0 > /dev/ttyS0 2>&1
poweroff -f
`;

/** The program, for 32-bit hosts and guests alike. */
export const oracleProgram = () =>
  buildTool(cache, 'oracle', ['oracle.c', 'load.c', 'oracle.h'].map((file) => path.join(here, file)), ['-m32', '-march=i686', '-mtune=generic', '-static', '-fno-pie', '-no-pie', '-pthread']);

/** { kernel, initrd, memtest, busybox }: paths. */
export async function oracleImages(log = () => {}) {
  const images = await ensureGuestImages(path.join(root, '.cache', 'images'), log);
  const debian = await ensureDebianDisk(path.join(root, '.cache', 'images'), log);
  const program = oracleProgram();
  const edition = createHash('sha256').update(INIT).update(program).update(debian.disk).digest('hex').slice(0, 12);
  const initrd = path.join(cache, `initrd-${edition}.gz`);
  if (!existsSync(initrd)) {
    mkdirSync(cache, { recursive: true });
    const files = [
      { path: '/init', data: INIT, mode: 0o755 },
      { path: '/bin/godwit-oracle', data: readFileSync(program), mode: 0o755 },
      ...modules(debian.disk).map(({ name, data }) => ({ path: `/modules/${name}.ko`, data })),
    ];
    writeFileSync(`${initrd}.partial-${process.pid}`, buildInitramfs({ busybox: images.busybox, files }));
    renameSync(`${initrd}.partial-${process.pid}`, initrd);
  }
  return { kernel: debian.kernel, initrd, memtest: images.memtest, busybox: images.busybox };
}

/** The drivers, out of the Debian disk's file system. */
function modules(disk) {
  const sector = Buffer.alloc(512);
  const file = openSync(disk, 'r');
  readSync(file, sector, 0, 512, 0);
  closeSync(file);
  const at = `${disk}?offset=${sector.readUInt32LE(0x1be + 8) * 512}`;
  const debugfs = (request) => execFileSync('debugfs', ['-R', request, at], { encoding: 'latin1', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 24 });
  const version = /\/(\d+\.[^/]+)\//.exec(debugfs('ls -p /usr/lib/modules'))?.[1];
  const scratch = mkdtempSync(path.join(cache, 'modules-'));
  try {
    return MODULES.map((module) => {
      const name = path.basename(module);
      debugfs(`dump /usr/lib/modules/${version}/kernel/${module}.ko ${path.join(scratch, name)}`);
      return { name, data: readFileSync(path.join(scratch, name)) };
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @param area MiB that are rewritten; `address`: with network; `web`: with a web server */
export function oracleCommandLine({ area = 64, constant = 32, pattern = 'full', address, web = false }) {
  const words = ['console=ttyS0', 'quiet', `oracle=${area},${constant},${BEAT_US},${pattern}`];
  return [...words, ...(address ? [`address=${address}`] : []), ...(web ? ['web=1'] : [])].join(' ');
}

/** What comes over the serial line, stamped at its arrival. Events: `line` (text, ms). */
export class OracleLine extends EventEmitter {
  /** { ms, count, kib, errors, jobs }: each heartbeat once, although a console may show its last lines again. */
  beats = [];
  lines = [];
  rest = '';
  lastCount = 0;

  take(text) {
    const ms = nowMs();
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop();
    for (const raw of lines) {
      const line = raw.replace(/\r+$/, '');
      const beat = /^h ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)$/.exec(line);
      if (beat) this.beat(ms, beat.slice(1).map((field) => Number.parseInt(field, 16)));
      else {
        this.lines.push(line);
        this.emit('line', line, ms);
      }
    }
  }

  beat(ms, [count, kib, errors, jobs]) {
    if (count <= this.lastCount) return;
    this.lastCount = count;
    this.beats.push({ ms, count, kib, errors, jobs });
  }

  /** A line that begins so, from now on. @throws Error with the end of what came instead */
  line(start, limitMs) {
    return new Promise((resolve, reject) => {
      const panic = this.lines.find((line) => PANIC.test(line));
      if (panic) return reject(new Error(`the guest's kernel has given up: ${panic}`));
      const seen = (line) => {
        if (line.startsWith(start)) resolve(line);
        else if (PANIC.test(line)) reject(new Error(`the guest's kernel has given up: ${line}`));
        else return;
        done();
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`the guest did not say '${start}' within ${limitMs} ms; its last lines: ${this.lines.slice(-5).join(' | ')}`));
      }, limitMs);
      const done = () => {
        clearTimeout(timer);
        this.off('line', seen);
      };
      this.on('line', seen);
    });
  }

  forget(before) {
    this.beats = this.beats.filter(({ ms }) => ms >= before);
  }
}

/** Talks to an oracle whose line is fed with what it says. @param type gives it text */
export class Oracle {
  constructor(type) {
    this.line = new OracleLine();
    this.type = type;
  }
  ready(limitMs = 120_000) {
    return this.line.line('oracle ready', limitMs);
  }
  write(megabytesPerSecond) {
    this.type(`write ${megabytesPerSecond}\n`);
  }
  beat(on) {
    this.type(`beat ${on ? 1 : 0}\n`);
  }
  load(on) {
    this.type(`load ${on ? 1 : 0}\n`);
  }
  /** Every page, word by word: { ok, line }. An answer that was garbled or does not come is not ok. */
  async check(limitMs = 15_000) {
    const said = this.line.line('verdict ', limitMs);
    this.type('check\n');
    return said.then((line) => ({ ok: line.startsWith('verdict ok'), line }), (error) => ({ ok: false, line: error.message }));
  }
}
