/** This host as it is reported: what VMs find here, and how loaded it is. */
import os from 'node:os';
import { type CpuFacts, PROTOCOL, type Versions } from '@godwit/migration';
import { MACHINE_VERSION } from '@godwit/vmm';
import type { AgentConfig } from '../config';
import type { HostLoad, HostReport } from '../messages';
import type { Vmm } from '../vmms/vmm';
import { memoryLine, parsePressure, parseTicks, parseTraffic, readProc, type Ticks, type Traffic } from './procfs';

export interface HostParts {
  readonly config: AgentConfig;
  readonly hostId: string;
  readonly cpu: CpuFacts;
  readonly maintenance: () => boolean;
  readonly vmms: () => readonly Vmm[];
  readonly datastores: () => readonly string[];
  readonly networks: () => readonly string[];
  readonly warnings: () => readonly string[];
  readonly metricsAddress: () => string;
}

const MIB = 2 ** 20;
const MACHINES: Versions = { oldest: MACHINE_VERSION, newest: MACHINE_VERSION };

interface Sample {
  readonly at: number;
  readonly ticks: Ticks;
  readonly traffic: Traffic;
}

export class HostFactsReader {
  private last = sample();
  private rates = { cpuUsed: 0, rx: 0, tx: 0 };

  constructor(private readonly parts: HostParts) {}

  /** Bytes of the host's memory, or of what this process's control group may have of it. */
  get totalMemoryBytes(): number {
    const total = memoryLine(readProc('meminfo'), 'MemTotal') ?? os.totalmem();
    const limit = process.constrainedMemory();
    return limit > 0 ? Math.min(total, limit) : total;
  }

  /** What a further VM may be promised: what is free, less what the VMs here were promised and have not taken yet, less the host's own. */
  get freeMemoryBytes(): number {
    const available = memoryLine(readProc('meminfo'), 'MemAvailable') ?? os.freemem();
    const promised = this.parts.vmms().reduce((sum, vmm) => sum + vmm.untakenBytes, 0);
    return Math.max(0, Math.floor(Math.min(available, this.totalMemoryBytes) - promised - this.parts.config.reservedMemoryMiB * MIB));
  }

  report(): HostReport {
    const { config, hostId, cpu, maintenance, datastores, networks, warnings } = this.parts;
    const { totalMemoryBytes } = this;
    return {
      facts: {
        hostId,
        name: config.name,
        cpu,
        cpus: os.availableParallelism(),
        freeMemoryBytes: this.freeMemoryBytes,
        protocol: PROTOCOL,
        machineVersions: MACHINES,
        datastores: datastores(),
        networks: networks(),
        wallClockMs: Date.now(),
        maintenance: maintenance(),
      },
      load: this.load(totalMemoryBytes),
      warnings: warnings(),
      totalMemoryBytes: Math.max(0, totalMemoryBytes - config.reservedMemoryMiB * MIB),
      migrationHost: config.migration.host,
      metricsAddress: this.parts.metricsAddress(),
    };
  }

  /** Counters since the start, by the names of docs/metrics.md without the prefix. */
  counters(): Record<string, number> {
    const { ticks, traffic } = this.last;
    return {
      host_cpu_seconds_total: ticks.busy / 100,
      host_network_receive_bytes_total: traffic.rxBytes,
      host_network_transmit_bytes_total: traffic.txBytes,
      agent_resident_memory_bytes: process.memoryUsage.rss(),
      agent_cpu_seconds_total: (process.cpuUsage().user + process.cpuUsage().system) / 1e6,
    };
  }

  private load(total: number): HostLoad {
    this.measure();
    const vmms = this.parts.vmms();
    return {
      cpuUsed: this.rates.cpuUsed,
      load1m: os.loadavg()[0],
      memoryUsedBytes: Math.max(0, total - (memoryLine(readProc('meminfo'), 'MemAvailable') ?? os.freemem())),
      networkRxBytesPerSecond: this.rates.rx,
      networkTxBytesPerSecond: this.rates.tx,
      migrationsIn: vmms.filter((vmm) => vmm.arriving && vmm.status.migrationId !== '').length,
      migrationsOut: vmms.filter(({ record }) => record && record.outcome === '').length,
      memoryPressure: parsePressure(readProc('pressure/memory')),
      cpuPressure: parsePressure(readProc('pressure/cpu')),
    };
  }

  /** Rates since the last time, if that is long enough ago to mean something. */
  private measure(): void {
    const now = sample();
    const seconds = (now.at - this.last.at) / 1000;
    if (seconds < 0.25) return;
    const { ticks, traffic } = this.last;
    const all = now.ticks.all - ticks.all;
    this.rates = {
      cpuUsed: all > 0 ? Math.min(1, Math.max(0, (now.ticks.busy - ticks.busy) / all)) : 0,
      rx: Math.max(0, (now.traffic.rxBytes - traffic.rxBytes) / seconds),
      tx: Math.max(0, (now.traffic.txBytes - traffic.txBytes) / seconds),
    };
    this.last = now;
  }
}

const sample = (): Sample => ({ at: performance.now(), ticks: parseTicks(readProc('stat')), traffic: parseTraffic(readProc('net/dev')) });
