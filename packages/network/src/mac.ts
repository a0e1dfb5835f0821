/** MAC addresses: six bytes, as text `56:0b:1c:…`, or as one number below 2^48 (the first byte highest). */

/** 'V', with the bit "locally administered" set and the bit "group" clear (IEEE 802, 8.4). */
const FIRST_BYTE = 0x56;

/**
 * The address of a VM's adapter: always the same for the same identity and
 * index, on any host. 40 bits of FNV-1a, so two of 10,000 VMs meet with a chance
 * of 1 in 20,000; who gives out identities compares.
 */
export function macForVm(vmId: string, adapter = 0): Uint8Array {
  const prime = 0x100000001b3n;
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(`${vmId}\0${adapter}`)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * prime);
  // FNV's last bits of input reach its upper bits only weakly: fold and mix them (MurmurHash3's finisher).
  hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn);
  hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * 0xc4ceb9fe1a85ec53n);
  hash ^= hash >> 33n;
  const mac = new Uint8Array(6);
  mac[0] = FIRST_BYTE;
  for (let i = 1; i < 6; i++) mac[i] = Number((hash >> BigInt(8 * (i - 1))) & 0xffn);
  return mac;
}

/** Throws for text that is no single adapter's address. */
export function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) {
    throw new Error(`${JSON.stringify(text.slice(0, 40))} is no MAC address: write six pairs of hex digits, as in 56:01:23:45:67:89`);
  }
  const mac = Uint8Array.from(text.split(':'), (pair) => Number.parseInt(pair, 16));
  if (mac[0] & 1) throw new Error(`${text} is a group's MAC address: the first pair of an adapter's is even`);
  if (mac.every((byte) => byte === 0)) throw new Error(`${text} is nobody's MAC address: choose another`);
  return mac;
}

export function formatMac(mac: ArrayLike<number>): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** The address at that offset of a frame, as a number. */
export function macNumber(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] * 256 + bytes[at + 1]) * 2 ** 32 +
    (((bytes[at + 2] << 24) | (bytes[at + 3] << 16) | (bytes[at + 4] << 8) | bytes[at + 5]) >>> 0)
  );
}
