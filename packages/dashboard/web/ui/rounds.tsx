/** Every round: what was sent, how fast, what was dirty when it was over, and what was decided then. */
import type { MigrationRecord } from '../model/types';
import { bytes, duration, rate } from '../model/words';
import { Empty } from './parts';

const PAGE = 4096;

export function Rounds({ record }: { record: MigrationRecord | undefined }) {
  const rounds = record?.rounds ?? [];
  if (rounds.length === 0) return <Empty>{record?.outcome ? 'No round was finished.' : 'The first round is under way.'}</Empty>;
  const most = Math.max(...rounds.map(({ pages, leftPages }) => Math.max(pages, leftPages)), 1);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="scroll" tabIndex={0} aria-label="rounds">
      <table class="table rounds">
        <thead>
          <tr>
            <th scope="col">Round</th>
            <th scope="col">Pages</th>
            <th scope="col" class="wide-only">
              Then dirty
            </th>
            <th scope="col">Took</th>
            <th scope="col">Sent at</th>
            <th scope="col">Guest writes</th>
            <th scope="col">Would pause</th>
            <th scope="col">Decision</th>
          </tr>
        </thead>
        <tbody>
          {rounds.map((round) => (
            <tr key={round.round}>
              <td>{round.round}</td>
              <td>
                <span class="bar" aria-hidden="true">
                  <i style={{ transform: `scaleX(${round.pages / most})` }} />
                </span>
                {bytes(round.pages * PAGE)}
              </td>
              <td class="wide-only">{bytes(round.leftPages * PAGE)}</td>
              <td>{duration(round.durationMs)}</td>
              <td>{rate(round.transferBytesPerSecond)}</td>
              <td>{rate(round.dirtyBytesPerSecond)}</td>
              <td>{duration(round.predictedPauseMs)}</td>
              <td>{round.decision}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
