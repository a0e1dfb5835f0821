/** What has been seen lately of one thing, for its charts: kept by each page since it was opened. */
const KEPT = 180;

export interface Series {
  /** Seconds since 1970. */
  readonly times: number[];
  readonly rows: number[][];
}

export class Samples {
  private readonly all = new Map<string, Series>();

  add(id: string, atMs: number, values: readonly number[]): void {
    let series = this.all.get(id);
    if (!series) this.all.set(id, (series = { times: [], rows: values.map(() => []) }));
    const { times, rows } = series;
    if (times.length > 0 && atMs / 1_000 <= times[times.length - 1]) return;
    times.push(atMs / 1_000);
    values.forEach((value, row) => rows[row].push(value));
    if (times.length > KEPT) for (const list of [times, ...rows]) list.shift();
  }

  of(id: string): Series | undefined {
    return this.all.get(id);
  }

  forget(id: string): void {
    this.all.delete(id);
  }
}
