/**
 * The target of one migration, at work: runs the machine of target-machine.ts over the ports.
 *
 * Trace events: cancelNoted, awaiting, startFailed, discardFailed, announceFailed, ended.
 */
import { checkHost } from './compatibility';
import { lineOf, StreamError } from './errors';
import { MAX_CONTROL_BYTES, MAX_HINT_BYTES, MAX_LATE_BYTES } from './limits';
import { MachineRunner } from './machine-runner';
import { decodeText, MessageWriter } from './message-writer';
import type { TargetPhase } from './phases';
import type { ClockPort, CodecPort, Offer, TargetLeasePort, TargetVmmPort, TracePort, TransportPort } from './ports';
import { agreeVersion, type OfferMessage, parseSourceMessage, PROTOCOL } from './protocol';
import { StateBuffer } from './state-buffer';
import type { VmPlace } from './statistics';
import { FRAME_KIND, type FrameKind, FrameReader } from './stream/frame';
import { PageDecoder } from './stream/page-decoder';
import { type PageWork, plainPageWork } from './stream/page-work';
import { startTarget, targetStep } from './target-machine';
import type { Arrived, TargetCommand, TargetEvent, TargetState } from './target-state';

export interface TargetPorts {
  readonly vmm: TargetVmmPort;
  readonly lease: TargetLeasePort;
  readonly transport: TransportPort;
  readonly clock: ClockPort;
  readonly codec: CodecPort;
  /** Absent: in plain JavaScript. */
  readonly work?: PageWork;
  readonly trace: TracePort;
}

export interface TargetOptions {
  /** What else stands against this offer, one line each: another migration of the VM, another VM than was announced. */
  refuse?(offer: OfferMessage): readonly string[];
}

/** The migration as the target sees it: plain JSON. */
export interface TargetRecord {
  readonly migrationId: string | null;
  readonly vmId: string | null;
  readonly phase: string;
  readonly vmIs: VmPlace;
  readonly outcome: 'completed' | 'cancelled' | 'failed' | null;
  readonly line: string;
  readonly pages: number;
  readonly wireBytes: number;
  readonly epoch: number | null;
  /** Parts of the pause as seen here; null: not reached. */
  readonly restoreMs: number | null;
  readonly leaseMs: number | null;
  readonly startMs: number | null;
  readonly totalMs: number;
}

type Doers = { readonly [D in TargetCommand['do']]: (command: Extract<TargetCommand, { do: D }>) => void };
/** From the commit on: the source knows of it first. */
const LATE_PHASES: ReadonlySet<TargetPhase> = new Set(['awaiting', 'starting', 'announcing']);
const NOTHING: Arrived = { messages: 0, pages: 0, sum: { low: 0, high: 0 }, stateBytes: 0, stateSum: { low: 0, high: 0 } };

export class TargetSession {
  private readonly runner: MachineRunner<TargetState, TargetEvent, TargetCommand>;
  private readonly frames: FrameReader;
  private readonly writer: MessageWriter;
  private decoder: PageDecoder | undefined;
  private readonly state = new StateBuffer();
  private wireBytes = 0;
  private reserving: Promise<void> | undefined;
  private settle!: (record: TargetRecord) => void;
  private readonly over = new Promise<TargetRecord>((resolve) => {
    this.settle = resolve;
  });

  constructor(
    private readonly ports: TargetPorts,
    private readonly options: TargetOptions = {},
  ) {
    const execute = (command: TargetCommand): void => (this.does[command.do] as (command: TargetCommand) => void)(command);
    this.runner = new MachineRunner(startTarget(), targetStep, execute, ports.clock, { type: 'tick' }, () => this.settle(this.record()), (phase) => ports.trace.phase?.('target', phase));
    const { work = plainPageWork } = ports;
    this.frames = new FrameReader(work);
    this.writer = new MessageWriter(ports.transport, work);
  }

  /** Waits for the offer and takes part until the end; what became of it. Never rejects. */
  run(): Promise<TargetRecord> {
    this.runner.feed({ type: 'start' });
    this.ports.transport.listen({
      message: (message) => this.receive(message),
      closed: (why) => this.runner.feed({ type: 'closed', why }),
    });
    return this.over;
  }

  cancel(why: string): void {
    this.runner.feed({ type: 'cancel', why });
  }

  get phase(): TargetPhase {
    return this.runner.state.phase;
  }

  record(): TargetRecord {
    const { phase, vmIs, outcome, line, offer, epoch, marks } = this.runner.state;
    const between = (from: number | undefined, to: number | undefined): number | null =>
      from === undefined || to === undefined ? null : to - from;
    const end = marks.ended ?? this.ports.clock.now();
    return {
      migrationId: offer?.migrationId ?? null,
      vmId: offer?.vm.vmId ?? null,
      phase,
      vmIs,
      outcome: phase === 'ended' ? outcome : null,
      line,
      pages: this.decoder?.pages ?? 0,
      wireBytes: this.wireBytes,
      epoch: epoch || null,
      restoreMs: between(marks.complete, marks.ready),
      leaseMs: between(marks.ready, marks.acquired),
      startMs: between(marks.acquired, marks.running),
      totalMs: end - (marks.started ?? end),
    };
  }

  private readonly does: Doers = {
    send: ({ message }) => this.attempt(() => this.writer.control(message)),
    check: ({ offer }) => this.attempt(() => this.check(offer)),
    reserve: ({ offer }) => this.attempt(() => this.reserve(offer)),
    restore: () =>
      this.attempt(async () => {
        await this.ports.vmm.restore(this.state.bytes);
        this.runner.feed({ type: 'restored' });
      }),
    watchLease: ({ migrationId }) =>
      this.attempt(async () => {
        const verdict = await this.ports.lease.watch(migrationId);
        this.runner.feed({ type: 'verdict', verdict });
      }),
    lookAtLease: () => this.ports.lease.look(),
    unwatchLease: () => this.ports.lease.unwatch(),
    startVm: ({ epoch, userPaused, afterMs }) => {
      if (afterMs === 0) this.startVm(epoch, userPaused);
      else this.ports.clock.after(afterMs, () => this.startVm(epoch, userPaused));
    },
    announce: () => void this.announce(),
    discardVm: () => void this.discardVm(),
    close: () => this.ports.transport.close(),
    trace: ({ name, line }) => this.ports.trace.event(name, line, { phase: this.runner.state.phase, vmIs: this.runner.state.vmIs }),
  };

  private receive(message: Uint8Array): void {
    // Nothing more is wanted, and a copy that is ready must not be touched any more.
    if (this.runner.state.phase === 'ended' || this.runner.state.phase === 'discarding') return;
    try {
      const { kind, body } = this.frames.open(message);
      this.wireBytes += message.length;
      this.take[kind](body);
    } catch (error) {
      this.runner.feed({ type: 'failed', why: `the source broke the protocol: ${lineOf(error)}` });
    }
  }

  private readonly take: { readonly [K in FrameKind]: (body: Uint8Array) => void } = {
    [FRAME_KIND.control]: (body) => {
      if (body.length > MAX_CONTROL_BYTES) throw new StreamError('bounds', `a control message of ${body.length} bytes is too long`);
      const message = parseSourceMessage(decodeText(body));
      if (message.type === 'pausing' && this.runner.state.phase === 'receiving') this.ports.vmm.pausing?.();
      this.runner.feed({ type: 'message', message, arrived: this.arrived() });
    },
    [FRAME_KIND.pages]: (body) => {
      this.receiving('pages').decode(body);
      this.runner.feed({ type: 'pagesTaken' });
    },
    [FRAME_KIND.state]: (body) => {
      this.receiving('machine state');
      if (!this.runner.state.watching) throw new StreamError('order', 'machine state came before the pause');
      this.state.add(body);
    },
    [FRAME_KIND.hints]: (body) => {
      this.receiving('hot blocks');
      if (body.length <= MAX_HINT_BYTES) this.ports.vmm.warm?.(body);
    },
    [FRAME_KIND.late]: (body) => {
      if (!LATE_PHASES.has(this.runner.state.phase)) throw new StreamError('order', 'late frames came out of turn');
      if (body.length <= MAX_LATE_BYTES) this.ports.vmm.deliver?.(body);
    },
  };

  private receiving(what: string): PageDecoder {
    if (this.runner.state.phase !== 'receiving' || !this.decoder) throw new StreamError('order', `${what} came out of turn`);
    return this.decoder;
  }

  private arrived(): Arrived {
    if (!this.decoder) return NOTHING;
    const { messages, pages, sum } = this.decoder;
    return { messages, pages, sum: sum.total, stateBytes: this.state.bytes.length, stateSum: this.state.sum };
  }

  private async check(offer: OfferMessage): Promise<void> {
    const version = agreeVersion(PROTOCOL, offer.protocol) ?? 0;
    const host = await this.ports.vmm.facts();
    const { blockers } = checkHost(offer.vm, host, offer.wallClockMs, 'live', offer.protocol);
    const lines = [...blockers.map(({ message }) => message), ...(this.options.refuse?.(offer) ?? [])];
    this.runner.feed({ type: 'checked', version, blockers: lines });
    // The answer itself travels as the handshake does; all after it as agreed.
    this.frames.version = this.writer.version = version;
  }

  private async reserve({ migrationId, vm, config }: OfferMessage): Promise<void> {
    const offer: Offer = { migrationId, vm, config };
    const { vmm, codec, lease, work } = this.ports;
    const reserving = vmm.reserve(offer);
    this.reserving = reserving.then(
      () => {},
      () => {},
    );
    const { ram } = await reserving;
    if (this.runner.state.phase !== 'reserving') return;
    if (ram.length !== vm.memoryBytes) throw new RangeError(`${ram.length} bytes of memory were reserved, the VM has ${vm.memoryBytes}`);
    this.decoder = new PageDecoder(ram, codec, vmm.beforeWrite && ((firstPage, pages) => vmm.beforeWrite!(firstPage, pages)), work);
    this.runner.feed({ type: 'reserved' });
    await this.writer.control({ type: 'reserved', owner: lease.owner });
  }

  private startVm(epoch: number, userPaused: boolean): void {
    const failed = (error: unknown): void => this.runner.feed({ type: 'startFailed', why: lineOf(error) });
    this.runner.attempt(
      () => this.ports.vmm.start({ epoch, userPaused }).then(() => this.runner.feed({ type: 'started' }), failed),
      failed,
    );
  }

  private async announce(): Promise<void> {
    await this.ports.vmm.announce().catch((error) => this.ports.trace.event('announceFailed', lineOf(error), {}));
    this.runner.feed({ type: 'announced' });
  }

  private async discardVm(): Promise<void> {
    this.decoder = undefined;
    const discard = (): Promise<void> =>
      this.ports.vmm.discard().catch((error) => this.ports.trace.event('discardFailed', lineOf(error), {}));
    // What a reservation still under way takes must go, too.
    await discard();
    await this.reserving?.then(discard);
    this.runner.feed({ type: 'discarded' });
  }

  private attempt(act: () => Promise<void>): void {
    this.runner.attempt(act, (error) => this.runner.feed({ type: 'failed', why: lineOf(error) }));
  }
}
