/**
 * Godwit's side of the benchmark: a VM in a datastore, each host a `godwit vmm` process, moved
 * over its control socket. The interface that qemu-side.mjs has, too:
 *
 *   start(rig, spec) → VM        spec: { name, kernel, initrd, append, megabytes, nic }
 *   vm.onText(act), vm.type(text)            serial line, wherever the VM is
 *   vm.move({ limitMs }) → move              never rejects for a migration that did not succeed
 *   vm.pids() → of the VMMs there are now    vm.stop()
 *
 * A move: { outcome, line, switched: { from, to }, totalMs, pauseMs, parts, rounds, bytes: { wire, … }, pages: { zero, … } }.
 */
import { mkdirSync } from 'node:fs';
import { nowMs } from './series.mjs';
import { allowedFeatures, createVm, openStore, VmmProcess } from '../../support/vmms.mjs';

export const godwit = { name: 'godwit', start: (rig, spec, options) => GodwitVm.start(rig, spec, options) };

let serial = 0;

class GodwitVm {
  listeners = [];
  hosts = 0;
  /** Those that have not been removed. */
  all = new Set();

  /** @param options { nodeArgs(mode), env, settings }: for each process, for each move */
  static async start(rig, spec, options = {}) {
    const vm = new GodwitVm();
    Object.assign(vm, { rig, spec, options, name: `${spec.name}${serial++}` });
    vm.store = rig.path(`store-${vm.name}`);
    mkdirSync(vm.store);
    const store = await openStore(vm.store);
    await createVm(store, { name: vm.name, kernel: spec.kernel, initrd: spec.initrd, append: spec.append, memoryMiB: spec.megabytes, features: allowedFeatures(), network: spec.nic ? 'lan' : undefined });
    await store.close();
    vm.current = vm.process('start');
    await vm.current.untilRunning();
    vm.listen(vm.current);
    return vm;
  }

  process(mode) {
    const { rig, store, name, options } = this;
    const nodeArgs = options.nodeArgs?.(mode) ?? [];
    const vmm = new VmmProcess({ folder: rig.folder, store, vm: name, host: `${name}-h${this.hosts++}`, mode, space: rig.host, networks: { lan: { kind: 'bridge', bridge: 'br0' } }, nodeArgs, env: options.env });
    rig.adopt(vmm.child);
    this.all.add(vmm);
    return vmm;
  }

  listen(vmm) {
    vmm.line = vmm.console((text) => {
      for (const listener of this.listeners) listener(text);
    });
  }

  onText(act) {
    this.listeners.push(act);
  }
  type(text) {
    this.current.line.type(text);
  }
  pids() {
    return [this.current, this.target].filter(Boolean).map(({ pid }) => pid);
  }
  get log() {
    return this.current.log;
  }

  /** A waiting process on the target, as an agent would have it started beforehand: not part of the move's time. */
  async prepare() {
    this.target = this.process('incoming');
    await this.target.untilWaiting();
  }

  async move({ limitMs }) {
    if (!this.target) await this.prepare();
    const { current: source, target } = this;
    this.target = undefined;
    this.listen(target);
    let running;
    const timer = setTimeout(() => source.client.cancelMigration({ migrationId: running, why: `not done within ${limitMs} ms` }).catch(() => {}), limitMs);
    try {
      const record = await source.migrateTo(target, { settings: this.options.settings, onRecord: ({ migrationId }) => (running = migrationId) });
      if (record.outcome === 'completed') {
        this.current = target;
        await source.exited;
        await this.remove(source);
      } else await this.remove(target);
      return moveOf(record);
    } catch (error) {
      await this.remove(target);
      return { outcome: 'failed', line: error.message };
    } finally {
      clearTimeout(timer);
    }
  }

  async remove(vmm) {
    vmm.line?.stop();
    this.all.delete(vmm);
    await vmm.remove();
  }

  async stop() {
    this.current.line?.stop();
    for (const vmm of this.all) await vmm.remove();
  }
}

/** From pause to start, on the clock of nowMs: the record has the wall's. */
function switchOf({ startedAtMs, setupMs, precopyMs, pauseMs }) {
  if (typeof pauseMs !== 'number') return undefined;
  const from = Number(startedAtMs) + nowMs() - Date.now() + setupMs + precopyMs;
  return { from, to: from + pauseMs };
}

function moveOf(record) {
  const { outcome, line, totalMs, setupMs, precopyMs, pauseMs, pause, roundCount, rounds, counts, stalls, retreats, predictedPauseMs } = record;
  return {
    switched: switchOf(record),
    outcome, line, totalMs, setupMs, precopyMs, pauseMs, predictedPauseMs, stalls, retreats,
    parts: Object.fromEntries(Object.entries(pause ?? {}).filter(([, ms]) => typeof ms === 'number').map(([part, ms]) => [part.replace(/Ms$/, ''), ms])),
    rounds: roundCount + 1,
    throttlePercent: Math.max(0, ...rounds.map(({ throttlePercent }) => throttlePercent)),
    bytes: { wire: counts.wireBytes, raw: counts.rawBytes, packed: counts.packedBytes, delta: counts.deltaBytes, state: counts.stateBytes },
    pages: { zero: counts.zeroPages, fill: counts.fillPages, raw: counts.rawPages, packed: counts.packedPages, delta: counts.deltaPages, unchanged: counts.unchangedPages, skipped: counts.skippedPages },
    history: rounds,
  };
}
