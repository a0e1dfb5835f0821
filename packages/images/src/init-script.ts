/**
 * /init of the guest: the first and only boot script.
 *
 *   godwit: init started uptime=1.23       kernel and initramfs work
 *   godwit: run started uptime=1.25        only with godwit.run=…
 *   godwit: run ended status=0 uptime=4.56
 *
 * These lines are a contract: tests and benchmarks wait for them on the serial
 * console. Uptime is the guest's own clock, in seconds since its kernel started.
 */

/** Kernel command line parameter that holds the commands to run, in base64. */
export const RUN_PARAMETER = 'godwit.run';

export const INIT_STARTED = 'godwit: init started';
export const RUN_STARTED = 'godwit: run started';
export const RUN_ENDED = 'godwit: run ended';

/**
 * The parameter to append to the kernel command line; the guest runs the commands
 * with sh, prints RUN_ENDED with their exit status, and powers off.
 * @throws RangeError if it cannot fit: Linux takes 2048 bytes in all on x86.
 */
export function runParameter(commands: string): string {
  const parameter = `${RUN_PARAMETER}=${Buffer.from(commands).toString('base64')}`;
  if (parameter.length > LONGEST_PARAMETER) {
    throw new RangeError(`the commands make ${parameter.length} bytes of command line, at most ${LONGEST_PARAMETER} fit: put them in a file`);
  }
  return parameter;
}

/** COMMAND_LINE_SIZE is 2048 on x86; the rest is for console=, panic= and the like. */
const LONGEST_PARAMETER = 1536;

export const INIT_SCRIPT = `#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=linux
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmp /tmp
hostname guest
ip link set lo up 2>/dev/null

uptime_now() { read seconds idle < /proc/uptime; echo "uptime=$seconds"; }

echo "${INIT_STARTED} $(uptime_now)"

commands=
for word in $(cat /proc/cmdline); do
  case $word in ${RUN_PARAMETER}=*) commands=\${word#${RUN_PARAMETER}=} ;; esac
done

cd /root
if [ -n "$commands" ]; then
  echo "$commands" | base64 -d > /tmp/run
  echo "${RUN_STARTED} $(uptime_now)"
  sh /tmp/run
  echo "${RUN_ENDED} status=$? $(uptime_now)"
  poweroff -f
fi

# setsid and cttyhack give the shell a controlling terminal: Ctrl-C and job control work.
# The shell's end is the guest's: nothing else runs here.
setsid cttyhack sh
poweroff -f
`;
