/**
 * Keeps the store as the controller has it: one stream, begun anew whenever it breaks. Batches are shown with the next
 * picture, however many have come. A stream that is silent for three beats is one that broke.
 */
import { store } from '../model/store';
import type { Batch, Identity } from '../model/types';
import { ApiError, send } from './client';

const SILENT_MS = 12_000;
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000];

export class Live {
  private source: EventSource | undefined;
  private heardAtMs = 0;
  private tries = 0;
  private retry: number | undefined;
  private waiting: Batch[] = [];
  private drawing = false;

  constructor(private readonly loginEnded: () => void) {
    setInterval(() => {
      if (this.source && Date.now() - this.heardAtMs > SILENT_MS) this.lost('the controller has gone silent');
    }, 1_000);
  }

  begin(): void {
    clearTimeout(this.retry);
    this.source?.close();
    this.heardAtMs = Date.now();
    const source = new EventSource('/api/live');
    this.source = source;
    const heard = (): void => {
      this.heardAtMs = Date.now();
    };
    source.addEventListener('beat', heard);
    source.addEventListener('batch', (event) => {
      heard();
      this.tries = 0;
      this.take(JSON.parse((event as MessageEvent<string>).data) as Batch);
    });
    source.addEventListener('end', (event) => {
      const { error } = JSON.parse((event as MessageEvent<string>).data) as { error: { code: string; line: string } };
      this.lost(error.line);
    });
    source.onerror = () => {
      if (this.source === source) this.lost('the connection broke');
    };
  }

  end(): void {
    clearTimeout(this.retry);
    this.source?.close();
    this.source = undefined;
    this.waiting = [];
  }

  private take(batch: Batch): void {
    this.waiting.push(batch);
    if (this.drawing) return;
    this.drawing = true;
    const draw = (): void => {
      this.drawing = false;
      for (const one of this.waiting.splice(0)) store.apply(one);
      if (store.link.state !== 'live') store.setLink({ state: 'live', sinceMs: Date.now(), line: '', retryAtMs: 0 });
    };
    // A page in the background draws nothing, and is up to date when it is looked at.
    if (document.hidden) setTimeout(draw, 0);
    else requestAnimationFrame(draw);
  }

  /** EventSource does not tell why: the session is asked, which does. */
  private lost(line: string): void {
    this.source?.close();
    this.source = undefined;
    const waitMs = RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)];
    const { state, sinceMs } = store.link;
    store.setLink({ state: 'lost', sinceMs: state === 'lost' ? sinceMs : Date.now(), line, retryAtMs: Date.now() + waitMs });
    this.retry = window.setTimeout(() => void this.again(), waitMs);
  }

  private async again(): Promise<void> {
    try {
      const identity = await send<Identity>('GET', '/api/session');
      if (!identity.user) return this.loginEnded();
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return this.loginEnded();
      return this.lost((error as Error).message);
    }
    this.begin();
  }
}
