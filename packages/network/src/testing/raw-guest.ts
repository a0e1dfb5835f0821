/** A guest without a kernel: speaks DHCP, ARP, ICMP and just enough TCP over a usernet's socket. */
import net from 'node:net';
import { FrameReader, putFrame, streamBytes } from '../frame-stream';
import { parseIpv4 } from '../ipv4';
import { arp, BROADCAST, ethernet, etherType, icmpEcho, ipv4, parseTcp, Segment, tcp, udp } from './packets';

const GATEWAY = parseIpv4('10.0.2.2');
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;

export class RawGuest {
  ip = 0;
  private gatewayMac = BROADCAST;
  private readonly waiting = new Set<(frame: Uint8Array) => void>();

  private constructor(
    private readonly socket: net.Socket,
    private readonly mac: Uint8Array,
  ) {
    const reader = new FrameReader();
    socket.on('data', (chunk) => {
      reader.feed(chunk, (frame) => {
        const kept = new Uint8Array(frame); // a copy, which Buffer.slice is not
        this.answerArp(kept);
        for (const see of [...this.waiting]) see(kept);
      });
    });
    socket.on('error', () => {});
  }

  static async connect(path: string, mac: Uint8Array): Promise<RawGuest> {
    const socket = net.connect(path);
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawGuest(socket, mac);
  }

  get connected(): boolean {
    return !this.socket.destroyed;
  }

  close(): void {
    this.socket.destroy();
  }

  send(frame: Uint8Array): void {
    const bytes = new Uint8Array(streamBytes(frame));
    putFrame(bytes, 0, frame);
    this.socket.write(bytes);
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The first frame from now on that `pick` finds something in. */
  next<T>(pick: (frame: Uint8Array) => T | undefined, ms = 3000): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => (this.waiting.delete(see), reject(new Error('no such frame came'))), ms);
      const see = (frame: Uint8Array): void => {
        const found = pick(frame);
        if (found === undefined) return;
        clearTimeout(timer);
        this.waiting.delete(see);
        resolve(found);
      };
      this.waiting.add(see);
    });
  }

  /** DISCOVER, OFFER, REQUEST, ACK (RFC 2131). */
  async dhcp(): Promise<number> {
    const offer = await this.dhcpRound([53, 1, 1]);
    const address = [24, 16, 8, 0].map((s) => (offer >>> s) & 255);
    this.ip = await this.dhcpRound([53, 1, 3, 50, 4, ...address, 54, 4, 10, 0, 2, 2]);
    return this.ip;
  }

  private async dhcpRound(options: number[]): Promise<number> {
    const message = new Uint8Array(240 + options.length + 1);
    message.set([1, 1, 6, 0, 1, 2, 3, 4]);
    message.set(this.mac, 28);
    message.set([0x63, 0x82, 0x53, 0x63, ...options, 255], 236);
    const answer = this.next((f) =>
      etherType(f) === 0x800 && f[23] === 17 && f[37] === 68 ? new DataView(f.buffer).getUint32(42 + 16) : undefined,
    );
    this.send(ethernet(BROADCAST, this.mac, 0x800, ipv4(17, 0, 0xffffffff, udp(68, 67, message))));
    return answer;
  }

  async resolveGateway(): Promise<Uint8Array> {
    const answer = this.next((f) => (etherType(f) === 0x806 && f[21] === 2 ? f.slice(22, 28) : undefined));
    this.send(ethernet(BROADCAST, this.mac, 0x806, arp(1, this.mac, this.ip, new Uint8Array(6), GATEWAY)));
    this.gatewayMac = await answer;
    return this.gatewayMac;
  }

  async ping(data: Uint8Array): Promise<Uint8Array> {
    const answer = this.next((f) => (etherType(f) === 0x800 && f[23] === 1 && f[34] === 0 ? f.slice(42) : undefined));
    this.sendIp(1, icmpEcho(8, 7, data));
    return answer;
  }

  /** Connects to the host's loopback, sends, reads to the end. */
  async tcpExchange(port: number, request: Uint8Array, sourcePort = 40_000): Promise<Uint8Array> {
    const greeting = this.next((f) => this.segmentTo(f, sourcePort));
    let sequence = 1000;
    const send = (flags: number, acknowledged: number, data: Uint8Array = new Uint8Array(0)): void =>
      this.sendSegment({ sourcePort, targetPort: port, sequence, acknowledged, flags, data });
    send(SYN, 0);
    const first = await greeting;
    if (first.flags !== (SYN | ACK)) throw new Error(`no connection: flags ${first.flags}`);
    sequence++;
    const received = this.readStream(sourcePort, (first.sequence + 1) >>> 0, (next) => send(ACK, next));
    send(ACK, (first.sequence + 1) >>> 0, request);
    sequence += request.length;
    return received;
  }

  /** Accepts one forwarded connection on that port, reads one piece, answers, closes; what it read. */
  async serveOnce(port: number, answer: Uint8Array): Promise<Uint8Array> {
    const hello = await this.next((f) => this.segmentTo(f, port));
    const peer = hello.sourcePort;
    let sequence = 5000;
    const send = (flags: number, acknowledged: number, data: Uint8Array = new Uint8Array(0)): void =>
      this.sendSegment({ sourcePort: port, targetPort: peer, sequence, acknowledged, flags, data });
    const request = this.next((f) => {
      const segment = this.segmentTo(f, port);
      return segment && segment.data.length > 0 ? segment : undefined;
    });
    send(SYN | ACK, (hello.sequence + 1) >>> 0);
    sequence++;
    const { sequence: at, data } = await request;
    send(ACK | FIN, (at + data.length) >>> 0, answer);
    return data;
  }

  private readStream(port: number, from: number, acknowledge: (next: number) => void): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let next = from;
    return this.next((frame) => {
      const segment = this.segmentTo(frame, port);
      if (!segment) return undefined;
      if (segment.flags & RST) return Buffer.concat(parts);
      if (segment.sequence !== next || (segment.data.length === 0 && !(segment.flags & FIN))) return undefined;
      parts.push(segment.data);
      next = (next + segment.data.length + (segment.flags & FIN)) >>> 0;
      acknowledge(next);
      return segment.flags & FIN ? Buffer.concat(parts) : undefined;
    }, 8000);
  }

  private segmentTo(frame: Uint8Array, port: number): Segment | undefined {
    if (etherType(frame) !== 0x800 || frame[23] !== 6) return undefined;
    const segment = parseTcp(frame);
    return segment.targetPort === port ? segment : undefined;
  }

  private sendSegment(segment: Segment): void {
    this.sendIp(6, tcp(this.ip, GATEWAY, segment));
  }

  private sendIp(protocol: number, payload: Uint8Array): void {
    this.send(ethernet(this.gatewayMac, this.mac, 0x800, ipv4(protocol, this.ip, GATEWAY, payload)));
  }

  private answerArp(frame: Uint8Array): void {
    if (etherType(frame) !== 0x806 || frame[21] !== 1 || this.ip === 0) return;
    const view = new DataView(frame.buffer);
    if (view.getUint32(38) !== this.ip) return;
    const asker = frame.slice(22, 28);
    this.send(ethernet(asker, this.mac, 0x806, arp(2, this.mac, this.ip, asker, view.getUint32(28))));
  }
}
