/** One VM's process in the simulation: it runs only while its lease lets it. */
import type { SourceRecord, VmmReport, VmState } from '../core/reports';
import type { VmPlace, VmSpec } from '../core/spec';
import type { SimHost } from './sim-host';
import { BEAT_MS, LEASE_MS, type SimLease } from './sim-lease';

export class SimVmm {
  alive = true;
  private is: VmState = 'starting';
  epoch = 0;
  operatorPaused = false;
  ended = '';
  incoming = '';
  record: SourceRecord | undefined;
  targetOutcome = '';
  /** Of the migration that it is the source of. */
  target: SimVmm | undefined;
  private beatenAt = -Infinity;
  readonly facts;

  constructor(
    readonly host: SimHost,
    readonly id: string,
    readonly spec: VmSpec,
    readonly place: VmPlace,
    readonly lease: SimLease,
    readonly orderId: string,
  ) {
    const { memoryBytes, vcpus } = spec;
    this.facts = {
      vmId: spec.vmId,
      name: spec.name,
      cpu: { vendor: 'GenuineIntel', features: ['cmov'], xsaveBytes: 512 },
      usedFeatures: null,
      vcpus,
      memoryBytes,
      machineVersion: 1,
      datastores: [place.datastoreId],
      networks: [],
      localDevices: [],
    };
    lease.vmms.add(this);
    this.beatSoon();
  }

  /** Whether guest code could be executing at this instant: from a change of state or a heartbeat on, never of itself. */
  get executes(): boolean {
    return this.alive && this.is === 'running' && this.host.world.time < this.beatenAt + LEASE_MS;
  }

  get state(): VmState {
    return this.is;
  }

  set state(state: VmState) {
    this.is = state;
    this.host.world.mayRun(this);
  }

  begin(epoch: number): void {
    this.epoch = epoch;
    this.beatenAt = this.host.world.time;
    this.state = this.operatorPaused ? 'paused' : 'running';
  }

  pause(paused: boolean): void {
    this.operatorPaused = paused;
    if (this.state === 'running' || this.state === 'paused') this.state = paused ? 'paused' : 'running';
  }

  /** The process ends; 'crash' leaves its lease to run out. */
  end(ended: string): void {
    if (!this.alive) return;
    this.alive = false;
    this.ended = ended;
    if (ended !== 'error' && ended !== 'migrated') this.lease.release(this.id);
    this.host.vmmEnded(this);
  }

  report(): VmmReport {
    return {
      vmmId: this.id,
      vmId: this.spec.vmId,
      name: this.spec.name,
      place: this.place,
      state: this.state,
      epoch: this.epoch,
      pauses: this.operatorPaused ? ['operator'] : [],
      line: '',
      ended: this.ended,
      silent: false,
      orderId: this.orderId,
      incomingMigrationId: this.incoming,
      migrationId: this.record && !this.record.outcome ? this.record.migrationId : '',
      startedAtMs: 0,
      facts: this.facts,
      cpuUsed: 0,
      dirtyBytesPerSecond: 0,
    };
  }

  private beat(time: number): void {
    this.beatenAt = time;
    this.host.world.mayRun(this);
  }

  private beatSoon(): void {
    this.host.world.after(BEAT_MS, () => {
      if (!this.alive) return;
      const { time } = this.host.world;
      if (this.epoch > 0 && time >= this.host.storageCutUntil) {
        if (this.lease.beat(this.id, time)) this.beat(time);
        // Another has it: this copy is over.
        else if (this.record?.outcome !== 'completed') return this.end('error');
      }
      this.beatSoon();
    });
  }
}
