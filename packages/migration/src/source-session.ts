/**
 * The source of one migration, at work: runs the machine of source-machine.ts over the ports.
 *
 * Trace events: precopy, round, stalled, retreat, cancelNoted, uncertain, guestReset,
 * discardFailed, ended.
 */
import { audit } from './audit';
import { checkSettings, type Settings } from './convergence';
import { lineOf, StreamError } from './errors';
import { LATE_LIMIT_MS, LATE_QUIET_MS, PAGE_BYTES, SENT_CACHE_BYTES } from './limits';
import { MachineRunner } from './machine-runner';
import { decodeText, MessageWriter } from './message-writer';
import { PageSender } from './page-sender';
import type { SourcePhase } from './phases';
import type { ClockPort, CodecPort, LeaseAnswer, SourceLeasePort, SourceVmmPort, TracePort, TransportPort } from './ports';
import { parseTargetMessage } from './protocol';
import { RoundPlanner } from './round-planner';
import { sourceStep, startSource } from './source-machine';
import { recordOf } from './source-record';
import type { SourceCommand, SourceEvent, SourceSetup, SourceState } from './source-state';
import type { MigrationRecord } from './statistics';
import { FRAME_KIND, FrameReader } from './stream/frame';
import { PageEncoder } from './stream/page-encoder';
import { sameSum } from './stream/page-sum';
import { type PageWork, plainPageWork } from './stream/page-work';

export interface SourcePorts {
  readonly vmm: SourceVmmPort;
  readonly lease: SourceLeasePort;
  readonly transport: TransportPort;
  readonly clock: ClockPort;
  readonly codec: CodecPort;
  /** Absent: in plain JavaScript. */
  readonly work?: PageWork;
  readonly trace: TracePort;
}

export interface SourceOptions {
  /** Bytes of sent pages kept for deltas; 0: no deltas. */
  readonly cacheBytes?: number;
  /** Compares all of RAM with what was sent while the VM stands: makes the pause long, and finds a dirty log that loses pages. */
  readonly audit?: boolean;
}

type Doers = { readonly [D in SourceCommand['do']]: (command: Extract<SourceCommand, { do: D }>) => void };

export class SourceSession {
  private readonly runner: MachineRunner<SourceState, SourceEvent, SourceCommand>;
  private readonly frames: FrameReader;
  private readonly writer: MessageWriter;
  private readonly encoder: PageEncoder;
  private readonly planner: RoundPlanner;
  private readonly sender: PageSender;
  /** The VMM's methods, one at a time. */
  private turn: Promise<void> = Promise.resolve();
  private saved: Uint8Array = new Uint8Array(0);
  private givenUp = false;
  private settle!: (record: MigrationRecord) => void;
  private readonly over = new Promise<MigrationRecord>((resolve) => {
    this.settle = resolve;
  });

  /** @throws RangeError when setup and RAM do not fit each other */
  constructor(
    private readonly setup: SourceSetup,
    private readonly ports: SourcePorts,
    private readonly options: SourceOptions = {},
  ) {
    checkSettings(setup.settings);
    const { vmm, transport, clock, codec, work = plainPageWork } = ports;
    this.frames = new FrameReader(work);
    if (vmm.ram.length !== setup.vm.memoryBytes || vmm.ram.length % PAGE_BYTES !== 0) {
      throw new RangeError(`RAM has ${vmm.ram.length} bytes, the VM ${setup.vm.memoryBytes}`);
    }
    const execute = (command: SourceCommand): void => (this.does[command.do] as (command: SourceCommand) => void)(command);
    this.runner = new MachineRunner(startSource(setup), sourceStep, execute, clock, { type: 'tick' }, () => this.settle(this.record()), (phase) => ports.trace.phase?.('source', phase));
    this.encoder = new PageEncoder(vmm.ram, options.cacheBytes ?? SENT_CACHE_BYTES, work);
    this.planner = new RoundPlanner(vmm.ram.length / PAGE_BYTES);
    this.writer = new MessageWriter(transport, work, (bytes) => this.runner.feed({ type: 'progress', counts: { wireBytes: bytes } }));
    const bandwidth = (): number => this.runner.state.settings.bandwidthBytesPerSecond;
    this.sender = new PageSender(this.encoder, this.writer, clock, codec, bandwidth, (counts) =>
      this.runner.feed({ type: 'progress', counts }),
    );
  }

  /** Runs the migration; what became of it. Never rejects. */
  run(): Promise<MigrationRecord> {
    this.ports.transport.listen({
      message: (message) => this.receive(message),
      closed: (why) => this.runner.feed({ type: 'closed', why }),
    });
    this.runner.feed({ type: 'start' });
    return this.over;
  }

  /** In any phase; what it does there is in phases.ts. */
  cancel(why: string): void {
    this.runner.feed({ type: 'cancel', why });
  }

  /** @throws RangeError naming the field */
  configure(changes: Partial<Settings>): void {
    this.runner.feed({ type: 'configure', settings: checkSettings({ ...this.runner.state.settings, ...changes }) });
  }

  /** The round under way is the last before the switch, whatever the pause. */
  switchNow(): void {
    this.runner.feed({ type: 'force' });
  }

  /** The guest powered off or crashed, or the VM was stopped. */
  vmEnded(why: string): void {
    this.runner.feed({ type: 'vmEnded', why });
  }

  vmReset(): void {
    this.runner.feed({ type: 'vmReset' });
  }

  get phase(): SourcePhase {
    return this.runner.state.phase;
  }

  /** Live, and final once over; reading it disturbs nothing. */
  record(): MigrationRecord {
    return recordOf(this.runner.state, this.ports.clock.now());
  }

  private readonly does: Doers = {
    send: ({ message }) =>
      this.attempt(async () => {
        await this.writer.control(message);
        if (message.type === 'committed') await this.sendLate();
      }),
    beginRound: ({ round }) => this.inTurn(() => this.beginRound(round)),
    sendRound: ({ round, final }) => this.attempt(() => this.sendRound(round, final)),
    throttle: ({ percent }) => this.inTurn(async () => this.ports.vmm.setThrottle(percent)),
    pauseVm: () =>
      this.inTurn(async () => {
        await this.ports.vmm.pause();
        this.runner.feed({ type: 'paused' });
      }),
    resumeVm: () => this.inTurn(() => this.ports.vmm.resume()),
    saveState: () => this.inTurn(() => this.saveState()),
    sendState: ({ userPaused }) => this.attempt(() => this.sendState(userPaused)),
    announceLease: ({ target }) => this.ports.lease.announce(target && { migrationId: this.setup.migrationId, target }),
    passLease: ({ target }) => this.askLease(() => this.ports.lease.passTo(target, this.setup.migrationId)),
    readLease: ({ afterMs }) => void this.ports.clock.after(afterMs, () => this.askLease(() => this.ports.lease.read())),
    recover: ({ resume }) => void this.recover(resume),
    discardVm: () => void this.discardVm(),
    close: () => this.ports.transport.close(),
    trace: ({ name, line }) => this.ports.trace.event(name, line, { phase: this.runner.state.phase, vmIs: this.runner.state.vmIs }),
  };

  private receive(message: Uint8Array): void {
    try {
      const { kind, body } = this.frames.open(message);
      if (kind !== FRAME_KIND.control) throw new StreamError('not-a-message', 'it sent something other than a control message');
      const said = parseTargetMessage(decodeText(body));
      if (said.type === 'answer') this.frames.version = this.writer.version = said.version;
      if (said.type === 'ready' && !sameSum(said.sum, this.encoder.sum.total)) {
        throw new StreamError('mismatch', 'it is ready with other memory than was sent');
      }
      this.runner.feed({ type: 'message', message: said });
    } catch (error) {
      this.fail(`the target broke the protocol: ${lineOf(error)}`);
    }
  }

  private async beginRound(round: number): Promise<void> {
    const { vmm } = this.ports;
    const dirty = await vmm.beginRound();
    if (round === 0) this.planner.addRuns(await vmm.populated());
    else this.planner.addDirty(dirty);
    this.runner.feed({ type: 'roundBegun', round, pages: this.planner.pages });
  }

  private async sendRound(round: number, final: boolean): Promise<void> {
    if (!final) this.attempt(() => this.sendHints());
    const { pages, pacedMs } = await this.sender.round(this.planner, round, final, this.ports.vmm.freshlyDirty);
    if (this.givenUp) return;
    // Told before the last message goes: the answer to it may come before the transport is done with it.
    this.runner.feed({ type: 'roundSent', round, pages, pacedMs });
    if (!final) await this.writer.control({ type: 'roundEnd', round, ...this.tally() });
  }

  private async sendHints(): Promise<void> {
    const hints = await this.ports.vmm.hotBlocks?.();
    if (hints && this.runner.state.phase === 'precopy') await this.writer.hints(hints);
  }

  private async saveState(): Promise<void> {
    const { bytes, userPaused } = await this.ports.vmm.saveState();
    this.saved = bytes;
    this.runner.feed({ type: 'stateSaved', userPaused });
  }

  private async sendState(userPaused: boolean): Promise<void> {
    if (this.options.audit) audit(this.ports.vmm.ram, this.encoder.sum);
    const stateSum = await this.writer.state(this.saved);
    const stateBytes = this.saved.length;
    if (this.givenUp) return;
    this.runner.feed({ type: 'progress', counts: { stateBytes } });
    await this.writer.control({ type: 'end', ...this.tally(), stateBytes, stateSum, userPaused });
    this.runner.feed({ type: 'stateSent' });
  }

  private tally(): { messages: number; pages: number; sum: { low: number; high: number } } {
    return { messages: this.sender.messages, pages: this.sender.pages, sum: this.encoder.sum.total };
  }

  private askLease(ask: () => Promise<LeaseAnswer>): void {
    const tell = (answer: LeaseAnswer): void => this.runner.feed({ type: 'lease', answer });
    // A lease that fails has told nothing: the write may have landed.
    const unknown = (error: unknown): void => tell({ is: 'unknown', why: lineOf(error) });
    this.runner.attempt(() => ask().then(tell, unknown), unknown);
  }

  /** Not in turn: a `pause` that cannot end must not hold it up. */
  private async recover(resume: boolean): Promise<void> {
    this.giveUp();
    const { vmm } = this.ports;
    const steps = [async () => vmm.setThrottle(0), () => vmm.stopLog(), ...(resume ? [() => vmm.resume()] : [])];
    const done = await Promise.allSettled(steps.map((step) => step()));
    const failed = done.find((each) => each.status === 'rejected');
    this.runner.feed(failed ? { type: 'recovered', error: lineOf(failed.reason) } : { type: 'recovered' });
  }

  /** What came over the network for the guest since it stands; whether there was anything. */
  private async sendLate(): Promise<boolean> {
    const frames = await this.ports.vmm.lateFrames?.();
    if (frames) await this.writer.late(frames);
    return Boolean(frames);
  }

  /** Until none come any more: by then the network has learned where the VM is. */
  private async sendLastFrames(): Promise<void> {
    const { clock, vmm } = this.ports;
    if (!vmm.lateFrames) return;
    const end = clock.now() + LATE_LIMIT_MS;
    let quiet = clock.now() + LATE_QUIET_MS;
    while (clock.now() < Math.min(quiet, end)) {
      if (await this.sendLate()) quiet = clock.now() + LATE_QUIET_MS;
      else await new Promise<void>((resolve) => clock.after(1, resolve));
    }
  }

  private async discardVm(): Promise<void> {
    this.giveUp();
    // A closed connection, or a VM that has no thread any more: then they are lost, as on any network.
    await this.sendLastFrames().catch(() => {});
    await this.ports.vmm.discard().catch((error) => this.ports.trace.event('discardFailed', lineOf(error), {}));
    this.runner.feed({ type: 'discarded' });
  }

  private giveUp(): void {
    this.givenUp = true;
    this.sender.stop();
  }

  private fail(why: string): void {
    this.runner.feed({ type: 'failed', why });
  }

  private attempt(act: () => Promise<void>): void {
    this.runner.attempt(act, (error) => this.fail(lineOf(error)));
  }

  /** After the VMM's method before; not at all once the migration was given up. */
  private inTurn(act: () => Promise<void>): void {
    this.turn = this.turn.then(() => (this.givenUp ? undefined : act())).catch((error) => this.fail(lineOf(error)));
  }
}
