/** Where a VM can go, and for each other host why not; then it goes. */
import { useEffect, useState } from 'preact/hooks';
import { call, newKey } from '../api/client';
import { type MigrateChoice, migrateCli, settingsOf } from '../model/actions';
import type { HostVerdict, MigrateResponse } from '../model/types';
import { CliLine, Dialog } from './parts';
import { go, migrationPath } from './route';

export function MigrateDialog({ vm, from, onClose }: { vm: string; from: string; onClose: () => void }) {
  const [plan, setPlan] = useState<MigrateResponse | undefined>();
  const [problem, setProblem] = useState('');
  const [going, setGoing] = useState(false);
  const [choice, choose] = useState<MigrateChoice>({ vm, toHost: '', pauseBudgetMs: '', bandwidthM: '' });
  useEffect(() => {
    call<MigrateResponse>('Migrations', 'Migrate', { vm, dryRun: true }).then(setPlan, (error: Error) => setProblem(error.message));
  }, [vm]);
  const begin = async (): Promise<void> => {
    setGoing(true);
    setProblem('');
    try {
      const request = { vm, toHost: choice.toHost, settings: settingsOf(choice), idempotencyKey: newKey() };
      const { migrationId } = await call<MigrateResponse>('Migrations', 'Migrate', request);
      onClose();
      go(migrationPath(migrationId));
    } catch (error) {
      setProblem((error as Error).message);
      setGoing(false);
    }
  };
  const hosts = [...(plan?.hosts ?? [])].sort((a, b) => Number(a.blockers.length > 0) - Number(b.blockers.length > 0) || b.score - a.score);
  const blocked = plan !== undefined && hosts.every(({ blockers }) => blockers.length > 0);
  return (
    <Dialog title={`Migrate ${vm}`} onClose={onClose}>
      <p class="dim">
        It runs on <b>{from}</b> now, and goes on running while it moves.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void begin();
        }}
      >
        <fieldset class="verdicts">
          <legend>To</legend>
          {!plan && !problem && <p class="dim">Asking every host…</p>}
          {plan && (
            <label class={`verdict ${blocked ? 'no' : ''}`}>
              <input type="radio" name="to" checked={choice.toHost === ''} disabled={blocked} onChange={() => choose({ ...choice, toHost: '' })} />
              <span class="verdict-name">{plan.chosenHostName ? `The best: ${plan.chosenHostName}` : 'No host can take it'}</span>
              <span class="verdict-why">{plan.line}</span>
            </label>
          )}
          {hosts.map((host) => (
            <Verdict key={host.hostId} host={host} checked={choice.toHost === host.name} onChoose={() => choose({ ...choice, toHost: host.name })} />
          ))}
        </fieldset>
        <SettingFields choice={choice} onChange={(changed) => choose({ ...choice, ...changed })} />
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <p class="same">
          <span class="dim">The same from a shell</span> <CliLine line={migrateCli(choice)} />
        </p>
        <div class="dialog-buttons">
          <button type="button" class="button" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" class="button primary" disabled={!plan || blocked || going}>
            {going ? 'Beginning…' : 'Migrate'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Verdict({ host, checked, onChoose }: { host: HostVerdict; checked: boolean; onChoose: () => void }) {
  const blocked = host.blockers.length > 0;
  const lines = blocked ? [...host.blockers.map(({ message }) => message), ...host.instead] : [host.reasons.join(' · ')];
  return (
    <label class={`verdict ${blocked ? 'no' : ''}`}>
      <input type="radio" name="to" checked={checked} disabled={blocked} onChange={onChoose} />
      <span class="verdict-name">
        {host.name} <span class="verdict-mark">{blocked ? '✕ cannot take it' : '✓ can take it'}</span>
      </span>
      <span class="verdict-why">{lines.map((line) => <span key={line}>{line}</span>)}</span>
    </label>
  );
}

type Settings = Pick<MigrateChoice, 'pauseBudgetMs' | 'bandwidthM'>;

export function SettingFields({ choice, onChange }: { choice: Settings; onChange: (changed: Settings) => void }) {
  const field = (name: keyof Settings, label: string, unit: string, hint: string) => (
    <label class="field">
      <span>{label}</span>
      <span class="field-box">
        <input
          type="number"
          min="0"
          step="any"
          inputMode="decimal"
          name={name}
          value={choice[name]}
          placeholder={hint}
          onInput={(event) => onChange({ ...choice, [name]: event.currentTarget.value })}
        />
        <span class="dim">{unit}</span>
      </span>
    </label>
  );
  return (
    <div class="fields">
      {field('pauseBudgetMs', 'Pause budget', 'ms', 'as usual')}
      {field('bandwidthM', 'Bandwidth', 'MB/s', 'as usual')}
    </div>
  );
}
