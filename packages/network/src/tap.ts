/**
 * TAP interfaces: an Ethernet port of this host whose cable ends in our
 * process (Linux, Documentation/networking/tuntap.rst). Whether an interface
 * outlives the process is the administrator's choice: nothing here makes it
 * persistent or undoes that.
 */
import fs from 'node:fs';
import path from 'node:path';
import { checkInterfaceName } from './interface-name';
import { errnoName, loadNative, networkError } from './native';

export interface TapOptions {
  /** An existing interface, or a new one's name; none: the kernel counts up `godwit0`, `godwit1`… */
  readonly name?: string;
  /** The Linux bridge it is to be a port of; none: left as it is. */
  readonly bridge?: string;
}

export interface Tap {
  readonly name: string;
  /** Non-blocking, with 12-byte virtio headers. */
  readonly fd: number;
  /** What the guest's adapter can take: until it says so, the kernel finishes everything. */
  setReceiveOffloads(offloads: ReceiveOffloads): void;
  close(): void;
}

export interface ReceiveOffloads {
  readonly checksum: boolean;
  readonly tso4: boolean;
  readonly tso6: boolean;
  readonly ecn?: boolean;
}

/** Joins or makes a TAP interface, puts it into the bridge, sets it up. Throws an Error with code GODWIT_NETWORK that says what to do. */
export function openTap(options: TapOptions): Tap {
  const native = loadNative();
  const name = options.name ?? 'godwit%d';
  if (options.name !== undefined) checkInterfaceName(options.name);
  if (options.bridge !== undefined) checkInterfaceName(options.bridge);
  const fd = openTun();
  try {
    const error = native.tapAttach(fd, name);
    if (error < 0) throw attachError(errnoName(error), name);
    const tap = tapOf(fd);
    if (options.bridge !== undefined) joinBridge(tap.name, options.bridge);
    const up = native.linkUp(tap.name);
    if (up < 0) {
      throw networkError(`interface ${tap.name} cannot be set up (${errnoName(up)}): an administrator can: ip link set dev ${tap.name} up`);
    }
    return tap;
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

/** Takes a TAP that somebody else opened (IFF_TAP, IFF_NO_PI, IFF_VNET_HDR) and handed over; bridge and state are that one's matter. */
export function adoptTap(fd: number): Tap {
  return tapOf(fd);
}

function tapOf(fd: number): Tap {
  const native = loadNative();
  const name = native.tapName(fd);
  if (typeof name === 'number') {
    throw networkError(
      `descriptor ${fd} is no TAP with virtio headers (${errnoName(name)}): open it with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR`,
    );
  }
  const setReceiveOffloads = (offloads: ReceiveOffloads): void => {
    const error = setTapOffloads(fd, offloads);
    if (error < 0) throw networkError(`interface ${name} refused offloads (${errnoName(error)})`);
  };
  setReceiveOffloads({ checksum: false, tso4: false, tso6: false });
  return { name, fd, setReceiveOffloads, close: () => fs.closeSync(fd) };
}

/** The same from another thread, which knows the descriptor only; 0 or -errno. One system call. */
export function setTapOffloads(fd: number, offloads: ReceiveOffloads): number {
  const { checksum, tso4, tso6, ecn } = offloads;
  // The kernel takes segmentation only together with checksums.
  const segments = (tso4 ? 2 : 0) | (tso6 ? 4 : 0);
  return loadNative().tapSetOffload(fd, checksum ? 1 | segments | (ecn && segments ? 8 : 0) : 0);
}

function openTun(): number {
  try {
    return fs.openSync('/dev/net/tun', fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO') {
      throw networkError('this host has no /dev/net/tun: run modprobe tun as root, or use the user-mode network');
    }
    if (code === 'EACCES' || code === 'EPERM') {
      throw networkError('no permission to open /dev/net/tun: an administrator can: chmod 666 /dev/net/tun; or use the user-mode network');
    }
    throw networkError(`/dev/net/tun cannot be opened (${code})`);
  }
}

const advice: Record<string, (name: string) => string> = {
  EPERM: (name) =>
    `no permission to open TAP ${name}: an administrator can make it for you: ip tuntap add dev ${name} mode tap user $USER, or use the user-mode network`,
  EBUSY: (name) => `TAP ${name} is in use by another process: choose another name`,
  EINVAL: (name) => `interface ${name} is no plain TAP (is it another kind of interface, or made with multi_queue?): choose another name`,
  ENOMEM: () => 'the kernel has no memory for another interface',
  EBADFD: () => '/dev/net/tun is not what it should be on this host: is the tun module loaded?',
};

function attachError(code: string, name: string): Error {
  const shown = name.includes('%') ? 'godwit0' : name;
  return networkError(advice[code]?.(shown) ?? `TAP ${shown} cannot be opened (${code})`);
}

function joinBridge(name: string, bridge: string): void {
  const error = loadNative().bridgeAdd(bridge, name);
  if (error >= 0) return;
  const code = errnoName(error);
  const present = bridgeOf(name);
  // In it already: the administrator did it, no privilege is needed.
  if ((code === 'EBUSY' || code === 'EPERM') && present === bridge) return;
  const reasons: Record<string, string> = {
    EBUSY: `interface ${name} is a port of ${present ?? 'another bridge'}: take it out first: ip link set dev ${name} nomaster`,
    ENODEV: `there is no bridge ${bridge}: make it: ip link add ${bridge} type bridge && ip link set dev ${bridge} up`,
    EOPNOTSUPP: `${bridge} is an interface, but no bridge: choose another name`,
    EPERM: `no permission to put ${name} into bridge ${bridge}: an administrator can: ip link set dev ${name} master ${bridge}`,
  };
  throw networkError(reasons[code] ?? `interface ${name} cannot become a port of ${bridge} (${code})`);
}

function bridgeOf(name: string): string | undefined {
  try {
    return path.basename(fs.readlinkSync(`/sys/class/net/${name}/master`));
  } catch {
    return undefined;
  }
}
