/**
 * memtest86+ as a guest: it has no network and takes no orders, and it writes all memory at
 * full speed and says on its serial screen what it found. So its move has the record's
 * figures, and its own verdict: the test goes on, and "Errors" stays 0.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from './series.mjs';

const START_LIMIT_MS = 60_000;
const SETTLE_MS = 1500;
/** Its screen changes at least that often while it tests. */
const GOES_ON_MS = 15_000;

export class Memtest {
  screen = '';
  static async start(side, row, { rig, images }, options) {
    const subject = new Memtest();
    const guest = row.guest(images);
    const vm = await side.start(rig, { name: 'memtest', ...guest, append: guest.append({}) }, options);
    Object.assign(subject, { side, row, vm });
    vm.onText((text) => (subject.screen = (subject.screen + text).slice(-20_000)));
    try {
      await subject.until((screen) => /Errors: +\d/.test(screen), 'begin', START_LIMIT_MS);
      return subject;
    } catch (error) {
      await subject.stop();
      throw error;
    }
  }

  async until(holds, what, limitMs) {
    for (const limit = nowMs() + limitMs; !holds(this.screen); await sleep(100)) {
      if (nowMs() > limit) throw new Error(`memtest86+ on ${this.side.name} did not ${what} within ${limitMs} ms: ${JSON.stringify(this.screen.slice(-300))}`);
    }
  }

  async measure({ limitMs }) {
    await this.vm.prepare();
    await sleep(SETTLE_MS);
    const began = nowMs();
    const move = await this.vm.move({ limitMs });
    const wallMs = nowMs() - began;
    return { side: this.side.name, row: this.row.name, ...move, wallMs, ...(await this.judge()) };
  }

  async judge() {
    await sleep(200);
    this.screen = '';
    const goesOn = await this.until((screen) => screen.length > 0, 'go on', GOES_ON_MS).then(() => true, () => false);
    await sleep(2000);
    const errors = [...this.screen.matchAll(/Errors: +(\d+)/g)].map(([, count]) => Number(count));
    const bad = errors.some((count) => count > 0) || /unexpected|Exception|Interrupt/i.test(this.screen);
    return { verdict: goesOn && !bad, said: !goesOn ? 'its screen stands still' : bad ? this.screen.slice(-400) : 'goes on, 0 errors' };
  }

  async stop() {
    await this.vm.stop();
  }
}
