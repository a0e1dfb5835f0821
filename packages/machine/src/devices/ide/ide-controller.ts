/**
 * The PIIX3's IDE function: two channels at the ports and interrupts that every
 * PC has had, with bus mastering. Source: Intel 82371SB data sheet, 2.3; PCI
 * IDE Controller Specification 1.0 (compatibility mode).
 */
import type { AnyDevice, Buses, Line } from '../../device';
import type { BlockPort } from '../../ports/block';
import type { BusMaster } from '../../ports/bus-master';
import { record, StateFormat } from '../../state-format';
import { PciFunction } from '../pci-function';
import { slotOf } from '../pci-host';
import { MediaEvent } from './cd-replies';
import { type Drive, IdeChannel } from './channel';
import { alternateStatus, readData, readRegister, writeControl, writeData, writeRegister } from './channel-ports';
import { channelFields } from './drive-state';

export interface IdeOptions {
  readonly bus: BusMaster;
  readonly irq14: Line;
  readonly irq15: Line;
  /** Primary master and slave, secondary master and slave. */
  readonly drives: readonly (readonly [Drive | undefined, Drive | undefined])[];
}

const FORMAT = new StateFormat('ide', 1, { primary: record(channelFields), secondary: record(channelFields) });
const LEGACY = [
  { base: 0x1f0, control: 0x3f6 },
  { base: 0x170, control: 0x376 },
] as const;
const BUS_MASTER_BAR = 4;
const BUS_MASTER_BYTES = 16;
const CHANNEL_BYTES = 8;
/** IDETIM of both channels: timings are the guest's to write; bit 15, the channel decodes. */
const TIMING_REGISTERS = [
  { at: 0x40, value: 0, writable: 0xff },
  { at: 0x41, value: 0x80, writable: 0xff },
  { at: 0x42, value: 0, writable: 0xff },
  { at: 0x43, value: 0x80, writable: 0xff },
];

export class IdeController implements AnyDevice {
  readonly name = FORMAT.device;
  readonly function: PciFunction;
  private readonly channels: readonly [IdeChannel, IdeChannel];

  constructor({ bus, irq14, irq15, drives }: IdeOptions) {
    const channel = (index: 0 | 1, irq: Line): IdeChannel => {
      const [master, slave] = drives[index] ?? [];
      return new IdeChannel({ drives: [usable(master), usable(slave)], bus, irq, mayMaster: () => this.function.busMaster });
    };
    const [primary, secondary] = (this.channels = [channel(0, irq14), channel(1, irq15)]);
    const owner = (port: number): IdeChannel => (port & CHANNEL_BYTES ? secondary : primary);
    const handler = {
      in8: (port: number) => owner(port).readBusMaster(port & (CHANNEL_BYTES - 1)),
      out8: (port: number, value: number) => owner(port).writeBusMaster(port & (CHANNEL_BYTES - 1), value),
    };
    this.function = new PciFunction(slotOf(1, 1), {
      vendor: 0x8086,
      device: 0x7010,
      revision: 0,
      classCode: 0x010180,
      bars: { [BUS_MASTER_BAR]: { kind: 'io', size: BUS_MASTER_BYTES, handler: () => handler } },
      registers: TIMING_REGISTERS,
    });
  }

  attach({ ports }: Buses): void {
    LEGACY.forEach(({ base, control }, index) => {
      const channel = this.channels[index];
      const name = `ide channel ${index}`;
      ports.register(name, base, base, {
        in8: () => readData(channel, 2) & 0xff,
        out8: () => {}, // no drive since ATA-1 takes bytes
        in16: () => readData(channel, 2),
        out16: (_port, value) => writeData(channel, 2, value),
        in32: () => readData(channel, 4),
        out32: (_port, value) => writeData(channel, 4, value),
      });
      ports.register(name, base + 1, base + 7, {
        in8: (port) => readRegister(channel, port - base),
        out8: (port, value) => writeRegister(channel, port - base, value),
      });
      ports.register(name, control, control, {
        in8: () => alternateStatus(channel),
        out8: (_port, value) => writeControl(channel, value),
      });
    });
  }

  /**
   * Puts a medium into a CD-ROM drive and closes the tray; null takes it out.
   * False: there is no such drive, or the guest has locked the tray; it is
   * told that somebody wants it opened.
   */
  changeMedium(channel: 0 | 1, drive: 0 | 1, port: BlockPort | null): boolean {
    const target = this.channels[channel].drives[drive];
    const state = this.channels[channel].state.drives[drive];
    if (target?.kind !== 'cdrom') return false;
    if (state.locked && target.port) {
      state.event = MediaEvent.ejectRequest;
      return false;
    }
    target.port = port;
    state.trayOpen = false;
    state.attention = port !== null;
    state.event = port ? MediaEvent.newMedium : MediaEvent.gone;
    return true;
  }

  reset(): void {
    for (const channel of this.channels) channel.reset();
  }

  save(): { readonly version: number } {
    return FORMAT.save({ primary: this.channels[0].save(), secondary: this.channels[1].save() });
  }

  /** @throws StateFormatError for anything that is not this controller's saved state. */
  restore(saved: unknown): void {
    const { primary, secondary } = FORMAT.parse(saved);
    this.channels[0].restore(primary);
    this.channels[1].restore(secondary);
  }

  resume(): void {
    for (const channel of this.channels) channel.resume();
  }

  nextDeadlineNs(): number {
    return Infinity;
  }

  advance(): void {}
}

/** A disk without an image is no drive; only a tray can be empty. */
const usable = (drive: Drive | undefined): Drive | undefined => (drive?.kind === 'disk' && !drive.port ? undefined : drive);
