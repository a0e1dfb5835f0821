/**
 * For a file that is loaded before a target's VMM (`node --require plant-stale.cjs`): once all of
 * the VM has arrived and been checked, and before it runs, one page of the oracle is damaged.
 */
const { TargetVmm } = require('../../packages/vmm');
const { recognize, PAGE_WORDS } = require('./pattern.cjs');

/** @param damage (words, { page, pass }) → whether it damaged that page: then no other is looked at */
module.exports = function plant(damage) {
  const { reserve, restore } = TargetVmm.prototype;
  const rams = new WeakMap();

  TargetVmm.prototype.reserve = async function (offer) {
    const reserved = await reserve.call(this, offer);
    rams.set(this, reserved.ram);
    return reserved;
  };

  TargetVmm.prototype.restore = async function (state) {
    await restore.call(this, state);
    const ram = rams.get(this);
    for (let at = 0; at < ram.length; at += PAGE_WORDS * 4) {
      const words = new Uint32Array(ram.buffer, ram.byteOffset + at, PAGE_WORDS);
      const found = recognize(words);
      if (!found || !damage(words, found)) continue;
      process.stdout.write(`planted in page ${found.page}\n`);
      return;
    }
    throw new Error('no page of the oracle was found to be damaged');
  };
};
