import { stateOffset, type VcpuState } from '@godwit/cpu';
import type { Native } from '@godwit/metal';
import type { GuestMemory } from './guest-memory';
import { REHEARSAL_PASS_NS, WARM_REVIEW_NS, WARM_SLICE_NS } from './limits';
import { noisePlaces, REHEARSAL_BYTES } from './rehearsal-guest';
import type { BlockTranslator } from './translate-block';
import { blocksOf, encodeWarmList, listRoom } from './warm-list';
import { PAGE_MARKED, WarmTarget } from './warm-target';

/** Of each mode of the CPU, at a time. */
const NOISE_BLOCKS = 200;
const MAX_MODES = 16;

/**
 * Forgets all that was translated of the rehearsal's guest and translates it ahead, as is done with a list from
 * another host whose pages have just come, and other code that it never runs: for a while, or until somebody kicks.
 * @param pass how many came before: each takes other code
 */
export function translateAnew(native: Native, state: VcpuState, memory: GuestMemory, translator: BlockTranslator, pass: number): void {
  const userAccesses = translator.userAccessList();
  const room = new Uint32Array(listRoom(userAccesses.length));
  const words = native.listHot(room, true);
  const blocks = room.subarray(0, words);
  const hotWords = native.listedHot();
  const modes = new Set(Array.from(blocksOf({ userAccesses, blocks, hotWords }), ({ mode }) => mode));
  const others = [...modes].flatMap((mode, index) => [...noisePlaces(NOISE_BLOCKS, MAX_MODES * pass + index)].flatMap(({ eip, gpa }) => [eip, (gpa >>> 12) | (mode << 24)]));
  const list = encodeWarmList({ userAccesses, blocks: Uint32Array.of(...blocks, ...others), hotWords: words + others.length });
  translator.flush();
  const ahead = new WarmTarget(native, state, memory, translator, new Uint8Array(Math.ceil(REHEARSAL_BYTES / 4096)).fill(PAGE_MARKED));
  ahead.add(list);
  const end = native.monotonicNs() + REHEARSAL_PASS_NS;
  while (native.monotonicNs() < end && state.u32[stateOffset.kicked >> 2] === 0) {
    const wait = ahead.step(WARM_SLICE_NS);
    // Nothing but pages to keep an eye on: all of the list is done.
    if (wait === Number.POSITIVE_INFINITY || ahead.idle) return;
    if (wait > 0) native.sleep(Math.min(wait, WARM_REVIEW_NS));
  }
}
