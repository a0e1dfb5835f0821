export { checkTiming, DEFAULT_TIMING, MAX_RECORD_BYTES, takeoverWaitMs, type LeaseTiming } from './limits';
export {
  describeOwner,
  encodeBeat,
  encodeClaim,
  parseBeat,
  parseClaim,
  type Beat,
  type Claim,
  type ClaimReason,
  type Owner,
} from './record';
export { Lease } from './lease';
export type { ClaimOutcome, Command, LeaseEvent, Seen, Step } from './protocol';
