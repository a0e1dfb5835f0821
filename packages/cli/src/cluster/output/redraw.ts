/** Lines that are drawn again in their place: a live view. Never taller than the terminal, and no line wider. */
import { REDRAW_MS } from '../core/limits';

const UP_AND_CLEAR = (lines: number): string => (lines > 0 ? `\x1b[${lines}A\r\x1b[J` : '\r\x1b[J');
/** Wrapping off, so that a terminal which is made narrower meanwhile does not spread the lines. */
const [NO_WRAP, WRAP] = ['\x1b[?7l', '\x1b[?7h'];

export class Redraw {
  private drawn = 0;
  private next: (() => readonly string[]) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private lastMs = 0;

  constructor(
    private readonly write: (text: string) => void,
    private readonly rows: () => number,
  ) {}

  /** Now, or when the last drawing is long enough ago; of several only the last is drawn. */
  show(lines: () => readonly string[]): void {
    this.next = lines;
    const waitMs = this.lastMs + REDRAW_MS - Date.now();
    if (waitMs <= 0) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), waitMs);
  }

  /** Draws what waits; then the lines stay where they are, and what is written next comes below. */
  end(lines?: readonly string[]): void {
    if (lines) this.next = () => lines;
    this.flush(lines !== undefined);
    this.drawn = 0;
  }

  private flush(isLast = false): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.next) return;
    const lines = this.next();
    this.next = undefined;
    this.lastMs = Date.now();
    // One line is left for the cursor. The last drawing may scroll.
    const shown = isLast ? lines : lines.slice(0, Math.max(1, this.rows() - 1));
    this.write(`${NO_WRAP}${UP_AND_CLEAR(this.drawn)}${shown.map((line) => `${line}\n`).join('')}${WRAP}`);
    this.drawn = shown.length;
  }
}
