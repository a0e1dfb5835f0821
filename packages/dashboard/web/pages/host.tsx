/** One host: its load, its VMs, its datastores, maintenance, what happened. */
import { useState } from 'preact/hooks';
import { resumeHostAction } from '../model/actions';
import { idOf, nameOf, store } from '../model/store';
import type { Host } from '../model/types';
import { useHost, useMay, useSlowly, useTopics } from '../model/use';
import { bytes, dateAndTime, hostWord, percent, rate } from '../model/words';
import { act } from '../ui/act';
import { Chart } from '../ui/chart';
import { DrainDialog } from '../ui/drain-dialog';
import { CliLine, Empty, Figure, HostState, Meter, Page, Panel, VmLink, VmState } from '../ui/parts';
import { OwnEvents } from './own-events';

export function HostPage({ name }: { name: string }) {
  useTopics('hosts.names');
  const host = store.findHost(name);
  if (!host) return <Page title={name}><Empty>There is no host {name} in this cluster.</Empty></Page>;
  return <OneHost key={host.hostId} id={host.hostId} />;
}

function OneHost({ id }: { id: string }) {
  const host = useHost(id);
  const may = useMay();
  const [draining, drain] = useState(false);
  if (!host) return null;
  const away = ['draining', 'maintenance'].includes(hostWord(host));
  const resume = resumeHostAction(host);
  return (
    <Page
      title={host.name}
      sub={
        <>
          <HostState host={host} /> {host.line && <span class="dim">{host.line}</span>}
        </>
      }
      actions={
        <>
          <CliLine line={away ? resume.cli : `godwit host drain ${host.name}`} />
          {away ? (
            <button type="button" class="button primary" disabled={!may.operate} onClick={() => void act(resume)}>
              {resume.label}
            </button>
          ) : (
            <button type="button" class="button" disabled={!may.operate} onClick={() => drain(true)}>
              Drain…
            </button>
          )}
        </>
      }
    >
      {host.warnings.map((line) => (
        <p key={line} class="warning">
          {line}
        </p>
      ))}
      <Facts host={host} />
      <div class="split">
        <div class="stack grow">
          <Vms id={id} />
          <Load id={id} />
        </div>
        <div class="side">
          <Panel title="Datastores">
            {host.datastores.length === 0 && <Empty>It sees none.</Empty>}
            <ul class="plain">
              {host.datastores.map(({ datastoreId, name, where, reachable, line, totalBytes, freeBytes }) => (
                <li key={datastoreId}>
                  <div class="row">
                    <b>{name}</b> <span class="dim">{reachable ? `${bytes(freeBytes)} free` : line || 'does not answer'}</span>
                  </div>
                  <Meter name={`${name} used`} share={totalBytes > 0 ? 1 - freeBytes / totalBytes : 0} />
                  <div class="small dim">{where}</div>
                </li>
              ))}
            </ul>
          </Panel>
          <Panel title="Timeline">
            <OwnEvents filter={{ host: id }} match={(event) => event.hostId === id} without={['host']} most={25} />
          </Panel>
        </div>
      </div>
      {draining && <DrainDialog host={host.name} onClose={() => drain(false)} />}
    </Page>
  );
}

function Facts({ host }: { host: Host }) {
  const { load, facts } = host;
  return (
    <div class="figures">
      <Figure name="CPU" value={percent(load?.cpuUsed ?? 0)} sub={`${facts?.cpus ?? 0} CPUs, ${facts?.cpu?.vendor ?? ''}`} />
      <Figure name="Memory promised" value={bytes(host.promisedMemoryBytes)} sub={`of ${bytes(host.totalMemoryBytes)}`} />
      <Figure name="Network" value={rate((load?.networkRxBytesPerSecond ?? 0) + (load?.networkTxBytesPerSecond ?? 0))} sub="in and out" />
      <Figure name="Migrations" value={`${load?.migrationsIn ?? 0} in, ${load?.migrationsOut ?? 0} out`} />
      <Figure name="Agent" value={host.agentVersion || '–'} sub={`joined ${dateAndTime(host.joinedAtMs)}`} />
    </div>
  );
}

function Vms({ id }: { id: string }) {
  useSlowly(500, `on:${id}`, 'vms');
  const vms = store.vmsOn(id);
  return (
    <Panel title="VMs here" aside={String(vms.length)}>
      {vms.length === 0 ? (
        <Empty>No VM is here.</Empty>
      ) : (
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">State</th>
              <th scope="col">CPU</th>
              <th scope="col">Memory</th>
              <th scope="col">Writes</th>
            </tr>
          </thead>
          <tbody>
            {vms.map((vm) => (
              <tr key={idOf(vm)}>
                <td>
                  <VmLink name={nameOf(vm)} />
                </td>
                <td>
                  <VmState vm={vm} />
                </td>
                <td>{percent(vm.cpuUsed)}</td>
                <td>{bytes(vm.spec?.memoryBytes ?? 0)}</td>
                <td>{rate(vm.dirtyBytesPerSecond)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function Load({ id }: { id: string }) {
  useSlowly(500, `host:${id}`);
  const series = store.hostSamples.of(id);
  const lines = [{ name: 'of all CPUs', colour: '--calm' }];
  return (
    <Panel title="Load">
      <Chart label="CPU" lines={lines} times={series?.times ?? []} rows={[series?.rows[0] ?? []]} max={1} format={percent} height={150} />
    </Panel>
  );
}
