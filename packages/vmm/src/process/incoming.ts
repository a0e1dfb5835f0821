/** A process that waits for its VM: who may bring it, and the target's side once somebody does. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type HostFacts, type Offer, type TargetRecord, TargetSession } from '@godwit/migration';
import type { LeaseHolder } from '@godwit/storage';
import { clockPort, codecPort, nativePageWork, targetLease } from '../migration/ports';
import { TargetVmm } from '../migration/target-vmm';
import type { Vm, VmSpec } from '../vm';
import { type PeerIdentity, WireError } from '@godwit/wire';
import type { OnPhase } from './fault-points';
import type { MigrationLink } from './link';
import { checkSectors, fitOffer } from './machine-offer';

const CONNECT_TIMEOUT_MS = 10_000;

export interface IncomingParts {
  readonly holder: LeaseHolder;
  readonly link: () => Promise<MigrationLink>;
  readonly facts: () => HostFacts;
  /** The VM as this host makes it, with the CPU that it has; read beforehand, so that nothing is waited for. */
  readonly spec: (features: readonly string[]) => VmSpec;
  readonly vmId: string;
  readonly onVm: (vm: Vm) => void;
  readonly onPhase: OnPhase;
  readonly log: (line: string, fields: Readonly<Record<string, unknown>>) => void;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export class Incoming {
  private expected: { readonly token: Buffer; readonly migrationId: string } | undefined;
  private session: TargetSession | undefined;
  private prepared: Promise<void> | undefined;
  private settle!: (record: TargetRecord) => void;
  /** How it went; once. */
  readonly over = new Promise<TargetRecord>((resolve) => {
    this.settle = resolve;
  });

  private readonly vmm: TargetVmm;

  constructor(private readonly parts: IncomingParts) {
    this.vmm = new TargetVmm({
      facts: parts.facts,
      specFor: (offer) => fitOffer(parts.spec(offer.vm.cpu.features), offer.config),
      onVm: (vm, offer: Offer) => {
        checkSectors(vm, offer.config);
        parts.onVm(vm);
      },
    });
  }

  /** Where the VM's CPU is known beforehand: everything is ready when it comes. @throws Error, one line */
  prepare(features: readonly string[]): Promise<void> {
    this.prepared = this.vmm.prepare(this.parts.spec(features));
    return this.prepared;
  }

  /** Gives back what was prepared for a VM that never came. */
  abandon(): Promise<void> {
    return this.session ? Promise.resolve() : this.vmm.discard();
  }

  /** From now on that migration may come, and no other. The token is told only here. */
  async expect(migrationId: string, vmId: string): Promise<{ address: string; token: string }> {
    if (this.session) throw new WireError('precondition', 'a VM is on its way here already');
    if (vmId !== '' && vmId !== this.parts.vmId) throw new WireError('precondition', `this process waits for VM ${this.parts.vmId}, not for ${vmId}`);
    // Whoever asks waits with a VM that still runs: it moves to a host that is ready.
    await this.prepared?.catch((error: Error) => {
      throw new WireError('precondition', error.message);
    });
    const token = randomBytes(32).toString('base64url');
    this.expected = { token: digest(token), migrationId };
    return { address: (await this.parts.link()).address, token };
  }

  /** The source is there: calls it back. @throws WireError */
  async call({ migrationId, token, sourceAddress }: { migrationId: string; token: string; sourceAddress: string }, asker: PeerIdentity): Promise<void> {
    const { expected } = this;
    if (!expected || !timingSafeEqual(expected.token, digest(token))) throw new WireError('denied', 'the token is not the one of a migration that is expected here: ask for a new one (Expect)');
    if (expected.migrationId !== '' && expected.migrationId !== migrationId) throw new WireError('denied', `migration ${expected.migrationId} is expected here, not ${migrationId}`);
    if (this.session) throw new WireError('precondition', 'a VM is on its way here already');
    this.expected = undefined;
    const link = await this.parts.link();
    const transport = await link.call(sourceAddress, { migrationId, token }, asker, AbortSignal.timeout(CONNECT_TIMEOUT_MS));
    const { parts } = this;
    const trace = { phase: (end: 'source' | 'target', phase: string) => parts.onPhase(end, phase, () => this.session?.cancel('ordered at a fault point')), event: (name: string, line: string, fields: Readonly<Record<string, unknown>>) => parts.log(`migration: ${line || name}`, { migrationId, event: name, ...fields }) };
    const refuse = (offer: { vm: { vmId: string; name: string } }): string[] => (offer.vm.vmId === parts.vmId ? [] : [`VM ${offer.vm.name} is not the one that is expected here`]);
    this.session = new TargetSession({ vmm: this.vmm, lease: targetLease(parts.holder), transport, clock: clockPort, codec: codecPort, work: nativePageWork(), trace }, { refuse });
    void this.session.run().then((record) => this.settle(record));
  }

  /** As the target sees it; undefined: nobody has come yet. */
  get record(): TargetRecord | undefined {
    return this.session?.record();
  }

  cancel(why: string): void {
    this.session?.cancel(why);
  }
}
