/** Does an action: asks first where it matters, shows its command line, says what became of it. */
import { useState } from 'preact/hooks';
import { call, newKey } from '../api/client';
import type { Action } from '../model/actions';
import type { Operation } from '../model/types';
import { stateWord } from '../model/words';
import { useMay } from '../model/use';
import { CliLine, Dialog } from './parts';
import { toast } from './toasts';

const FOLLOW_MS = 500;
const MAX_LOOKS = 1_200;

export async function act({ service, method, request, label, cli }: Action): Promise<void> {
  try {
    const begun = await call<Operation>(service, method, { ...request, idempotencyKey: newKey() });
    toast(`${label}: begun`, 'info', cli);
    if (begun.operationId) void follow(begun, label);
  } catch (error) {
    toast(`${label}: ${(error as Error).message}`, 'bad');
  }
}

/** How an operation ended, once it has. */
export async function follow(begun: Operation, label: string): Promise<void> {
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    const now = await call<Operation>('Operations', 'GetOperation', { operationId: begun.operationId }).catch(() => undefined);
    const word = stateWord(now?.state ?? 'RUNNING');
    if (now && word !== 'running') return toast(`${label}: ${now.line || word}`, word === 'succeeded' ? 'good' : 'bad');
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
  }
}

export function ActionList({ actions, name }: { actions: readonly Action[]; name: string }) {
  const may = useMay();
  const [asked, ask] = useState<Action | undefined>();
  return (
    <>
      <ul class="actions">
        {actions.map((action) => {
          const not = may.operate ? action.not : 'your role may only look';
          return (
            <li key={action.id}>
              <button type="button" class={`button ${action.danger ? 'danger' : ''}`} disabled={not !== ''} title={not || undefined} onClick={() => (action.ask ? ask(action) : void act(action))}>
                {action.label}
              </button>
              <CliLine line={action.cli} />
            </li>
          );
        })}
      </ul>
      {asked && (
        <Dialog title={`${asked.label} ${name}?`} onClose={() => ask(undefined)}>
          <p>{asked.ask}</p>
          <p class="same">
            <span class="dim">The same from a shell</span> <CliLine line={asked.cli} />
          </p>
          <div class="dialog-buttons">
            <button type="button" class="button" onClick={() => ask(undefined)}>
              Leave it
            </button>
            <button
              type="button"
              class={`button ${asked.danger ? 'danger solid' : 'primary'}`}
              onClick={() => {
                ask(undefined);
                void act(asked);
              }}
            >
              {asked.label}
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}
