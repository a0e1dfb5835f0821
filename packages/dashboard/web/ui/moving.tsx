/** Migrations under way, and the last ones that ended, in a few words each. */
import { store } from '../model/store';
import { useMigration, useSlowly } from '../model/use';
import type { MigrationView } from '../model/types';
import { bytes, clock, duration } from '../model/words';
import { Empty, Panel } from './parts';
import { Link, migrationPath } from './route';

const SHOWN = 6;

export const newestFirst = (): MigrationView[] => [...store.migrations.values()].sort((a, b) => b.createdAtMs - a.createdAtMs);

export function MovingList() {
  useSlowly(200, 'migrations');
  const all = newestFirst();
  const running = all.filter(({ stage }) => stage !== 'ended');
  const ended = all.filter(({ stage }) => stage === 'ended').slice(0, Math.max(2, SHOWN - running.length));
  return (
    <Panel title="Migrations" aside={<Link to="/migrations">history</Link>}>
      <div class="moving-list">
        {running.slice(0, SHOWN).map(({ migrationId }) => (
          <MovingRow key={migrationId} id={migrationId} />
        ))}
        {ended.map(({ migrationId }) => (
          <MovingRow key={migrationId} id={migrationId} />
        ))}
        {all.length === 0 && <Empty>No VM has moved yet.</Empty>}
      </div>
    </Panel>
  );
}

function MovingRow({ id }: { id: string }) {
  const one = useMigration(id);
  if (!one) return null;
  const { record } = one;
  const says =
    one.stage === 'ended'
      ? one.outcome === 'completed'
        ? `paused ${record?.pauseMs === undefined ? '–' : duration(record.pauseMs)} · ${clock(one.endedAtMs)}`
        : `${one.outcome} · ${clock(one.endedAtMs)}`
      : record
        ? `round ${record.roundCount + 1} · ${bytes(record.remainingPages * 4096)} remain`
        : one.stage;
  return (
    <Link to={migrationPath(id)} class={`moving-row ${one.stage === 'ended' ? one.outcome : 'live'}`}>
      <b>{one.vmName}</b>
      <span class="dim">
        {one.sourceHostName} → {one.targetHostName || '…'}
      </span>
      <span class="moving-says">{says}</span>
    </Link>
  );
}
