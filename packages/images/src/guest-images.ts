/**
 * The guest images of tests, benchmarks and first runs, from Debian's own packages.
 *
 * All is fetched and unpacked in a sibling folder first and put in place by one
 * rename, with `images.json` inside as the proof of completeness: whoever sees the
 * folder sees all of it. Two processes that fetch at the same time both succeed; the
 * second one to finish throws its copy away.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { dropAbandoned } from './cache-folder';
import { dependencyWithPrefix, PrivateApt } from './private-apt';
import { ImageError } from './run-tool';
import { unpackFiles } from './unpack';

/** Absolute paths. */
export interface GuestImages {
  /** Linux bzImage without PAE: two-level paging. */
  kernel686: string;
  /** Modules of kernel686 for virtio disks, virtio networks, ext4 and the power button: in the order in which they are to be loaded. */
  modules686: readonly string[];
  /** Linux bzImage with PAE. */
  kernelPae: string;
  /** A static i386 busybox. */
  busybox: string;
  /** Debian's text installer, netboot flavour. */
  installerKernel: string;
  installerInitrd: string;
  /** memtest86+, a kernel by the Linux boot protocol. */
  memtest: string;
}

interface Recipe {
  package: string;
  /** The package is a metapackage: take its dependency that starts with this. */
  dependency?: string;
  /** Which file of the package becomes which image: patterns of unpackFiles. */
  files: Partial<Record<ImageName, string>>;
  /** Modules to take, as in MODULES. */
  modules?: readonly string[];
}

type ImageName = Exclude<keyof GuestImages, 'modules686'>;

/** Below lib/modules/VERSION/kernel, each after those that it needs (modules.dep). */
const MODULES = [
  'drivers/virtio/virtio.ko',
  'drivers/virtio/virtio_ring.ko',
  'drivers/virtio/virtio_pci_legacy_dev.ko',
  'drivers/virtio/virtio_pci_modern_dev.ko',
  'drivers/virtio/virtio_pci.ko',
  'drivers/block/virtio_blk.ko',
  'net/core/failover.ko',
  'drivers/net/net_failover.ko',
  'drivers/net/virtio_net.ko',
  'lib/crc16.ko',
  'crypto/crc32c_generic.ko',
  'fs/mbcache.ko',
  'fs/jbd2/jbd2.ko',
  'fs/ext4/ext4.ko',
  'drivers/input/evdev.ko',
  'drivers/acpi/button.ko',
];
const moduleFile = (module: string): string => basename(module);

const INSTALLER = './usr/lib/debian-installer/images/12/i386/text/debian-installer/i386';

const RECIPES: Recipe[] = [
  { package: 'linux-image-686', dependency: 'linux-image-', files: { kernel686: './boot/vmlinuz-*' }, modules: MODULES },
  { package: 'linux-image-686-pae', dependency: 'linux-image-', files: { kernelPae: './boot/vmlinuz-*' } },
  { package: 'busybox-static', files: { busybox: '*/bin/busybox' } },
  {
    package: 'debian-installer-12-netboot-i386',
    files: { installerKernel: `${INSTALLER}/linux`, installerInitrd: `${INSTALLER}/initrd.gz` },
  },
  { package: 'memtest86+', files: { memtest: './boot/memtest86+ia32.bin' } },
];

const ARCHITECTURE = 'i386';
const STAMP = 'images.json';
/** Part of the folder's name: a change of recipe fetches anew and leaves the old folder alone. */
const EDITION = 'i386-v2';

interface Stamp {
  /** Package name to version, for whoever reads a test's log. */
  packages: Record<string, string>;
  /** Image name to file name and size in bytes. */
  files: Record<string, { name: string; bytes: number }>;
}

/**
 * Makes sure that the guest images lie below `cacheDir`, and returns their paths.
 * The first call fetches about 210 MB through apt; later ones only look.
 * @param log receives one line a step; silent when nothing needs to be done.
 * @throws ImageError with one line that says what is missing.
 */
export async function ensureGuestImages(cacheDir: string, log: (line: string) => void = () => {}): Promise<GuestImages> {
  const cache = resolve(cacheDir);
  const final = join(cache, EDITION);
  const present = readImages(final);
  if (present) return present;

  mkdirSync(cache, { recursive: true });
  dropAbandoned(cache);
  const work = join(cache, `${EDITION}.partial-${process.pid}`);
  try {
    fetchInto(work, log);
    return putInPlace(work, final);
  } catch (error) {
    if (error instanceof ImageError) throw new ImageError(`cannot fetch the guest images: ${error.message}`);
    throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function fetchInto(work: string, log: (line: string) => void): void {
  rmSync(work, { recursive: true, force: true });
  const images = join(work, 'images');
  mkdirSync(images, { recursive: true });
  const apt = new PrivateApt(join(work, 'apt'), ARCHITECTURE);
  log(`images: reading Debian's package lists for ${ARCHITECTURE}`);
  const problem = apt.update();
  if (problem) log(`images: going on without some package lists: ${problem}`);

  const resolved = RECIPES.map((recipe) => ({ recipe, ...resolvePackage(apt, recipe) }));
  log(`images: downloading ${resolved.map((one) => one.name).join(', ')}`);
  const archives = join(work, 'archives');
  apt.download(
    resolved.map((one) => one.name),
    archives,
  );

  log('images: unpacking');
  const stamp: Stamp = { packages: {}, files: {} };
  for (const { recipe, name, version } of resolved) {
    const archive = readdirSync(archives).find((file) => file.startsWith(`${name}_`));
    if (!archive) throw new ImageError(`apt-get downloaded no ${name}`);
    const wanted = [
      ...Object.entries(recipe.files).map(([image, pattern]) => ({ pattern, target: join(images, image) })),
      ...(recipe.modules ?? []).map((module) => ({ pattern: `./lib/modules/*/kernel/${module}`, target: join(images, moduleFile(module)) })),
    ];
    unpackFiles(join(archives, archive), wanted);
    for (const { target } of wanted) {
      stamp.files[basename(target)] = { name: basename(target), bytes: statSync(target).size };
    }
    stamp.packages[name] = version;
  }
  writeFileSync(join(images, STAMP), `${JSON.stringify(stamp, null, 2)}\n`);
}

function resolvePackage(apt: PrivateApt, recipe: Recipe): { name: string; version: string } {
  const fields = apt.show(recipe.package);
  if (!recipe.dependency) return { name: recipe.package, version: fields.Version };
  const name = dependencyWithPrefix(fields.Depends ?? '', recipe.dependency);
  if (!name) throw new ImageError(`the metapackage ${recipe.package} depends on no ${recipe.dependency}*`);
  return { name, version: apt.show(name).Version };
}

function putInPlace(work: string, final: string): GuestImages {
  try {
    renameSync(join(work, 'images'), final);
  } catch (error) {
    // Another process was first (its copy is as good), or a damaged folder is in the way.
    const present = readImages(final);
    if (present) return present;
    if (!existsSync(final)) throw error;
    rmSync(final, { recursive: true, force: true });
    renameSync(join(work, 'images'), final);
  }
  const images = readImages(final);
  if (!images) throw new ImageError(`${final} is incomplete right after it was written`);
  return images;
}

/** The images in a folder, or undefined unless every one is there in its full size. */
function readImages(folder: string): GuestImages | undefined {
  try {
    const stamp = JSON.parse(readFileSync(join(folder, STAMP), 'utf8')) as Stamp;
    const pathOf = (image: string): string => {
      const { name, bytes } = stamp.files[image];
      const path = join(folder, name);
      if (statSync(path).size !== bytes) throw new Error(`${path} is incomplete`);
      return path;
    };
    const names = RECIPES.flatMap((recipe) => Object.keys(recipe.files));
    const single = Object.fromEntries(names.map((name) => [name, pathOf(name)])) as Record<ImageName, string>;
    return { ...single, modules686: MODULES.map((module) => pathOf(moduleFile(module))) };
  } catch {
    return undefined;
  }
}
