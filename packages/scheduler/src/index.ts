export * from './model';
export { type BalanceSettings, checkSettings, DEFAULT_SETTINGS, type MoveLimits, type Settings, type Weights } from './settings';
export { ClusterIndex, type Snapshot } from './cluster-index';
export { Draft } from './draft';
export type { BoundRule, View } from './view';
export { capacityBytes, promisedBytes, type Usage } from './usage';
export type { PlaceRequest, Purpose } from './question';
export type { Reason, ReasonCode } from './filters';
export type { ScoreCode, ScorePart } from './scores';
export { type Choice, choose, type Placement, place, type Verdict } from './place';
export { type Reserve, reserveOf } from './admission';
export { bandwidthShares } from './bandwidth';
export { estimateMove, type MoveEstimate } from './estimate';
export {
  type BaselineEffect,
  baselineEffect,
  type BaselineHost,
  type BaselineReport,
  type BaselineSuggestion,
  computeBaseline,
} from './baseline';
export { type BalanceMove, type BalancePlan, planBalance } from './balance';
export { type DrainBlocker, type DrainMove, type DrainOptions, type DrainPlan, type Otherwise, planDrain } from './drain';
export { type PowerOff, safeToPowerOff } from './power-off';
export { planReturn, type ReturnPlan } from './return';
export { checkFailover, planRestart, type Restart, type RestartPlan, type Stranded } from './restart';
export { pickMoves, type QueuedMove, type Turn, type WaitCode, type Waiting } from './queue';
