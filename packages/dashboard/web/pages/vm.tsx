/** One VM: where it runs, how busy it is, its console, what can be done, what happened. */
import { lazy, Suspense } from 'preact/compat';
import { useState } from 'preact/hooks';
import { vmActions } from '../model/actions';
import { idOf, nameOf, store } from '../model/store';
import type { Vm } from '../model/types';
import { useMay, useSlowly, useTopics, useVm } from '../model/use';
import { bytes, dateAndTime, duration, percent, rate, vmWord } from '../model/words';
import { ActionList } from '../ui/act';
import { Chart } from '../ui/chart';
import { CloneDialog } from '../ui/clone-dialog';
import { MigrateDialog } from '../ui/migrate-dialog';
import { newestFirst } from '../ui/moving';
import { CliLine, Empty, Figure, HostLink, Page, Panel, VmState } from '../ui/parts';
import { Link, migrationPath } from '../ui/route';
import { OwnEvents } from './own-events';

const Console = lazy(() => import('../ui/console'));

export function VmPage({ name }: { name: string }) {
  useTopics('vms');
  const vm = store.findVm(name);
  if (!vm) return <Page title={name}><Empty>There is no VM {name} in this cluster.</Empty></Page>;
  return <OneVm key={idOf(vm)} id={idOf(vm)} />;
}

function OneVm({ id }: { id: string }) {
  const vm = useVm(id);
  const may = useMay();
  const [dialog, open] = useState<'migrate' | 'clone' | undefined>();
  const [consoleOpen, showConsole] = useState(false);
  if (!vm) return null;
  const name = nameOf(vm);
  const isUp = ['running', 'paused', 'starting'].includes(vmWord(vm));
  return (
    <Page
      title={name}
      sub={
        <>
          <VmState vm={vm} /> <span class="dim">on</span> <HostLink name={vm.hostName} /> {vm.line && <span class="dim"> {vm.line}</span>}
        </>
      }
      actions={
        vm.migrationId ? (
          <Link to={migrationPath(vm.migrationId)} class="button primary">
            Watch it move
          </Link>
        ) : (
          <button type="button" class="button primary" disabled={!may.operate || !isUp} onClick={() => open('migrate')}>
            Migrate…
          </button>
        )
      }
    >
      <Facts vm={vm} />
      <div class="split">
        <div class="stack grow">
          <Panel title="Serial console" aside={<CliLine line={`godwit vm console ${name}`} />}>
            {consoleOpen ? (
              <Suspense fallback={<Empty>Opening…</Empty>}>
                <Console vm={name} />
              </Suspense>
            ) : (
              <div class="console closed">
                <button type="button" class="button" disabled={!may.operate || !isUp} onClick={() => showConsole(true)}>
                  Open the console
                </button>
                <span>{may.operate ? (isUp ? 'It stays open while the VM moves.' : `There is none while it is ${vmWord(vm)}.`) : 'Your role may only look.'}</span>
              </div>
            )}
            {consoleOpen && (
              <button type="button" class="button small" data-leave-console onClick={() => showConsole(false)}>
                Close the console
              </button>
            )}
          </Panel>
          <Charts id={id} />
        </div>
        <div class="side">
          <Panel title="Actions">
            <ActionList actions={vmActions(vm)} name={name} />
            <ul class="actions">
              <li>
                <button type="button" class="button" disabled={!may.operate || isUp} onClick={() => open('clone')}>
                  Clone…
                </button>
                <CliLine line={`godwit vm clone ${name} COPY`} />
              </li>
            </ul>
          </Panel>
          <Moves id={id} />
          <Panel title="Timeline">
            <OwnEvents filter={{ vm: id }} match={(event) => event.vmId === id} without={['vm']} most={20} />
          </Panel>
        </div>
      </div>
      {dialog === 'migrate' && <MigrateDialog vm={name} from={vm.hostName} onClose={() => open(undefined)} />}
      {dialog === 'clone' && <CloneDialog vm={name} onClose={() => open(undefined)} />}
    </Page>
  );
}

function Facts({ vm }: { vm: Vm }) {
  const { spec } = vm;
  const disks = spec?.disks ?? [];
  return (
    <div class="figures">
      <Figure name="CPU" value={percent(vm.cpuUsed)} sub={`${spec?.vcpus || 1} vCPU`} />
      <Figure name="Memory" value={bytes(spec?.memoryBytes ?? 0)} sub={`writes ${rate(vm.dirtyBytesPerSecond)}`} />
      <Figure name="Disks" value={disks.length} sub={disks.map(({ sizeBytes, bus }) => `${bytes(sizeBytes)} ${bus || 'virtio'}`).join(', ') || 'none'} />
      <Figure name="Networks" value={spec?.networks.length ?? 0} sub={spec?.networks.map(({ network }) => network).join(', ') || 'none'} />
      <Figure name="Up" value={vm.startedAtMs && vmWord(vm) === 'running' ? duration(Math.max(1_000, Date.now() - vm.startedAtMs)) : '–'} sub={vm.startedAtMs ? `here since ${dateAndTime(vm.startedAtMs)}` : undefined} />
    </div>
  );
}

function Charts({ id }: { id: string }) {
  useSlowly(500, `vm:${id}`);
  const series = store.vmSamples.of(id);
  const times = series?.times ?? [];
  return (
    <div class="split even">
      <Panel title="CPU">
        <Chart label="CPU" lines={[{ name: 'of its vCPU', colour: '--calm' }]} times={times} rows={[series?.rows[0] ?? []]} max={1} format={percent} height={130} />
      </Panel>
      <Panel title="Memory written">
        <Chart label="memory written" lines={[{ name: 'dirty rate', colour: '--moving' }]} times={times} rows={[series?.rows[1] ?? []]} format={rate} height={130} least={1024 * 1024} />
      </Panel>
    </div>
  );
}

function Moves({ id }: { id: string }) {
  useSlowly(250, 'migrations');
  const own = newestFirst().filter(({ vmId }) => vmId === id).slice(0, 6);
  return (
    <Panel title="Moves">
      {own.length === 0 && <Empty>It has not moved yet.</Empty>}
      <div class="moving-list">
        {own.map((one) => (
          <Link key={one.migrationId} to={migrationPath(one.migrationId)} class={`moving-row ${one.stage === 'ended' ? one.outcome : 'live'}`}>
            <b>
              {one.sourceHostName} → {one.targetHostName || '…'}
            </b>
            <span class="dim">{dateAndTime(one.createdAtMs)}</span>
            <span class="moving-says">{one.stage === 'ended' ? (one.record?.pauseMs === undefined ? one.outcome : `paused ${duration(one.record.pauseMs)}`) : one.stage}</span>
          </Link>
        ))}
      </div>
    </Panel>
  );
}
