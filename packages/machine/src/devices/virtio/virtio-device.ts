/**
 * A virtio device as the machine plugs it: the shared core, its PCI function
 * and the kind's own part, with one saved state for all of it. The function's
 * configuration space is saved by PciHost.
 */
import type { AnyDevice } from '../../device';
import type { BusMaster } from '../../ports/bus-master';
import { type Field, StateFormat, StateFormatError } from '../../state-format';
import { type MsiSink, msixState } from '../msix';
import type { PciFunction } from '../pci-function';
import { type Virtqueue } from './virtqueue';
import { coreState, VirtioCore, type VirtioModel } from './virtio-core';
import { VirtioPci } from './virtio-pci';

export interface VirtioOptions {
  /** PCI device number << 3 | function number. */
  readonly slot: number;
  /** Name of the device's section in a snapshot. */
  readonly name: string;
  readonly bus: BusMaster;
  /** Takes message-signalled interrupts; without it the device has its pin only. */
  readonly msi?: MsiSink;
}

/** What a kind of device says of itself. */
export interface VirtioKind<M> {
  /** Virtio device type: 1 network, 2 block. */
  readonly type: number;
  readonly classCode: number;
  readonly version: number;
  readonly queueSizes: readonly number[];
  readonly featureBits: readonly number[];
  readonly config: Uint8Array;
  readonly state: Field<M>;
}

const formatOf = <M>(name: string, version: number, model: Field<M>) =>
  new StateFormat(name, version, { core: coreState, msix: msixState, model: model as Field<unknown> });

export abstract class VirtioDevice<M> implements AnyDevice, VirtioModel {
  readonly name: string;
  readonly queueSizes: readonly number[];
  readonly featureBits: readonly number[];
  readonly config: Uint8Array;
  protected readonly core: VirtioCore;
  protected readonly bus: BusMaster;
  private readonly pci: VirtioPci;
  private readonly format: ReturnType<typeof formatOf<M>>;

  protected constructor(options: VirtioOptions, kind: VirtioKind<M>) {
    this.name = options.name;
    this.bus = options.bus;
    this.queueSizes = kind.queueSizes;
    this.featureBits = kind.featureBits;
    this.config = kind.config;
    this.format = formatOf(options.name, kind.version, kind.state);
    const { slot, msi } = options;
    this.pci = new VirtioPci({ slot, msi, type: kind.type, classCode: kind.classCode, queues: kind.queueSizes.length });
    this.core = new VirtioCore(this, options.bus, this.pci);
    this.pci.attach(this.core);
  }

  /** To be added to the machine's PCI bus. */
  get function(): PciFunction {
    return this.pci.function;
  }

  /** What the guest's driver did wrong, when the device has stopped for it; empty otherwise. */
  get fault(): string {
    return this.core.fault;
  }

  protected queue(index: number): Virtqueue {
    return this.core.queues[index];
  }

  save(): { readonly version: number } {
    const msix = this.pci.msix?.save() ?? { table: [], pending: [] };
    return this.format.save({ core: this.core.save(), msix, model: this.saveModel() });
  }

  restore(saved: unknown): void {
    const { core, msix, model } = this.format.parse(saved);
    if (!this.pci.msix && msix.table.length > 0) throw new StateFormatError(`${this.name}: saved with MSI-X, this machine has none`);
    this.pci.msix?.restore(msix);
    this.core.restore(core, this.name);
    this.restoreModel(model as M);
  }

  reset(): void {
    this.pci.msix?.reset();
    this.core.reset();
  }

  /** PciHost puts the function's registers on the buses. */
  attach(): void {}

  nextDeadlineNs(): number {
    return Infinity;
  }

  advance(_nowNs: number): void {}

  started(): void {}

  abstract configWritten(at: number, value: number): void;
  abstract notified(queue: number): void;
  abstract resetModel(): void;
  abstract draining(): boolean;
  protected abstract saveModel(): M;
  protected abstract restoreModel(state: M): void;
}
