/**
 * One migration in simulated time: two processes with the real sessions, a guest that
 * writes, a connection and a storage that fail, processes that are stopped or killed. The rules:
 *
 *   one-runner     never are both copies running
 *   nothing-lost   when the target starts, its memory and state are the source's
 *   epochs-grow    who starts has a later epoch than who ran before
 *   it-ends        every session whose process lives ends, once the storm is over
 *   goes-on        failed before the commit: the source runs, log and throttle off; nothing is left on the target
 *   recoverable    whoever the lease names runs the VM, or its process is dead and a taker gets it
 *   honest         each side's record says where the VM is
 *
 * The same seed gives the same story.
 */
import type { MigrationRecord } from '../statistics';
import { DEFAULT_SETTINGS } from '../convergence';
import { SourceSession } from '../source-session';
import { type TargetRecord, TargetSession } from '../target-session';
import type { CodecPort } from '../ports';
import { Agenda } from './agenda';
import { runLengths } from './codec';
import { vmFacts } from './facts';
import { SourceLease, Storage, TargetLease } from './lease';
import { Connection } from './network';
import { Process, type Times } from './process';
import { Random } from './random';
import { type Fault, RAM_PAGES, SourceVm, stateOf, TargetVm } from './vm';

export type Broken = 'careless-source' | 'eager-target' | 'lossy-log';
export type Trouble = 'kill' | 'stop' | 'cut' | 'cancel' | 'stall' | 'powerOff' | 'userPause' | 'force';

export interface Spot {
  readonly side: 'source' | 'target';
  readonly phase: string;
  readonly does: Trouble;
}

export interface Plan {
  readonly broken?: Broken;
  /** Happens when that side is first seen in that phase; otherwise trouble comes at random. */
  readonly at?: Spot;
  /** Before `at`, to get there. */
  readonly first?: Spot;
  /** The storage loses every answer for a while, from the commit on. */
  readonly badStorage?: boolean;
  readonly audit?: boolean;
}

export interface Outcome {
  readonly failure: string | undefined;
  readonly story: readonly string[];
  readonly source: MigrationRecord;
  readonly target: TargetRecord;
  readonly reached: ReadonlySet<string>;
  readonly sourceAlive: boolean;
  readonly targetAlive: boolean;
}

const STORM_MS = 6_000;
const TAKER_AFTER_MS = 4_000;
const LIMIT_MS = 400_000;

export const simulate = (seed: number, plan: Plan = {}): Promise<Outcome> => new World(seed, plan).play();

class World implements Times {
  now = 0;
  readonly agenda = new Agenda();
  readonly random: Random;
  private readonly storage: Storage;
  private readonly source: Process;
  private readonly target: Process;
  private readonly sourceVm: SourceVm;
  private readonly targetVm: TargetVm;
  private readonly connection: Connection;
  private readonly from: SourceSession;
  private readonly to: TargetSession;
  private readonly fromLease: SourceLease;
  private readonly toLease: TargetLease;
  private readonly story: string[] = [];
  private readonly reached = new Set<string>();
  private readonly phases = { source: '', target: '' };
  private failure: string | undefined;
  private takenOver = false;
  private poweredOff = false;

  constructor(
    seed: number,
    private readonly plan: Plan,
  ) {
    const random = new Random(seed);
    this.random = random;
    const rough = plan.at ? 0 : random.pick([0, 0, 0.05, 0.3]);
    this.storage = new Storage(this, { lost: rough, late: rough, lateMs: random.pick([200, 2_000]), stalledUntil: 0 });
    this.source = new Process('source', this);
    this.target = new Process('target', this);
    const fault = this.chooseFault();
    if (fault) this.tell(`fault ${fault}`);
    this.sourceVm = new SourceVm(this.source, fault, random.pick([0.5, 2, 20]));
    this.targetVm = new TargetVm(this.target, fault);
    const spoilt = !plan.at && !plan.broken && random.chance(0.05) ? random.below(12) : -1;
    let messages = 0;
    this.connection = new Connection([this.source, this.target], random.pick([0.5, 5, 40]), (message) => {
      if (messages++ === spoilt) message[random.below(message.length)] ^= 1 << random.below(8);
    });
    this.fromLease = new SourceLease(this.storage, this.source, plan.broken === 'careless-source');
    this.toLease = new TargetLease(this.storage, this.target, plan.broken === 'eager-target');
    const trace = (side: string) => ({ event: (name: string, line: string) => this.tell(`${side} ${name}: ${line}`) });
    const beside: CodecPort = { ...runLengths, compress: (raw, out) => this.source.soon(2, () => runLengths.compress(raw, out) as number) };
    const codec = random.pick<CodecPort>([runLengths, beside, { uncompress: runLengths.uncompress }]);
    const setup = {
      migrationId: 'm-1',
      vm: vmFacts({ memoryBytes: RAM_PAGES * 4096 }),
      config: { disks: 1 },
      owner: { hostId: 'h1', hostName: 'host-1', vmmId: 'source' },
      wallClockMs: 1_000_000,
      settings: {
        ...DEFAULT_SETTINGS,
        pauseBudgetMs: random.pick([20, 60, 300]),
        maxRounds: 20,
        bandwidthBytesPerSecond: random.pick([0, 0, 2_000_000]),
      },
    };
    const cacheBytes = random.pick([0, 4 * 4096, 64 * 4096]);
    const [sourceClock, targetClock] = [this.source.clock(), this.target.clock()];
    this.from = new SourceSession(
      setup,
      { vmm: this.sourceVm, lease: this.fromLease, transport: this.connection.port(0), clock: sourceClock, codec, trace: trace('source') },
      { cacheBytes, audit: plan.audit },
    );
    this.to = new TargetSession({
      vmm: this.targetVm,
      lease: this.toLease,
      transport: this.connection.port(1),
      clock: targetClock,
      codec,
      trace: trace('target'),
    });
    this.targetVm.onStart = () => this.checkStart();
  }

  async play(): Promise<Outcome> {
    void this.from.run().then(({ vmIs }) => {
      this.fromLease.ended = vmIs !== 'source';
    });
    void this.to.run();
    if (!this.plan.at) this.troubleSoon();
    this.agenda.add(STORM_MS, () => this.calm());
    await settled();
    for (let next = this.agenda.take(); next && !this.failure && next.at < LIMIT_MS && !this.isOver(); next = this.agenda.take()) {
      this.now = next.at;
      next.run();
      await settled();
      this.look();
    }
    if (!this.failure) this.checkEnd();
    const [source, target] = [this.from.record(), this.to.record()];
    return {
      failure: this.failure,
      story: this.story,
      source,
      target,
      reached: this.reached,
      sourceAlive: this.source.alive,
      targetAlive: this.target.alive,
    };
  }

  private chooseFault(): Fault | undefined {
    if (this.plan.broken === 'lossy-log') return 'lossyLog';
    if (this.plan.at || this.plan.broken || this.random.chance(0.7)) return undefined;
    return this.random.pick(['reserve', 'restore', 'saveState', 'start', 'announce', 'slowPause'] as const);
  }

  /** Nothing more can happen that the rules are about. */
  private isOver(): boolean {
    const waiting = [this.source, this.target].filter((process) => process.alive).length;
    const done = (!this.source.alive || this.from.phase === 'ended') && (!this.target.alive || this.to.phase === 'ended');
    return waiting === 0
      ? this.now > STORM_MS + TAKER_AFTER_MS + 100 || this.takenOver
      : done && (this.takenOver || !this.ownerIsDead()) && this.now > 0;
  }

  private look(): void {
    for (const [side, phase] of [
      ['source', this.from.phase],
      ['target', this.to.phase],
    ] as const) {
      if (this.phases[side] === phase) continue;
      this.phases[side] = phase;
      const key = `${side} ${phase}`;
      if (this.reached.has(key)) continue;
      this.reached.add(key);
      this.tell(`→ ${key}`);
      if (this.plan.badStorage && key === 'source committing') this.storage.weather.lost = 1;
      for (const at of [this.plan.first, this.plan.at]) {
        if (at && at.side === side && at.phase === phase) this.trouble(at.does, side === 'source' ? this.source : this.target);
      }
    }
    if (this.sourceVm.running && this.targetVm.running) this.fail('one-runner: both copies run');
    if (this.takenOver && (this.sourceVm.running || this.targetVm.running)) this.fail('one-runner: a copy runs beside that of the taker');
  }

  private troubleSoon(): void {
    if (this.random.chance(0.15)) return;
    this.agenda.add(this.now + this.random.between(0, this.random.pick([60, 200, 600])), () => {
      this.trouble(
        this.random.pick(['kill', 'stop', 'stop', 'cut', 'cancel', 'stall', 'powerOff', 'userPause', 'force'] as const),
        this.random.pick([this.source, this.target]),
      );
      if (this.random.chance(0.4)) this.troubleSoon();
    });
  }

  private trouble(does: Trouble, process: Process): void {
    this.tell(`${does} ${process.name}`);
    const ms = this.random.between(0, this.random.pick([50, 1_000, 5_000]));
    const acts: Record<Trouble, () => void> = {
      kill: () => process.kill(),
      stop: () => {
        process.stoppedUntil = this.now + ms;
      },
      cut: () => this.connection.cut('cut'),
      cancel: () => process.tell(this.now, () => (process === this.source ? this.from : this.to).cancel('ordered')),
      stall: () => {
        this.storage.weather.stalledUntil = this.now + ms;
      },
      powerOff: () =>
        this.source.tell(this.now, () => {
          if (!this.sourceVm.running) return;
          this.poweredOff = true;
          this.sourceVm.powerOff();
          this.from.vmEnded('the guest powered off');
        }),
      userPause: () => this.source.tell(this.now, () => this.sourceVm.running && this.sourceVm.pauseByUser()),
      force: () => this.source.tell(this.now, () => this.from.switchNow()),
    };
    acts[does]();
  }

  private calm(): void {
    Object.assign(this.storage.weather, { lost: 0, late: 0 });
    this.tell('-- calm --');
    this.takerSoon();
  }

  /** Another host wants the VM of a dead owner: it waits out the lease and claims the next epoch. */
  private takerSoon(): void {
    this.agenda.add(this.now + TAKER_AFTER_MS, () => {
      if (this.ownerIsDead()) {
        this.takenOver = this.storage.claim(this.storage.epoch + 1, 'taker');
        this.tell('taken over');
      } else this.takerSoon();
    });
  }

  private ownerIsDead(): boolean {
    const owner = this.storage.claims.get(this.storage.epoch);
    return (owner === 'source' && !this.source.alive) || (owner === 'target' && !this.target.alive);
  }

  private checkStart(): void {
    const { sourceVm, targetVm } = this;
    const same = Buffer.compare(sourceVm.ram, targetVm.ram) === 0;
    if (!same) this.fail('nothing-lost: memory differs where the VM was started');
    if (!targetVm.restored || Buffer.compare(targetVm.restored, stateOf(sourceVm.ram)) !== 0) this.fail('nothing-lost: the state differs');
    if (targetVm.epoch <= 1 || this.storage.claims.get(targetVm.epoch) !== 'target')
      this.fail(`epochs-grow: started under epoch ${targetVm.epoch}`);
    if (targetVm.running === sourceVm.userPaused) this.fail('a paused VM must arrive paused');
  }

  private checkEnd(): void {
    const [source, target] = [this.from.record(), this.to.record()];
    const { sourceVm, targetVm } = this;
    const owner = this.storage.claims.get(this.storage.epoch);
    this.tell(
      `owner ${owner}, source ${source.phase} ${source.outcome} (${source.line}), target ${target.phase} ${target.outcome} (${target.line})`,
    );
    if (this.source.alive && source.phase !== 'ended') return this.fail(`it-ends: the source is in ${source.phase}`);
    if (this.target.alive && target.phase !== 'ended') return this.fail(`it-ends: the target is in ${target.phase}`);
    const live = owner === 'source' ? this.source.alive : owner === 'target' ? this.target.alive : false;
    if (!live && !this.takenOver) return this.fail('recoverable: nobody has the VM and nobody took it');
    if (owner === 'source' && this.source.alive && !this.poweredOff) {
      if (sourceVm.running === sourceVm.userPaused || sourceVm.logging || sourceVm.throttle !== 0 || sourceVm.discarded) {
        this.fail(`goes-on: running ${sourceVm.running}, logging ${sourceVm.logging}, throttle ${sourceVm.throttle}`);
      }
      if (source.vmIs !== 'source') this.fail(`honest: the source's record says ${source.vmIs}`);
      if (this.target.alive && (targetVm.reserved || targetVm.started)) this.fail('goes-on: something is left on the target');
    }
    if (owner === 'target' && this.target.alive) {
      if (targetVm.started !== 1) this.fail(`recoverable: the target was started ${targetVm.started} times`);
      if (target.vmIs !== 'target' || target.outcome !== 'completed')
        this.fail(`honest: the target's record says ${target.vmIs}, ${target.outcome}`);
      if (this.source.alive && (source.vmIs !== 'target' || !sourceVm.discarded))
        this.fail(`honest: the source's record says ${source.vmIs}`);
    }
    if (owner === 'taker' && this.source.alive && sourceVm.running) this.fail('one-runner: the source runs what was taken over');
  }

  private fail(rule: string): void {
    this.failure ??= rule;
  }

  private tell(line: string): void {
    this.story.push(`${this.now.toFixed(1).padStart(9)} ${line}`);
  }
}

/** Lets promises that can go on do so: far enough, and always equally far. (setImmediate would cost most of the time.) */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await null;
}
