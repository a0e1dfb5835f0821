/** Records of migrations as proto/godwit/v1/types.proto spells them. */
import type { Settings } from '@godwit/migration';
import type { Input, MigrationRecord, MigrationSettingsChange } from '@godwit/wire';
import type { KeptRecord } from './outgoing';

/** What of a record protobuf has another form for; the rest has the same names on both sides. */
export function recordMessage(record: KeptRecord): Input<MigrationRecord> {
  const { outcome, rounds, expectedRemainingMs, pause, pauseMs, predictedPauseMs, settings, ...same } = record;
  return {
    ...same,
    outcome: outcome ?? '',
    rounds: [...rounds],
    settings: { ...settings, policies: [...settings.policies] },
    ...(expectedRemainingMs === null ? {} : { expectedRemainingMs }),
    ...(pause === null ? {} : { pause }),
    ...(pauseMs === null ? {} : { pauseMs }),
    ...(predictedPauseMs === null ? {} : { predictedPauseMs }),
  };
}

/** Fields that are not set are not changed; values are judged by the session (checkSettings). */
export function settingsOf(change: MigrationSettingsChange | undefined): Partial<Settings> {
  if (!change) return {};
  const { policies, ...numbers } = change;
  const set = Object.fromEntries(Object.entries(numbers).filter(([, value]) => typeof value === 'number'));
  return { ...set, ...(policies && policies.length > 0 ? { policies: policies as Settings['policies'] } : {}) } as Partial<Settings>;
}
