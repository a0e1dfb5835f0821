/** A copy of a VM that does not run. */
import { useState } from 'preact/hooks';
import { shellWord } from '../model/words';
import { act } from './act';
import { CliLine, Dialog } from './parts';

export function CloneDialog({ vm, onClose }: { vm: string; onClose: () => void }) {
  const [name, setName] = useState(`${vm}-copy`);
  const [linked, setLinked] = useState(false);
  const [start, setStart] = useState(false);
  const cli = ['godwit vm clone', shellWord(vm), shellWord(name), ...(linked ? ['--linked'] : []), ...(start ? ['--start'] : [])].join(' ');
  return (
    <Dialog title={`Clone ${vm}`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onClose();
          void act({ id: 'clone', label: `Clone ${vm}`, cli, service: 'Vms', method: 'CloneVm', request: { vm, name, linked, start }, not: '', ask: '', danger: false });
        }}
      >
        <label class="field">
          <span>Name of the copy</span>
          <span class="field-box">
            <input value={name} required pattern="[A-Za-z0-9][A-Za-z0-9._\-]*" onInput={(event) => setName(event.currentTarget.value)} />
          </span>
        </label>
        <label class="check">
          <input type="checkbox" checked={linked} onChange={(event) => setLinked(event.currentTarget.checked)} /> Linked: keeps only what differs; {vm} can then no longer start
        </label>
        <label class="check">
          <input type="checkbox" checked={start} onChange={(event) => setStart(event.currentTarget.checked)} /> Start it when it is made
        </label>
        <p class="same">
          <span class="dim">The same from a shell</span> <CliLine line={cli} />
        </p>
        <div class="dialog-buttons">
          <button type="button" class="button" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" class="button primary">
            Clone
          </button>
        </div>
      </form>
    </Dialog>
  );
}
