import { Counter, ExitReason, featureAllowed, GuestCpuid, SegIndex, stateOffset, VcpuState } from '@godwit/cpu';
import { decode } from '@godwit/isa';
import { Interpreter, StepResult } from '@godwit/interpreter';
import { type BootState, loadLinux, Machine } from '@godwit/machine';
import { type Buffers, loadNative, type Native } from '@godwit/metal';
import { Deadline } from '@godwit/storage';
import { Translator } from '@godwit/translator';
import { tscKhz, withClockHint } from './clock-hint';
import type { EngineStats, Outcome, PauseReason, VmConfig } from './config';
import { DeviceSlots } from './device-slots';
import { FirstTouchSites } from './first-touch-sites';
import { GuestClock, type SavedClock } from './guest-clock';
import { GuestMemory } from './guest-memory';
import { hostCpuidQuery } from './host-cpuid';
import { loadRaw } from './raw-image';
import { translateAnew } from './rehearsal';
import { REHEARSAL_BYTES, rehearsalGuest } from './rehearsal-guest';
import {
  CLOCK_STEP_INTERVAL_NS, COOL_SLICE_NS, LEASE_LOOK_NS, CODE_CACHE_BYTES, INTERPRET_BURST, MAX_SLEEP_NS, REHEARSAL_PASS_NS, SAVE_REHEARSALS, SELF_MODIFY_DECAY_BURSTS, SELF_MODIFY_LIMIT,
  WARM_RESUME_NS, WARM_SLICE_NS,
} from './limits';
import { Throttle } from './throttle';
import { VcpuTime } from './vcpu-time';
import { BlockTranslator } from './translate-block';
import { WarmTarget } from './warm-target';
import { resetVcpu, restoreVcpu, saveVcpu } from './vcpu-state';

/**
 * One vCPU and its machine: the loop that runs guest code and serves its exits.
 *
 *      ┌────────────── interrupts, deadlines, messages ◄── kick
 *      ▼
 *   native.run() ──► Miss ──► translate, install ──┐
 *      ▲             Interpret ► one instruction ──┤
 *      │             Exception ► through the IDT ──┤
 *      └───────────────────────────────────────────┘
 *
 * All of it happens on one thread, so devices need no locks; what another
 * thread wants (input, stop) arrives as a message after a kick.
 */

export interface EnginePorts {
  serialOutput(bytes: Uint8Array): void;
  /** Handles waiting messages; called after a kick. */
  receive(engine: Engine): void;
  trace(line: string): void;
  /** The VM was paused or goes on. `held`: requests that the datastore does not serve. */
  paused?(reasons: readonly PauseReason[], held: number): void;
  /** The guest was reset and starts anew. */
  restarted?(): void;
  wallClockMs(): number;
  nowMs(): number;
}

/** All that a VM is, but for its memory: sections of a saved machine. */
export interface SavedVm {
  vcpu: unknown;
  clock: SavedClock;
  machine: { version: number; devices: Record<string, { version: number }> };
  /** From a file: see warm-list.ts. A VM that moves has sent it before. */
  hotBlocks?: Uint8Array;
}

const NMI_VECTOR = 2;
/** Counters that `codeCache` tells of. */
const OF_CODE_CACHE: ReadonlySet<number> = new Set([Counter.BlocksHeld, Counter.BlocksSelfModified]);
const exitNames = ['none', 'miss', 'interpret', 'exception', 'kick', 'halt', 'userAccess', 'cacheFull', 'tripleFault'];

export class Engine {
  readonly native: Native;
  readonly state: VcpuState;
  readonly machine: Machine;
  readonly interpreter: Interpreter;
  private readonly memory: GuestMemory;
  private readonly blocks: BlockTranslator;
  private readonly firstTouches: FirstTouchSites;
  private readonly warm: WarmTarget;
  private cooling = false;
  private readonly selfModify: Uint8Array;
  private readonly featuresUsed = new Set<string>();
  private readonly exits = new Float64Array(exitNames.length);
  private readonly clock: GuestClock;
  private readonly devices: DeviceSlots;
  private readonly pauses = new Set<PauseReason>();
  private onDrained: (() => void) | undefined;
  private resetAsked = false;
  private saveRehearsals = 0;
  private readonly throttle = new Throttle();
  private readonly time: VcpuTime;
  private readonly lease: Deadline | undefined;
  /** Until when a guest of our own runs, which needs no lease; undefined: none does. */
  private rehearsing = false;
  private outcome: Outcome | undefined;
  private deadlineArmedNs = Number.POSITIVE_INFINITY;
  private devicesTouched = true;
  private deadlineMoved = false;
  private modeSignature = '';
  private interruptsDelivered = 0;
  private burstsOnModified = 0;
  private firstInstructionMs = 0;
  private readonly traced: Set<string>;
  private readonly mnemonics: Record<string, number> = {};

  constructor(private readonly config: VmConfig, private readonly ports: EnginePorts) {
    this.native = loadNative();
    const { native } = this;
    const host = native.hostInfo();
    for (const [name, offset] of host.fields) {
      if (stateOffset[name] !== offset) throw new Error(`the native layer does not fit this program (${name}): run npm run build`);
    }
    const buffers: Buffers = native.create(config.memoryBytes, CODE_CACHE_BYTES);
    native.attach();
    this.time = new VcpuTime(() => native.monotonicNs());
    this.lease = config.lease && new Deadline(config.lease);
    this.traced = new Set(config.trace);
    this.state = new VcpuState(buffers.state);
    const sample = config.clockSample ?? { tsc: native.hostTsc(), ns: native.monotonicNs() };
    this.clock = new GuestClock(native, this.state, () => ports.wallClockMs(), sample);
    this.selfModify = new Uint8Array(buffers.selfModify);
    const features = new Set(config.features);
    this.machine = new Machine({
      memoryBytes: config.memoryBytes,
      clock: { nowNs: () => this.nowNs() },
      wallClock: { epochMs: () => ports.wallClockMs() },
      apic: features.has('apic'),
      tsc: features.has('tsc_deadline_timer') ? this.clock : undefined,
      onInterruptChange: (pending) => {
        if (pending) this.state.set('interruptPending', 1);
      },
      onDeadlineChange: () => {
        this.deadlineMoved = true;
      },
      onSerialOutput: (bytes) => ports.serialOutput(bytes),
      onPowerOff: () => this.end({ kind: 'power-off', detail: 'the guest powered off' }),
      onReset: (reason) => {
        if (config.noReboot) this.end({ kind: 'stopped', detail: `the guest asked for a reset (${reason})` });
        else this.resetAsked = true;
      },
    });
    this.machine.mmio.onPlacedWrite = () => this.attention();
    this.memory = new GuestMemory(native, buffers, this.machine.mmio);
    this.devices = new DeviceSlots(config, this.machine, this.memory, () => this.attention());
    const io = this.machine.ports;
    this.interpreter = new Interpreter(this.state, {
      memory: this.memory,
      io: {
        in: (port, size) => {
          this.devicesTouched = true;
          return io.in(port, size);
        },
        out: (port, size, value) => {
          this.devicesTouched = true;
          io.out(port, size, value);
        },
      },
      host: { execute: (code) => native.executeHost(code) },
      cpuid: new GuestCpuid(hostCpuidQuery(native), features, this.state),
      hooks: {
        flushTlb: (kind) => native.flushTlb(kind === 'all' ? 1 : 0),
        flushPage: (linear) => native.flushPage(linear),
      },
      hostTsc: () => native.vcpuTsc(),
      apic: this.machine.apicMsrs,
      featureAllowed: (f) => featureAllowed(features, f),
      onFeature: (row) => this.featuresUsed.add(row.feature),
    });
    const translator = new Translator({
      code: new Uint8Array(buffers.code),
      meta: new Uint16Array(buffers.meta),
      featureAllowed: (f) => featureAllowed(features, f),
      onFeature: (row) => this.featuresUsed.add(row.feature),
      hostBmi2: (hostCpuidQuery(native)(7, 0)[1] & 0x100) !== 0,
    });
    this.firstTouches = new FirstTouchSites(native, buffers, this.state);
    this.blocks = new BlockTranslator(native, buffers, this.state, this.memory, translator, (linear) => this.fetchAddress(linear), this.firstTouches);
    this.warm = new WarmTarget(native, this.state, this.memory, this.blocks, config.arrivals && new Uint8Array(config.arrivals));
    if (config.waitForState) {
      resetVcpu(this.state);
      this.pause('restore');
    } else {
      this.powerOn();
    }
  }

  /** Guest time in nanoseconds. */
  nowNs(): number {
    return this.clock.nowNs();
  }

  end(outcome: Outcome): void {
    this.outcome ??= outcome;
  }

  /** Runs until the guest ends or `end` is called. */
  run(): Outcome {
    this.firstInstructionMs = this.ports.nowMs() - this.config.processStartMs;
    while (!this.outcome) this.turn();
    return this.outcome;
  }

  private turn(): void {
    if (this.pauses.size > 0) return this.stayPaused();
    this.serviceDevices();
    if (this.outcome || this.pauses.size > 0) return;
    if (this.resetAsked) this.restart();
    if (this.rest()) return;
    if (this.state.halted) return this.sleep();
    if (this.config.mode === 'interpret') this.interpretStretch();
    else this.translatedStretch();
  }

  /**
   * For a VM that waits for its state: a guest of our own runs here for a while (rehearsal-guest.ts). Afterwards
   * everything is as it was, but quicker. Does nothing when the VM is in no state for it.
   * @returns guest instructions that were translated
   */
  rehearse(budgetNs: number): number {
    const { native, memory } = this;
    const begunNs = native.monotonicNs();
    if (this.rehearsing || this.config.mode !== 'translate' || [...this.pauses].join() !== 'restore') return 0;
    const own = JSON.parse(JSON.stringify(this.saveState())) as SavedVm;
    const guest = rehearsalGuest();
    memory.ram.set(guest.memory);
    resetVcpu(this.state);
    this.state.set('apicBase', Number(this.machine.apicMsrs?.readBase() ?? 0n));
    enterAt(this.state, guest.boot);
    this.noticeModeChange();
    this.rehearsing = true;
    this.pauses.clear();
    this.clock.thaw();
    let flushAt = begunNs + REHEARSAL_PASS_NS, pass = 0;
    for (let now = begunNs; !this.outcome && this.pauses.size === 0 && now < begunNs + budgetNs; now = native.monotonicNs()) {
      this.turn();
      if (now < flushAt) continue;
      translateAnew(native, this.state, memory, this.blocks, pass++);
      flushAt = native.monotonicNs() + REHEARSAL_PASS_NS;
    }
    this.clock.freeze();
    this.rehearsing = false;
    this.pauses.add('restore');
    // Whatever became of it: a real order to stop is one of the shell.
    if (this.outcome?.kind !== 'stopped') this.outcome = undefined;
    this.resetAsked = false;
    memory.ram.fill(0, 0, REHEARSAL_BYTES);
    this.restoreState(own);
    const translated = this.blocks.instructions;
    this.forget();
    return translated;
  }

  /** Counters and what was learned: of a guest that is no more. */
  private forget(): void {
    this.blocks.forget();
    this.firstTouches.forget();
    this.time.forget();
    this.exits.fill(0);
    this.featuresUsed.clear();
    this.interruptsDelivered = this.burstsOnModified = 0;
    this.interpreter.instructionsExecuted = 0;
    this.selfModify.fill(0);
    for (const key of Object.keys(this.mnemonics)) delete this.mnemonics[key];
    const counters = stateOffset.counters >> 3;
    this.state.u64.fill(0n, counters, counters + Object.values(Counter).filter((index) => typeof index === 'number').length);
  }

  /** Stops guest time and the guest; several reasons may hold at once. */
  pause(reason: PauseReason): void {
    this.clock.freeze();
    this.time.stands();
    this.pauses.add(reason);
    this.ports.paused?.([...this.pauses], this.devices.held);
  }

  /** One reason less; the guest runs when none is left. */
  resume(reason: PauseReason): void {
    if (!this.pauses.delete(reason)) return;
    // A save that was called off: what was to follow it must not come at some later pause.
    if (reason === 'save') this.onDrained = undefined;
    if (reason === 'restore') this.warm.arrived();
    this.ports.paused?.([...this.pauses], this.devices.held);
    if (this.pauses.size > 0) return;
    this.clock.thaw();
    this.time.goesOn();
    this.attention();
  }

  get paused(): boolean {
    return this.pauses.size > 0;
  }

  /** Calls `then` once no disk request is on its way any more; those that the datastore cannot serve stay with their adapters. The VM must be paused. */
  drain(then: () => void): void {
    this.onDrained = then;
    this.attention();
  }

  /** 0 to 99: the share of time that the vCPU rests. */
  setThrottle(percent: number): void {
    this.throttle.set(percent, this.nowNs());
    this.attention();
  }

  /** Begins a round of the dirty log: one byte a page into `out`, 1 = written since the last round. */
  beginDirtyRound(out: Uint8Array): void {
    this.native.beginDirtyRound(out);
    // Whoever asks will want the state soon: V8 has compiled the way there before the VM stands for it.
    if (!this.paused && this.saveRehearsals++ < SAVE_REHEARSALS) this.saveState();
  }

  endDirtyLog(): void {
    this.native.endDirtyLog();
  }

  /** The machine's reset line, from outside. */
  reset(): void {
    this.resetAsked = true;
    this.attention();
  }

  /** Begins to find out which blocks are hot: for a list of them, soon. */
  measureHeat(): void {
    this.cooling = this.native.coolSlice(true);
    this.cool();
  }

  /** See BlockTranslator. */
  userAccessList(): Uint32Array {
    return this.blocks.userAccessList();
  }

  /** Hot blocks of a VM that comes here: translated while there is time. Untrusted. */
  addHotBlocks(list: Uint8Array): void {
    if (this.config.mode === 'translate') this.warm.add(list);
  }

  /** See WarmTarget.hold. */
  holdWarm(): void {
    this.warm.hold();
  }

  announce(): void {
    this.devices.announce();
  }

  /** See DeviceSlots. */
  takeFrames(): Uint8Array | null {
    return this.paused ? this.devices.takeFrames() : null;
  }

  giveFrames(packed: Uint8Array): void {
    this.devices.giveFrames(packed);
  }

  /** A network adapter's cable. */
  setLink(nic: number, up: boolean): void {
    this.devices.setLink(nic, up);
  }

  /** After `drain`. Memory is not in it. */
  saveState(): SavedVm {
    return { vcpu: saveVcpu(this.state), clock: this.clock.save(), machine: this.machine.save() as SavedVm['machine'] };
  }

  /** Into a VM that was made with `waitForState` and whose memory has been filled. @throws StateFormatError */
  restoreState(saved: SavedVm): void {
    if (saved.hotBlocks) {
      this.addHotBlocks(saved.hotBlocks);
      this.warm.step(WARM_RESUME_NS);
    }
    this.warm.hold();
    restoreVcpu(this.state, saved.vcpu, this.native.hostXcr0());
    this.clock.restore(saved.clock);
    this.machine.restore(saved.machine);
    // What the network brought here so far was for everybody, and the guest has had it where it ran.
    this.devices.dropFrames();
    this.modeSignature = '';
    this.noticeModeChange();
    this.machine.resume();
  }

  stats(): EngineStats {
    const counters = this.state.u64.subarray(stateOffset.counters >> 3);
    const native: Record<string, number> = {};
    for (const [name, index] of Object.entries(Counter)) if (typeof index === 'number' && !OF_CODE_CACHE.has(index)) native[name] = Number(counters[index]);
    const exits: Record<string, number> = {};
    exitNames.forEach((name, i) => {
      exits[name] = this.exits[i];
    });
    const b = this.blocks;
    return {
      mode: this.config.mode,
      runSeconds: this.nowNs() / 1e9,
      startToFirstInstructionMs: this.firstInstructionMs,
      translation: {
        blocks: b.blocks, instructions: b.instructions, guestBytes: b.guestBytes, hostBytes: b.hostBytes,
        seconds: b.nanoseconds / 1e9, flushes: b.flushes,
      },
      codeCache: {
        bytes: this.native.codeCursor(),
        limitBytes: b.limitBytes,
        blocks: Number(counters[Counter.BlocksHeld]),
        evictedBlocks: b.evictedBlocks,
        selfModifiedBlocks: Number(counters[Counter.BlocksSelfModified]),
      },
      vcpu: this.time.seconds(b.nanoseconds + this.warm.counts.seconds * 1e9),
      disks: this.devices.diskStats(),
      nics: this.devices.nicStats(),
      warm: { ...this.warm.counts },
      firstTouch: { adopted: this.firstTouches.adopted, dropped: this.firstTouches.dropped },
      interpreted: this.interpreter.instructionsExecuted,
      interruptsDelivered: this.interruptsDelivered,
      exits,
      native,
      interpretedMnemonics: this.mnemonics,
      featuresUsed: [...this.featuresUsed].sort(),
    };
  }

  // --- the loop's parts ------------------------------------------------------------

  private translatedStretch(): void {
    // Translated code does not end a shadow that the interpreter left behind (sti or mov ss at the end of a burst).
    if (this.state.interruptShadow) return this.stepOne();
    const reason = this.native.run();
    this.exits[reason]++;
    exitHandlers[reason](this);
  }

  /** Exit handlers, by ExitReason. */
  miss(): void {
    const { eip } = this.state;
    if (this.rewritesItself(eip)) this.interpretStretch();
    else if (!this.blocks.translateAt(eip)) this.stepOne();
  }

  interpret(): void {
    // exitArg0 = 1: the mode as a whole is not translated (real mode, 16-bit segments, v86, single-step).
    if (this.state.get('exitArg0') === 1) this.interpretStretch();
    else this.stepOne();
  }

  cacheFull(): void {
    this.blocks.flush();
  }

  userAccess(): void {
    if (this.state.cpl === 3) return this.blocks.noteFirstTouch(this.state.eip);
    // The instruction may stand in the shadow of a translated sti: it runs before any interrupt.
    this.state.interruptShadow = 1;
    if (!this.blocks.noteUserAccess(this.state.eip)) this.stepOne();
  }

  exception(): void {
    const s = this.state;
    const vector = s.get('exitVector');
    const errorCode = s.get('exitHasErrorCode') ? s.get('exitErrorCode') : null;
    this.afterInterpreter(this.interpreter.deliverException(vector, errorCode, vector === 14 ? s.cr2 : undefined));
  }

  private readonly interpretOne = (): StepResult => this.interpreter.step();

  private stepOne(): void {
    const eip = this.state.eip;
    if (this.traced.has('interpret')) this.ports.trace(`interpret ${eip.toString(16)}`);
    if (this.traced.has('exits')) this.countMnemonic(eip);
    this.afterInterpreter(this.time.step(this.interpretOne));
  }

  /** For `--trace exits`: which instructions are left to the interpreter. */
  private countMnemonic(eip: number): void {
    const gpa = this.interpreter.translateLinear((eip + this.state.base(SegIndex.CS)) >>> 0, 'execute', this.state.cpl === 3);
    if (typeof gpa !== 'number' || !this.memory.isRam(gpa)) return;
    const ins = decode(this.memory.ram, gpa, 15, true);
    const name = typeof ins === 'string' ? ins : `${ins.row.mnemonic}${ins.hasMemory ? ' mem' : ''}`;
    this.mnemonics[name] = (this.mnemonics[name] ?? 0) + 1;
  }

  private interpretStretch(): void {
    const cells = this.state.u32, kicked = stateOffset.kicked >> 2, pending = stateOffset.interruptPending >> 2;
    const { core } = this.interpreter;
    const attention = (): boolean => cells[kicked] !== 0 || this.devicesTouched || (cells[pending] !== 0 && (core.flags & 0x200) !== 0);
    this.afterInterpreter(this.time.stretch(() => this.interpreter.run(INTERPRET_BURST, attention)));
  }

  private afterInterpreter(result: StepResult): void {
    if (result === StepResult.TripleFault) {
      this.end({ kind: 'triple-fault', detail: `triple fault: the guest cannot go on (eip ${this.state.eip.toString(16).padStart(8, '0')})` });
    }
    if (this.config.mode === 'translate') this.noticeModeChange();
  }

  /** Control bits that the windows and the block tables were built under. */
  private noticeModeChange(): void {
    const s = this.state;
    const signature = `${s.cr0 & 0x80010001},${s.cr4 & 0x40230},${s.efer},${s.get('xcr0')}`;
    if (signature === this.modeSignature) return;
    this.modeSignature = signature;
    this.native.flushTlb(2);
  }

  /** True while the vCPU rests, throttled: devices and messages are served, the guest waits. */
  private rest(): boolean {
    const rest = this.throttle.restNs(this.nowNs());
    if (rest <= 0) return false;
    this.time.rest(() => this.native.sleep(rest));
    return true;
  }

  private warmOrSleep(): void {
    const wait = this.warm.step(WARM_SLICE_NS);
    if (wait <= 0) return;
    // Standing still is counted as that.
    if (this.pauses.size > 0) this.native.sleep(Math.min(wait, MAX_SLEEP_NS));
    else this.time.halt(() => this.native.sleep(Math.min(wait, MAX_SLEEP_NS)));
  }

  /** A little at a time: the guest is not to notice. */
  private cool(): void {
    const until = this.native.monotonicNs() + COOL_SLICE_NS;
    while (this.cooling && this.native.monotonicNs() < until) this.cooling = this.native.coolSlice(false);
  }

  /** Devices are looked at before the guest goes on. */
  private attention(): void {
    this.devicesTouched = true;
  }

  private stayPaused(): void {
    const s = this.state;
    // Before it sleeps: if the disks were idle when it paused, nobody would wake it.
    this.pollDisks();
    if (this.onDrained && this.devices.drained) {
      const then = this.onDrained;
      this.onDrained = undefined;
      return then();
    }
    if (this.pauses.size === 0) return;
    if (!s.get('kicked')) this.warmOrSleep();
    s.set('kicked', 0);
    this.ports.receive(this);
  }

  private pollDisks(): void {
    this.devices.pollDisks();
    const held = this.devices.held > 0;
    if (held !== this.pauses.has('storage')) held ? this.pause('storage') : this.resume('storage');
  }

  private serviceDevices(): void {
    const s = this.state;
    if (s.get('kicked')) {
      s.set('kicked', 0);
      this.deadlineArmedNs = Number.POSITIVE_INFINITY;
      this.devicesTouched = true;
      this.ports.receive(this);
      this.firstTouches.review(this.nowNs());
      if (this.cooling) this.cool();
      this.clock.pay();
      // The shell pauses the VM in time; a process that was stopped and woken may come too late for that.
      if (this.lease && !this.rehearsing && !this.lease.mayRun()) return this.pause('lease');
    }
    if (this.devicesTouched) {
      this.devicesTouched = false;
      this.pollDisks();
      if (this.pauses.size > 0) return;
      this.devices.pollNetworks();
      this.machine.advance(this.nowNs());
      this.armDeadline();
    } else if (this.deadlineMoved) {
      this.armDeadline();
    }
    if (this.machine.nmiPending() && !s.interruptShadow) this.takeNmi();
    if (!this.machine.irqPending()) {
      s.set('interruptPending', 0);
      return;
    }
    if (s.eflags & 0x200 && !s.interruptShadow) this.takeInterrupt();
    else s.set('interruptPending', 1);
  }

  private takeNmi(): void {
    this.machine.acknowledgeNmi();
    this.deliver(NMI_VECTOR);
  }

  private takeInterrupt(): void {
    this.deliver(this.machine.acknowledgeIrq());
    this.state.set('interruptPending', this.machine.irqPending() ? 1 : 0);
  }

  private deliver(vector: number): void {
    this.interruptsDelivered++;
    this.state.halted = 0;
    if (this.config.mode === 'interpret' || !this.native.deliver(vector, -1)) this.afterInterpreter(this.interpreter.deliverInterrupt(vector));
  }

  private armDeadline(): void {
    this.deadlineMoved = false;
    const soon = this.clock.owes ? this.nowNs() + CLOCK_STEP_INTERVAL_NS : Number.POSITIVE_INFINITY;
    const next = Math.min(this.machine.nextDeadlineNs(), soon, this.throttle.deadlineNs, this.lease ? this.nowNs() + LEASE_LOOK_NS : Number.POSITIVE_INFINITY);
    if (next === this.deadlineArmedNs) return;
    this.deadlineArmedNs = next;
    this.native.setDeadline(next === Number.POSITIVE_INFINITY ? 0 : Math.max(1, next - this.nowNs()));
  }

  private sleep(): void {
    if (!(this.state.eflags & 0x200) && this.machine.nextDeadlineNs() === Number.POSITIVE_INFINITY && this.traced.has('halt')) {
      this.ports.trace('halted with interrupts off');
    }
    // A halted guest leaves time to translate what it will want.
    this.warmOrSleep();
    this.devicesTouched = true;
  }

  /** Physical address of code at `linear`, or -1: not present, not executable, not RAM. */
  private fetchAddress(linear: number): number {
    const found = this.interpreter.translateLinear(linear, 'execute', this.state.cpl === 3);
    return typeof found === 'number' && this.memory.isRam(found) ? found : -1;
  }

  /** Code on a page that keeps being written is interpreted; now and then it is given another chance. */
  private rewritesItself(eip: number): boolean {
    const gpa = this.fetchAddress(eip);
    if (gpa < 0 || this.selfModify[gpa >>> 12] < SELF_MODIFY_LIMIT) return false;
    if (++this.burstsOnModified >= SELF_MODIFY_DECAY_BURSTS) {
      this.burstsOnModified = 0;
      this.selfModify[gpa >>> 12] = SELF_MODIFY_LIMIT >> 1;
    }
    return true;
  }

  // --- power on ----------------------------------------------------------------------

  /** A reset by the guest: as power-on, with the same memory. */
  private restart(): void {
    this.resetAsked = false;
    this.ports.restarted?.();
    this.machine.reset();
    this.warm.clear();
    this.native.flushCode();
    this.modeSignature = '';
    this.powerOn();
  }

  private powerOn(): void {
    const { raw, kernel, initrd, memoryBytes, clockSample } = this.config;
    const now = { tsc: this.native.hostTsc(), ns: this.native.monotonicNs() };
    const commandLine = withClockHint(this.config.commandLine, clockSample && tscKhz(clockSample, now));
    if (!raw && !kernel) throw new Error('a VM needs a kernel or a raw image');
    const boot = raw ? loadRaw(this.memory, raw) : loadLinux(this.memory, { kernel: kernel as Uint8Array, initrd, commandLine, memoryBytes, apic: this.config.features.includes('apic') });
    resetVcpu(this.state);
    this.state.set('apicBase', Number(this.machine.apicMsrs?.readBase() ?? 0n));
    enterAt(this.state, boot);
    this.noticeModeChange();
  }
}

const exitHandlers: Record<number, (e: Engine) => void> = {
  [ExitReason.None]: () => {},
  [ExitReason.Miss]: (e) => e.miss(),
  [ExitReason.Interpret]: (e) => e.interpret(),
  [ExitReason.Exception]: (e) => e.exception(),
  [ExitReason.UserAccess]: (e) => e.userAccess(),
  [ExitReason.CacheFull]: (e) => e.cacheFull(),
  [ExitReason.Kick]: () => {},
  [ExitReason.Halt]: () => {},
};

function enterAt(s: VcpuState, boot: BootState): void {
  s.eip = boot.eip;
  s.gpr[4] = boot.esp;
  s.gpr[6] = boot.esi;
  s.eflags = boot.eflags;
  s.cr0 = boot.cr0;
  s.cpl = 0;
  s.set('gdtrBase', boot.gdtBase);
  s.set('gdtrLimit', boot.gdtLimit);
  s.setSegment(SegIndex.CS, boot.cs.selector, boot.cs.base, boot.cs.limit, boot.cs.access);
  for (const seg of [SegIndex.ES, SegIndex.SS, SegIndex.DS, SegIndex.FS, SegIndex.GS]) {
    s.setSegment(seg, boot.ds.selector, boot.ds.base, boot.ds.limit, boot.ds.access);
  }
}
