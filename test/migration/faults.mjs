/**
 * Faults at every named point of a migration, between real processes with a real guest:
 * kill -9, SIGSTOP and cancel on either end as each phase begins. After each: exactly one
 * copy runs, or any host can start the VM without an unlock; every write that the guest
 * saw acknowledged is there; nothing is left over.
 *
 *   node test/migration/faults.mjs [--only source:final:kill,…] [--from N]
 */
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { createVm, openStore, VmmProcess } from '../support/vmms.mjs';
import { checkFileSystem, debianFiles, freePort, Scratch, ssh, untilHttp } from '../state/debian.mjs';

const require = createRequire(import.meta.url);
const { SOURCE_PHASES, TARGET_PHASES } = require('../../packages/migration');
const { startUsernet } = require('../../packages/network');

/** Phases that a migration does not come through by itself. `uncertain`: the storage must hang meanwhile (test/storage). */
const NOT_PASSED = { source: ['checking', 'uncertain', 'recovering', 'ended'], target: ['waiting', 'discarding', 'ended'] };
const TABLES = { source: SOURCE_PHASES, target: TARGET_PHASES };
const WHAT = ['kill', 'stop', 'cancel'];
/** A dead owner is waited out: lease, clock error, slack (packages/lease/src/limits.ts). */
const TAKEOVER_MS = 30_000;

/** [{ end, phase, what }]: every combination. */
export const allCases = Object.entries(TABLES).flatMap(([end, phases]) =>
  Object.keys(phases).filter((phase) => !NOT_PASSED[end].includes(phase)).flatMap((phase) => WHAT.map((what) => ({ end, phase, what }))));
export const nameOf = ({ end, phase, what }) => `${end}:${phase}:${what}`;

const WRITER = `n=$(cat /root/seq 2>/dev/null || echo 0)
while :; do n=$((n+1)); echo $n > /root/seq.new; sync /root/seq.new; mv /root/seq.new /root/seq; sync /root; echo "ack $n" > /dev/ttyS0; done`;

export class FaultRun {
  hosts = [];
  acks = [];
  serial = 0;
  last = 0;

  static async create(log = () => {}) {
    const run = new FaultRun();
    run.log = log;
    run.files = await debianFiles(log);
    run.scratch = new Scratch();
    mkdirSync(run.scratch.path('store'));
    const store = await openStore(run.scratch.path('store'));
    const { diskFile } = await createVm(store, { name: 'web', ...run.files, append: `${run.files.kernelParameters} quiet`, network: 'lan' });
    run.disk = diskFile;
    await store.close();
    [run.sshPort, run.httpPort] = [await freePort(), await freePort()];
    run.usernet = await startUsernet({ socket: run.scratch.path('net'), control: run.scratch.path('control'), forwards: [`tcp::${run.sshPort}-22`, `tcp::${run.httpPort}-80`] });
    run.current = await run.boot();
    return run;
  }

  process(mode, fault) {
    const host = `host${this.serial++}`;
    const order = { folder: this.scratch.folder, store: this.scratch.path('store'), vm: 'web', networks: { lan: { kind: 'user', socket: this.usernet.config.socket } }, host, mode };
    const vmm = new VmmProcess({ ...order, env: fault ? { GODWIT_FAULT: fault } : {} });
    this.hosts.push(vmm);
    return vmm;
  }

  /** Starts the VM from its disk, waiting out a dead owner, and the writer in it. */
  async boot() {
    this.bootEpoch = this.serial;
    const vmm = this.process('start', this.nextFault);
    await vmm.until(({ vm }) => vm.state === 'VM_STATE_RUNNING', 'start the VM', TAKEOVER_MS);
    this.listen(vmm);
    await untilHttp(this.httpPort, 120_000);
    const seq = Number((await ssh(this.files, this.sshPort, 'cat /root/seq 2>/dev/null || echo 0')).trim());
    if (seq < this.last) throw new Error(`a write that the guest saw acknowledged is gone: ${seq} on disk, ${this.last} acknowledged`);
    await ssh(this.files, this.sshPort, 'cat > /root/writer.sh', { input: WRITER });
    await ssh(this.files, this.sshPort, 'setsid sh /root/writer.sh > /dev/null 2>&1 < /dev/null &');
    return vmm;
  }

  /** Notes what the guest acknowledges, and where. */
  listen(vmm) {
    let text = '';
    vmm.stopListening?.();
    const epoch = this.bootEpoch;
    const { stop } = vmm.console((piece) => {
      text += piece;
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n')) {
        const [, n] = /ack (\d+)\r?$/.exec(text.slice(0, at)) ?? [];
        text = text.slice(at + 1);
        if (n === undefined) continue;
        this.acks.push({ n: Number(n), host: vmm.host, epoch });
        this.last = Math.max(this.last, Number(n));
      }
    });
    vmm.stopListening = stop;
  }

  async progress(limitMs = 60_000) {
    const from = this.last;
    for (const limit = Date.now() + limitMs; this.last <= from + 2; await sleep(20)) if (Date.now() > limit) throw new Error(`the guest does not go on: ${this.hosts.map((host) => `${host.host}: ${host.dead ? 'dead' : 'alive'} ${host.log.slice(-400)}`).join('\n')}`);
  }

  /** One case; what was found wrong is thrown. → one line of what became of the VM */
  async play({ end, phase, what }) {
    const began = Date.now();
    await this.fresh(end === 'source' ? `source:${phase}:${what}` : undefined);
    const source = this.current;
    const target = this.process('incoming', end === 'target' ? `target:${phase}:${what}` : undefined);
    await target.untilWaiting();
    this.listen(target);
    const victim = end === 'source' ? source : target;
    const moving = source.migrateTo(target).then((record) => record, (error) => ({ outcome: 'unknown', line: error.message }));
    const record = await Promise.race([moving, sleep(what === 'stop' ? 4_000 : 90_000).then(() => ({ outcome: 'open' }))]);
    const owner = await this.settle(source, target, victim, what);
    if (what === 'stop') {
      victim.kill('SIGCONT');
      await Promise.race([moving, sleep(40_000)]);
    }
    await this.one(owner, [source, target]);
    await this.progress();
    return `${record.outcome}: the VM ${owner === source ? 'stayed' : owner === target ? 'moved' : 'was started anew'} (${((Date.now() - began) / 1000).toFixed(0)} s; ${(record.line ?? '').slice(0, 100)})`;
  }

  /** A source whose fault point is set: the environment is read when a process begins, so the VM moves there first. */
  async fresh(fault) {
    if (!fault) return;
    const next = this.process('incoming', fault);
    await next.untilWaiting();
    this.listen(next);
    const record = await this.current.migrateTo(next);
    if (record.outcome !== 'completed') throw new Error(`the move before the case: ${record.line}`);
    await this.current.exited;
    this.current = next;
  }

  /** Who has the VM in the end; a VM that nobody runs is started by a third. */
  async settle(source, target, victim, what) {
    const limit = Date.now() + TAKEOVER_MS;
    for (;;) {
      const running = [];
      for (const one of [source, target]) {
        if (one.dead || (one === victim && what === 'stop')) continue;
        const status = await one.status().catch(() => undefined);
        if (status?.vm.state === 'VM_STATE_RUNNING') running.push(one);
      }
      if (running.length > 1) throw new Error('two copies say that they run');
      if (running.length === 1) return (this.current = running[0]);
      const open = [source, target].filter((one) => !one.dead && !(one === victim && what === 'stop'));
      // Nobody runs it: any other host may, without anything being unlocked.
      if (open.length === 0 || Date.now() > limit) return (this.current = await this.boot());
      await sleep(100);
    }
  }

  /** The others end by themselves, and nobody acknowledges what another has. */
  async one(owner, all) {
    for (const other of all.filter((one) => one !== owner)) {
      const left = await Promise.race([other.exited.then(() => true), sleep(TAKEOVER_MS).then(() => false)]);
      if (!left) throw new Error(`${other.host} is left over: ${JSON.stringify(await other.status().catch((error) => error.message))} ${other.log.slice(-1500)}`);
    }
    const seen = new Map();
    for (const { n, host, epoch } of this.acks) {
      const key = `${epoch} ${n}`;
      if (seen.has(key) && seen.get(key) !== host) throw new Error(`write ${n} was acknowledged on ${seen.get(key)} and on ${host}: two copies ran`);
      seen.set(key, host);
    }
  }

  async finish() {
    await ssh(this.files, this.sshPort, 'poweroff').catch(() => {});
    await Promise.race([this.current.exited, sleep(60_000)]);
    return checkFileSystem(this.disk);
  }

  async remove() {
    for (const host of this.hosts) await host.remove();
    await this.usernet?.stop();
    this.scratch.remove();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { only: { type: 'string' }, from: { type: 'string', default: '0' } } });
  const wanted = values.only?.split(',');
  const cases = allCases.filter((one) => !wanted || wanted.some((name) => nameOf(one).startsWith(name))).slice(Number(values.from));
  let failed = 0;
  let run = await FaultRun.create(console.log);
  for (const [index, one] of cases.entries()) {
    try {
      console.log(`${index} ${nameOf(one)}: ${await run.play(one)}`);
    } catch (error) {
      failed++;
      console.log(`${index} ${nameOf(one)}: FAILED ${error.message}`);
      await run.remove();
      run = await FaultRun.create();
    }
  }
  console.log(await run.finish());
  await run.remove();
  console.log(`${cases.length} cases, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
