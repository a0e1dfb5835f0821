/**
 * One VM whose guest writes numbers to its disk, one after another, and says each that the disk has acknowledged:
 * on processes of several hosts, for tests of what becomes of it when something is cut off in the midst of a move.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { images } from '../../boot/guest';
import { allowedFeatures, createVm, openStore, VmmProcess } from '../../support/vmms.mjs';

type Vmm = InstanceType<typeof VmmProcess>;
/** Where processes run: a network namespace with its address and certificates, or simply here. */
export interface Place {
  readonly space?: { readonly address: string };
  readonly tls?: string;
}

const DISK_BYTES = 1 << 20;
const WRITES = [
  'while [ ! -b /dev/vda ]; do sleep 0.1; done',
  'n=$(dd if=/dev/vda bs=512 count=1 2>/dev/null | tr -cd 0-9)',
  'n=$((n+0)); echo disk $n',
  "while :; do n=$((n+1)); printf '%-511s\\n' $n | dd of=/dev/vda bs=512 count=1 conv=notrunc,fsync 2>/dev/null && echo ack $n; done",
].join('; ');
/** A dead owner is waited out: lease, clock error, slack (packages/lease/src/limits.ts). */
const SETTLE_MS = 60_000;

export class CountingVm {
  readonly processes: Vmm[] = [];
  private readonly acks: { n: number; vmm: Vmm; life: number }[] = [];
  private serial = 0;
  /** Counts up with each boot: the same number may be written again after a crash. */
  private life = 0;

  private constructor(
    /** Of its own, for whatever a test needs. */
    readonly folder: string,
    private readonly store: string,
  ) {}

  /** @param where a datastore's folder or nfs:// address, empty yet; left out: a folder here. `shown`: where its files are seen from here */
  static async create(where?: { readonly url: string; readonly shown: string }): Promise<CountingVm> {
    const folder = mkdtempSync(path.join(tmpdir(), 'godwit-counting-'));
    const store = where?.url ?? path.join(folder, 'store');
    if (!where) mkdirSync(store);
    const { buildInitramfs, runParameter } = await import('@godwit/images');
    const { kernel686, modules686, busybox } = await images();
    const initrd = path.join(folder, 'initrd.gz');
    const modules = modules686.map((file) => ({ path: `/modules/${path.basename(file)}`, data: readFileSync(file) }));
    writeFileSync(initrd, buildInitramfs({ busybox, files: modules }));
    const datastore = await openStore(store);
    const load = modules686.map((file) => `insmod /modules/${path.basename(file)}`).filter((line) => /virtio/.test(line)).join('; ');
    const append = `console=ttyS0 quiet ${runParameter(`${load}; ${WRITES}`)}`;
    const disk = path.join(folder, 'disk.raw');
    writeFileSync(disk, Buffer.alloc(DISK_BYTES));
    await createVm(datastore, {
      ...{ name: 'shop', kernel: kernel686, initrd, append, disk, memoryMiB: 96, features: allowedFeatures(), network: undefined },
      shown: where?.shown ?? store,
    });
    await datastore.close();
    return new CountingVm(folder, store);
  }

  begin(host: string, mode: 'start' | 'incoming', place: Place = {}, fault = ''): Vmm {
    const { space, tls } = place;
    const process = new VmmProcess({
      ...{ folder: this.folder, store: this.store, vm: 'shop', host: `${host}${this.serial++}`, mode, space, tls, env: { GODWIT_FAULT: fault } },
      ...(space ? { listen: { host: space.address, port: 0 } } : {}),
    });
    this.processes.push(process);
    return process;
  }

  /** Starts it from its disk. @throws when a write is gone that the guest saw acknowledged */
  async boot(host: string, place?: Place, fault?: string): Promise<Vmm> {
    const before = this.last;
    const vmm = this.begin(host, 'start', place, fault);
    await vmm.until(({ vm }: { vm: { state: string } }) => vm.state === 'VM_STATE_RUNNING', 'run the VM', SETTLE_MS);
    this.life++;
    const found = Number((await this.listen(vmm, /disk (\d+)\r?\n/))[1]);
    if (found < before) throw new Error(`a write that the guest saw acknowledged is gone: ${found} is on the disk, ${before} was acknowledged`);
    return vmm;
  }

  async wait(host: string, place?: Place, fault?: string): Promise<Vmm> {
    const vmm = this.begin(host, 'incoming', place, fault);
    await vmm.untilWaiting();
    void this.listen(vmm);
    return vmm;
  }

  get last(): number {
    return this.acks.reduce((most, { n }) => Math.max(most, n), 0);
  }

  /** Three more numbers come from there. */
  async goesOn(vmm: Vmm): Promise<void> {
    const from = this.acks.length;
    await within(SETTLE_MS, () => this.acks.slice(from).filter((ack) => ack.vmm === vmm).length >= 3, () => `the guest does not go on at ${vmm.host}: ${vmm.log.slice(-1_000)}`);
  }

  /** The one of them that runs the VM, or a new one when none does; the others have ended by themselves. */
  async settled(all: readonly Vmm[], place: Place = {}): Promise<Vmm> {
    let owner: Vmm | undefined;
    await within(SETTLE_MS, async () => {
      const states = await Promise.all(all.map(async (vmm) => (vmm.dead ? 'dead' : (await vmm.status().catch(() => undefined))?.vm.state ?? 'silent')));
      const running = all.filter((_, index) => states[index] === 'VM_STATE_RUNNING');
      if (running.length > 1) throw new Error('two copies say that they run');
      [owner] = running;
      return owner !== undefined || states.every((state) => state === 'dead');
    }, () => `nobody runs the VM:\n${all.map((vmm) => `${vmm.host} ${vmm.dead ? 'dead' : 'alive'}: ${vmm.log.slice(-1_000)}`).join('\n')}`);
    owner ??= await this.boot('third', place);
    await this.goesOn(owner);
    for (const other of all) if (other !== owner) await within(SETTLE_MS, () => other.dead, () => `${other.host} is left over: ${other.log.slice(-1_000)}`);
    const who = new Map<string, Vmm>();
    for (const { n, vmm, life } of this.acks) {
      const before = who.get(`${life} ${n}`);
      if (before && before !== vmm) throw new Error(`write ${n} was acknowledged at ${before.host} and at ${vmm.host}: two copies ran`);
      who.set(`${life} ${n}`, vmm);
    }
    return owner;
  }

  /** Ends the VM, so that the next case begins anew. */
  async end(vmm: Vmm): Promise<void> {
    await vmm.client.powerOff({});
    await vmm.exited;
  }

  async remove(): Promise<void> {
    for (const process of this.processes) await process.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Notes all that it acknowledges; resolves with what was `wanted`. */
  private listen(vmm: Vmm, wanted?: RegExp): Promise<RegExpExecArray> {
    const { life } = this;
    return new Promise((resolve, reject) => {
      let text = '';
      const timer = setTimeout(() => reject(new Error(`${String(wanted)} was not shown: ${text}`)), SETTLE_MS);
      if (!wanted) clearTimeout(timer);
      vmm.console((more: string) => {
        text += more;
        const found = wanted?.exec(text);
        if (found) {
          clearTimeout(timer);
          resolve(found);
        }
        for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n')) {
          const [, n] = /^ack (\d+)\r?$/.exec(text.slice(0, at)) ?? [];
          text = text.slice(at + 1);
          if (n !== undefined) this.acks.push({ n: Number(n), vmm, life });
        }
      });
    });
  }
}

/** It has stopped itself where its fault point is. */
export const stopped = (vmm: Vmm): boolean => !vmm.dead && / [Tt] /.test(readFileSync(`/proc/${vmm.pid}/stat`, 'utf8').replace(/\(.*\)/, ''));

export async function within(limitMs: number, holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  for (const limit = Date.now() + limitMs; !(await holds()); await sleep(20)) if (Date.now() > limit) throw new Error(what());
}
