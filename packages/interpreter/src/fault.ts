import type { GuestFault } from '@godwit/cpu';

/** Exception vectors (SDM 3A, table 6-1). */
export const enum Vector {
  DE = 0,
  DB = 1,
  BP = 3,
  OF = 4,
  BR = 5,
  UD = 6,
  NM = 7,
  DF = 8,
  TS = 10,
  NP = 11,
  SS = 12,
  GP = 13,
  PF = 14,
  MF = 16,
  AC = 17,
  XM = 19,
}

/** What `throw` carries out of an instruction. One object serves all: it is consumed at the instruction border before the next can be raised. */
class PendingFault implements GuestFault {
  vector = 0;
  errorCode = 0;
  hasErrorCode = false;
  /** Linear address of a page fault. */
  address = 0;
}

export type { PendingFault };
export const pendingFault = new PendingFault();

export function fault(vector: Vector): PendingFault {
  pendingFault.vector = vector;
  pendingFault.errorCode = 0;
  pendingFault.hasErrorCode = false;
  return pendingFault;
}

export function faultCode(vector: Vector, errorCode: number): PendingFault {
  pendingFault.vector = vector;
  pendingFault.errorCode = errorCode;
  pendingFault.hasErrorCode = true;
  return pendingFault;
}

export function pageFault(linear: number, errorCode: number): PendingFault {
  pendingFault.address = linear;
  return faultCode(Vector.PF, errorCode);
}

/** #GP(0), the commonest of all. */
export function generalProtection(errorCode = 0): PendingFault { return faultCode(Vector.GP, errorCode); }
export function undefinedOpcode(): PendingFault { return fault(Vector.UD); }
