/** How long the guest stood still, and for what: a bar by parts, against its budget. */
import type { MigrationRecord } from '../model/types';
import { duration } from '../model/words';
import { Empty } from './parts';

const PARTS = [
  ['stopMs', 'stop the guest'],
  ['pagesMs', 'last pages'],
  ['stateMs', 'machine state'],
  ['leaseMs', 'hand over the lease'],
  ['startMs', 'start there'],
] as const;

export function PauseParts({ record }: { record: MigrationRecord | undefined }) {
  const pause = record?.pause;
  const total = record?.pauseMs;
  if (!record || !pause || total === undefined) {
    return <Empty>{record?.outcome ? 'The guest was not paused.' : `The guest runs. ${record && record.expectedPauseMs > 0 ? `The pause is expected to be ${duration(record.expectedPauseMs)}.` : ''}`}</Empty>;
  }
  const parts = PARTS.map(([field, name]) => ({ field, name, ms: pause[field] ?? 0 }));
  const known = parts.reduce((sum, { ms }) => sum + ms, 0);
  const rest = Math.max(0, total - known);
  const scale = Math.max(known, total, 1e-6);
  return (
    <div class="pause">
      <div class="pause-bar" role="img" aria-label={`pause ${duration(total)}: ${parts.map(({ name, ms }) => `${name} ${duration(ms)}`).join(', ')}`}>
        {parts.map(({ field, ms }) => (
          <i key={field} class={`part-${field}`} style={{ flexGrow: ms / scale }} />
        ))}
        {rest > 0 && <i class="part-rest" style={{ flexGrow: rest / scale }} />}
      </div>
      <dl class="pause-parts">
        {parts.map(({ field, name, ms }) => (
          <div key={field}>
            <dt>
              <i class={`part-${field}`} aria-hidden="true" /> {name}
            </dt>
            <dd>{pause[field] === undefined ? '–' : duration(ms)}</dd>
          </div>
        ))}
        <div class="total">
          <dt>the guest stood still</dt>
          <dd>{duration(total)}</dd>
        </div>
      </dl>
    </div>
  );
}
