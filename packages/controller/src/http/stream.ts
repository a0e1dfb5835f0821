/**
 * What a page shows, live: one stream of server-sent events made of the API's own watches.
 *
 *   event: batch   { vms?, hosts?, migrations?: [...], removed?: {vms?, hosts?, migrations?: [ids]}, events?: [...],
 *                    status?, synced? }      synced: all that was there has been sent; what a page held before is to go
 *   event: beat    {}                        nothing has changed, and the connection lives
 *   event: end     { error: {code, line} }   a watch has ended; the page begins anew
 *
 * What changes twice before it could be sent is sent once, as it is then: a slow page lags, and never makes us hold more
 * than one view of each thing. Lists of CPU features stay out (GetVm and GetHost have them), as do the rounds of migrations
 * that have ended (GetMigration).
 */
import type { ServerResponse } from 'node:http';
import type { Call, Message, Services } from '../rpc/rpc';
import { toldOf } from './answers';
import { BATCH_MS, BEAT_MS, FIRST_EVENTS, STATUS_MS, STREAM_BUFFER_BYTES } from './limits';

const WATCHES = [
  { name: 'vms', service: 'Vms', method: 'WatchVms', field: 'vm', id: (vm: Message) => (vm.spec as Message).vmId, slim: withoutFeatures },
  { name: 'hosts', service: 'Hosts', method: 'WatchHosts', field: 'host', id: (host: Message) => host.hostId, slim: withoutFactsFeatures },
  { name: 'migrations', service: 'Migrations', method: 'WatchMigrations', field: 'migration', id: (one: Message) => one.migrationId, slim: withoutOldRounds },
] as const;

type Name = (typeof WATCHES)[number]['name'];

export class LiveStream {
  private readonly changed: Record<Name, Map<string, Message | null>> = { vms: new Map(), hosts: new Map(), migrations: new Map() };
  private readonly events: Message[] = [];
  private readonly unsynced = new Set<Name>(WATCHES.map(({ name }) => name));
  private saidSynced = false;
  private sentAtMs = 0;
  private statusAtMs = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly beat: NodeJS.Timeout;
  private over = false;

  constructor(
    private readonly response: ServerResponse,
    private readonly services: Services,
    private readonly call: Call,
    private readonly now: () => number,
  ) {
    this.beat = setInterval(() => this.alive(), BEAT_MS);
  }

  /** Until the page goes or a watch ends. */
  async run(): Promise<void> {
    try {
      // A login that has ended meanwhile is noticed with the next status.
      await Promise.race([...WATCHES.map((watch) => this.watch(watch)), this.watchEvents()]);
    } catch (error) {
      const { code, line } = toldOf(error);
      this.write('end', { error: { code, line } });
    } finally {
      this.over = true;
      clearInterval(this.beat);
      clearTimeout(this.timer);
      this.response.end();
    }
  }

  private async watch({ name, service, method, field, id, slim }: (typeof WATCHES)[number]): Promise<void> {
    const found = this.services[service][method];
    if (!('stream' in found)) throw new Error(`${service}.${method} is a stream`);
    for await (const message of found.stream({}, this.call)) {
      const { change, [field]: item } = message as Message;
      if (change === 'CHANGE_KIND_SYNCED') this.unsynced.delete(name);
      else this.changed[name].set(String(id(item as Message)), change === 'CHANGE_KIND_PUT' ? slim(item as Message) : null);
      this.later();
    }
  }

  private async watchEvents(): Promise<void> {
    const { ListEvents, WatchEvents } = this.services.Events;
    if (!('unary' in ListEvents) || !('stream' in WatchEvents)) throw new Error('Events.WatchEvents is a stream');
    const { events } = (await ListEvents.unary({ limit: FIRST_EVENTS }, this.call)) as { events: Message[] };
    this.events.push(...events);
    const after = events.at(-1)?.cursor;
    for await (const event of WatchEvents.stream(after ? { after } : {}, this.call)) {
      this.events.push(event as Message);
      // A page shows no more than these.
      if (this.events.length > FIRST_EVENTS) this.events.shift();
      this.later();
    }
  }

  private later(): void {
    if (this.timer || this.over) return;
    this.timer = setTimeout(() => void this.flush(), Math.max(0, this.sentAtMs + BATCH_MS - this.now()));
  }

  private async flush(): Promise<void> {
    if (this.over) return;
    if (this.response.writableLength > STREAM_BUFFER_BYTES) {
      this.timer = setTimeout(() => void this.flush(), BATCH_MS);
      return;
    }
    // Nothing is shown before all of it is there: a page that has loaded half of the cluster would say that the rest is gone.
    if (this.unsynced.size > 0) {
      this.timer = undefined;
      return;
    }
    const status = await this.status().catch((error: unknown) => {
      this.write('end', { error: toldOf(error) });
      this.response.end();
      return undefined;
    });
    this.timer = undefined;
    this.sentAtMs = this.now();
    const batch: Record<string, unknown> = status ? { status } : {};
    const removed: Record<string, string[]> = {};
    for (const { name } of WATCHES) {
      const changed = this.changed[name];
      const put = [...changed.values()].filter((one) => one !== null);
      const gone = [...changed].filter(([, one]) => one === null).map(([id]) => id);
      if (put.length > 0) batch[name] = put;
      if (gone.length > 0) removed[name] = gone;
      changed.clear();
    }
    if (Object.keys(removed).length > 0) batch.removed = removed;
    if (this.events.length > 0) batch.events = this.events.splice(0);
    if (!this.saidSynced) batch.synced = true;
    this.saidSynced = true;
    this.write('batch', batch);
  }

  private async status(): Promise<object | undefined> {
    if (this.now() - this.statusAtMs < STATUS_MS) return undefined;
    this.statusAtMs = this.now();
    const { GetStatus } = this.services.Cluster;
    return 'unary' in GetStatus ? GetStatus.unary({}, this.call) : undefined;
  }

  private alive(): void {
    this.write('beat', {});
    // The status is asked for now and then even if nothing changes: it also tells that the login still holds.
    if (this.saidSynced) this.later();
  }

  private write(event: string, data: object): void {
    if (!this.response.destroyed && !this.response.writableEnded) this.response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}

function withoutFeatures(vm: Message): Message {
  const { cpu: _, spec, ...rest } = vm;
  const { cpuFeatures: __, ...slim } = spec as Message;
  return { ...rest, spec: slim };
}

function withoutFactsFeatures(host: Message): Message {
  const facts = host.facts as Message | null;
  return facts ? { ...host, facts: { ...facts, cpu: { vendor: (facts.cpu as Message | undefined)?.vendor ?? '', features: [] } } } : host;
}

function withoutOldRounds(migration: Message): Message {
  const record = migration.record as Message | null;
  return record && migration.stage === 'ended' ? { ...migration, record: { ...record, rounds: [] } } : migration;
}
