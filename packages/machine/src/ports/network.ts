/**
 * What a network adapter is plugged into: Ethernet frames without preamble and
 * frame check sequence, 14 to 65,550 bytes.
 */
export interface NetworkPort {
  /** Six bytes; the adapter shows it to the guest. */
  readonly mac: Uint8Array;
  /**
   * True when the other side takes and gives frames behind a virtio-net header
   * (12 bytes, little-endian, with num_buffers: VIRTIO 1.1, 5.1.6) and can
   * finish checksums and segment TCP. Only virtio-net asks for it.
   */
  readonly offloads: boolean;
  /** Frame to the network: the bytes are copied before it returns. `header`: only with `offloads`, 12 bytes. */
  send(parts: readonly Uint8Array[], header?: Uint8Array): void;
  /** The adapter can take frames again, after it refused one. */
  ready(): void;
}

/** What the adapter offers in return. */
export interface NetworkClient {
  /**
   * Frame from the network; `frame` is good only during the call. False: no
   * room, keep it (a little while) until `ready`. True: taken, or dropped on purpose.
   */
  receive(frame: Uint8Array, header?: Uint8Array): boolean;
  /** Cable plugged or pulled. */
  setLink(up: boolean): void;
}
