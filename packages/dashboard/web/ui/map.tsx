/** Hosts and the VMs on them. A card for each host, a chip for each VM; what moves is on both, and flies when it has switched. */
import { memo } from 'preact/compat';
import { idOf, nameOf, store } from '../model/store';
import { useHost, useTopics, useVm } from '../model/use';
import { bytes, hostWord, percent, stateWord, VM_SIGNS, vmWord } from '../model/words';
import { HostState, Meter } from './parts';
import { hostPath, Link, migrationPath, vmPath } from './route';

/** VMs and hosts shown at once, and how much of each is then said. */
const DENSITIES = [
  { upTo: 80, name: 'wide' },
  { upTo: 400, name: 'close' },
  { upTo: Number.POSITIVE_INFINITY, name: 'dots' },
] as const;

export function ClusterMap() {
  useTopics('hosts.names');
  const hosts = [...store.hosts.values()].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  const { name } = DENSITIES.find(({ upTo }) => store.vms.size <= upTo)!;
  const homeless = store.vmsOn('');
  return (
    <div class={`map ${name}`}>
      {hosts.map(({ hostId }) => (
        <HostCard key={hostId} id={hostId} dots={name === 'dots'} />
      ))}
      {homeless.length > 0 && (
        <section class="host-card nowhere" aria-label="on no host">
          <div class="host-head">
            <h3>On no host</h3>
          </div>
          <div class="chips">
            {homeless.map((vm) => (
              <VmChip key={idOf(vm)} id={idOf(vm)} dot={name === 'dots'} />
            ))}
          </div>
        </section>
      )}
    </div>
  );
}

const HostCard = memo(({ id, dots }: { id: string; dots: boolean }) => {
  const host = useHost(id);
  if (!host) return null;
  const promised = host.totalMemoryBytes > 0 ? host.promisedMemoryBytes / host.totalMemoryBytes : 0;
  const cpu = host.load?.cpuUsed ?? 0;
  return (
    <section class={`host-card is-${hostWord(host)}`} aria-label={`host ${host.name}`}>
      <div class="host-head">
        <h3>
          <Link to={hostPath(host.name)}>{host.name}</Link>
        </h3>
        <HostState host={host} />
      </div>
      <div class="host-meters">
        <span class="meter-row">
          <span>cpu</span>
          <Meter name={`CPU of ${host.name}`} share={cpu} />
          <b>{percent(cpu)}</b>
        </span>
        <span class="meter-row">
          <span>mem</span>
          <Meter name={`memory promised on ${host.name}`} share={promised} />
          <b>{dots ? percent(promised) : bytes(host.promisedMemoryBytes)}</b>
        </span>
      </div>
      <HostChips id={id} dots={dots} />
      {host.line && <p class="host-line">{host.line}</p>}
    </section>
  );
});

const HostChips = memo(({ id, dots }: { id: string; dots: boolean }) => {
  useTopics(`on:${id}`);
  const coming = [...store.migrations.values()].filter(({ stage, targetHostId, vmId }) => stage !== 'ended' && targetHostId === id && store.vms.get(vmId)?.hostId !== id);
  const vms = store.vmsOn(id);
  return (
    <div class="chips">
      {vms.map((vm) => (
        <VmChip key={idOf(vm)} id={idOf(vm)} dot={dots} />
      ))}
      {coming.map(({ migrationId, vmName, sourceHostName }) => (
        <Link key={migrationId} to={migrationPath(migrationId)} class={`chip ghost ${dots ? 'dot' : ''}`} aria-label={dots ? `${vmName} arriving from ${sourceHostName}` : undefined}>
          {!dots && <span class="chip-name">{vmName}</span>}
          {!dots && <span class="chip-sign">arriving</span>}
        </Link>
      ))}
      {vms.length === 0 && coming.length === 0 && <span class="chips-none">no VMs</span>}
    </div>
  );
});

const VmChip = memo(({ id, dot }: { id: string; dot: boolean }) => {
  const vm = useVm(id);
  if (!vm) return null;
  const word = vmWord(vm);
  const migration = vm.migrationId ? store.migrations.get(vm.migrationId) : undefined;
  const name = nameOf(vm);
  const says = migration ? `moving to ${migration.targetHostName || 'another host'}, ${stateWord(migration.stage)}` : word;
  return (
    <Link
      to={migration ? migrationPath(migration.migrationId) : vmPath(name)}
      class={`chip vm-${word} ${migration ? 'moving' : ''} ${dot ? 'dot' : ''}`}
      data-vm={id}
      aria-label={dot ? `VM ${name}, ${says}` : undefined}
      title={dot ? `${name}: ${says}` : undefined}
    >
      {!dot && <span class="chip-name">{name}</span>}
      {!dot && <span class="chip-sign">{migration ? `→ ${migration.targetHostName || '…'}` : `${VM_SIGNS[word] ?? ''} ${word === 'running' ? percent(vm.cpuUsed) : word}`}</span>}
    </Link>
  );
});
