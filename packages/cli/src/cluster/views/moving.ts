/** Migrations, operations, and where a VM may go. */
import type { DrainMove, DrainPlan, HostVerdict, MigrationView, Operation } from '@godwit/wire';
import { endLines, pauseParts, roundLine, sentText, whereText } from '../follow/migration-lines';
import type { Kind } from '../output/output';
import type { Tone } from '../output/style';
import { durationText, plural, timeText, wordOfEnum } from '../output/units';

const OUTCOMES: Readonly<Record<string, Tone>> = { completed: 'good', cancelled: 'warn', failed: 'bad', lost: 'bad', unknown: 'bad' };
const stageText = ({ stage, outcome, cancelWanted }: MigrationView): string => outcome || (cancelWanted ? `${stage} (cancelling)` : stage);

export const MIGRATION_KIND: Kind<MigrationView> = {
  name: ({ migrationId }) => migrationId,
  columns: [
    { title: 'ID', cell: ({ migrationId }) => migrationId.slice(0, 8) },
    { title: 'VM', cell: ({ vmName }) => vmName },
    { title: 'FROM', cell: ({ sourceHostName }) => sourceHostName },
    { title: 'TO', cell: ({ targetHostName }) => targetHostName },
    { title: 'STATE', cell: stageText, tone: ({ outcome }) => OUTCOMES[outcome] },
    { title: 'ROUNDS', right: true, cell: ({ record }) => (record ? String(record.roundCount) : '') },
    { title: 'PAUSE', right: true, cell: ({ record }) => (record?.pauseMs === undefined ? '' : durationText(record.pauseMs)) },
    { title: 'TOOK', right: true, live: true, cell: ({ createdAtMs, endedAtMs }) => durationText((endedAtMs || Date.now()) - createdAtMs) },
    { title: 'BEGUN', cell: ({ createdAtMs }) => timeText(createdAtMs), wide: true },
    { title: 'CAUSE', cell: ({ cause }) => cause, wide: true },
    { title: 'BY', cell: ({ actor }) => actor, wide: true },
    { title: 'WHOLE ID', cell: ({ migrationId }) => migrationId, wide: true },
    { title: 'NOTE', cell: (one) => one.line || whereText(one), wide: true },
  ],
  details: (one) => {
    const { record } = one;
    return [
      ['migration', one.migrationId],
      ['VM', one.vmName],
      ['from', one.sourceHostName],
      ['to', one.targetHostName],
      ['state', stageText(one)],
      ['where it runs', whereText(one)],
      [one.stage === 'ended' ? 'ended' : 'now', one.stage === 'ended' ? endLines(one) : one.line],
      ['phase', record && one.stage !== 'ended' ? record.phase : ''],
      ['expected pause', record && one.stage !== 'ended' ? durationText(record.expectedPauseMs) : ''],
      ['pause', record?.pauseMs === undefined ? '' : `${durationText(record.pauseMs)} (${pauseParts(record.pause)})`],
      ['sent', record ? sentText(record) : ''],
      ['rounds', record?.rounds.map(roundLine) ?? []],
      ['cause', one.cause],
      ['by', one.actor],
      ['begun', timeText(one.createdAtMs)],
      ['over', timeText(one.endedAtMs)],
    ];
  },
};

export const operationState = ({ state }: Pick<Operation, 'state'>): string => wordOfEnum(state, 'OPERATION_STATE_');
const STATES: Readonly<Record<string, Tone>> = { succeeded: 'good', failed: 'bad', unknown: 'bad', cancelled: 'warn', partial: 'warn' };

export const OPERATION_KIND: Kind<Operation> = {
  name: ({ operationId }) => operationId,
  columns: [
    { title: 'ID', cell: ({ operationId }) => operationId.slice(0, 8) },
    { title: 'KIND', cell: ({ kind }) => kind },
    { title: 'OF', cell: ({ vmName, hostName }) => vmName || hostName },
    { title: 'STATE', cell: operationState, tone: (one) => STATES[operationState(one)] },
    { title: 'TOOK', right: true, cell: ({ createdAtMs, endedAtMs }) => durationText((endedAtMs || Date.now()) - createdAtMs) },
    { title: 'BY', cell: ({ actor }) => actor },
    { title: 'WHOLE ID', cell: ({ operationId }) => operationId, wide: true },
    { title: 'NOTE', cell: ({ line }) => line },
  ],
  details: (one) => [
    ['operation', one.operationId],
    ['kind', one.kind],
    ['VM', one.vmName],
    ['host', one.hostName],
    ['state', operationState(one)],
    ['note', one.line],
    ['error', one.errorCode],
    [
      'parts',
      one.items.map(
        (item) =>
          `${item.vmName}${item.toHostName ? ` → ${item.toHostName}` : ''}: ${operationState(item) || 'not begun'}${item.line ? `: ${item.line}` : ''}`,
      ),
    ],
    ['by', one.actor],
    ['begun', timeText(one.createdAtMs)],
    ['over', timeText(one.endedAtMs)],
    ['deadline', timeText(one.deadlineAtMs)],
  ],
};

/** One host's verdict, for a dry run. */
export const VERDICT_KIND = (chosenHostId: string): Kind<HostVerdict> => ({
  name: ({ name }) => name,
  columns: [
    { title: 'HOST', cell: ({ name }) => name },
    {
      title: 'VERDICT',
      cell: ({ hostId, blockers }) => (hostId === chosenHostId ? 'would go here' : blockers.length === 0 ? 'possible' : 'not possible'),
      tone: ({ hostId, blockers }) => (hostId === chosenHostId ? 'good' : blockers.length === 0 ? undefined : 'warn'),
    },
    { title: 'SCORE', right: true, cell: ({ score, blockers }) => (blockers.length === 0 ? score.toFixed(2) : '') },
    { title: 'WHY', cell: whyText },
  ],
});

/** All that stands against a host, then ways out; or what speaks for it. */
export function whyText({ blockers, instead, missingUsedFeatures, reasons }: HostVerdict): string {
  if (blockers.length === 0) return reasons.join('; ');
  const used = missingUsedFeatures.length > 0 ? [`the guest has used ${missingUsedFeatures.join(', ')}`] : [];
  return [...blockers.map(({ message }) => message), ...used, ...instead.map((line) => `instead: ${line}`)].join('; ');
}

export const MOVE_KIND: Kind<DrainMove> = {
  name: ({ vmName }) => vmName,
  columns: [
    { title: 'VM', cell: ({ vmName }) => vmName },
    { title: 'TO', cell: ({ toHostName }) => toHostName },
    { title: 'HOW', cell: ({ how }) => how },
    { title: 'WHY', cell: ({ line }) => line },
  ],
};

interface PlanRow {
  readonly vm: string;
  readonly to: string;
  /** live, suspend, stop, cold; or blocked */
  readonly how: string;
  readonly why: string;
}

export const PLAN_KIND: Kind<PlanRow> = {
  name: ({ vm }) => vm,
  columns: [
    { title: 'VM', cell: ({ vm }) => vm },
    { title: 'TO', cell: ({ to }) => to },
    { title: 'HOW', cell: ({ how }) => how, tone: ({ how }) => (how === 'blocked' ? 'bad' : undefined) },
    { title: 'WHY', cell: ({ why }) => why },
  ],
};

/** VMs that cannot go stand first, each with what every host says. */
export const planRows = ({ blockers, moves }: DrainPlan): PlanRow[] => [
  ...blockers.map(({ vmName, line, hosts }) => ({
    vm: vmName,
    to: '',
    how: 'blocked',
    why: [line, ...hosts.map((host) => `${host.name}: ${whyText(host)}`)].filter(Boolean).join('; '),
  })),
  ...moves.map(({ vmName, toHostName, how, line }) => ({ vm: vmName, to: toHostName, how, why: line })),
];

export const movesText = (count: number): string => plural(count, 'VM moves', 'VMs move');
