/**
 * The slow twin: executes IA-32 from the state block, one instruction at a
 * time, with nothing translated. It runs what the translator leaves out, and
 * it is the oracle that translated code is compared with.
 *
 *   run ── lookup(cs:eip) ──► block ──► handler, handler, … ──► next block
 *    │                                      │ throws the pending fault
 *    └── between blocks: stop?              ▼
 *                               deliver through the IDT, go on
 *
 * Between calls all state is in the block; while a call runs, eip and EFLAGS
 * are held in `Core`. A handler either completes or throws with nothing
 * changed (repeated string instructions: with whole elements done), so eip
 * need not be kept up to date inside a block: on a fault it is the block's eip
 * plus the instruction's offset.
 *
 * The interpreter does not ask for external interrupts; the caller does,
 * between calls, and hands them in with `deliverInterrupt`.
 *
 * Known deviations from real processors: debug registers are kept but never
 * match, nor does a TSS's T bit trap; PAE directory pointers are read at each
 * walk instead of with CR3; x87 errors are always #MF, whatever CR0.NE says;
 * the x87 environment has its protected-mode form in every mode; alignment
 * checks cover accesses of up to four bytes; virtual-8086 mode extensions are
 * not offered.
 */
import { type GuestFault, stateOffset, type VcpuState } from '@godwit/cpu';
import { Core, type InterpreterPorts } from './core';
import { type Block, DecodeCache } from './decode-cache';
import { deliverFault, raise, singleStepTrap } from './exceptions';
import { faultCode, fault, pendingFault, Vector } from './fault';
import { Eflags } from './flags';
import { STRING_CHUNK } from './limits';
import { walk } from './page-walk';

export const enum StepResult {
  Ok = 0,
  Halt = 1,
  TripleFault = 2,
}

const TLB_GENERATION = stateOffset.tlbGeneration >> 2;

/** Instructions after which no single-step trap is taken: their delivery has cleared TF. */
const noTrapAfter = new Set(['int', 'int1', 'int3', 'into']);

export class Interpreter {
  readonly core: Core;
  private readonly cache: DecodeCache;
  instructionsExecuted = 0;

  constructor(readonly state: VcpuState, ports: InterpreterPorts) {
    this.core = new Core(state, ports);
    this.cache = new DecodeCache(this.core);
  }

  /** Executes one instruction at cs:eip with any exception it raises. A repeated string instruction may take several calls. */
  step(): StepResult {
    const { core } = this;
    core.enter();
    this.dropStaleTlb();
    if (core.halted) return StepResult.Halt;
    this.single();
    core.leave();
    return this.result();
  }

  /** Up to n instructions; stops early on halt, triple fault, or when `shouldStop` (asked between blocks) says so. */
  run(n: number, shouldStop: () => boolean): StepResult {
    const { core, cache } = this;
    core.enter();
    if (core.halted) return StepResult.Halt;
    let left = n;
    while (left > 0) {
      if (core.r32[TLB_GENERATION] !== core.seenGeneration) this.dropStaleTlb();
      if ((core.flags & (Eflags.TF | Eflags.RF)) !== 0 || core.shadow) {
        this.single();
        left--;
      } else {
        left -= this.block(cache, left);
      }
      if (core.halted || core.tripleFault) break;
      if (!core.shadow && shouldStop()) break;
    }
    core.leave();
    return this.result();
  }

  /** Runs (a part of) one block; returns the number of instructions begun. */
  private block(cache: DecodeCache, limit: number): number {
    const { core } = this;
    let done = 0;
    let block: Block | null = null;
    core.stringBudget = STRING_CHUNK;
    try {
      const eip = core.eip;
      block = cache.at(eip, false);
      core.blockEip = eip;
      const { ops } = block;
      if (block.count > limit) {
        core.eip = (eip + ops[limit - 1].end) | 0;
        while (done < block.count && done < limit) {
          const op = ops[done];
          op.run(core, op);
          done++;
        }
      } else {
        core.eip = (eip + block.length) | 0;
        while (done < block.count) {
          const op = ops[done];
          op.run(core, op);
          done++;
        }
      }
      // The block's bytes were written by itself: go on behind the writer.
      if (block.count === 0 && done < ops.length) core.eip = (eip + ops[done - 1].end) | 0;
    } catch (e) {
      if (e !== pendingFault) throw e;
      if (block !== null) core.eip = (core.blockEip + block.ops[done].start) | 0;
      core.shadow = false;
      core.tripleFault = !deliverFault(core);
      done++;
    }
    this.instructionsExecuted += done;
    return done;
  }

  /** One instruction, with everything that is looked at per instruction: TF, RF, the interrupt shadow. */
  private single(): void {
    const { core } = this;
    const trap = (core.flags & Eflags.TF) !== 0;
    const resume = (core.flags & Eflags.RF) !== 0;
    core.shadow = false;
    core.stringBudget = trap ? 1 : STRING_CHUNK;
    this.instructionsExecuted++;
    const start = core.eip;
    try {
      const block = this.cache.at(start, true);
      const op = block.ops[0];
      core.blockEip = start;
      core.eip = (start + op.end) | 0;
      op.run(core, op);
      // RF lasts for one instruction; an iret may set it anew.
      if (resume && op.ins.row.mnemonic !== 'iret') core.flags &= ~Eflags.RF;
      if (trap && !core.shadow && !noTrapAfter.has(op.ins.row.mnemonic)) core.tripleFault = !singleStepTrap(core);
    } catch (e) {
      if (e !== pendingFault) throw e;
      core.eip = start;
      core.shadow = false;
      core.tripleFault = !deliverFault(core);
    }
  }

  /** An external interrupt, now. The caller has checked IF and the shadow. */
  deliverInterrupt(vector: number): StepResult {
    const { core } = this;
    core.enter();
    this.dropStaleTlb();
    core.shadow = false;
    try {
      raise(core, vector, 'external', null);
    } catch (e) {
      if (e !== pendingFault) throw e;
      core.tripleFault = !deliverFault(core);
    }
    core.leave();
    return this.result();
  }

  /** An exception of the instruction at cs:eip, now. For #PF `cr2` is the address. */
  deliverException(vector: number, errorCode: number | null, cr2?: number): StepResult {
    const { core } = this;
    core.enter();
    this.dropStaleTlb();
    core.shadow = false;
    pendingFault.address = cr2 ?? core.state.cr2;
    core.tripleFault = !deliverFault(core, errorCode === null ? fault(vector as Vector) : faultCode(vector as Vector, errorCode));
    core.leave();
    return this.result();
  }

  private result(): StepResult {
    if (this.core.tripleFault) {
      this.core.tripleFault = false;
      return StepResult.TripleFault;
    }
    return this.core.halted ? StepResult.Halt : StepResult.Ok;
  }

  private dropStaleTlb(): void {
    const { core } = this;
    if (core.r32[TLB_GENERATION] === core.seenGeneration) return;
    core.mem.flush(false);
    core.noteTlbGeneration();
  }

  flushTlb(): void { this.core.mem.flush(false); }
  flushPage(linear: number): void { this.core.mem.flushPage(linear); }

  /** Somebody else wrote that page: forget its decoded code. */
  invalidatePage(gpa: number): void { this.cache.invalidatePage(gpa); }
  /** All memory changed (snapshot restored). */
  invalidateAll(): void {
    this.cache.clear();
    this.core.mem.flush(false);
  }

  /** gpa, or the page fault that such an access would raise. Walks the tables anew and sets A and D as the access would. */
  translateLinear(linear: number, access: 'read' | 'write' | 'execute', user: boolean): number | GuestFault {
    const { mem } = this.core;
    if (walk(mem, mem.last, linear | 0, access === 'write', access === 'execute', user)) return mem.last.gpa;
    return { vector: Vector.PF, errorCode: mem.last.error, hasErrorCode: true };
  }
}
