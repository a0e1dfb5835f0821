import type { HostFacts, Offer, TargetVmmPort } from '@godwit/migration';
import { REHEARSAL_MS } from '../limits';
import { Vm, type VmSpec } from '../vm';
import { rehearse } from './rehearsal';
import { decodeState } from './state-bytes';

/** How often a network is told where the VM is now: switches and neighbours may miss the first. */
const ANNOUNCE_AT_MS = [50, 150, 300, 600, 1000];

export interface TargetPorts {
  facts(): HostFacts;
  /** The VM as this host would make it for that offer. @throws Error in one line when it cannot. */
  specFor(offer: Offer): VmSpec;
  /** The VM is there and runs, or will: for the console and whoever else cares. */
  onVm(vm: Vm, offer: Offer): void;
}

async function end(vm: Vm): Promise<void> {
  vm.stop();
  await vm.ended.catch(() => {});
}

/** What of a machine that was put together beforehand is not as the offer wants it. */
function differences(has: VmSpec, wanted: VmSpec): string[] {
  const features = (spec: VmSpec): string => [...spec.features].sort().join();
  const macs = (spec: VmSpec): string => (spec.nics ?? []).map(({ mac }) => mac.join()).join(';');
  return [...(features(has) === features(wanted) ? [] : ['CPU features']), ...(macs(has) === macs(wanted) ? [] : ['network addresses'])];
}

/** A VM that is on its way to this process. */
export class TargetVmm implements TargetVmmPort {
  private vm: Vm | undefined;
  private readonly timers: NodeJS.Timeout[] = [];
  private tookDisks = false;
  private reserving = false;
  private prepared: Promise<void> | undefined;

  constructor(private readonly ports: TargetPorts) {}

  facts(): HostFacts {
    return this.ports.facts();
  }

  /**
   * Puts the VM together before there is an offer: threads, memory, images, network, compiled
   * code. What comes then must be for this very machine.
   * @throws Error in one line when this host cannot hold it
   */
  prepare(spec: VmSpec): Promise<void> {
    this.prepared = this.put(spec).then(async () => void (await this.vm?.rehearse(REHEARSAL_MS)));
    return this.prepared;
  }

  private async put(spec: VmSpec): Promise<void> {
    const vm = new Vm({ ...spec, waitForState: true, incoming: true });
    this.vm = vm;
    this.reserving = true;
    try {
      await vm.start();
      if (this.vm === vm) await rehearse(vm);
      if (this.vm !== vm) throw new Error('it was given up while it was being reserved');
    } catch (error) {
      await end(vm);
      throw error;
    } finally {
      this.reserving = false;
    }
  }

  async reserve(offer: Offer): Promise<{ ram: Uint8Array }> {
    const spec = this.ports.specFor(offer);
    // Nothing of the VM that comes may be written while another guest runs there.
    if (this.prepared) await this.prepared;
    else await this.put(spec);
    const vm = this.reserved();
    const missing = differences(vm.spec, spec);
    if (missing.length > 0) throw new Error(`the VM was started with other settings than it has here: ${missing.join(', ')}: start it anew, or let it move before its settings are changed`);
    const ram = vm.ram();
    if (ram.length !== offer.vm.memoryBytes) throw new Error(`the VM has ${offer.vm.memoryBytes} bytes of memory, here it would get ${ram.length}`);
    this.ports.onVm(vm, offer);
    return { ram };
  }

  beforeWrite(firstPage: number, pages: number): void {
    this.vm?.noteArrival(firstPage, pages);
  }

  warm(hints: Uint8Array): void {
    this.vm?.warm(hints.slice());
  }

  pausing(): void {
    this.vm?.holdWarm();
  }

  async restore(state: Uint8Array): Promise<void> {
    await this.reserved().restore(decodeState(state));
  }

  async start({ userPaused }: { userPaused: boolean }): Promise<void> {
    const vm = this.reserved();
    if (!this.tookDisks) await vm.takeDisks();
    this.tookDisks = true;
    if (userPaused) vm.pause('operator');
    // Before it runs: the first frame for it is not to go to where it was.
    vm.announce();
    vm.resume('restore');
  }

  deliver(frames: Uint8Array): void {
    this.vm?.giveFrames(frames.slice());
  }

  async announce(): Promise<void> {
    const vm = this.reserved();
    for (const ms of ANNOUNCE_AT_MS) this.timers.push(setTimeout(() => vm.announce(), ms).unref());
  }

  async discard(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    const { vm } = this;
    this.vm = undefined;
    // One that is being put together has no thread to be stopped yet: `reserve` ends it.
    if (vm && !this.reserving) await end(vm);
  }

  private reserved(): Vm {
    if (!this.vm) throw new Error('no VM is reserved here');
    return this.vm;
  }
}
