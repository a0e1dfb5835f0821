/** Proves, by the type check of the tests, that labels have all words of the parts they count: a new word there fails here. */
import type { ReasonCode } from '@godwit/scheduler';
import type { StoreErrorCode } from '@godwit/store';
import type { PauseReason } from '@godwit/vmm';
import type { HostStatus } from '../../packages/controller/src/core/state';
import type { MigrationOutcome, OperationKind, OperationState, WantedState } from '../../packages/controller/src/core/records';
import * as values from '../../packages/metrics/src/catalogue/values';

type Snake<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}_${Snake<Tail>}` : S;
type Missing<W extends string, L extends readonly string[]> = Exclude<Snake<W>, L[number]>;
type AllMissing =
  | Missing<ReasonCode, typeof values.REFUSAL_REASONS>
  | Missing<StoreErrorCode, typeof values.STORE_OUTCOMES>
  | Missing<PauseReason, typeof values.PAUSE_REASONS>
  | Missing<HostStatus, typeof values.HOST_STATES>
  | Missing<OperationKind, typeof values.OPERATION_KINDS>
  | Missing<Exclude<OperationState, 'running'>, typeof values.OPERATION_OUTCOMES>
  | Missing<WantedState, typeof values.WANTED_STATES>
  | Missing<Exclude<MigrationOutcome, '' | 'unknown'>, typeof values.MIGRATION_OUTCOMES>;

/** A word that is missing would be the type here, and `true` would not fit. */
const noneMissing: [AllMissing] extends [never] ? true : AllMissing = true;

test('no word is missing', () => {
  expect(noneMissing).toBe(true);
  for (const list of Object.values(values)) expect(new Set(list).size).toBe(list.length);
});
