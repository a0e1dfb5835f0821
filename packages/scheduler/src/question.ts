/** One question to the scheduler, with everything that does not depend on the host worked out once. */
import type { Versions } from '@godwit/migration';
import { admissionLine } from './admission';
import type { LinkTraffic } from './bandwidth';
import { trafficOf } from './bandwidth';
import { type Mobility, mobilityOf } from './mobility';
import type { HostEntry, MoveEntry, MoveKind, VmEntry } from './model';
import { checksOf, type RuleCheck } from './rule-checks';
import { destination, milliCpus, occupied, promisedBytes } from './usage';
import type { View } from './view';

/** restart: after a host's death; the reserve that admission control keeps is meant for it. */
export type Purpose = 'operator' | 'drain' | 'balance' | 'restart';

export interface PlaceRequest {
  /** Need not be in the index: one that is to be made. */
  readonly vm: VmEntry;
  readonly move: MoveKind;
  /** Only this one may be chosen. Soft rules then refuse, unless `force`. */
  readonly hostId?: string;
  readonly force?: boolean;
  /** Hosts that are not wanted, or were tried. */
  readonly exclude?: ReadonlySet<string>;
  readonly purpose?: Purpose;
  /** VMs that go the same way at the same time: where they are now binds nobody. */
  readonly along?: ReadonlySet<string>;
}

export interface Question extends PlaceRequest {
  readonly view: View;
  readonly purpose: Purpose;
  readonly promisedBytes: number;
  readonly reservedMilliCpus: number;
  readonly milliCpus: number;
  /** Hosts where the VM is counted already. */
  readonly counted: readonly string[];
  readonly moving: MoveEntry | undefined;
  readonly source: HostEntry | undefined;
  /** What the source speaks, if it is known. */
  readonly protocol: Versions | undefined;
  /** Of a start: the features that the guest is to see; null: what the host has. */
  readonly wanted: WantedCpu | null;
  readonly rules: readonly RuleCheck[];
  /** Soft rules refuse. */
  readonly strict: boolean;
  /** Null: the cluster can bear one VM more. */
  readonly admission: string | null;
  readonly traffic: LinkTraffic;
  readonly mobility: Mobility;
}

export interface WantedCpu {
  /** Null: any. */
  readonly vendor: string | null;
  readonly features: readonly string[];
  /** For messages. */
  readonly from: 'asked for' | 'baseline';
}

export function prepare(view: View, request: PlaceRequest): Question {
  const { vm, move, force = false, hostId, purpose = 'operator', along } = request;
  const moving = view.moveOf(vm.facts.vmId);
  const source = vm.hostId === null ? undefined : view.host(vm.hostId);
  const anew = move === 'start' || move === 'cold';
  const wanted = anew ? wantedCpu(view, vm) : null;
  const comes = destination(vm, moving) === null;
  return {
    ...request,
    view,
    purpose,
    promisedBytes: promisedBytes(vm),
    reservedMilliCpus: milliCpus(vm.reservedCpus),
    milliCpus: milliCpus(vm.cpuUsed),
    counted: view.vm(vm.facts.vmId) ? occupied(vm, moving) : [],
    moving,
    source,
    protocol: source?.facts?.protocol,
    wanted,
    rules: checksOf(view, vm, along),
    strict: hostId !== undefined && !force,
    admission: comes && purpose !== 'restart' ? admissionLine(view, vm) : null,
    traffic: trafficOf(view),
    mobility: anew && wanted === null ? mobilityOf(view) : () => null,
  };
}

function wantedCpu(view: View, vm: VmEntry): WantedCpu | null {
  if (vm.cpuFeatures) return { vendor: null, features: vm.cpuFeatures, from: 'asked for' };
  return view.baseline && { ...view.baseline, from: 'baseline' };
}
