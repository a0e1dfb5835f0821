import { StateFormatError } from '@godwit/machine';
import type { SavedVm } from '../engine';

/**
 * A VM's state without its memory, as it crosses from one host to another: the
 * JSON of its sections. Each section judges itself when it is taken over; here
 * only the outermost shape is looked at.
 */
export const encodeState = (state: SavedVm): Uint8Array => new TextEncoder().encode(JSON.stringify(state));

/** @throws StateFormatError */
export function decodeState(bytes: Uint8Array): SavedVm {
  let state: Partial<SavedVm> | null;
  try {
    state = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Partial<SavedVm> | null;
  } catch (error) {
    throw new StateFormatError(`the machine's state cannot be read: ${(error as Error).message}`);
  }
  const machine = state?.machine;
  const whole = state && 'vcpu' in state && 'clock' in state && typeof machine === 'object' && machine !== null && typeof machine.devices === 'object';
  if (!whole) throw new StateFormatError("the machine's state lacks a part");
  return state as SavedVm;
}
