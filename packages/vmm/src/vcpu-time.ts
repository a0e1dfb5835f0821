/**
 * What the vCPU's thread spends its time on. Halts, rests and stretches of the interpreter are measured, since they last;
 * of its single steps, which do not, every 64th is. What remains of the time that the VM did not stand still is translated
 * code, and devices' work on its behalf. Pure: times are passed in, nanoseconds.
 */
const SAMPLED = 64;

export interface VcpuSeconds {
  translatedSeconds: number;
  interpretedSeconds: number;
  haltedSeconds: number;
  throttledSeconds: number;
}

export class VcpuTime {
  haltedNs = 0;
  throttledNs = 0;
  private interpretedNs = 0;
  private steps = 0;
  private stoodNs = 0;
  private standsSinceNs: number | undefined;
  private startNs: number;
  private translatedNs = 0;

  constructor(private readonly nowNs: () => number) {
    this.startNs = nowNs();
  }

  /** The guest that this was about is no more. */
  forget(): void {
    this.startNs = this.nowNs();
    this.haltedNs = this.throttledNs = this.interpretedNs = this.stoodNs = this.translatedNs = 0;
    if (this.standsSinceNs !== undefined) this.standsSinceNs = this.startNs;
  }

  stands(): void {
    this.standsSinceNs ??= this.nowNs();
  }

  goesOn(): void {
    if (this.standsSinceNs === undefined) return;
    this.stoodNs += this.nowNs() - this.standsSinceNs;
    this.standsSinceNs = undefined;
  }

  /** One instruction. */
  step<T>(act: () => T): T {
    if (this.steps++ % SAMPLED !== 0) return act();
    const began = this.nowNs();
    const result = act();
    this.interpretedNs += (this.nowNs() - began) * SAMPLED;
    return result;
  }

  /** Many instructions. */
  stretch<T>(act: () => T): T {
    const began = this.nowNs();
    const result = act();
    this.interpretedNs += this.nowNs() - began;
    return result;
  }

  halt(act: () => void): void {
    const began = this.nowNs();
    act();
    this.haltedNs += this.nowNs() - began;
  }

  rest(act: () => void): void {
    const began = this.nowNs();
    act();
    this.throttledNs += this.nowNs() - began;
  }

  /** @param otherNs spent by the thread on other things that are counted elsewhere: translating, on demand and ahead */
  seconds(otherNs: number): VcpuSeconds {
    const now = this.nowNs();
    const stood = this.stoodNs + (this.standsSinceNs === undefined ? 0 : now - this.standsSinceNs);
    const rest = now - this.startNs - stood - this.haltedNs - this.throttledNs - this.interpretedNs - otherNs;
    // A part of it is an estimate: a counter does not go back for that.
    this.translatedNs = Math.max(this.translatedNs, rest);
    return {
      translatedSeconds: this.translatedNs / 1e9,
      interpretedSeconds: this.interpretedNs / 1e9,
      haltedSeconds: this.haltedNs / 1e9,
      throttledSeconds: this.throttledNs / 1e9,
    };
  }
}
