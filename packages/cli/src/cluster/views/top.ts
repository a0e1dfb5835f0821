/** Hosts, migrations and VMs on one screen. Pure. */
import type { Host, MigrationView, Vm } from '@godwit/wire';
import { pagesText } from '../follow/migration-lines';
import type { Kind } from '../output/output';
import type { Style } from '../output/style';
import { tableLines } from '../output/table';
import { bytesText, durationText, localTime, percentText, plural, rateText } from '../output/units';
import { hostState } from './host';
import { VM_KIND, vmName } from './vm';

export interface Picture {
  readonly hosts: readonly Host[];
  readonly vms: readonly Vm[];
  /** Under way. */
  readonly migrations: readonly MigrationView[];
}

export const SORTS = ['cpu', 'memory', 'writes', 'name'] as const;
export type Sort = (typeof SORTS)[number];

const KEYS: Readonly<Record<Exclude<Sort, 'name'>, (vm: Vm) => number>> = {
  cpu: ({ cpuUsed }) => cpuUsed,
  memory: ({ spec }) => spec?.memoryBytes ?? 0,
  writes: ({ dirtyBytesPerSecond }) => dirtyBytesPerSecond,
};

export function sorted(vms: readonly Vm[], by: Sort): Vm[] {
  const byName = (a: Vm, b: Vm): number => (vmName(a) < vmName(b) ? -1 : 1);
  return [...vms].sort((a, b) => (by === 'name' ? 0 : KEYS[by](b) - KEYS[by](a)) || byName(a, b));
}

const HOSTS: Kind<Host> = {
  name: ({ name }) => name,
  columns: [
    { title: 'HOST', cell: ({ name }) => name },
    { title: 'STATE', cell: hostState, tone: ({ state }) => (state === 'HOST_STATE_READY' ? 'good' : 'warn') },
    { title: 'VMS', right: true, cell: ({ vmIds }) => String(vmIds.length) },
    { title: 'CPU', right: true, cell: ({ load }) => (load ? percentText(load.cpuUsed) : '') },
    {
      title: 'MEMORY',
      cell: ({ promisedMemoryBytes, totalMemoryBytes }) =>
        totalMemoryBytes ? `${bytesText(promisedMemoryBytes)} of ${bytesText(totalMemoryBytes)} promised` : '',
    },
    {
      title: 'MOVES',
      cell: ({ load }) => (load && load.migrationsIn + load.migrationsOut > 0 ? `${load.migrationsIn} in, ${load.migrationsOut} out` : ''),
    },
  ],
};

const MOVES: Kind<MigrationView> = {
  name: ({ migrationId }) => migrationId,
  columns: [
    { title: 'MOVING', cell: ({ vmName }) => vmName },
    { title: 'FROM', cell: ({ sourceHostName }) => sourceHostName },
    { title: 'TO', cell: ({ targetHostName }) => targetHostName },
    { title: 'ROUND', right: true, cell: ({ record }) => (record ? String(record.roundCount) : '') },
    { title: 'REMAINS', right: true, cell: ({ record }) => (record ? pagesText(record.remainingPages) : '') },
    { title: 'SENT AT', right: true, cell: ({ record }) => (record ? rateText(record.transferBytesPerSecond) : '') },
    { title: 'PAUSE WOULD BE', right: true, cell: ({ record }) => (record ? durationText(record.expectedPauseMs) : '') },
  ],
};

/** @param rows lines that fit; what does not is counted in the last one */
export function topLines(
  { hosts, vms, migrations }: Picture,
  by: Sort,
  nowMs: number,
  style: Style,
  columns?: number,
  rows = Number.POSITIVE_INFINITY,
): string[] {
  const running = vms.filter(({ state }) => state === 'VM_STATE_RUNNING').length;
  const table = <T>({ columns: of }: Kind<T>, items: readonly T[]): string[] => tableLines(of, items, { style, columns });
  const head = `${localTime(nowMs)}  ${plural(hosts.length, 'host')}, ${running} of ${plural(vms.length, 'VM')} run, ${plural(migrations.length, 'migration')} under way`;
  const lines = [
    style('bold', head),
    '',
    ...table(HOSTS, hosts),
    '',
    ...(migrations.length > 0 ? [...table(MOVES, migrations), ''] : []),
    ...(vms.length > 0 ? table(VM_KIND, sorted(vms, by)) : ['there are no VMs']),
  ];
  if (lines.length <= rows) return lines;
  return [...lines.slice(0, rows - 1), style('dim', `… ${lines.length - rows + 1} more: a taller terminal, or godwit vm ls`)];
}
