/** What the Debian disk holds, and what of it is left out. */

/** apt patterns: a system that dpkg itself can work in. */
export const BASE_PATTERNS = ['?essential', '?priority(required)'];

/** Beyond the base; their dependencies come along, recommendations do not. */
export const PACKAGES = [
  // Otherwise usrmerge is taken, which brings perl.
  'usr-is-merged',
  'apt',
  'linux-image-686',
  'initramfs-tools',
  'lz4',
  'grub-pc-bin',
  'grub2-common',
  'systemd-sysv',
  'systemd-resolved',
  'dbus',
  'udev',
  'kmod',
  'e2fsprogs',
  'iproute2',
  'iputils-ping',
  'ca-certificates',
  'openssh-server',
  'busybox',
  'sqlite3',
  'fio',
  'iperf3',
  'procps',
];

/**
 * Documentation, translations, and drivers of hardware that no VM here has: two thirds
 * of the system's size, and of the time it takes to unpack.
 */
export const LEFT_OUT = [
  '/usr/share/man/*',
  '/usr/share/info/*',
  '/usr/share/locale/*',
  ...['amd', 'i915', 'nouveau', 'radeon'].map((driver) => `/lib/modules/*/kernel/drivers/gpu/drm/${driver}/*`),
  ...['bluetooth', 'comedi', 'iio', 'infiniband', 'isdn', 'leds', 'media', 'mtd', 'nfc', 'staging'].map(
    (subsystem) => `/lib/modules/*/kernel/drivers/${subsystem}/*`,
  ),
  ...['can', 'ieee802154', 'usb', 'wan', 'wireless', 'wwan'].map((kind) => `/lib/modules/*/kernel/drivers/net/${kind}/*`),
  ...['bluetooth', 'can', 'mac80211', 'wireless', 'nfc'].map((protocol) => `/lib/modules/*/kernel/net/${protocol}/*`),
  '/lib/modules/*/kernel/sound/*',
];

/** Units that a short-lived guest has no use for, or that only slow its boot. */
export const MASKED_UNITS = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  // A VM without a network adapter would wait two minutes for it.
  'systemd-networkd-wait-online.service',
];
