import type { EventLog } from './events';
import type { Store } from './store';

/** What the controller remembers, whatever holds it. */
export interface Memory {
  readonly store: Store;
  readonly events: EventLog;
  /** Keys and values in it, and the most that it takes: as this process knows, without asking anyone. */
  usage(): { readonly bytes: number; readonly limitBytes: number };
  close(): Promise<void>;
}
