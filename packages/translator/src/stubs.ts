import { Callout, stateOffset } from '@godwit/cpu';
import { type Emitter, HOST } from './emitter';

/**
 * Ways out of a block.
 *
 * A direct jump leads at first to a stub at the block's end, which asks the
 * native layer to link it. The stub's second half is the jump through the
 * block table, and the native layer points the jump there when the target may
 * not be linked (another page of a user address space): LINK_BYTES is how far
 * that is from the stub's start, known to native/helpers.cc as kStubTable.
 */
export const LINK_BYTES = 19;

export interface PendingStub {
  /** Offset of the rel32 to patch. */
  site: number;
  targetEip: number;
  /** False: straight through the table. */
  linkable: boolean;
}

export function emitStub(e: Emitter, stub: PendingStub): void {
  e.patchRel32(stub.site, e.pos);
  if (stub.linkable) {
    e.moveImm(HOST.R8, stub.targetEip);
    e.moveImm(HOST.R10, stub.site);
    e.jumpCallout(Callout.Chain);
  }
  e.moveImm(HOST.R8, stub.targetEip);
  e.jumpTable();
}

/** Leaves for TypeScript: the interpreter runs the instruction at `eip`. */
export function emitInterpret(e: Emitter, eip: number): void {
  e.settleStackPointer();
  e.storeStateImm(stateOffset.eip, eip);
  e.jumpCallout(Callout.Interpret);
}

/** A callout whose first argument was stored by the caller. */
export function emitCallout(e: Emitter, slot: Callout, eip: number, nextEip: number): void {
  e.settleStackPointer();
  e.storeStateImm(stateOffset.eip, eip);
  e.storeStateImm(stateOffset.exitArg1, nextEip);
  e.jumpCallout(slot);
}
