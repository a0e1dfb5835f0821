/** Everything of a kind, to be searched: VMs, hosts, migrations, events. */
import { useState } from 'preact/hooks';
import { idOf, nameOf, store } from '../model/store';
import type { MigrationView, Vm } from '../model/types';
import { useSlowly } from '../model/use';
import { bytes, dateAndTime, duration, percent, rate, stateWord, vmWord } from '../model/words';
import { Timeline } from '../ui/events';
import { newestFirst } from '../ui/moving';
import { Empty, HostLink, HostState, Page, Panel, VmLink, VmState } from '../ui/parts';
import { Link, migrationPath } from '../ui/route';

/** Rows drawn at a time; the search finds the rest. */
const ROWS = 200;

function Search({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  return <input class="search" type="search" data-search aria-label={label} placeholder={`${label}  /`} value={value} onInput={(event) => onChange(event.currentTarget.value)} />;
}

const More = ({ all }: { all: number }) => (all > ROWS ? <p class="small dim">{all - ROWS} more: search for them.</p> : null);

const byName = (a: Vm, b: Vm): number => nameOf(a).localeCompare(nameOf(b), 'en', { numeric: true });

export function VmsPage() {
  useSlowly(500, 'vms');
  const [part, search] = useState('');
  const words = part.toLowerCase().split(/\s+/).filter(Boolean);
  const vms = [...store.vms.values()].filter((vm) => words.every((word) => `${nameOf(vm)} ${vm.hostName} ${vmWord(vm)}`.toLowerCase().includes(word))).sort(byName);
  return (
    <Page title="VMs" sub={<span class="dim">{vms.length} of {store.vms.size}</span>} actions={<Search label="Name, host or state" value={part} onChange={search} />}>
      <Panel title="All VMs" class="bare">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">State</th>
              <th scope="col">Host</th>
              <th scope="col">CPU</th>
              <th scope="col">Memory</th>
              <th scope="col">Writes</th>
              <th scope="col" class="wide-only">Remark</th>
            </tr>
          </thead>
          <tbody>
            {vms.slice(0, ROWS).map((vm) => (
              <tr key={idOf(vm)}>
                <td><VmLink name={nameOf(vm)} /></td>
                <td><VmState vm={vm} /></td>
                <td><HostLink name={vm.hostName} /></td>
                <td>{percent(vm.cpuUsed)}</td>
                <td>{bytes(vm.spec?.memoryBytes ?? 0)}</td>
                <td>{rate(vm.dirtyBytesPerSecond)}</td>
                <td class="wide-only dim">{vm.line}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {vms.length === 0 && <Empty>{store.vms.size === 0 ? 'There is no VM yet: godwit vm create makes one.' : 'None is like that.'}</Empty>}
        <More all={vms.length} />
      </Panel>
    </Page>
  );
}

export function HostsPage() {
  useSlowly(500, 'hosts');
  const [part, search] = useState('');
  const hosts = [...store.hosts.values()].filter((host) => `${host.name} ${stateWord(host.state)}`.includes(part)).sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  return (
    <Page title="Hosts" sub={<span class="dim">{hosts.length} of {store.hosts.size}</span>} actions={<Search label="Name or state" value={part} onChange={search} />}>
      <Panel title="All hosts" class="bare">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">State</th>
              <th scope="col">VMs</th>
              <th scope="col">CPU</th>
              <th scope="col">Memory promised</th>
              <th scope="col">In, out</th>
              <th scope="col" class="wide-only">Remark</th>
            </tr>
          </thead>
          <tbody>
            {hosts.slice(0, ROWS).map((host) => (
              <tr key={host.hostId}>
                <td><HostLink name={host.name} /></td>
                <td><HostState host={host} /></td>
                <td>{host.vmIds.length}</td>
                <td>{percent(host.load?.cpuUsed ?? 0)}</td>
                <td>{bytes(host.promisedMemoryBytes)} of {bytes(host.totalMemoryBytes)}</td>
                <td>{host.load?.migrationsIn ?? 0}, {host.load?.migrationsOut ?? 0}</td>
                <td class="wide-only dim">{host.line || host.warnings[0]}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <More all={hosts.length} />
      </Panel>
    </Page>
  );
}

export function MigrationsPage() {
  useSlowly(300, 'migrations');
  const [part, search] = useState('');
  const all = newestFirst().filter((one) => `${one.vmName} ${one.sourceHostName} ${one.targetHostName} ${one.outcome} ${one.stage} ${one.cause}`.includes(part));
  return (
    <Page title="Migrations" sub={<span class="dim">{all.length} kept, the newest first</span>} actions={<Search label="VM, host or outcome" value={part} onChange={search} />}>
      <Panel title="History" class="bare">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Begun</th>
              <th scope="col">VM</th>
              <th scope="col">From, to</th>
              <th scope="col">Outcome</th>
              <th scope="col">Pause</th>
              <th scope="col">In all</th>
              <th scope="col">Rounds</th>
              <th scope="col">Sent</th>
              <th scope="col" class="wide-only">Cause</th>
            </tr>
          </thead>
          <tbody>{all.slice(0, ROWS).map((one) => <MigrationRow key={one.migrationId} one={one} />)}</tbody>
        </table>
        {all.length === 0 && <Empty>No VM has moved yet.</Empty>}
        <More all={all.length} />
      </Panel>
    </Page>
  );
}

function MigrationRow({ one }: { one: MigrationView }) {
  const { record } = one;
  return (
    <tr>
      <td><Link to={migrationPath(one.migrationId)}>{dateAndTime(one.createdAtMs)}</Link></td>
      <td><VmLink name={one.vmName} /></td>
      <td>{one.sourceHostName} → {one.targetHostName || '…'}</td>
      <td><span class={`state outcome-${one.outcome || 'live'}`}>{one.outcome || one.stage}</span></td>
      <td>{record?.pauseMs === undefined ? '–' : duration(record.pauseMs)}</td>
      <td>{record ? duration(record.totalMs) : '–'}</td>
      <td>{record?.roundCount ?? '–'}</td>
      <td>{bytes(record?.counts?.wireBytes ?? 0)}</td>
      <td class="wide-only dim">{one.cause}</td>
    </tr>
  );
}

const LEAST = [
  ['all', ['SEVERITY_INFO', 'SEVERITY_WARNING', 'SEVERITY_ERROR']],
  ['warnings', ['SEVERITY_WARNING', 'SEVERITY_ERROR']],
  ['errors', ['SEVERITY_ERROR']],
] as const;

export function EventsPage() {
  useSlowly(250, 'events');
  const [part, search] = useState('');
  const [least, setLeast] = useState<string>('all');
  const wanted = LEAST.find(([name]) => name === least)![1] as readonly string[];
  const shown = store.events.filter((event) => wanted.includes(event.severity) && `${event.line} ${event.kind} ${event.actor} ${event.vmName} ${event.hostName}`.includes(part));
  return (
    <Page
      title="Events"
      sub={<span class="dim">{shown.length} of the last {store.events.length}</span>}
      actions={
        <>
          <select class="select" aria-label="severity" value={least} onChange={(event) => setLeast(event.currentTarget.value)}>
            {LEAST.map(([name]) => <option key={name} value={name}>{name}</option>)}
          </select>
          <Search label="Text, VM or host" value={part} onChange={search} />
        </>
      }
    >
      <Panel title="Timeline" class="bare">
        <Timeline events={shown} most={400} />
      </Panel>
    </Page>
  );
}
