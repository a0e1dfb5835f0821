/** The Am79C973's software timer: runs over again and again from when BCR31 is written (data sheet, "Software Timer"). */
import { Bcr, Csr, Csr7 } from './bits';
import { MIN_SOFTWARE_TIMER_NS, SOFTWARE_TIMER_TICK_NS } from './limits';
import { NEVER, type PcnetState } from './state';

export function startSoftwareTimer(state: PcnetState, nowNs: number): void {
  state.timerStartNs = state.bcr[Bcr.softwareTimer] === 0 ? NEVER : nowNs;
}

/** Sets the event of a period that has run out. */
export function updateSoftwareTimer(state: PcnetState, nowNs: number): void {
  if (state.timerStartNs === NEVER) return;
  const passed = Math.floor((nowNs - state.timerStartNs) / periodNs(state));
  if (passed < 1) return;
  state.timerStartNs += passed * periodNs(state);
  state.csr[Csr.control2] |= Csr7.stint;
}

/** Nothing is to be done on time while the event interrupts nobody. */
export function softwareTimerDeadlineNs(state: PcnetState): number {
  const wanted = state.csr[Csr.control2] & Csr7.stinte && !(state.csr[Csr.control2] & Csr7.stint);
  return wanted && state.timerStartNs !== NEVER ? state.timerStartNs + periodNs(state) : Infinity;
}

function periodNs({ bcr }: PcnetState): number {
  return Math.max(MIN_SOFTWARE_TIMER_NS, bcr[Bcr.softwareTimer] * SOFTWARE_TIMER_TICK_NS);
}
