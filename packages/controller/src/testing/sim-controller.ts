/**
 * A controller of the simulation: the real core, a store that fences by term, and the rule that nothing
 * leaves before what was to be saved is saved. It may die, or be deposed without knowing it.
 */
import type { Output } from '../core/context';
import { Core, type LoadedRecord, type Report } from '../core/core';
import type { Planner } from '../core/planner';
import type { StoredKind } from '../core/records';
import type { SimHost } from './sim-host';
import type { World } from './world';

export class SimStore {
  term = 0;
  readonly values = new Map<string, string>();

  records(): LoadedRecord[] {
    return [...this.values].map(
      ([key, json]) => ({ kind: key.slice(0, key.indexOf('/')) as StoredKind, value: JSON.parse(json) }) as LoadedRecord,
    );
  }
}

export class SimController {
  alive = true;
  leads = false;
  term = 0;
  core: Core | undefined;
  private outputs: Output[] = [];
  private committing = false;

  constructor(
    readonly world: World,
    readonly id: string,
    private readonly planner: () => Planner,
    private readonly makeCore: typeof Core,
  ) {
    this.tickSoon();
  }

  get hosts(): { has(id: string): boolean } {
    return this.core?.state.hosts ?? new Map();
  }

  lead(term: number): void {
    const { world } = this;
    this.stop();
    this.term = term;
    this.leads = true;
    this.outputs = [];
    this.committing = false;
    this.core = new this.makeCore({ newId: () => world.newId(), planner: this.planner() });
    this.take(this.core.load(world.time, world.store.records()));
    world.tell(`${this.id} leads, term ${term}`);
  }

  stop(): void {
    this.leads = false;
    this.core = undefined;
    this.outputs = [];
    // Its sockets close, and agents see that.
    for (const { session } of this.world.hosts ?? []) if (session?.controller === this) session.open = false;
  }

  hear(host: SimHost, sessionId: string, report: Report): void {
    if (!this.alive || !this.leads || !this.core) return;
    this.take(this.core.report(this.world.time, host.id, sessionId, report));
  }

  ask<T>(work: Parameters<Core['ask']>[1]): T | undefined {
    if (!this.core) return undefined;
    const { value, output } = this.core.ask(this.world.time, work);
    this.take(output);
    return value as T;
  }

  private take(output: Output): void {
    this.outputs.push(output);
    if (!this.committing) this.commit();
  }

  /** As leader/pipeline.ts: all that waits is saved together, and what it says leaves when that is done. */
  private commit(): void {
    const { world, term, core } = this;
    const outputs = this.outputs.splice(0);
    this.committing = outputs.length > 0;
    if (outputs.length === 0) return;
    const saves = outputs.flatMap((output) => output.saves);
    const done = (): void => {
      if (!this.alive || this.core !== core) return;
      if (saves.length > 0 && world.store.term !== term) {
        world.count('fenced');
        return this.stop();
      }
      for (const { kind, id, json } of saves) {
        if (json === null) world.store.values.delete(`${kind}/${id}`);
        else world.store.values.set(`${kind}/${id}`, json);
      }
      for (const output of outputs) {
        for (const event of output.events) world.heard(this, event);
        for (const message of output.messages) world.host(message.hostId)?.receive(message, term);
        if (output.stepDown && world.store.term !== term) return this.stop();
      }
      this.commit();
    };
    if (saves.length > 0) world.after(world.random.between(1, 20), done);
    else done();
  }

  private tickSoon(): void {
    this.world.after(500, () => {
      // An elector notices in time that its term is over.
      if (this.leads && this.world.store.term !== this.term && this.world.random.chance(0.1)) this.stop();
      if (this.alive && this.core && this.core.nextAt <= this.world.time) this.take(this.core.tick(this.world.time));
      this.tickSoon();
    });
  }
}
