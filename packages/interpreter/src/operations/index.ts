/**
 * From a decoded instruction to its handler: feature, mode and privilege rules
 * of the row first, then the builder of its mnemonic; what has none and is a
 * `self` row is left to the host CPU.
 */
import type { Instruction, Row } from '@godwit/isa';
import type { InterpreterPorts } from '../core';
import { undefinedOpcode } from '../fault';
import type { Handler } from '../op';
import { arithmetic } from './arithmetic';
import { bits } from './bits';
import type { Builders } from './builder';
import { data } from './data';
import { extendedState } from './extended-state';
import { flow } from './flow';
import { gathers } from './gather';
import { hostInstruction, waitInstruction } from './host';
import { maskedMoves } from './masked-move';
import { segments } from './segments';
import { strings } from './strings';
import { system } from './system';

const builders = new Map(Object.entries<Builders[string]>({
  ...arithmetic, ...bits, ...data, ...strings, ...segments, ...flow, ...system, ...extendedState, ...gathers, ...maskedMoves,
  fwait: waitInstruction, wait: waitInstruction,
}));

const undefinedInstruction: Handler = () => { throw undefinedOpcode(); };

export function handlerFor(ins: Instruction, ports: InterpreterPorts): Handler {
  if (ins.row.feature !== 'base' && !ports.featureAllowed(ins.row.feature)) {
    // Older processors ignore the prefix of tzcnt and lzcnt.
    if (ins.row.legacyRow === null) return undefinedInstruction;
    ins = { ...ins, row: ins.row.legacyRow };
  }
  ports.onFeature?.(ins.row);
  return guarded(ins.row, build(ins));
}

function build(ins: Instruction): Handler {
  const { row } = ins;
  // `movsd` is a vector move and a string move under two names; the table's string moves end in b and v.
  const builder = row.unit === 'int' || row.kind !== 'self' || row.mnemonic === 'fwait' || row.mnemonic in maskedMoves ? builders.get(row.mnemonic) : undefined;
  if (builder !== undefined) return builder(ins);
  return row.kind === 'self' ? hostInstruction(ins) : undefinedInstruction;
}

function guarded(row: Row, handler: Handler): Handler {
  if (row.privilege === 'cpl0') return (c, op) => {
    c.requireCpl0();
    handler(c, op);
  };
  if (row.privilege === 'protected') return (c, op) => {
    c.requireProtected();
    handler(c, op);
  };
  return handler;
}

/** Mnemonics without a handler, for tests. */
export function hasHandler(row: Row): boolean {
  return builders.has(row.mnemonic) || row.kind === 'self';
}
