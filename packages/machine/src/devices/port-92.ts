/**
 * The A20 gate: one latch, set through the keyboard controller's output port
 * or system port 92, whichever wrote last. Also port 92's fast reset.
 */
import { type Buses, Device } from '../device';
import { flag, StateFormat, u8 } from '../state-format';

const PORT_92_RESET = 1;
const PORT_92_A20 = 2;

const FORMAT = new StateFormat('port-92', 1, {
  a20: flag('address line 20 passes'),
  value: u8('port 92 as written, without bits 1-0'),
});

export class Port92 extends Device<typeof FORMAT.fields> {
  constructor(
    private readonly onA20: (enabled: boolean) => void,
    private readonly onReset: () => void,
  ) {
    // On, as firmware hands the machine to an operating system.
    super(FORMAT, () => ({ a20: true, value: 0 }));
  }

  override attach({ ports }: Buses): void {
    ports.register('port-92', 0x92, 0x92, {
      in8: () => this.state.value | (this.state.a20 ? PORT_92_A20 : 0),
      out8: (_port, value) => {
        this.state.value = value & ~(PORT_92_A20 | PORT_92_RESET);
        this.enabled = (value & PORT_92_A20) !== 0;
        if (value & PORT_92_RESET) this.onReset();
      },
    });
  }

  override reset(): void {
    super.reset();
    this.onA20(true);
  }

  get enabled(): boolean {
    return this.state.a20;
  }

  set enabled(enabled: boolean) {
    if (enabled === this.state.a20) return;
    this.state.a20 = enabled;
    this.onA20(enabled);
  }
}
