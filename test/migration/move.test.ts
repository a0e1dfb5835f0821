/**
 * Proves that a running Debian guest under disk and CPU load moves between
 * processes by the real migration sessions, leases, disks and networks: every
 * move completes, a connection from outside holds, nothing is lost. The transport
 * is the test's own socket.
 */
import { moveAround } from './move.mjs';

jest.setTimeout(300_000);

test('three moves under load', async () => {
  const { records, connected, proof, fsck } = await moveAround({ moves: 3, load: true });
  expect(records.map(({ source, target }) => [source.outcome, target.outcome])).toEqual(Array.from({ length: 3 }, () => ['completed', 'completed']));
  expect(connected).toBe(true);
  expect(proof.at(-1)).toBe('proof: whole');
  expect(fsck).toContain('files');
});
