/**
 * Interprocessor interrupts: what a write to the interrupt command register
 * sends (SDM 3A, 11.6.1). Delivery is at once, so the delivery status bit
 * always reads as idle.
 */
import { type ApicBus, type ApicTarget, DeliveryMode, FIRST_LEGAL_VECTOR } from './apic-bus';

/** Error status bit: the sender named an illegal vector. */
const SEND_ILLEGAL_VECTOR = 0x20;
const WRITABLE = 0xccfff;
const LOGICAL = 0x800;
const ASSERT = 0x4000;
const Shorthand = { none: 0, self: 1, all: 2, others: 3 } as const;

export interface ApicSender extends ApicTarget {
  error(bits: number): void;
}

/** Returns the register's new low half. */
export function sendInterprocessor(bus: ApicBus, sender: ApicSender, command: number, destination: number): number {
  const low = command & WRITABLE;
  const mode = (low >> 8) & 7;
  const vector = low & 0xff;
  const byVector = mode === DeliveryMode.fixed || mode === DeliveryMode.lowestPriority;
  // INIT de-assert only synchronised the arbitration of older buses.
  if (mode === DeliveryMode.init && !(low & ASSERT)) return low;
  if (byVector && vector < FIRST_LEGAL_VECTOR) {
    sender.error(SEND_ILLEGAL_VECTOR);
    return low;
  }
  const shorthand = low >> 18;
  if (shorthand === Shorthand.none) bus.send({ destination, logical: (low & LOGICAL) !== 0, mode, vector, level: false });
  else if (shorthand === Shorthand.all) bus.broadcast(mode, vector);
  else if (shorthand === Shorthand.others) bus.broadcast(mode, vector, sender);
  // To itself a CPU can send fixed interrupts only.
  else if (mode === DeliveryMode.fixed) sender.accept(mode, vector, false);
  return low;
}
