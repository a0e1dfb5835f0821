/** A planner for the simulation: the emptiest host that can take it, compared with the real rules of migration. */
import { checkHost } from '@godwit/migration';
import type { BalancePlan, DrainPlan, Placement, PlaceRequest, Planner, Verdict } from '../core/planner';
import { type ClusterState, type Host, runnerOf, type Vm } from '../core/state';

export class SimPlanner implements Planner {
  place(state: ClusterState, request: PlaceRequest, now: number): Placement {
    const hosts = [...state.hosts.values()]
      .filter(({ record }) => !request.exclude.has(record.id))
      .map((host) => verdict(request.vm, host, request.move, now));
    const free = hosts.filter(({ blockers, hostId }) => blockers.length === 0 && (!request.hostId || hostId === request.hostId));
    const best = free.sort((a, b) => b.score - a.score)[0];
    return { hosts, hostId: best?.hostId ?? '', line: best ? `${best.name} has the most room` : 'no host can take it' };
  }

  drain(state: ClusterState, host: Host, now: number): DrainPlan {
    const vms = [...host.vmIds].map((id) => state.vms.get(id)!).filter((vm) => runnerOf(state, vm)?.host === host);
    const plans = vms.map((vm) => ({
      vm,
      at: this.place(state, { vm, move: 'live', hostId: '', exclude: new Set([host.record.id]), force: false }, now),
    }));
    return {
      blockers: plans.filter(({ at }) => !at.hostId).map(({ vm, at }) => ({ vmId: vm.record.id, hosts: at.hosts, line: at.line })),
      moves: plans.filter(({ at }) => at.hostId).map(({ vm, at }) => ({ vmId: vm.record.id, toHostId: at.hostId, line: at.line })),
    };
  }

  balance(): BalancePlan {
    return { moves: [], before: 0, after: 0, line: 'nothing to do' };
  }
}

function verdict(vm: Vm, host: Host, move: PlaceRequest['move'], now: number): Verdict {
  const { record, report } = host;
  const base = {
    hostId: record.id,
    name: record.name,
    instead: [],
    missingFeatures: [],
    missingUsedFeatures: [],
    score: report?.facts.freeMemoryBytes ?? 0,
    reasons: [],
  };
  if (!host.sessionId || !report) return { ...base, blockers: [{ code: 'host-silent', message: `${record.name} is silent` }] };
  const { spec, place } = vm.record;
  const facts = {
    vmId: spec.vmId,
    name: spec.name,
    state: move === 'live' ? ('running' as const) : ('stopped' as const),
    cpu: { vendor: report.facts.cpu.vendor, features: spec.cpuFeatures, xsaveBytes: 512 },
    usedFeatures: null,
    vcpus: spec.vcpus,
    memoryBytes: spec.memoryBytes,
    machineVersion: 1,
    datastores: [place.datastoreId],
    networks: [],
    localDevices: [],
  };
  return {
    ...base,
    blockers: checkHost(facts, { ...report.facts, wallClockMs: now, maintenance: record.maintenance !== 'no' }, now).blockers,
  };
}
