/** Maintenance: the plan with its blockers first, then the drain. */
import { useEffect, useState } from 'preact/hooks';
import { call, newKey } from '../api/client';
import type { DrainHostResponse } from '../model/types';
import { shellWord } from '../model/words';
import { follow } from './act';
import { CliLine, Dialog } from './parts';
import { toast } from './toasts';

const OTHERWISE = [
  ['leave', 'leave them; the drain then ends as done in part'],
  ['suspend', 'suspend them; they go on elsewhere'],
  ['stop', 'shut them down'],
] as const;

export function DrainDialog({ host, onClose }: { host: string; onClose: () => void }) {
  const [plan, setPlan] = useState<DrainHostResponse['plan']>();
  const [problem, setProblem] = useState('');
  const [otherwise, setOtherwise] = useState('leave');
  useEffect(() => {
    call<DrainHostResponse>('Hosts', 'DrainHost', { host, dryRun: true, otherwise }).then(
      (answer) => setPlan(answer.plan),
      (error: Error) => setProblem(error.message),
    );
  }, [host, otherwise]);
  const cli = ['godwit host drain', shellWord(host), ...(otherwise === 'leave' ? [] : [`--otherwise ${otherwise}`])].join(' ');
  const begin = async (): Promise<void> => {
    try {
      const { operation } = await call<DrainHostResponse>('Hosts', 'DrainHost', { host, otherwise, idempotencyKey: newKey() });
      onClose();
      toast(`Drain ${host}: begun`, 'info', cli);
      if (operation) void follow(operation, `Drain ${host}`);
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  return (
    <Dialog title={`Drain ${host}`} onClose={onClose}>
      <p class="dim">Every VM moves away, and none comes, until maintenance ends.</p>
      {plan && plan.blockers.length > 0 && (
        <div class="plan bad">
          <h3>These cannot move live</h3>
          <ul>
            {plan.blockers.map(({ vmId, vmName, line }) => (
              <li key={vmId}>
                <b>{vmName}</b> {line}
              </li>
            ))}
          </ul>
          <label class="field">
            <span>Then</span>
            <select value={otherwise} onChange={(event) => setOtherwise(event.currentTarget.value)}>
              {OTHERWISE.map(([value, words]) => (
                <option key={value} value={value}>
                  {words}
                </option>
              ))}
            </select>
          </label>
        </div>
      )}
      <div class="plan">
        <h3>{plan ? (plan.moves.length > 0 ? 'In this order' : 'Nothing has to move') : 'Planning…'}</h3>
        <ol>
          {plan?.moves.map(({ vmId, vmName, toHostName, how, line }) => (
            <li key={vmId}>
              <b>{vmName}</b> → <b>{toHostName || 'nowhere'}</b> <span class="dim">{[how, line].filter(Boolean).join(', ')}</span>
            </li>
          ))}
        </ol>
      </div>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <p class="same">
        <span class="dim">The same from a shell</span> <CliLine line={cli} />
      </p>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={onClose}>
          Leave it
        </button>
        <button type="button" class="button primary" disabled={!plan} onClick={() => void begin()}>
          Drain
        </button>
      </div>
    </Dialog>
  );
}
