/** What became of a click: said once, below, to screen readers too. */
import { useEffect, useState } from 'preact/hooks';

export interface Toast {
  readonly id: number;
  readonly line: string;
  readonly tone: 'info' | 'good' | 'bad';
  readonly cli?: string;
}

const SHOWN_MS = 6_000;
let next = 1;
let toasts: readonly Toast[] = [];
let changed: () => void = () => {};

export function toast(line: string, tone: Toast['tone'] = 'info', cli?: string): void {
  const id = next++;
  toasts = [...toasts.slice(-3), { id, line, tone, ...(cli ? { cli } : {}) }];
  changed();
  setTimeout(
    () => {
      toasts = toasts.filter((one) => one.id !== id);
      changed();
    },
    tone === 'bad' ? 3 * SHOWN_MS : SHOWN_MS,
  );
}

export function Toasts() {
  const [, again] = useState(0);
  useEffect(() => {
    changed = () => again((count) => count + 1);
  }, []);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.map(({ id, line, tone, cli }) => (
        <div key={id} class={`toast ${tone}`}>
          <span>{line}</span>
          {cli && <code>{cli}</code>}
        </div>
      ))}
    </div>
  );
}
