/** Puts what happens on this host into the outbox, and says all of it in Hello. */
import type { AskReport, OrderResult, VmmReport, Welcome } from '../messages';
import { AGENT_PROTOCOL, COUNTERS_INTERVAL_MS, MAX_INTERVAL_MS, MIN_INTERVAL_MS, REPORT_INTERVAL_MS } from '../limits';
import type { HostFactsReader } from '../facts/host-facts';
import type { OrderJournal } from '../orders/journal';
import type { MigrationBook } from '../orders/migration-book';
import type { HostState } from '../state/host-state';
import type { Datastores } from '../storage/datastores';
import type { Supervisor } from '../vmms/supervisor';
import type { Vmm } from '../vmms/vmm';
import type { Outbox } from './outbox';

export interface ReporterParts {
  readonly outbox: Outbox;
  readonly agent: { readonly agentId: string; readonly version: string; readonly bootId: string };
  readonly facts: HostFactsReader;
  readonly state: HostState;
  readonly supervisor: Supervisor;
  readonly datastores: Datastores;
  readonly book: MigrationBook;
  readonly journal: OrderJournal;
}

/** Ends of VMMs that no session has heard of yet: at most so many. */
const MAX_UNTOLD = 256;

export class Reporter {
  private readonly untold = new Map<string, VmmReport>();
  private connected = false;
  private timers: NodeJS.Timeout[] = [];

  constructor(private readonly parts: ReporterParts) {
    const { outbox, supervisor, datastores, book } = parts;
    supervisor.on('changed', (vmm: Vmm) => {
      book.target(vmm);
      if (!vmm.over) this.vmm(vmm.vmmId);
    });
    supervisor.on('record', (_vmm: Vmm, record) => book.source(record));
    supervisor.on('ended', (vmm: Vmm) => this.ended(vmm.report()));
    book.on('changed', (key: string) => outbox.put('migration', key, () => book.report(key)));
    datastores.on('changed', (name: string) => {
      outbox.put('datastore', name, () => datastores.reportOf(name));
      this.host();
    });
  }

  /** A VMM that ended while no controller listened. */
  ended(report: VmmReport): void {
    if (!this.connected) {
      this.untold.set(report.vmmId, report);
      for (const vmmId of this.untold.keys()) if (this.untold.size > MAX_UNTOLD) this.untold.delete(vmmId);
    }
    this.parts.outbox.put('vmm', report.vmmId, () => report);
    this.host();
  }

  host(): void {
    this.parts.outbox.put('host', '', () => this.parts.facts.report());
  }

  result(result: OrderResult, vmId: string): void {
    const vmm = this.parts.supervisor.runnerOf(vmId);
    if (vmm) this.vmm(vmm.vmmId);
    this.parts.outbox.put('result', result.orderId, () => result);
  }

  hello(): object {
    const { agent, facts, state, supervisor, datastores, book, journal } = this.parts;
    return {
      protocol: AGENT_PROTOCOL,
      agentVersion: agent.version,
      bootId: agent.bootId,
      agentId: agent.agentId,
      host: facts.report(),
      vmms: supervisor.all.map((vmm) => vmm.report()),
      datastores: datastores.reports().filter(({ datastoreId }) => datastoreId !== ''),
      results: journal.open,
      migrations: book.reports(),
      highestTerm: state.highestTerm,
    };
  }

  /** A session has begun: what happened since Hello was put together comes first. */
  begin({ reportIntervalMs, countersIntervalMs }: Welcome): void {
    this.connected = true;
    for (const report of this.untold.values()) this.parts.outbox.put('vmm', report.vmmId, () => report);
    this.untold.clear();
    for (const vmm of this.parts.supervisor.all) this.vmm(vmm.vmmId);
    this.timers = [
      setInterval(() => this.turn(), within(reportIntervalMs || REPORT_INTERVAL_MS)),
      setInterval(() => this.counters(), within(countersIntervalMs || COUNTERS_INTERVAL_MS)),
    ];
  }

  end(): void {
    this.connected = false;
    for (const timer of this.timers) clearInterval(timer);
  }

  asked({ host, vmms, datastoreIds }: AskReport): void {
    const { supervisor, datastores, outbox } = this.parts;
    if (host) this.host();
    if (vmms) for (const vmm of supervisor.all) this.vmm(vmm.vmmId);
    for (const id of datastoreIds) {
      void datastores.list(id).then((reports) => {
        for (const [part, report] of reports.entries()) outbox.put('datastore', `${id} list ${part}`, () => report);
      });
    }
  }

  private vmm(vmmId: string): void {
    this.parts.outbox.put('vmm', vmmId, () => this.parts.supervisor.find(vmmId)?.report());
  }

  private turn(): void {
    for (const vmm of this.parts.supervisor.all) vmm.measureCpu(Date.now());
    for (const vmm of this.parts.supervisor.all) this.vmm(vmm.vmmId);
    this.host();
  }

  /** As the metrics have last read them from the VMs. */
  private counters(): void {
    const { supervisor, facts, outbox } = this.parts;
    outbox.put('counters', '', () => ({
      host: facts.counters(),
      vms: supervisor.all.filter(({ hasVm }) => hasVm).map(({ vmId, vmmId, counters }) => ({ vmId, vmmId, counters })),
    }));
  }
}

const within = (ms: number): number => Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, ms));
