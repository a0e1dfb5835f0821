/** Hosts in tables and at length. */
import type { Host } from '@godwit/wire';
import type { Kind } from '../output/output';
import type { Tone } from '../output/style';
import { ageText, bytesText, percentText, timeText, wordOfEnum } from '../output/units';

export const hostState = ({ state }: Pick<Host, 'state'>): string => wordOfEnum(state, 'HOST_STATE_');
const TONES: Readonly<Record<string, Tone>> = { ready: 'good', unreachable: 'bad', dead: 'bad', draining: 'warn', maintenance: 'warn' };

export const HOST_KIND: Kind<Host> = {
  name: ({ name }) => name,
  columns: [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'STATE', cell: hostState, tone: (host) => TONES[hostState(host)] },
    { title: 'VMS', right: true, cell: ({ vmIds }) => String(vmIds.length) },
    { title: 'CPUS', right: true, cell: ({ facts }) => (facts ? String(facts.cpus) : '') },
    { title: 'CPU', right: true, live: true, cell: ({ load }) => (load ? percentText(load.cpuUsed) : '') },
    { title: 'MEMORY', right: true, cell: ({ totalMemoryBytes }) => (totalMemoryBytes ? bytesText(totalMemoryBytes) : '') },
    { title: 'PROMISED', right: true, cell: ({ promisedMemoryBytes }) => bytesText(promisedMemoryBytes) },
    { title: 'FREE', right: true, live: true, cell: ({ facts }) => (facts ? bytesText(facts.freeMemoryBytes) : '') },
    { title: 'HEARD', right: true, live: true, wide: true, cell: ({ seenAtMs }) => ageText(seenAtMs, Date.now()) },
    { title: 'AGENT', wide: true, cell: ({ agentVersion }) => agentVersion },
    { title: 'DATASTORES', wide: true, cell: ({ datastores }) => datastores.map(({ name }) => name).join(',') },
    { title: 'GROUPS', wide: true, cell: ({ groups }) => groups.join(',') },
    { title: 'ID', wide: true, cell: ({ hostId }) => hostId },
    { title: 'NOTE', wide: true, whenSaid: true, cell: ({ line, warnings }) => [line, ...warnings].filter(Boolean).join('; ') },
  ],
  details: (host) => {
    const { facts, load } = host;
    return [
      ['name', host.name],
      ['id', host.hostId],
      ['state', hostState(host)],
      ['power', host.safeToPowerOff ? 'safe to power off' : ''],
      ['note', host.line],
      ['warnings', [...host.warnings]],
      ['operation', host.operationId],
      ['VMs', String(host.vmIds.length)],
      ['cpus', facts ? `${facts.cpus}, ${facts.cpu?.vendor ?? ''}` : ''],
      ['cpu used', load ? percentText(load.cpuUsed) : ''],
      [
        'memory',
        host.totalMemoryBytes
          ? `${bytesText(host.totalMemoryBytes)}, ${bytesText(host.promisedMemoryBytes)} promised, ${bytesText(facts?.freeMemoryBytes ?? 0)} free`
          : '',
      ],
      ['migrations', load ? `${load.migrationsIn} in, ${load.migrationsOut} out` : ''],
      [
        'datastores',
        host.datastores.map(
          ({ name, where, reachable, line, freeBytes, totalBytes }) =>
            `${name}, ${where}, ${reachable ? `${bytesText(freeBytes)} free of ${bytesText(totalBytes)}` : `cannot be reached: ${line}`}`,
        ),
      ],
      ['networks', [...(facts?.networks ?? [])]],
      ['groups', [...host.groups]],
      ['cpu features', facts?.cpu?.features.join(' ') ?? ''],
      ['agent', host.agentVersion],
      ['joined', timeText(host.joinedAtMs)],
      ['last heard of', timeText(host.seenAtMs)],
      ['certificate ends', timeText(host.certificateEndsAtMs)],
    ];
  },
};
