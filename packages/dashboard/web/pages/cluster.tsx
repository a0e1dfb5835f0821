/** The cluster at a glance: its figures, the map, what moves, what happened. */
import { store } from '../model/store';
import { useSlowly, useTopics } from '../model/use';
import { bytes } from '../model/words';
import { Timeline } from '../ui/events';
import { ClusterMap } from '../ui/map';
import { MovingList } from '../ui/moving';
import { Figure, Page, Panel } from '../ui/parts';
import { Link } from '../ui/route';

export function ClusterPage({ wall = false }: { wall?: boolean }) {
  return (
    <Page title={<ClusterName />} sub={<Health />} actions={wall ? undefined : <WallLink />}>
      <Figures />
      <div class="split">
        <Panel title="Hosts and VMs" aside={<Key />} class="grow">
          <ClusterMap />
        </Panel>
        <div class="side">
          <MovingList />
          <Events most={wall ? 8 : 14} />
        </div>
      </div>
    </Page>
  );
}

const WallLink = () => (
  <Link to="/wall" class="button">
    Wall screen
  </Link>
);

function ClusterName() {
  useTopics('identity');
  return <>{store.identity?.clusterName ?? 'Cluster'}</>;
}

function Health() {
  useTopics('status');
  const { status } = store;
  if (!status) return null;
  return (
    <>
      <span class={`state health-${status.health}`}>{status.health}</span>
      <span class="dim"> {status.problems[0] ?? 'everything is as it should be'}</span>
    </>
  );
}

function Figures() {
  useTopics('status');
  const { status } = store;
  const memory = status && status.memoryBytes > 0 ? status.memoryPromisedBytes / status.memoryBytes : 0;
  return (
    <div class="figures">
      <Figure name="Hosts ready" value={`${status?.hostsReady ?? '–'} / ${status?.hosts ?? '–'}`} tone={status && status.hostsReady < status.hosts ? 'warn' : ''} sub={`${status?.cpus ?? 0} CPUs`} />
      <Figure name="VMs running" value={`${status?.vmsRunning ?? '–'} / ${status?.vms ?? '–'}`} tone={status && status.vmsUnknown > 0 ? 'warn' : ''} sub={status?.vmsUnknown ? `${status.vmsUnknown} unknown` : undefined} />
      <Figure name="Moving now" value={status?.migrationsRunning ?? '–'} tone={status?.migrationsRunning ? 'move' : ''} />
      <Figure name="Memory promised" value={status ? bytes(status.memoryPromisedBytes) : '–'} sub={status ? `of ${bytes(status.memoryBytes)}, ${Math.round(memory * 100)} %` : undefined} />
      <Figure name="Controller" value={`term ${status?.term ?? '–'}`} sub={status ? `${status.store} store` : undefined} />
    </div>
  );
}

const Key = () => (
  <span class="key" aria-hidden="true">
    <i class="chip-key vm-running" /> running <i class="chip-key moving" /> moving <i class="chip-key vm-stopped" /> stopped <i class="chip-key vm-unknown" /> unknown
  </span>
);

function Events({ most }: { most: number }) {
  useSlowly(250, 'events');
  return (
    <Panel title="Events" aside={<Link to="/events">all</Link>}>
      <Timeline events={store.events} most={most} />
    </Panel>
  );
}
