/**
 * The PIIX3's IDE function: two channels at the ports and interrupts that every
 * PC has had, with bus mastering. Source: Intel 82371SB data sheet, 2.3; PCI
 * IDE Controller Specification 1.0 (compatibility mode).
 */
import { type AnyDevice, type Buses, type Line } from '../../device';
import type { BlockPort } from '../../ports/block';
import type { BusMaster } from '../../ports/bus-master';
import { record, StateFormat } from '../../state-format';
import { PciFunction } from '../pci-function';
import { slotOf } from '../pci-host';
import { type Drive, IdeChannel } from './channel';
import { channelFields } from './drive-state';

export interface IdeOptions {
  readonly bus: BusMaster;
  readonly irq14: Line;
  readonly irq15: Line;
  /** Primary master and slave, secondary master and slave. */
  readonly drives: readonly (readonly [Drive | undefined, Drive | undefined])[];
}

const FORMAT = new StateFormat('ide', 1, { primary: record(channelFields), secondary: record(channelFields) });
const LEGACY = [{ base: 0x1f0, control: 0x3f6 }, { base: 0x170, control: 0x376 }];
const BUS_MASTER_BAR = 4;
const BUS_MASTER_BYTES = 16;
const CHANNEL_BYTES = 8;

export class IdeController implements AnyDevice {
  readonly name = FORMAT.device;
  readonly function: PciFunction;
  private readonly channels: readonly IdeChannel[];

  constructor({ bus, irq14, irq15, drives }: IdeOptions) {
    const [primary = [undefined, undefined], secondary = [undefined, undefined]] = drives;
    this.channels = [new IdeChannel(primary, bus, irq14), new IdeChannel(secondary, bus, irq15)];
    const handler = {
      in8: (port: number) => this.channel(port).readBusMaster(port & (CHANNEL_BYTES - 1)),
      out8: (port: number, value: number) => this.channel(port).writeBusMaster(port & (CHANNEL_BYTES - 1), value),
    };
    this.function = new PciFunction(slotOf(1, 1), {
      vendor: 0x8086, device: 0x7010, revision: 0, classCode: 0x010180,
      bars: { [BUS_MASTER_BAR]: { kind: 'io', size: BUS_MASTER_BYTES, handler: () => handler } },
      // Both channels decode: IDETIM bit 15.
      registers: [{ at: 0x41, value: 0x80, writable: 0xff }, { at: 0x43, value: 0x80, writable: 0xff }, { at: 0x40, value: 0, writable: 0xff }, { at: 0x42, value: 0, writable: 0xff }],
    });
  }

  attach({ ports }: Buses): void {
    LEGACY.forEach(({ base, control }, index) => {
      const channel = this.channels[index];
      const name = `ide channel ${index}`;
      ports.register(name, base, base, {
        in8: () => channel.readData(2) & 0xff, out8: () => {},
        in16: () => channel.readData(2), out16: (_port, value) => channel.writeData(2, value),
        in32: () => channel.readData(4), out32: (_port, value) => channel.writeData(4, value),
      });
      ports.register(name, base + 1, base + 7, {
        in8: (port) => channel.read(port - base), out8: (port, value) => channel.write(port - base, value),
      });
      ports.register(name, control, control, { in8: () => channel.status(), out8: (_port, value) => channel.writeControl(value) });
    });
  }

  /** Puts a medium into a CD-ROM drive; null takes it out. False: the guest has locked the tray. */
  changeMedium(channel: 0 | 1, drive: 0 | 1, port: BlockPort | null): boolean {
    const target = this.channels[channel].drives[drive];
    const state = this.channels[channel].state.drives[drive];
    if (target?.kind !== 'cdrom' || (state.locked && target.port)) return false;
    target.port = port;
    state.trayOpen = false;
    state.attention = port !== null;
    return true;
  }

  reset(): void {
    for (const channel of this.channels) channel.reset();
  }

  save(): { readonly version: number } {
    return FORMAT.save({ primary: this.channels[0].save(), secondary: this.channels[1].save() });
  }

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

  private channel(port: number): IdeChannel {
    return this.channels[port & CHANNEL_BYTES ? 1 : 0];
  }
}
