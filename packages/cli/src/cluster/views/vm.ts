/** VMs in tables and at length. */
import type { Vm, VmDiskSpec } from '@godwit/wire';
import type { Kind } from '../output/output';
import type { Tone } from '../output/style';
import { ageText, bytesText, percentText, rateText, timeText, wordOfEnum } from '../output/units';

export const vmState = ({ state }: Pick<Vm, 'state'>): string => wordOfEnum(state, 'VM_STATE_');
export const vmName = ({ spec }: Pick<Vm, 'spec'>): string => spec?.name ?? '';

const TONES: Readonly<Record<string, Tone>> = { running: 'good', unknown: 'bad', paused: 'warn', stopped: 'dim', suspended: 'dim' };

/** `running`, and what is going on with it. */
const stateText = (vm: Vm): string => {
  const stands = vm.state === 'VM_STATE_RUNNING' && vm.pauses.length > 0 ? ` (stands still: ${vm.pauses.join(', ')})` : '';
  return `${vmState(vm)}${vm.migrationId ? ' (moving)' : stands}`;
};
const labelsText = (labels: Readonly<Record<string, string>> = {}): string[] =>
  Object.entries(labels).map(([key, value]) => `${key}=${value}`);

export const VM_KIND: Kind<Vm> = {
  name: vmName,
  columns: [
    { title: 'NAME', cell: vmName },
    { title: 'STATE', cell: stateText, tone: (vm) => TONES[vmState(vm)] },
    { title: 'HOST', cell: ({ hostName, state }) => (state === 'VM_STATE_STOPPED' || state === 'VM_STATE_SUSPENDED' ? '' : hostName) },
    { title: 'MEMORY', right: true, cell: ({ spec }) => bytesText(spec?.memoryBytes ?? 0) },
    { title: 'CPU', right: true, live: true, cell: ({ cpuUsed, state }) => (state === 'VM_STATE_RUNNING' ? percentText(cpuUsed) : '') },
    { title: 'THERE FOR', right: true, live: true, cell: ({ startedAtMs }) => ageText(startedAtMs, Date.now()) },
    { title: 'WRITES', right: true, live: true, wide: true, cell: ({ dirtyBytesPerSecond }) => rateText(dirtyBytesPerSecond) },
    { title: 'LABELS', wide: true, cell: ({ spec }) => labelsText(spec?.labels).join(',') },
    { title: 'ID', wide: true, cell: ({ spec }) => spec?.vmId ?? '' },
    { title: 'NOTE', wide: true, whenSaid: true, cell: ({ line }) => line },
  ],
  details: (vm) => {
    const { spec, place, cpu } = vm;
    const migration = spec?.migration;
    return [
      ['name', vmName(vm)],
      ['id', spec?.vmId ?? ''],
      ['state', stateText(vm)],
      ['wanted', wordOfEnum(vm.wanted, 'WANTED_STATE_')],
      ['host', vm.hostName],
      ['note', vm.line],
      ['stands still', [...vm.pauses]],
      ['migration', vm.migrationId],
      ['operation', vm.operationId === vm.migrationId ? '' : vm.operationId],
      [
        'memory',
        `${bytesText(spec?.memoryBytes ?? 0)}${spec?.reservedMemoryBytes ? `, ${bytesText(spec.reservedMemoryBytes)} promised` : ''}`,
      ],
      ['cpu used', vm.state === 'VM_STATE_RUNNING' ? percentText(vm.cpuUsed) : ''],
      ['writes', vm.state === 'VM_STATE_RUNNING' ? rateText(vm.dirtyBytesPerSecond) : ''],
      ['cpu features', (spec?.cpuFeatures.length ? spec.cpuFeatures : (cpu?.features ?? [])).join(' ')],
      ['disks', (spec?.disks ?? []).map(diskText)],
      ['networks', (spec?.networks ?? []).map(({ network, adapter, mac }) => `${network}, ${adapter}, ${mac}`)],
      ['kernel', spec?.boot?.kernel ?? ''],
      ['command line', spec?.boot?.commandLine ?? ''],
      ['labels', labelsText(spec?.labels)],
      ['restart', wordOfEnum(spec?.restart ?? '', 'RESTART_POLICY_')],
      ['priority', spec?.priority ? String(spec.priority) : ''],
      ['pause budget', migration?.pauseBudgetMs ? `${migration.pauseBudgetMs} ms` : ''],
      ['moves', migration?.manualOnly ? 'only when an operator says so' : ''],
      ['datastore', place ? `${place.datastoreId}, folder ${place.folder}` : ''],
      ['lease epoch', String(vm.leaseEpoch)],
      ['made', timeText(vm.createdAtMs)],
      ['on this host since', timeText(vm.startedAtMs)],
      ['last heard of', timeText(vm.seenAtMs)],
    ];
  },
};

const diskText = ({ file, bus, format, sizeBytes, readOnly }: VmDiskSpec): string =>
  [file, bus, format, ...(sizeBytes ? [bytesText(sizeBytes)] : []), ...(readOnly ? ['read only'] : [])].join(', ');
