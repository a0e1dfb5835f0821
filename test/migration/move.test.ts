/**
 * Proves that a running Debian guest under disk and CPU load moves between VMM
 * processes over gRPC, with the real leases, disks and networks: every move completes,
 * a connection from outside holds, nothing is lost.
 */
import { moveAround } from './move.mjs';

jest.setTimeout(300_000);

test('three moves under load', async () => {
  const { records, connected, proof, fsck } = await moveAround({ moves: 3, load: true });
  expect(records.map(({ outcome, sourceExit }) => [outcome, sourceExit])).toEqual(Array.from({ length: 3 }, () => ['completed', 0]));
  expect(connected).toBe(true);
  expect(proof.at(-1)).toBe('proof: whole');
  expect(fsck).toContain('files');
});
