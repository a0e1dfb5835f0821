/** What can be done to a VM or host: the method of the API, the command line that does the same, and when it makes sense. */
import { nameOf } from './store';
import type { Host, Vm } from './types';
import { hostWord, shellWord, vmWord } from './words';

export interface Action {
  readonly id: string;
  readonly label: string;
  readonly cli: string;
  readonly service: 'Vms' | 'Hosts' | 'Cluster';
  readonly method: string;
  readonly request: object;
  /** Why it cannot be done now; empty: it can. */
  readonly not: string;
  /** Asked before; empty: done at once. */
  readonly ask: string;
  readonly danger: boolean;
}

interface VmRow {
  readonly id: string;
  readonly label: string;
  readonly method: string;
  /** States in which it makes sense. */
  readonly states: readonly string[];
  readonly request?: object;
  readonly flags?: string;
  readonly verb?: string;
  readonly ask?: string;
  readonly danger?: boolean;
}

const VM_ROWS: readonly VmRow[] = [
  { id: 'start', label: 'Start', method: 'StartVm', states: ['stopped', 'suspended'] },
  { id: 'pause', label: 'Pause', method: 'PauseVm', states: ['running'] },
  { id: 'resume', label: 'Resume', method: 'ResumeVm', states: ['paused', 'suspended'] },
  { id: 'suspend', label: 'Suspend', method: 'SuspendVm', states: ['running', 'paused'], ask: 'Its state is saved to its datastore, and its process ends. It goes on exactly there, on any host.' },
  { id: 'stop', label: 'Shut down', method: 'StopVm', states: ['running'], verb: 'stop', ask: 'Presses the power button; the guest shuts down by itself.' },
  { id: 'reset', label: 'Reset', method: 'ResetVm', states: ['running', 'paused'], danger: true, ask: 'The guest starts anew at once. What it has not written is lost.' },
  { id: 'kill', label: 'Pull the plug', method: 'StopVm', states: ['running', 'paused', 'starting'], verb: 'stop', flags: '--kill', request: { kill: true }, danger: true, ask: 'The VM ends now. What the guest has not written is lost.' },
  { id: 'rm', label: 'Remove', method: 'RemoveVm', states: ['stopped', 'suspended'], danger: true, ask: 'The VM and its disks are removed for good.' },
];

export function vmActions(vm: Vm): Action[] {
  const name = nameOf(vm);
  const word = vmWord(vm);
  return VM_ROWS.map(({ id, label, method, states, request = {}, flags = '', verb = id, ask = '', danger = false }) => ({
    id,
    label,
    cli: ['godwit vm', verb, shellWord(name), flags].filter(Boolean).join(' '),
    service: 'Vms',
    method,
    request: { vm: name, ...request },
    not: vm.migrationId ? 'it is moving' : states.includes(word) ? '' : `it is ${word}`,
    ask,
    danger,
  }));
}

export function resumeHostAction(host: Host): Action {
  const away = ['draining', 'maintenance'].includes(hostWord(host));
  return {
    id: 'resume',
    label: 'End maintenance',
    cli: `godwit host resume ${shellWord(host.name)}`,
    service: 'Hosts',
    method: 'ResumeHost',
    request: { host: host.name },
    not: away ? '' : 'it is not in maintenance',
    ask: '',
    danger: false,
  };
}

export interface MigrateChoice {
  readonly vm: string;
  readonly toHost: string;
  readonly pauseBudgetMs: string;
  /** MB a second: 10^6 bytes, as the command line's M. */
  readonly bandwidthM: string;
}

export const settingsOf = ({ pauseBudgetMs, bandwidthM }: Pick<MigrateChoice, 'pauseBudgetMs' | 'bandwidthM'>): object => ({
  ...(pauseBudgetMs === '' ? {} : { pauseBudgetMs: Number(pauseBudgetMs) }),
  ...(bandwidthM === '' ? {} : { bandwidthBytesPerSecond: Number(bandwidthM) * 1e6 }),
});

const settingFlags = ({ pauseBudgetMs, bandwidthM }: Pick<MigrateChoice, 'pauseBudgetMs' | 'bandwidthM'>): string[] => [
  ...(pauseBudgetMs === '' ? [] : [`--max-pause ${Number(pauseBudgetMs)}ms`]),
  ...(bandwidthM === '' ? [] : [`--bandwidth ${Number(bandwidthM) === 0 ? 'unlimited' : `${Number(bandwidthM)}M`}`]),
];

export const migrateCli = (choice: MigrateChoice): string =>
  ['godwit migrate', shellWord(choice.vm), ...(choice.toHost ? [`--to ${shellWord(choice.toHost)}`] : []), ...settingFlags(choice)].join(' ');

export const changeCli = (vm: string, choice: Pick<MigrateChoice, 'pauseBudgetMs' | 'bandwidthM'>): string =>
  ['godwit migration set', shellWord(vm), ...settingFlags(choice)].join(' ');
