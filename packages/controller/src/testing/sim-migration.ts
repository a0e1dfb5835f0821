/** One VM moves between two simulated processes: rounds, then the commit, which passes the lease in one step. */
import type { SettingsChange } from '../core/orders';
import type { SourceRecord } from '../core/reports';
import type { SimVmm } from './sim-vmm';

const SILENCE_MS = 20_000;

export function simulateMigration(source: SimVmm, migrationId: string, address: string, token: string, _settings: SettingsChange): void {
  const { world } = source.host;
  const target = world.vmmAt(address);
  const say = (record: Partial<SourceRecord>): void => {
    source.record = {
      migrationId,
      vmId: source.spec.vmId,
      phase: 'precopy',
      vmIs: 'source',
      outcome: '',
      line: '',
      ...source.record,
      ...record,
    };
    source.host.reportMigration(source, 'source');
  };
  source.record = undefined;
  if (!target?.alive || target.incoming !== migrationId || token !== `secret-${migrationId}-${target.id}`)
    return say({ phase: 'ended', outcome: 'failed', line: 'the target does not answer' });
  say({});
  source.target = target;
  let rounds = 1 + Math.floor(world.random.next() * 4);
  const step = (): void => {
    // A source that dies is found out by its target, which waits a while.
    if (!source.alive) return world.after(SILENCE_MS, () => discard(target, source));
    if (source.record?.outcome) return world.after(SILENCE_MS / 10, () => discard(target, source));
    if (!target.alive || world.random.chance(0.03)) {
      say({ phase: 'ended', outcome: 'failed', line: 'the connection to the target broke' });
      return world.after(SILENCE_MS, () => discard(target, source));
    }
    if (rounds-- > 0) {
      say({});
      return world.after(world.random.between(500, 8_000), step);
    }
    commit(source, target, say);
  };
  world.after(world.random.between(500, 8_000), step);
}

function commit(source: SimVmm, target: SimVmm, say: (record: Partial<SourceRecord>) => void): void {
  const { world } = source.host;
  const paused = source.operatorPaused;
  if ((source.state !== 'running' && source.state !== 'paused') || source.epoch === 0)
    return say({ phase: 'ended', outcome: 'failed', line: 'the VM stands still' });
  source.state = 'paused';
  if (world.time < source.host.storageCutUntil || !source.lease.pass(source.id, target.id, world.time)) {
    source.state = paused ? 'paused' : 'running';
    return say({ phase: 'ended', outcome: 'failed', line: 'the lease could not be passed' });
  }
  world.count('committed');
  target.operatorPaused = paused;
  world.after(world.random.between(1, 200), () => {
    if (!target.alive) return;
    target.begin(source.lease.epoch);
    target.targetOutcome = 'runs';
    target.host.reportMigration(target, 'target');
    target.host.reportVmm(target);
  });
  world.after(world.random.between(1, 500), () => {
    if (!source.alive) return;
    say({ phase: 'ended', outcome: 'completed', vmIs: 'target' });
    source.end('migrated');
  });
}

/** The target gives up, unless the lease is its own. */
function discard(target: SimVmm, source: SimVmm): void {
  if (!target.alive || target.lease.owner === target.id) return;
  target.targetOutcome = 'discarded';
  target.host.reportMigration(target, 'target');
  target.end('stopped');
  source.target = undefined;
}
