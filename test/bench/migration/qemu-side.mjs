/**
 * The peer: QEMU's translator with the same guest, memory and adapter, moved with QMP's
 * `migrate` over loopback TCP. Interface: see godwit-side.mjs.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from './series.mjs';
import { connected, Qmp } from './qmp.mjs';

/** Asked so often whether it is done, milliseconds; events say it sooner. */
const POLL_MS = 5;
/** Ports below those that the kernel hands out by itself: the namespace is the benchmark's own. */
const FIRST_PORT = 4444;

/** As it comes; and with nothing held back: QEMU's default cap is 128 MiB/s. */
export const qemu = { name: 'qemu', start: (rig, spec) => QemuVm.start(rig, spec, {}) };
export const qemuUncapped = { name: 'qemu-uncapped', start: (rig, spec) => QemuVm.start(rig, spec, { 'max-bandwidth': 10e9 }) };

let serial = 0;

class QemuVm {
  listeners = [];
  /** Those that have not been ended. */
  all = new Set();
  static async start(rig, spec, parameters) {
    const vm = new QemuVm();
    Object.assign(vm, { rig, spec, parameters, mac: `52:54:00:77:00:${(serial++ & 255).toString(16).padStart(2, '0')}` });
    vm.current = await vm.process();
    return vm;
  }

  async process(incoming) {
    const { rig, spec, mac } = this;
    const number = serial++;
    const tap = `qt${number}`;
    const at = (name) => rig.path(`q${number}.${name}`);
    if (spec.nic) await rig.host.sh(`ip tuntap add ${tap} mode tap && ip link set ${tap} master br0 up`);
    const args = [
      '-accel', 'tcg', '-cpu', 'max', '-m', String(spec.megabytes), '-display', 'none', '-no-reboot', '-nodefaults',
      '-serial', `unix:${at('serial')},server=on,wait=off`, '-qmp', `unix:${at('qmp')},server=on,wait=off`,
      '-kernel', spec.kernel, ...(spec.initrd ? ['-initrd', spec.initrd] : []), '-append', spec.append,
      ...(spec.nic ? ['-netdev', `tap,id=n,ifname=${tap},script=no,downscript=no`, '-device', `virtio-net-pci,netdev=n,mac=${mac},romfile=`] : []),
      ...(spec.vga ? ['-vga', 'std'] : ['-vga', 'none']),
      ...(incoming ? ['-incoming', incoming] : []),
    ];
    const child = rig.host.spawn('qemu-system-i386', args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    rig.adopt(child);
    const vmm = { child, tap: spec.nic ? tap : undefined, said: '', ended: new Promise((resolve) => child.once('exit', resolve)) };
    this.all.add(vmm);
    child.stderr.on('data', (data) => (vmm.said += data));
    vmm.serial = await connected(at('serial'));
    vmm.serial.on('error', () => {});
    vmm.serial.setEncoding('latin1').on('data', (text) => {
      for (const listener of this.listeners) listener(text);
    });
    vmm.qmp = await Qmp.connect(at('qmp'));
    return vmm;
  }

  onText(act) {
    this.listeners.push(act);
  }
  type(text) {
    this.current.serial.write(text);
  }
  pids() {
    return [this.current, this.target].filter(Boolean).map(({ child }) => child.pid);
  }
  get log() {
    return this.current.said;
  }

  async prepare() {
    this.uri = `tcp:127.0.0.1:${FIRST_PORT + (serial++ % 20_000)}`;
    this.target = await this.process(this.uri);
  }

  async move({ limitMs }) {
    if (!this.target) await this.prepare();
    const { current: source, target } = this;
    this.target = undefined;
    await source.qmp.do('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] });
    if (Object.keys(this.parameters).length > 0) await source.qmp.do('migrate-set-parameters', this.parameters);
    // By QEMU's own stamps: this process may hear of it late.
    const wallMs = nowMs() - Date.now();
    const switched = { from: Number.NaN };
    source.qmp.on('STOP', (_, at) => (switched.from = at + wallMs));
    const resumed = new Promise((resolve) => target.qmp.once('RESUME', (_, at) => resolve(at + wallMs)));
    const began = nowMs();
    try {
      await source.qmp.do('migrate', { uri: this.uri });
      const info = await this.untilOver(source.qmp, began + limitMs);
      if (info.status !== 'completed') {
        await this.end(target);
        return { ...moveOf(info), outcome: info.status, line: `${info.status}: not done within ${limitMs} ms`, totalMs: nowMs() - began };
      }
      switched.to = await Promise.race([resumed, sleep(5000).then(() => Number.NaN)]);
      this.current = target;
      await this.end(source);
      return { ...moveOf(info), outcome: 'completed', line: 'completed', switched: switched.to > switched.from ? switched : undefined };
    } catch (error) {
      await this.end(target);
      return { outcome: 'failed', line: `${error.message}; the target said: ${target.said.slice(-300)}` };
    }
  }

  /** The last `query-migrate`; one that takes too long is cancelled. */
  async untilOver(qmp, limit) {
    let last = {};
    let cancelled = false;
    let wake;
    const changed = () => wake?.();
    qmp.on('MIGRATION', changed);
    try {
      for (;;) {
        const info = await qmp.do('query-migrate');
        // What it had sent is told while it runs, not once it was cancelled.
        last = info.ram ? info : { ...last, status: info.status };
        // For a moment it is completed, but its times are not there yet.
        const counted = info.status === 'completed' && info['total-time'] > 0;
        if (counted || ['failed', 'cancelled'].includes(info.status)) return last;
        if (!cancelled && nowMs() > limit) {
          cancelled = true;
          await qmp.do('migrate_cancel');
        }
        await Promise.race([sleep(POLL_MS), new Promise((resolve) => (wake = resolve))]);
      }
    } finally {
      qmp.off('MIGRATION', changed);
    }
  }

  async end(vmm) {
    this.all.delete(vmm);
    vmm.qmp?.close();
    vmm.serial?.destroy();
    vmm.child.kill('SIGKILL');
    await vmm.ended;
    if (vmm.tap) await this.rig.host.sh(`ip link del ${vmm.tap}`).catch(() => {});
  }

  async stop() {
    for (const vmm of this.all) await this.end(vmm);
  }
}

function moveOf(info) {
  const { ram = {} } = info;
  return {
    totalMs: info['total-time'], setupMs: info['setup-time'], pauseMs: info.downtime, parts: {},
    rounds: ram['dirty-sync-count'], stalls: 0, throttlePercent: info['cpu-throttle-percentage'] ?? 0,
    bytes: { wire: ram.transferred, raw: ram['normal-bytes'], delta: info['xbzrle-cache']?.bytes ?? 0 },
    pages: { zero: ram.duplicate, raw: ram.normal },
  };
}
