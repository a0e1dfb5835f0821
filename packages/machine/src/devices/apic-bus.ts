/**
 * What I/O APIC, local APICs and message-signalled interrupts speak over: a
 * message names its target CPUs and what they are to do. Source: SDM 3A, 11.6.2
 * (destinations), 11.11 (message-signalled interrupts).
 */

/** Delivery modes, as in the ICR, the redirection table and MSI data. */
export const DeliveryMode = { fixed: 0, lowestPriority: 1, smi: 2, nmi: 4, init: 5, startUp: 6, extInt: 7 } as const;

/** Vectors below are exceptions' and illegal in messages. */
export const FIRST_LEGAL_VECTOR = 16;

export interface ApicMessage {
  /** APIC id, or a mask over logical ids; 8 bits. */
  readonly destination: number;
  readonly logical: boolean;
  /** A DeliveryMode; the others are reserved and reach nobody. */
  readonly mode: number;
  readonly vector: number;
  /** Level triggered: the end of this interrupt is to be told to the I/O APIC. */
  readonly level: boolean;
}

export interface ApicTarget {
  isAddressed(destination: number, logical: boolean): boolean;
  /** Processor priority, for lowest-priority delivery. */
  readonly priority: number;
  /** False when the message was not taken. */
  accept(mode: number, vector: number, level: boolean): boolean;
}

export interface ApicSource {
  /** A CPU has finished a level-triggered interrupt. */
  endOfInterrupt(vector: number): void;
  /** A CPU has become reachable: what it did not take may be sent again. */
  retry(): void;
}

/** Messages are writes to this mebibyte: address bits 31-20. */
const MSI_WINDOW = 0xfee;

export class ApicBus {
  private readonly targets: ApicTarget[] = [];
  private readonly sources: ApicSource[] = [];

  addTarget(target: ApicTarget): void {
    this.targets.push(target);
  }

  addSource(source: ApicSource): void {
    this.sources.push(source);
  }

  /** False when no CPU took it. */
  send({ destination, logical, mode, vector, level }: ApicMessage): boolean {
    const addressed = this.targets.filter((target) => target.isAddressed(destination, logical));
    if (mode === DeliveryMode.lowestPriority) {
      let best: ApicTarget | undefined;
      for (const target of addressed) if (!best || target.priority < best.priority) best = target;
      return best?.accept(mode, vector, level) ?? false;
    }
    return deliver(addressed, mode, vector, level);
  }

  /** An interprocessor interrupt to all, or to all but one. */
  broadcast(mode: number, vector: number, except?: ApicTarget): boolean {
    return deliver(
      this.targets.filter((target) => target !== except),
      mode,
      vector,
      false,
    );
  }

  endOfInterrupt(vector: number): void {
    for (const source of this.sources) source.endOfInterrupt(vector);
  }

  retry(): void {
    for (const source of this.sources) source.retry();
  }

  /** A PCI function's message. Only CPUs listen: an address outside their window reaches nobody. */
  msi(address: number, data: number): void {
    if (address >>> 20 !== MSI_WINDOW) return;
    this.send({
      destination: (address >>> 12) & 0xff,
      logical: (address & 4) !== 0,
      mode: (data >>> 8) & 7,
      vector: data & 0xff,
      level: (data & 0x8000) !== 0,
    });
  }
}

function deliver(targets: ApicTarget[], mode: number, vector: number, level: boolean): boolean {
  let taken = false;
  for (const target of targets) taken = target.accept(mode, vector, level) || taken;
  return taken;
}
