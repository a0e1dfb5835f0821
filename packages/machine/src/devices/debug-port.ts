/** POST codes (port 80, also the traditional I/O delay) and debug text (port E9): recorded, never in the guest's way. */
import { type Buses, Device } from '../device';
import { DEBUG_TEXT_BYTES } from '../limits';
import { list, StateFormat, u8 } from '../state-format';

const FORMAT = new StateFormat('debug-port', 1, {
  postCode: u8('last byte written to port 80'),
  text: list(u8('last bytes written to port E9'), { maxLength: DEBUG_TEXT_BYTES }),
});

export class DebugPort extends Device<typeof FORMAT.fields> {
  constructor(private readonly onText: (byte: number) => void) {
    super(FORMAT, () => ({ postCode: 0, text: [] }));
  }

  override attach({ ports }: Buses): void {
    ports.register('debug-port', 0x80, 0x80, {
      in8: () => this.state.postCode,
      out8: (_port, value) => { this.state.postCode = value; },
    });
    ports.register('debug-port', 0xe9, 0xe9, {
      // Reading its own number tells programs that the port is there.
      in8: () => 0xe9,
      out8: (_port, value) => this.write(value),
    });
  }

  get postCode(): number {
    return this.state.postCode;
  }

  private write(value: number): void {
    const { text } = this.state;
    if (text.length === DEBUG_TEXT_BYTES) text.splice(0, DEBUG_TEXT_BYTES / 2);
    text.push(value);
    this.onText(value);
  }
}
