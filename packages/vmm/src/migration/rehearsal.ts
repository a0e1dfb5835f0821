import type { SavedVm } from '../engine';
import type { Vm } from '../vm';
import { decodeState, encodeState } from './state-bytes';

/**
 * V8 compiles what it has not run yet, which costs a state on its way into a fresh VM
 * 5 ms and more. So the way is walked beforehand, on both threads, until it is quick.
 */
const REHEARSALS = 8;

/** A VM that waits for its state takes over its own, in the end as it was. @throws Error when this host cannot hold it */
export async function rehearse(vm: Vm): Promise<void> {
  const own = encodeState(await vm.save());
  const placed = encodeState(withDevicesPlaced(decodeState(own)));
  for (let time = 0; time < REHEARSALS; time++) {
    await vm.restore(decodeState(placed));
    await vm.restore(decodeState(own));
    await vm.save();
  }
  vm.resume('save');
}

const COMMAND = 0x04, DECODE_AND_MASTER = 7;
const BARS = [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24];
/** In the hole below the APICs; its low half is an I/O port that PCI uses. */
const FIRST_BAR = 0xe000c000;

/** As a booted guest has them: each PCI function's registers lie somewhere. What a function lacks, its write mask leaves out. */
function withDevicesPlaced(state: SavedVm): SavedVm {
  const host = state.machine.devices['pci-host'] as unknown as { functions: { config: number[] }[] };
  host.functions.forEach(({ config }, number) => {
    config[COMMAND] = DECODE_AND_MASTER;
    BARS.forEach((at, bar) => {
      const count = number * BARS.length + bar;
      const address = FIRST_BAR + count * 0x100 + count * 0x40000;
      for (let byte = 0; byte < 4; byte++) config[at + byte] = (address >>> (8 * byte)) & 0xff;
    });
  });
  return state;
}
