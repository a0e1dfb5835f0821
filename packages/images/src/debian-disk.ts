/**
 * A disk image with a real Debian 12 for i386 on it: what a server guest is tried with.
 *
 *     sector 0      master boot record, GRUB's first stage, one partition
 *     sector 1      GRUB
 *     sector 2048   ext4, label godwit-root: the whole system
 *
 * It boots through any PC BIOS; kernel and initrd also lie beside the image for booting
 * without one. Log in on the serial console or by ssh as root, password `godwit`, or
 * with the key beside the image. Any Ethernet adapter asks for an address by DHCP; port
 * 80 serves a page, port 22 is ssh. fio, iperf3 and sqlite3 are there to work it hard.
 *
 * All packages are fetched by apt for i386 (private-apt.ts); everything after that
 * works offline. The result is kept, as the other images are, and put in place by one
 * rename.
 */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { dropAbandoned } from './cache-folder';
import { DEBIAN_FILES, EARLY_FILES, finishScript, KERNEL_PARAMETERS, ROOT_PASSWORD } from './debian-files';
import { BASE_PATTERNS, LEFT_OUT, MASKED_UNITS, PACKAGES } from './debian-packages';
import { buildDebianRoot } from './debian-root';
import { DEBIAN_DISK_BYTES } from './limits';
import { buildRepository } from './local-repository';
import { PrivateApt } from './private-apt';
import { ImageError } from './run-tool';
import { writeDisk } from './write-disk';

/** Absolute paths, and what it takes to boot and enter. */
export interface DebianDisk {
  /** Raw and sparse. A VM gets a copy of it or a linked clone, never the file itself. */
  disk: string;
  kernel: string;
  initrd: string;
  /** For booting `kernel` and `initrd` directly. */
  kernelParameters: string;
  /** OpenSSH private key that root's account accepts. */
  sshKey: string;
  rootPassword: string;
}

const SUITE = 'bookworm';
const ARCHITECTURE = 'i386';
const STAMP = 'debian.json';
const DISK = 'disk.raw';
const KERNEL = 'vmlinuz';
const INITRD = 'initrd.img';
const SSH_KEY = 'id_ed25519';
const BESIDE = [KERNEL, INITRD, SSH_KEY];
/** Raised when the code that builds changes; what is built is in the key anyway. */
const EDITION = 1;

interface Stamp {
  packages: Record<string, string>;
  files: Record<string, number>;
}

/** The cached disk's folder name: another recipe, another folder. */
export function debianDiskKey(): string {
  const recipe = [
    EDITION,
    SUITE,
    BASE_PATTERNS,
    PACKAGES,
    LEFT_OUT,
    EARLY_FILES,
    DEBIAN_FILES,
    finishScript(MASKED_UNITS),
    DEBIAN_DISK_BYTES,
  ];
  return `debian-${ARCHITECTURE}-${createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12)}`;
}

/**
 * Makes sure that the disk lies below `cacheDir`. The first call downloads some 130 MB
 * and takes a few minutes; later ones only look.
 * @throws ImageError with one line that says what is missing.
 */
export async function ensureDebianDisk(cacheDir: string, log: (line: string) => void = () => {}): Promise<DebianDisk> {
  const cache = resolve(cacheDir);
  const final = join(cache, debianDiskKey());
  const present = readDisk(final);
  if (present) return present;

  mkdirSync(cache, { recursive: true });
  dropAbandoned(cache);
  const work = `${final}.partial-${process.pid}`;
  try {
    const finished = build(work, log);
    // Whoever was first has made as good a disk; a damaged folder goes.
    if (!readDisk(final)) {
      rmSync(final, { recursive: true, force: true });
      renameSync(finished, final);
    }
    return readDisk(final) ?? fail(`${final} is incomplete right after it was written`);
  } catch (error) {
    if (error instanceof ImageError) throw new ImageError(`cannot build the Debian disk: ${error.message}`);
    throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function build(work: string, log: (line: string) => void): string {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const apt = new PrivateApt(join(work, 'apt'), ARCHITECTURE);
  log(`debian-disk: reading Debian's package lists for ${ARCHITECTURE}`);
  const problem = apt.update();
  if (problem) log(`debian-disk: going on without some package lists: ${problem}`);
  log('debian-disk: downloading packages');
  const archives = apt.downloadClosure([...BASE_PATTERNS, ...PACKAGES]);
  const { source, versions } = buildRepository(archives, join(work, 'repository'), SUITE, ARCHITECTURE);
  log(`debian-disk: installing ${archives.length} packages`);
  buildDebianRoot(work, source, SUITE, ARCHITECTURE);
  log('debian-disk: writing the file system');
  const out = join(work, 'out');
  mkdirSync(out);
  const signature = createHash('sha256').update(debianDiskKey()).digest().readUInt32LE(0);
  writeDisk(work, join(out, DISK), signature);
  for (const name of BESIDE) renameSync(join(work, name), join(out, name));
  // ssh takes no key that others can read.
  chmodSync(join(out, SSH_KEY), 0o600);
  const files = Object.fromEntries([DISK, ...BESIDE].map((name) => [name, statSync(join(out, name)).size]));
  writeFileSync(join(out, STAMP), `${JSON.stringify({ packages: versions, files } satisfies Stamp, null, 2)}\n`);
  return out;
}

function readDisk(folder: string): DebianDisk | undefined {
  try {
    const { files } = JSON.parse(readFileSync(join(folder, STAMP), 'utf8')) as Stamp;
    for (const [name, bytes] of Object.entries(files)) if (statSync(join(folder, name)).size !== bytes) return undefined;
  } catch {
    return undefined;
  }
  return {
    disk: join(folder, DISK),
    kernel: join(folder, KERNEL),
    initrd: join(folder, INITRD),
    kernelParameters: KERNEL_PARAMETERS,
    sshKey: join(folder, SSH_KEY),
    rootPassword: ROOT_PASSWORD,
  };
}

function fail(message: string): never {
  throw new ImageError(message);
}
