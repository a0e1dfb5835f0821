import type { EventLog } from './events';
import type { Store } from './store';

/** What the controller remembers, whatever holds it. */
export interface Memory {
  readonly store: Store;
  readonly events: EventLog;
  close(): Promise<void>;
}
