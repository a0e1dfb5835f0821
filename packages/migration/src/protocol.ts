/**
 * What the two ends say to each other besides pages, state and hints, version 1: one
 * JSON text a message.
 *
 *     source                                   target
 *       │ offer (VM, config, versions) ─────────►│ check: every blocker
 *       │◄──────────── answer (version, blockers)│
 *       │ reserve ──────────────────────────────►│ memory, disks, port
 *       │◄──────────────────── reserved (owner)  │
 *       │ pages… roundEnd(0) ───────────────────►│
 *       │◄──────────────────────── received(0)   │
 *       │ …                                      │
 *       │ pausing ──────────────────────────────►│ begins to watch the lease
 *       │ pages… state… end (sums) ─────────────►│ sums agree? restore
 *       │◄───────────────────────────── ready    │
 *       │ ── the lease: owner = target ──────────┼──► reads that it is the owner
 *       │ committed ────────────────────────────►│ (only a hint to look)
 *       │ late frames… ─────────────────────────►│ for the guest, once it runs
 *       │◄─────────────────────────── running    │
 *       │ late frames…, closes ─────────────────►│
 *       ▼                                        ▼
 *     cancel: either way, at any time; after `ready` the lease alone decides.
 *
 * Versions: offer and answer keep their form for ever and travel as version 0. The offer
 * names the oldest and newest version that the source speaks; the target answers with the
 * newest that both speak (`agreeVersion`), which all further messages carry. A release
 * speaks its own version and the one before.
 */
import { StreamError } from './errors';
import type { Versions } from './facts';
import { list, nullable, number, oneOf, opaque, type Parse, type Parsed, record, text, whole, yesNo } from './fields';
import { MAX_CONTROL_BYTES, MAX_MEMORY_BYTES, MAX_STATE_BYTES } from './limits';

/** Version 1 is the first: there is none before it yet. */
export const PROTOCOL: Versions = { oldest: 1, newest: 1 };

/** The newest version that both speak; undefined: none. */
export function agreeVersion(one: Versions, other: Versions): number | undefined {
  const newest = Math.min(one.newest, other.newest);
  return newest >= Math.max(one.oldest, other.oldest) ? newest : undefined;
}

const NAME = text(256);
const LINE = text(4096);
const NAMES = list(NAME, 1024);
const U32 = 0xffffffff;
const count = whole(0, Number.MAX_SAFE_INTEGER);
const milliseconds = number(0, 1e14);

const versions = record({ oldest: whole(0, 0xffff), newest: whole(0, 0xffff) });
const cpu = record({ vendor: NAME, features: NAMES, xsaveBytes: whole(0, 1 << 20) });
const owner = record({ hostId: NAME, hostName: NAME, vmmId: NAME });
const sum = record({ low: whole(0, U32), high: whole(0, U32) });

const vm = record({
  vmId: NAME,
  name: NAME,
  state: oneOf('running', 'paused', 'suspended', 'stopped'),
  cpu,
  usedFeatures: nullable(NAMES),
  vcpus: whole(1, 1024),
  memoryBytes: whole(4096, MAX_MEMORY_BYTES),
  machineVersion: whole(0, U32),
  datastores: NAMES,
  networks: NAMES,
  localDevices: list(record({ kind: oneOf('usb', 'serial', 'parallel', 'pci', 'media'), name: NAME }), 256),
});

/** What one end counts and sums of memory; the other compares. */
const tally = { messages: count, pages: count, sum };

const FROM_SOURCE = {
  offer: record({ protocol: versions, migrationId: NAME, vm, config: opaque, source: owner, wallClockMs: milliseconds }),
  reserve: record({}),
  roundEnd: record({ round: whole(0, U32), ...tally }),
  pausing: record({ round: whole(0, U32) }),
  end: record({ ...tally, stateBytes: whole(0, MAX_STATE_BYTES), stateSum: sum, userPaused: yesNo }),
  committed: record({ epoch: count }),
  cancel: record({ why: LINE }),
};

const FROM_TARGET = {
  /** `blockers`: lines for people; none: it may come. `version` 0: none in common. */
  answer: record({ version: whole(0, 0xffff), blockers: list(LINE, 256) }),
  reserved: record({ owner }),
  received: record({ round: whole(0, U32) }),
  ready: record({ sum, restoreMs: milliseconds }),
  running: record({ epoch: count, startMs: milliseconds }),
  cancel: record({ why: LINE }),
};

type Messages<T extends Record<string, Parse<object>>> = { [K in keyof T]: { readonly type: K } & Parsed<T[K]> }[keyof T];
export type SourceMessage = Messages<typeof FROM_SOURCE>;
export type TargetMessage = Messages<typeof FROM_TARGET>;
export type OfferMessage = Extract<SourceMessage, { type: 'offer' }>;

/** @throws StreamError */
export const parseSourceMessage = (json: string): SourceMessage => parse(FROM_SOURCE, json) as SourceMessage;
/** @throws StreamError */
export const parseTargetMessage = (json: string): TargetMessage => parse(FROM_TARGET, json) as TargetMessage;

function parse(table: Readonly<Record<string, Parse<object>>>, json: string): object {
  if (json.length > MAX_CONTROL_BYTES) throw new StreamError('bounds', `a control message of ${json.length} characters is too long`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new StreamError('not-a-message', 'a control message is no JSON');
  }
  const type = typeof value === 'object' && value !== null ? (value as { type?: unknown }).type : undefined;
  if (typeof type !== 'string' || !Object.hasOwn(table, type))
    throw new StreamError('not-a-message', `a control message of unknown type ${String(type).slice(0, 40)}`);
  return { type, ...table[type](value, type) };
}
