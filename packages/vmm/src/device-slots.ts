import { IdeController, type Machine, type NetOffloads, Pcnet, slotOf, VirtioBlk, VirtioNet } from '@godwit/machine';
import { announceFrames, bellRinger, ringCounters, type RingCounters, RingPort, setTapOffloads } from '@godwit/network';
import { MAX_LATE_BYTES } from '@godwit/migration';
import { BlockClient, type DiskStats } from './block/client';
import type { DiskConfig, NicConfig } from './config';
import { packFrames, unpackFrames } from './late-frames';
import type { GuestMemory } from './guest-memory';

/** Frames from the guest and to it. */
export interface NicStats {
  readonly tx: RingCounters;
  readonly rx: RingCounters;
}

/** PCI device numbers 2 and up are for adapters; 0 and 1 are the chipset. */
const FIRST_SLOT = 2;
const PCI_DEVICES = 32;
const IDE_DRIVES = 4;

/**
 * The adapters that a VM was configured with, in the PCI slots that follow from
 * the configuration's order alone: a VM looks the same on every host and after
 * every resume.
 */
export class DeviceSlots {
  private readonly disks: BlockClient[] = [];
  private readonly networks: RingPort[] = [];
  private readonly announcers: (() => void)[] = [];
  private readonly nics: readonly NicConfig[];
  private nextSlot = FIRST_SLOT;

  constructor(
    config: { disks: readonly DiskConfig[]; nics: readonly NicConfig[] },
    private readonly machine: Machine,
    private readonly memory: GuestMemory,
    /** Something waits for the next `poll` that no kick will announce. */
    private readonly attention: () => void,
  ) {
    const ide: (BlockClient | undefined)[] = [];
    config.disks.forEach((disk, index) => {
      const client = new BlockClient(disk.channel, disk.shape, memory, attention);
      this.disks.push(client);
      if (disk.adapter === 'virtio') this.addVirtioDisk(client, index);
      else ide.push(client);
    });
    this.addIde(config.disks.filter((disk) => disk.adapter !== 'virtio'), ide as BlockClient[]);
    this.nics = config.nics;
    config.nics.forEach((nic, index) => this.addNic(nic, index));
  }

  /** Requests that the datastore cannot serve at the moment. */
  get held(): number {
    return this.disks.reduce((sum, disk) => sum + disk.held, 0);
  }

  /** No disk request is on its way, but for those held. */
  get drained(): boolean {
    return this.disks.every((disk) => disk.outstanding <= disk.held);
  }

  diskStats(): DiskStats[] {
    return this.disks.map((disk) => disk.stats());
  }

  nicStats(): NicStats[] {
    return this.nics.map(({ toNetwork, fromNetwork }) => ({ tx: ringCounters(toNetwork), rx: ringCounters(fromNetwork) }));
  }

  /** Answers from disks reach their adapters. */
  pollDisks(): void {
    for (const disk of this.disks) disk.poll();
  }

  /** Frames from networks reach their adapters, and so guest RAM: never while the VM stands still. */
  pollNetworks(): void {
    for (const network of this.networks) if (network.poll()) this.attention();
  }

  /** Frames that the guest has not seen, each at most once; null: none. Of a VM that stands still for good. */
  takeFrames(): Uint8Array | null {
    return packFrames(this.networks, MAX_LATE_BYTES);
  }

  dropFrames(): void {
    for (const network of this.networks) network.take(() => true);
  }

  /** Frames that another host took for the guest. @throws RangeError when they are none */
  giveFrames(packed: Uint8Array): void {
    unpackFrames(packed, (nic, frame, header) => this.networks[nic]?.insert(frame, header));
    this.attention();
  }

  setLink(nic: number, up: boolean): void {
    this.networks[nic]?.setLink(up);
  }

  /** Tells the networks where the guest is now: after it moved. */
  announce(): void {
    for (const announce of this.announcers) announce();
  }

  /** Open requests are the next owner's: nothing that comes back is told to the guest. */
  drop(): void {
    for (const disk of this.disks) disk.drop();
  }

  private takeSlot(): number {
    if (this.nextSlot >= PCI_DEVICES) throw new Error(`a VM has room for ${PCI_DEVICES - FIRST_SLOT} PCI adapters`);
    return slotOf(this.nextSlot++, 0);
  }

  private addVirtioDisk(port: BlockClient, index: number): void {
    const device = new VirtioBlk({ slot: this.takeSlot(), name: `disk${index}`, bus: this.memory, port, msi: this.machine.msi });
    this.machine.pci.add(device.function);
    this.machine.plug(device);
  }

  private addIde(disks: readonly DiskConfig[], clients: readonly BlockClient[]): void {
    if (disks.length === 0) return;
    if (disks.length > IDE_DRIVES) throw new Error(`a VM has room for ${IDE_DRIVES} IDE drives`);
    const drive = (at: number) => {
      const disk = disks[at];
      if (!disk) return undefined;
      return disk.adapter === 'cdrom' ? { kind: 'cdrom' as const, port: clients[at] } : { kind: 'disk' as const, port: clients[at] };
    };
    const [irq14, irq15] = [this.machine.irqLine(14), this.machine.irqLine(15)];
    const ide = new IdeController({ bus: this.memory, irq14, irq15, drives: [[drive(0), drive(1)], [drive(2), drive(3)]] });
    this.machine.pci.add(ide.function);
    this.machine.plug(ide);
  }

  private addNic(nic: NicConfig, index: number): void {
    const port = new RingPort({ mac: nic.mac, offloads: nic.offloads, tx: nic.toNetwork, rx: nic.fromNetwork, ringBell: bellRinger(nic.bell) });
    const common = { slot: this.takeSlot(), name: `nic${index}`, port, bus: this.memory };
    const device = nic.adapter === 'virtio' ? new VirtioNet({ ...common, msi: this.machine.msi, clock: this.machine.clock, onReceiveOffloads: receiveOffloads(nic) }) : new Pcnet({ ...common, clock: this.machine.clock, onDeadlineChange: this.attention });
    this.machine.pci.add(device.function);
    this.machine.plug(device);
    port.connect(device);
    this.networks.push(port);
    this.announcers.push(() => {
      // Switches learn at once; neighbours when the guest's driver can tell them its addresses.
      for (const frame of announceFrames(nic.mac)) port.send([frame]);
      if (device instanceof VirtioNet) device.announce();
    });
  }
}

/** Tells a TAP what the guest's driver takes unfinished; other networks always finish frames. */
const receiveOffloads = ({ tapFd }: NicConfig) => (offloads: NetOffloads): void => {
  if (tapFd !== undefined) setTapOffloads(tapFd, offloads);
};
