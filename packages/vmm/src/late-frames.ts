/**
 * Network frames that came for a guest while it stood still, as they travel after it:
 *
 *     u8 adapter, u8[3] 0, u32 bytes of the frame, u8[12] virtio-net header, the frame; the next
 *
 * Little-endian. They come from another host and are looked at before use; a damaged
 * frame harms nobody, as on a cable.
 */
const HEAD_BYTES = 8;
const VIRTIO_HEADER_BYTES = 12;
/** A train of TCP segments (RFC 791's largest packet) and its Ethernet header. */
const MAX_FRAME_BYTES = 65_535 + 18;

export interface FrameSource {
  /** Hands out what waits, oldest first, until `take` refuses. */
  take(take: (frame: Uint8Array, header: Uint8Array) => boolean): void;
}

/** What waits at the adapters, by number, at most so many bytes; null: nothing. */
export function packFrames(adapters: readonly FrameSource[], limit: number): Uint8Array | null {
  const pieces: Uint8Array[] = [];
  let size = 0;
  adapters.forEach((adapter, number) => {
    adapter.take((frame, header) => {
      const bytes = HEAD_BYTES + VIRTIO_HEADER_BYTES + frame.length;
      if (size + bytes > limit) return false;
      const piece = new Uint8Array(bytes);
      piece[0] = number;
      new DataView(piece.buffer).setUint32(4, frame.length, true);
      piece.set(header, HEAD_BYTES);
      piece.set(frame, HEAD_BYTES + VIRTIO_HEADER_BYTES);
      pieces.push(piece);
      size += bytes;
      return true;
    });
  });
  if (size === 0) return null;
  const packed = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    packed.set(piece, at);
    at += piece.length;
  }
  return packed;
}

/** Untrusted. @throws RangeError where it is no list of frames */
export function unpackFrames(packed: Uint8Array, give: (adapter: number, frame: Uint8Array, header: Uint8Array) => void): void {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  for (let at = 0; at < packed.length; ) {
    const frameAt = at + HEAD_BYTES + VIRTIO_HEADER_BYTES;
    const length = frameAt <= packed.length ? view.getUint32(at + 4, true) : 0;
    if (length === 0 || length > MAX_FRAME_BYTES || frameAt + length > packed.length) throw new RangeError('these are no late frames');
    give(packed[at], packed.subarray(frameAt, frameAt + length), packed.subarray(at + HEAD_BYTES, frameAt));
    at = frameAt + length;
  }
}
