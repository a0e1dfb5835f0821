/**
 * The guest of `npm run up`: Debian's kernel, busybox, a disk of its own and a network. It boots in seconds and is small,
 * but a Linux like any other: what it serves lies on its disk, and a shell waits on its console.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buildInitramfs, type GuestImages } from '@godwit/images';

/** TCP port in the guest. */
export const HTTP_PORT = 80;
export const DISK_BYTES = 64 * 2 ** 20;
const MODULES = '/lib/godwit';

const INIT = `#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=linux
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /srv
mount -t devpts devpts /dev/pts
mount -t tmpfs tmp /tmp
for word in $(cat /proc/cmdline); do
  case $word in godwit.name=*) hostname \${word#godwit.name=} ;; esac
done
for module in $(cat ${MODULES}/order); do insmod ${MODULES}/$module || echo "module $module: failed"; done

# The disk is empty when the VM is new. An unclean end is mended by nothing but writing little.
mount -t ext4 /dev/vda /srv 2>/dev/null || { mke2fs -L data /dev/vda >/dev/null && mount -t ext4 /dev/vda /srv; }
boots=$(($(cat /srv/boots 2>/dev/null || echo 0) + 1))
echo $boots > /srv/boots
mkdir -p /srv/www/cgi-bin
cp /etc/godwit/now /srv/www/cgi-bin/now
echo "$(hostname) is a Debian kernel, translated; this page lies on its disk, which it has booted from $boots times." > /srv/www/index.html
sync

ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -s /etc/godwit/dhcp -b -q -t 20 -T 1 -x hostname:$(hostname) >/dev/null 2>&1
httpd -p ${HTTP_PORT} -h /srv/www

# The power button, as \`godwit vm stop\` presses it.
acpid -d -c /etc/acpi -a /etc/acpi/map -M /etc/acpi/map >/dev/null 2>&1 &
while :; do date +%s >> /srv/alive; sync; sleep 5; done &

echo "$(hostname) is up; it has booted $boots times from its disk. Ctrl-] leaves this console."
while :; do setsid cttyhack sh -l; done
`;

/** Called by udhcpc with what the network's DHCP server says. */
const DHCP = `#!/bin/sh
case $1 in
  bound|renew)
    ip addr flush dev $interface
    ip addr add $ip/$mask dev $interface
    [ -n "$router" ] && ip route add default via \${router%% *} dev $interface
    for server in $dns; do echo nameserver $server; done > /etc/resolv.conf
    ;;
esac
`;

const NOW = `#!/bin/sh
read uptime idle < /proc/uptime
printf 'Content-Type: text/plain\\r\\nCache-Control: no-store\\r\\n\\r\\n'
echo "$(hostname) has been up for $uptime s without a break; on its disk stand $(wc -l < /srv/alive) signs of life"
`;

/** The whole root file system, as an initramfs. */
export function guestInitramfs(images: GuestImages): Buffer {
  const modules = images.modules686.map((file) => ({ path: `${MODULES}/${path.basename(file)}`, data: readFileSync(file) }));
  return buildInitramfs({
    busybox: images.busybox,
    files: [
      ...modules,
      { path: `${MODULES}/order`, data: `${images.modules686.map((file) => path.basename(file)).join('\n')}\n` },
      { path: '/init', data: INIT, mode: 0o755 },
      { path: '/etc/godwit/dhcp', data: DHCP, mode: 0o755 },
      { path: '/etc/godwit/now', data: NOW, mode: 0o755 },
      { path: '/etc/acpi/PWRF/00000080', data: '#!/bin/sh\nsync\npoweroff -f\n', mode: 0o755 },
      { path: '/etc/profile', data: "PS1='root@\\h:\\w# '\n" },
    ],
  });
}

export const commandLine = (name: string): string => `console=ttyS0 quiet godwit.name=${name}`;
