/**
 * libslirp (https://gitlab.freedesktop.org/slirp/libslirp) as a port of the
 * switch: a NAT with DHCP and DNS that needs no privilege. Frames cross into
 * C++ in batches.
 */
import { Forward, formatForward, forwardKey } from './forward';
import { FrameReader, putFrame, streamBytes } from './frame-stream';
import { formatIpv4 } from './ipv4';
import { MAX_FORWARDS, MAX_FRAME_BYTES, SLIRP_BATCH_BYTES } from './limits';
import { errnoName, loadNative, networkError } from './native';
import type { SwitchPort } from './switch';

export interface SlirpSettings {
  /** libslirp.so.0 or a path to it. */
  readonly library: string;
  /** As a number; hosts: .2 gateway, .3 DNS, .15 and up guests. */
  readonly network: number;
  readonly prefixBits: number;
  /** Guests reach nothing outside; forwards work. */
  readonly restrict: boolean;
  /** Whether the gateway's address reaches this host's own loopback. */
  readonly hostLoopback: boolean;
  readonly dns: boolean;
}

const INPUT_BYTES = 256 << 10;

export class SlirpPort implements SwitchPort {
  private readonly native = loadNative();
  private readonly id: number;
  private readonly input = new Uint8Array(INPUT_BYTES);
  private inputBytes = 0;
  private readonly active = new Map<string, Forward>();

  /** `receive` gets each frame for the guests; `batchEnd` follows a batch of them. Throws, in one line, when the library does not serve. */
  constructor(
    private readonly settings: SlirpSettings,
    receive: (frame: Uint8Array) => void,
    batchEnd: () => void,
  ) {
    const out = new Uint8Array(SLIRP_BATCH_BYTES);
    const reader = new FrameReader();
    const flags = (settings.restrict ? 1 : 0) | (settings.hostLoopback ? 0 : 2) | (settings.dns ? 0 : 4);
    const id = this.native.slirpStart(settings.library, settings.network, settings.prefixBits, flags, out, (_event, bytes) => {
      reader.feed(out.subarray(0, bytes), receive);
      batchEnd();
    });
    if (typeof id === 'string') {
      throw networkError(
        `the user-mode network needs libslirp 4.7 or later, and ${settings.library} did not serve (${id}): install libslirp0`,
      );
    }
    this.id = id;
  }

  send(frame: Uint8Array): boolean {
    if (frame.length > MAX_FRAME_BYTES) return false;
    if (this.inputBytes + streamBytes(frame) > INPUT_BYTES) this.flush();
    this.inputBytes = putFrame(this.input, this.inputBytes, frame);
    return true;
  }

  /** Gives the library what `send` gathered. */
  flush(): void {
    const bytes = this.inputBytes;
    if (bytes === 0) return;
    this.inputBytes = 0;
    this.native.slirpInput(this.id, this.input.subarray(0, bytes));
  }

  forwards(): Forward[] {
    return [...this.active.values()];
  }

  /** Throws, in one line, when the host's port cannot be had. */
  addForward(forward: Forward): void {
    if (this.active.has(forwardKey(forward))) throw networkError(`${formatForward(forward)}: that host port is forwarded already`);
    if (this.active.size >= MAX_FORWARDS) throw networkError(`there are ${MAX_FORWARDS} port forwards already: remove one first`);
    const guest = this.guestAddress(forward);
    const error = this.change(true, forward, guest);
    if (error < 0) throw networkError(`${formatForward(forward)} is not possible: ${reasonOf(errnoName(error), forward)}`);
    this.active.set(forwardKey(forward), { ...forward, guestAddress: guest });
  }

  removeForward(forward: Forward): void {
    if (!this.active.delete(forwardKey(forward))) throw networkError(`${formatForward(forward)} was not there`);
    this.change(false, forward, 0);
  }

  /** The library's table of connections, as it prints it. */
  connections(): string {
    return this.native.slirpConnections(this.id);
  }

  close(): void {
    this.native.closeEngine(this.id);
  }

  private guestAddress(forward: Forward): number {
    const { network, prefixBits } = this.settings;
    if (forward.guestAddress === 0) return network + 15;
    if (Math.floor(forward.guestAddress / 2 ** (32 - prefixBits)) !== Math.floor(network / 2 ** (32 - prefixBits))) {
      throw networkError(`${formatForward(forward)}: the guest's address is not in ${formatIpv4(network)}/${prefixBits}`);
    }
    return forward.guestAddress;
  }

  private change(add: boolean, f: Forward, guestAddress: number): number {
    return this.native.slirpForward(this.id, add, f.protocol === 'udp', f.hostAddress, f.hostPort, guestAddress, f.guestPort);
  }
}

function reasonOf(code: string, forward: Forward): string {
  const reasons: Record<string, string> = {
    EADDRINUSE: `port ${forward.hostPort} of this host is in use: choose another`,
    EACCES: `port ${forward.hostPort} needs privilege: choose one from 1024 on`,
    EADDRNOTAVAIL: `${formatIpv4(forward.hostAddress)} is no address of this host`,
    EMFILE: 'the usernet process has too many connections open',
  };
  return reasons[code] ?? code;
}
