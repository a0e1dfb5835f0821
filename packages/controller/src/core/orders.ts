/** What agents are told to do; the bodies of `Order` in proto/godwit/v1/agent.proto as plain data. */
import type { VmPlace, VmSpec } from './spec';

/** Those that are set. */
export interface SettingsChange {
  readonly pauseBudgetMs?: number;
  readonly maxPauseMs?: number;
  readonly bandwidthBytesPerSecond?: number;
  /** Empty: as they are. */
  readonly policies?: readonly string[];
  readonly maxThrottlePercent?: number;
  readonly maxRounds?: number;
  readonly maxPrecopyMs?: number;
}

export type OrderBody =
  | {
      readonly kind: 'start';
      readonly place: VmPlace;
      readonly spec: VmSpec;
      readonly takeOver: boolean;
      readonly paused: boolean;
      readonly discardSavedState: boolean;
    }
  | { readonly kind: 'resumeSuspended'; readonly place: VmPlace; readonly spec: VmSpec; readonly takeOver: boolean }
  | { readonly kind: 'stop'; readonly how: 'button' | 'kill' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'suspend' }
  | {
      readonly kind: 'prepareIncoming';
      readonly migrationId: string;
      readonly place: VmPlace;
      readonly spec: VmSpec;
      readonly waitMs: number;
    }
  | { readonly kind: 'dropIncoming'; readonly migrationId: string }
  | {
      readonly kind: 'migrateOut';
      readonly migrationId: string;
      readonly targetAddress: string;
      /** Secret. */
      readonly token: string;
      readonly settings: SettingsChange;
      readonly targetHost: string;
    }
  | { readonly kind: 'changeMigration'; readonly migrationId: string; readonly settings: SettingsChange }
  | { readonly kind: 'cancelMigration'; readonly migrationId: string; readonly why: string }
  | { readonly kind: 'create'; readonly place: VmPlace; readonly spec: VmSpec }
  | { readonly kind: 'change'; readonly place: VmPlace; readonly spec: VmSpec; readonly growDisks: Readonly<Record<string, number>> }
  | { readonly kind: 'remove'; readonly place: VmPlace }
  | { readonly kind: 'openConsole'; readonly consoleId: string; readonly console: 'serial' | 'screen' }
  | { readonly kind: 'setMaintenance'; readonly maintenance: boolean };

export interface Order {
  readonly orderId: string;
  readonly operationId: string;
  readonly vmId: string;
  /** How long the agent may be at it, ms. */
  readonly timeMs: number;
  readonly body: OrderBody;
}
