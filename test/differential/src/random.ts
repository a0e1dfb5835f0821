/** A small seeded generator (xorshift32): the same seed gives the same cases everywhere. */
export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = (seed * 0x9e3779b1) | 1;
    for (let i = 0; i < 8; i++) this.u32();
  }

  u32(): number {
    let s = this.state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.state = s;
    return (s >>> 0) ^ (Math.imul(s, 0x85ebca6b) >>> 16) >>> 0;
  }

  below(n: number): number { return (this.u32() >>> 0) % n; }
  chance(percent: number): boolean { return this.below(100) < percent; }
  pick<T>(list: readonly T[]): T { return list[this.below(list.length)]; }
}
