export * from './ports';
export * from './facts';
export { PAGE_BYTES, MAX_MESSAGE_BYTES, MAX_STATE_BYTES, MAX_HINT_BYTES, MAX_LATE_BYTES, SEND_AHEAD } from './limits';
export { StreamError, type StreamErrorCode } from './errors';
export { PROTOCOL, agreeVersion, type OfferMessage } from './protocol';
export {
  type Blocker,
  type BlockerCode,
  checkHost,
  checkHosts,
  type FeatureReport,
  type HostReport,
  type Move,
  moveOf,
} from './compatibility';
export { checkSettings, DEFAULT_SETTINGS, type Policy, type Settings } from './convergence';
export { FOUND_WORDS, type PageWork, plainPageWork } from './stream/page-work';
export { learnParts, type PauseParts } from './rates';
export type { Counts, MigrationRecord, RoundRecord, VmPlace } from './statistics';
export type { SourceSetup } from './source-state';
export { type SourceOptions, type SourcePorts, SourceSession } from './source-session';
export { type TargetOptions, type TargetPorts, type TargetRecord, TargetSession } from './target-session';
export { MigrationRegistry } from './registry';
export { type PhaseFacts, SOURCE_PHASES, type SourcePhase, TARGET_PHASES, type TargetPhase } from './phases';
