/** What virtio-net offers: feature bits and the layout of its configuration (VIRTIO 1.1, 5.1.3, 5.1.4). */

export const NetFeature = {
  checksum: 0,
  guestChecksum: 1,
  mac: 5,
  guestTso4: 7,
  guestTso6: 8,
  guestEcn: 9,
  hostTso4: 11,
  hostTso6: 12,
  hostEcn: 13,
  mergeBuffers: 15,
  status: 16,
  control: 17,
  controlRx: 18,
  controlVlan: 19,
  controlRxExtra: 20,
  announce: 21,
  controlMac: 23,
} as const;

const { checksum, guestChecksum, guestTso4, guestTso6, guestEcn, hostTso4, hostTso6, hostEcn } = NetFeature;
/** Only where the network finishes what the guest left, and the other way round. */
const OFFLOADS: readonly number[] = [checksum, guestChecksum, guestTso4, guestTso6, guestEcn, hostTso4, hostTso6, hostEcn];

export const netFeatures = (offloads: boolean): number[] => Object.values(NetFeature).filter((bit) => offloads || !OFFLOADS.includes(bit));

export const MAC_BYTES = 6;
/** Offset of the status word's low byte, and its bits. */
export const LINK_STATUS = 6;
export const LINK_UP = 1;
export const LINK_ANNOUNCE = 2;
export const NET_CONFIG_BYTES = 8;
