/** One migration: live while it runs, and afterwards what it was. */
import { useEffect, useState } from 'preact/hooks';
import { call } from '../api/client';
import { changeCli, settingsOf } from '../model/actions';
import { store } from '../model/store';
import type { MigrationRecord, MigrationView } from '../model/types';
import { useMay, useMigration } from '../model/use';
import { bytes, dateAndTime, duration, rate, shellWord } from '../model/words';
import { Chart } from '../ui/chart';
import { SettingFields } from '../ui/migrate-dialog';
import { CliLine, Dialog, Empty, Figure, HostLink, Page, Panel, VmLink } from '../ui/parts';
import { PauseParts } from '../ui/pause-parts';
import { Rounds } from '../ui/rounds';
import { toast } from '../ui/toasts';
import { OwnEvents } from './own-events';

const PAGE = 4096;
const MIB = 1024 * 1024;
const STAGES = ['queued', 'preparing', 'sending', 'settling', 'ended'] as const;

export function MigrationPage({ id }: { id: string }) {
  const live = useMigration(id);
  const whole = useWhole(id, live);
  const one = whole ?? live;
  if (!one) return <Page title="Migration"><Empty>There is no migration {id}, or it is no longer kept.</Empty></Page>;
  const { record } = one;
  const running = one.stage !== 'ended';
  return (
    <Page
      title={
        <>
          <VmLink name={one.vmName} /> <span class="dim">moves</span> <HostLink name={one.sourceHostName} /> <span class="arrow">→</span> <HostLink name={one.targetHostName} />
        </>
      }
      sub={<span role="status">{one.line || one.stage}</span>}
      actions={running && <LiveActions one={one} />}
    >
      <Stages one={one} />
      <div class="figures">
        <Figure name={running ? 'Expected pause' : 'Pause'} big value={pauseOf(one)} tone={running ? 'move' : ''} sub={record?.settings ? `budget ${duration(record.settings.pauseBudgetMs)}` : undefined} />
        <Figure name="Remaining" value={record && running ? bytes(record.remainingPages * PAGE) : running ? '–' : 'nothing'} sub={record ? `of ${bytes(record.memoryBytes)}` : undefined} />
        <Figure name="Guest writes" value={record ? rate(record.dirtyBytesPerSecond) : '–'} sub="dirty rate" />
        <Figure name="Is sent" value={record ? rate(running ? store.sendingRate(one) : meanRate(record)) : '–'} sub={record?.settings ? (record.settings.bandwidthBytesPerSecond ? `at most ${rate(record.settings.bandwidthBytesPerSecond)}` : 'no limit') : undefined} />
        <Figure name={running ? 'Until the switch' : 'In all'} value={running ? untilSwitch(record) : duration(record?.totalMs ?? one.endedAtMs - one.createdAtMs)} sub={`round ${record?.roundCount ?? 0}${record?.throttlePercent ? `, throttled ${Math.round(record.throttlePercent)} %` : ''}`} />
        <Figure name="Sent" value={record ? bytes(record.counts?.wireBytes ?? 0) : '–'} sub={record ? savings(record) : undefined} />
      </div>
      <div class="split even">
        <Panel title="Dirty rate against transfer rate">
          <Rates one={one} />
        </Panel>
        <Panel title="The pause, by parts" aside={record?.predictedPauseMs !== undefined ? `${duration(record.predictedPauseMs)} expected` : undefined}>
          <PauseParts record={record} />
        </Panel>
      </div>
      <div class="split even">
        <Panel title="Rounds">
          <Rounds record={record} />
        </Panel>
        <Panel title="Timeline">
          <OwnEvents filter={{ migrationId: id }} match={(event) => event.migrationId === id} without={['migration']} />
          <p class="small dim">
            Begun by {one.actor || one.cause} at {dateAndTime(one.createdAtMs)}, cause: {one.cause}. <CliLine line={`godwit migration show ${id}`} />
          </p>
        </Panel>
      </div>
    </Page>
  );
}

/** The stream leaves out the rounds of those that have ended. */
function useWhole(id: string, live: MigrationView | undefined): MigrationView | undefined {
  const [whole, set] = useState<MigrationView | undefined>();
  const ended = live?.stage === 'ended' || live === undefined;
  useEffect(() => {
    set(undefined);
    if (!ended) return;
    let over = false;
    call<MigrationView>('Migrations', 'GetMigration', { migrationId: id }).then((found) => !over && set(found), () => undefined);
    return () => {
      over = true;
    };
  }, [id, ended, live?.record?.pauseMs]);
  return ended ? whole : undefined;
}

function pauseOf({ record, stage, outcome }: MigrationView): string {
  if (record?.pauseMs !== undefined) return duration(record.pauseMs);
  if (stage === 'ended') return outcome === 'completed' ? '–' : 'none';
  return record && record.expectedPauseMs > 0 ? duration(record.expectedPauseMs) : '–';
}

/** Over all of its precopy. */
const meanRate = ({ counts, precopyMs }: MigrationRecord): number => (precopyMs > 0 ? ((counts?.wireBytes ?? 0) * 1_000) / precopyMs : 0);

const untilSwitch = (record: MigrationRecord | undefined): string => (record?.expectedRemainingMs === undefined ? (record?.roundCount ? 'not at these rates' : '–') : duration(record.expectedRemainingMs));

function savings({ counts }: MigrationRecord): string | undefined {
  if (!counts) return undefined;
  const parts = [
    ['zero', counts.zeroPages],
    ['delta', counts.deltaPages],
    ['packed', counts.packedPages],
    ['raw', counts.rawPages],
  ] as const;
  const all = parts.reduce((sum, [, pages]) => sum + pages, 0);
  return all === 0 ? undefined : parts.filter(([, pages]) => pages > 0).map(([name, pages]) => `${name} ${Math.round((100 * pages) / all)} %`).join(', ');
}

function Stages({ one }: { one: MigrationView }) {
  const at = STAGES.indexOf(one.stage as (typeof STAGES)[number]);
  return (
    <ol class={`stages ${one.outcome}`} aria-label="stages">
      {STAGES.map((stage, index) => (
        <li key={stage} class={index < at || one.stage === 'ended' ? 'done' : index === at ? 'now' : ''} aria-current={index === at ? 'step' : undefined}>
          {stage === 'ended' ? one.outcome || 'ended' : stage}
          {index === at && one.record?.phase && one.stage !== 'ended' && <span class="dim"> {one.record.phase}</span>}
        </li>
      ))}
    </ol>
  );
}

/** While it runs as it was seen; afterwards by its rounds. */
function Rates({ one }: { one: MigrationView }) {
  const seen = store.migrationSamples.of(one.migrationId);
  const rounds = one.record?.rounds ?? [];
  let [times, dirty, sent]: [number[], number[], number[]] = [[], [], []];
  if (seen && (seen.times.length > 2 || rounds.length === 0)) {
    const begin = seen.times[0];
    [times, dirty, sent] = [seen.times.map((time) => time - begin), [...seen.rows[0]], [...seen.rows[1]]];
  } else {
    let at = 0;
    for (const round of rounds) {
      for (const time of [at, (at += round.durationMs / 1_000)]) {
        times.push(time + times.length * 1e-6);
        dirty.push(round.dirtyBytesPerSecond);
        sent.push(round.transferBytesPerSecond);
      }
    }
  }
  const lines = [
    { name: 'sent', colour: '--calm' },
    { name: 'guest writes', colour: '--moving' },
  ];
  return <Chart label="rates" relative lines={lines} times={times} rows={[sent, dirty]} format={rate} height={190} least={MIB} />;
}

function LiveActions({ one }: { one: MigrationView }) {
  const may = useMay();
  const [changing, change] = useState(false);
  const cancel = async (): Promise<void> => {
    try {
      const { line } = await call<MigrationView>('Migrations', 'CancelMigration', { migrationId: one.migrationId, why: `cancelled by ${store.identity?.user ?? 'the dashboard'}` });
      toast(line || `the migration of ${one.vmName} is being cancelled`, 'info', `godwit migration cancel ${shellWord(one.vmName)}`);
    } catch (error) {
      toast((error as Error).message, 'bad');
    }
  };
  return (
    <>
      <button type="button" class="button" disabled={!may.operate} onClick={() => change(true)}>
        Change while it runs
      </button>
      <button type="button" class="button danger" disabled={!may.operate || one.cancelWanted} title={`godwit migration cancel ${one.vmName}`} onClick={() => void cancel()}>
        {one.cancelWanted ? 'Cancelling…' : 'Cancel migration'}
      </button>
      {changing && <ChangeDialog one={one} onClose={() => change(false)} />}
    </>
  );
}

function ChangeDialog({ one, onClose }: { one: MigrationView; onClose: () => void }) {
  const settings = one.record?.settings;
  const [before] = useState({
    pauseBudgetMs: settings ? String(Number(settings.pauseBudgetMs.toFixed(1))) : '',
    bandwidthM: settings ? String(Number((settings.bandwidthBytesPerSecond / 1e6).toFixed(1))) : '',
  });
  const [choice, choose] = useState(before);
  const only = (field: keyof typeof before): string => (choice[field] === before[field] ? '' : choice[field]);
  const changed = { pauseBudgetMs: only('pauseBudgetMs'), bandwidthM: only('bandwidthM') };
  const [problem, setProblem] = useState('');
  const send = async (): Promise<void> => {
    try {
      await call('Migrations', 'ChangeMigration', { migrationId: one.migrationId, settings: settingsOf(changed) });
      onClose();
      toast(`${one.vmName}: the migration goes on with the new settings`, 'good', changeCli(one.vmName, changed));
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  return (
    <Dialog title="Change while it runs" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <SettingFields choice={choice} onChange={choose} />
        <p class="small dim">Bandwidth 0: no limit.</p>
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <p class="same">
          <span class="dim">The same from a shell</span> <CliLine line={changeCli(one.vmName, changed)} />
        </p>
        <div class="dialog-buttons">
          <button type="button" class="button" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" class="button primary" disabled={changed.pauseBudgetMs === '' && changed.bandwidthM === ''}>
            Change
          </button>
        </div>
      </form>
    </Dialog>
  );
}
