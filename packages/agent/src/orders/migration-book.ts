/**
 * Migrations as this host has seen them: those under way, and those that have ended until a controller has
 * acknowledged them, over restarts of the agent. Events: `changed` (migrationId).
 */
import { EventEmitter } from 'node:events';
import path from 'node:path';
import type { MigrationRecord, MigrationReport, VmmStatus } from '../messages';
import { MAX_DROPPED_MIGRATIONS, MAX_ENDED_MIGRATIONS } from '../limits';
import { readJson, writeJson } from '../state/json-file';
import type { Vmm } from '../vmms/vmm';

export class MigrationBook extends EventEmitter {
  private readonly live = new Map<string, MigrationReport>();
  private readonly ended = new Map<string, MigrationReport>();
  /** Acknowledged: their VMMs may still tell of them. */
  private readonly settled = new Set<string>();
  private readonly dropped = new Set<string>();

  constructor(private readonly folder: string) {
    super();
    const found = readJson(this.file) ?? {};
    const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []);
    for (const report of Array.isArray(found.ended) ? (found.ended as MigrationReport[]) : [])
      if (typeof report?.migrationId === 'string') this.ended.set(keyOf(report), report);
    for (const id of texts(found.settled)) this.settled.add(id);
    for (const id of texts(found.dropped)) this.dropped.add(id);
  }

  /** What a source says of its migration. */
  source(record: MigrationRecord): void {
    this.note(
      { migrationId: record.migrationId, vmId: record.vmId, side: 'source', record, targetPhase: '', targetOutcome: '', line: record.line },
      record.outcome !== '',
    );
  }

  /** What is to be seen of a VM on its way here. */
  target(vmm: Vmm): void {
    const report = targetReport(vmm.about, vmm.status);
    if (report) this.note(report, report.targetOutcome !== '');
  }

  find(migrationId: string): MigrationReport | undefined {
    return [...this.live.values(), ...this.ended.values()].find((report) => report.migrationId === migrationId && report.side === 'source');
  }

  report(key: string): MigrationReport | undefined {
    return this.live.get(key) ?? this.ended.get(key);
  }

  /** For Hello. */
  reports(): MigrationReport[] {
    return [...this.ended.values(), ...this.live.values()];
  }

  acknowledge(migrationIds: readonly string[]): void {
    let changed = false;
    for (const id of migrationIds)
      for (const side of ['source', 'target'] as const)
        if (this.ended.delete(`${side} ${id}`)) {
          this.settled.add(`${side} ${id}`);
          changed = true;
        }
    if (changed) this.write();
  }

  /** No PrepareIncoming for it is to be done any more. */
  drop(migrationId: string): void {
    if (this.dropped.has(migrationId)) return;
    this.dropped.add(migrationId);
    this.write();
  }

  isDropped(migrationId: string): boolean {
    return this.dropped.has(migrationId);
  }

  private note(report: MigrationReport, over: boolean): void {
    const key = keyOf(report);
    if (this.settled.has(key) || this.ended.has(key)) return;
    if (JSON.stringify(this.live.get(key)) === JSON.stringify(report)) return;
    if (over) {
      this.live.delete(key);
      this.ended.set(key, report);
      this.write();
    } else this.live.set(key, report);
    this.emit('changed', key);
  }

  private write(): void {
    keepLast(this.ended, MAX_ENDED_MIGRATIONS);
    keepLast(this.settled, MAX_ENDED_MIGRATIONS);
    keepLast(this.dropped, MAX_DROPPED_MIGRATIONS);
    writeJson(this.file, { ended: [...this.ended.values()], settled: [...this.settled], dropped: [...this.dropped] });
  }

  private get file(): string {
    return path.join(this.folder, 'migrations.json');
  }
}

const keyOf = ({ migrationId, side }: Pick<MigrationReport, 'migrationId' | 'side'>): string => `${side} ${migrationId}`;

function keepLast(of: Map<string, unknown> | Set<string>, most: number): void {
  for (const key of of.keys()) {
    if (of.size <= most) return;
    of.delete(key);
  }
}

/** Pure. Undefined: no migration brings a VM there. */
export function targetReport(
  about: { readonly vmId: string; readonly migrationId: string },
  { vm, migrationId, leaseEpoch, ended, line }: VmmStatus,
): MigrationReport | undefined {
  if (about.migrationId === '') return undefined;
  const report = (targetPhase: string, targetOutcome: string): MigrationReport => ({
    migrationId: about.migrationId,
    vmId: about.vmId,
    side: 'target',
    targetPhase,
    targetOutcome,
    line,
  });
  if (ended === 'not-come') return report('ended', 'discarded');
  if (ended !== '') return leaseEpoch > 0 ? report('ended', 'runs') : report('ended', 'lost');
  if (vm?.state !== 'VM_STATE_INCOMING' && leaseEpoch > 0) return report('ended', 'runs');
  return report(migrationId === '' ? 'waiting' : 'receiving', '');
}
