/** Limits of this package, each with its unit and reason. The first four stand in native/ring.h, too. */

/** Bytes: Ethernet header alone; shorter frames mean nothing to anybody. */
export const MIN_FRAME_BYTES = 14;

/** Bytes: an IPv4 packet of 64 KiB - 1 behind an Ethernet header; a TCP segment yet to be cut may be that long. */
export const MAX_FRAME_BYTES = 65_550;

/** Bytes: VIRTIO 1.1, 5.1.6, with num_buffers. */
export const VIRTIO_HEADER_BYTES = 12;

/** Bytes of frames in a ring: at least some of the largest ones, with what is lost at the ring's end. */
export const MIN_RING_BYTES = 512 << 10;
export const MAX_RING_BYTES = 64 << 20;

/** Bytes: thirty of the largest frames, or 10 ms of a 1.6 Gbit/s stream. */
export const DEFAULT_RING_BYTES = 2 << 20;

/** Frames handed to the adapter in one go, so that the guest's code gets its turn. */
export const FRAMES_PER_DELIVERY = 512;

/** Milliseconds between two attempts to reach a usernet that went away. */
export const RECONNECT_MS = 250;

/** Characters of an interface's name (linux/if.h: IFNAMSIZ less its end). */
export const MAX_INTERFACE_NAME = 15;

/** Bytes of a Unix socket's path (unix(7): sun_path less its end). */
export const MAX_SOCKET_PATH = 107;

/** Addresses that a switch remembers for one port: more than a VM has; a guest that invents more loses its own oldest. */
export const MAX_LEARNED_PER_PORT = 64;

/** Milliseconds after which an address that was not seen is forgotten (IEEE 802.1Q, 8.8.3: 300 s). */
export const LEARNED_AGE_MS = 300_000;

/** VMMs on one usernet. */
export const MAX_PORTS = 64;

/** Bytes waiting to be sent to a VMM that does not read; then frames for it are dropped. */
export const MAX_PORT_BACKLOG = 4 << 20;

/** DHCP leases that are listed; libslirp itself hands out 16. */
export const MAX_LEASES = 64;

/** Port forwards of one usernet. */
export const MAX_FORWARDS = 256;

/** Open files of the usernet process: each connection of a guest is one. */
export const MAX_USERNET_FILES = 4096;

/** Bytes of frames that libslirp may send in one turn of the loop. */
export const SLIRP_BATCH_BYTES = 4 << 20;

/** Bytes of one control request or answer. */
export const MAX_CONTROL_LINE = 256 << 10;

/** Control connections at a time. */
export const MAX_CONTROL_CLIENTS = 16;

/** Milliseconds for the usernet process to start, or to end after SIGTERM. */
export const USERNET_START_MS = 10_000;
export const USERNET_STOP_MS = 3_000;

/** Milliseconds for one control request. */
export const CONTROL_MS = 5_000;

/** Milliseconds for one `ip` command. */
export const IP_COMMAND_MS = 10_000;

/** Frames that wait for an adapter besides those in its ring: as many as a ring of 1 MiB holds of full-size ones, twice. */
export const MAX_INSERTED = 1500;
