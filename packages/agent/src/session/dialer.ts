/**
 * Dials the controllers, for ever: the leader as far as it is known, else one after the other; sooner again after
 * a session that was good, ever later while nobody answers, never all hosts at the same moment.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { lineOf } from '../errors';
import { DIAL_FIRST_MS, DIAL_LAST_MS, GOOD_SESSION_MS, REPEAT_LINE_MS } from '../limits';
import type { SessionEnd } from './session';

/** Which controller is next, and when. Pure. */
export class DialPlan {
  private hints: string[] = [];
  private turn = 0;
  private failures = 0;

  constructor(
    private readonly addresses: () => readonly string[],
    private readonly random: () => number,
  ) {}

  next(): string {
    const hint = this.hints.shift();
    if (hint !== undefined) return hint;
    const all = this.addresses();
    return all[this.turn++ % all.length];
  }

  /** It knows who leads: that one is tried at once, but not for ever. */
  hinted(controllers: readonly string[]): void {
    if (this.failures > 0) return;
    this.hints = [...controllers];
  }

  good(): void {
    this.failures = 0;
    this.hints = [];
    // It was the right one.
    this.turn = Math.max(0, this.turn - 1);
  }

  /** Milliseconds to wait before the next dial. */
  failed(): number {
    if (this.hints.length > 0) return 0;
    const wait = Math.min(DIAL_LAST_MS, DIAL_FIRST_MS * 2 ** Math.min(this.failures++, 16));
    return wait * (0.5 + this.random() / 2);
  }
}

export interface DialerPorts {
  /** Configured ones and those that controllers have named. */
  addresses(): readonly string[];
  session(address: string, signal: AbortSignal): Promise<SessionEnd>;
  readonly log: Logger;
}

export async function dialForEver({ addresses, session, log }: DialerPorts, signal: AbortSignal): Promise<void> {
  const plan = new DialPlan(addresses, Math.random);
  let saidAt = -Infinity;
  while (!signal.aborted) {
    const address = plan.next();
    const began = Date.now();
    let line = 'the session has ended';
    try {
      const end = await session(address, signal);
      if (end.is === 'not-leader') {
        plan.hinted(end.controllers.filter((one) => one !== address));
        line = 'it does not lead the cluster now';
      }
    } catch (error) {
      line = lineOf(error);
    }
    if (signal.aborted) return;
    if (Date.now() - began > GOOD_SESSION_MS) plan.good();
    // One line now and then, not one a second.
    if (Date.now() - saidAt > REPEAT_LINE_MS) {
      saidAt = Date.now();
      log.info({ controller: address, line }, 'no controller is connected: the VMs here go on, and it is dialled again and again');
    }
    await sleep(plan.failed(), undefined, { signal }).catch(() => undefined);
  }
}
