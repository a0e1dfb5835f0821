/** The files that make a bare Debian a guest that can be reached: see docs of each below. */
import type { InitramfsFile } from './initramfs';

/** The root file system is found by this, whatever adapter the disk hangs on. */
export const ROOT_LABEL = 'godwit-root';
export const HOST_NAME = 'godwit';
/** The system is made for tests and first steps: its password is no secret. */
export const ROOT_PASSWORD = 'godwit';

/** Kernel parameters besides the root file system; the last console is the one that init writes to. */
export const KERNEL_PARAMETERS = `root=LABEL=${ROOT_LABEL} ro console=tty0 console=ttyS0,115200`;

/** Folder of the image, as the build sees it, from which the host takes files; gone in the end. */
export const EXPORT_FOLDER = '/godwit-export';

const INITRAMFS_MODULES = [
  ...['virtio_pci', 'virtio_blk', 'ata_piix', 'ahci', 'sd_mod', 'sr_mod'],
  // metadata_csum of ext4 asks the crypto layer for crc32c by name, which no dependency shows.
  ...['ext4', 'crc32c_generic'],
];

const GRUB_MODULES = 'biosdisk part_msdos ext2 normal configfile linux boot serial terminal echo test ls reboot halt';

const NETWORK = `# Any Ethernet adapter, by whatever name.
[Match]
Type=ether

[Network]
DHCP=yes

[DHCPv4]
# The host tells guests apart by their adapters, and a clone gets an address of its own.
ClientIdentifier=mac
`;

const WEB_SERVER = `[Unit]
Description=Web server (busybox httpd)
After=network.target

[Service]
ExecStart=/bin/busybox httpd -f -p 80 -h /srv/www
Restart=on-failure

[Install]
WantedBy=multi-user.target
`;

const GRUB_CONFIG = `serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=1
menuentry 'Debian' {
  linux /vmlinuz ${KERNEL_PARAMETERS}
  initrd /initrd.img
}
`;

const SOURCES = ['bookworm', 'bookworm-updates']
  .map((suite) => `deb http://deb.debian.org/debian ${suite} main\n`)
  .concat('deb http://deb.debian.org/debian-security bookworm-security main\n')
  .join('');

/** Wanted before the packages are installed: the initrd is made while the kernel is. */
export const EARLY_FILES: InitramfsFile[] = [
  // lz4 unpacks fastest, and a small initrd boots fastest.
  { path: '/etc/initramfs-tools/conf.d/godwit', data: 'MODULES=list\nCOMPRESS=lz4\nRESUME=none\n' },
  {
    path: '/etc/initramfs-tools/hooks/godwit',
    data: `#!/bin/sh\n[ "$1" = prereqs ] && exit 0\n. /usr/share/initramfs-tools/hook-functions\nmanual_add_modules ${INITRAMFS_MODULES.join(' ')}\n`,
    mode: 0o755,
  },
];

/** Wanted in the finished system. */
export const DEBIAN_FILES: InitramfsFile[] = [
  { path: '/etc/fstab', data: `LABEL=${ROOT_LABEL} / ext4 errors=remount-ro 0 1\n` },
  { path: '/etc/hostname', data: `${HOST_NAME}\n` },
  { path: '/etc/hosts', data: `127.0.0.1 localhost\n127.0.1.1 ${HOST_NAME}\n::1 localhost\n` },
  { path: '/etc/apt/sources.list', data: SOURCES },
  { path: '/etc/systemd/network/10-ethernet.network', data: NETWORK },
  { path: '/etc/systemd/system/web.service', data: WEB_SERVER },
  { path: '/etc/ssh/sshd_config.d/godwit.conf', data: 'PermitRootLogin yes\nUseDNS no\n' },
  { path: '/srv/www/index.html', data: '<!doctype html>\n<title>godwit</title>\n<p>It flies.</p>\n' },
  { path: '/boot/grub/grub.cfg', data: GRUB_CONFIG },
];

/** Runs as the build's last step, in a shell of the new system. @param masked systemd units */
export function finishScript(masked: readonly string[]): string {
  return `set -e
echo 'root:${ROOT_PASSWORD}' | chpasswd
systemctl enable --quiet systemd-networkd systemd-resolved ssh web
systemctl mask --quiet ${masked.join(' ')}
ln -sf /run/systemd/resolve/resolv.conf /etc/resolv.conf
ssh-keygen -A >/dev/null
mkdir -m 700 ${EXPORT_FOLDER}
mkdir -p -m 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -C godwit -f ${EXPORT_FOLDER}/id_ed25519
mv ${EXPORT_FOLDER}/id_ed25519.pub /root/.ssh/authorized_keys
grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o ${EXPORT_FOLDER}/core.img ${GRUB_MODULES}
cp /usr/lib/grub/i386-pc/boot.img ${EXPORT_FOLDER}/boot.img
cp /boot/vmlinuz-* ${EXPORT_FOLDER}/vmlinuz
cp /boot/initrd.img-* ${EXPORT_FOLDER}/initrd.img
`;
}
