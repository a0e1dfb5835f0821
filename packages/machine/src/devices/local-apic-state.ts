/**
 * What a local APIC remembers, and with what it begins.
 */
import { flag, list, u32, u8, type ValuesOf } from '../state-format';
import { powerOnTimer, timerState } from './apic-timer';
import { localVectorsState, powerOnVectors } from './local-vectors';
import { emptyVectorSet, VECTOR_WORDS } from './vector-set';

export const localApicFields = {
  enabled: flag('IA32_APIC_BASE bit 11'),
  id: u8('APIC id'),
  tpr: u8('task priority'),
  ldr: u8('logical id'),
  dfr: u8('destination format, bits 31-28: 15 flat, 0 cluster'),
  svr: u32('spurious vector, software enable, focus check'),
  isr: list(u32('in service'), { length: VECTOR_WORDS }),
  tmr: list(u32('accepted as level triggered'), { length: VECTOR_WORDS }),
  irr: list(u32('requested'), { length: VECTOR_WORDS }),
  esr: u8('error status as last made readable'),
  errors: u8('errors since then'),
  icrLow: u32('interrupt command, low half'),
  icrHigh: u8('interrupt command: destination'),
  nmi: flag('an NMI waits for the CPU'),
  waitsForStartUp: flag('after INIT, until a start-up message'),
  coalescedTicks: u32('timer periods that were merged with others because the host was late'),
  vectors: localVectorsState,
  timer: timerState,
};
export type LocalApicState = ValuesOf<typeof localApicFields>;

/** The APIC takes interrupts and its vectors may be unmasked (SVR bit 8). */
export const SVR_ENABLED = 0x100;
const SVR_POWER_ON = 0xff;
export const DFR_FLAT = 15;

/** After a reset, when firmware has prepared the first CPU's; or, without firmware, after INIT and after being switched on. */
export function powerOnLocalApic(id: number, byFirmware: boolean): LocalApicState {
  const first = byFirmware && id === 0;
  return {
    enabled: true,
    id,
    tpr: 0,
    ldr: 0,
    dfr: DFR_FLAT,
    svr: SVR_POWER_ON | (first ? SVR_ENABLED : 0),
    isr: emptyVectorSet(),
    tmr: emptyVectorSet(),
    irr: emptyVectorSet(),
    esr: 0,
    errors: 0,
    icrLow: 0,
    icrHigh: 0,
    nmi: false,
    waitsForStartUp: byFirmware && id !== 0,
    coalescedTicks: 0,
    vectors: powerOnVectors(first),
    timer: powerOnTimer(),
  };
}
