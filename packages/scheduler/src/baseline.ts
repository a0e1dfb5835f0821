/**
 * The CPU baseline: the features that all hosts have, so that a VM shown only those can run anywhere.
 *
 * Guests run translated, so a feature that is masked is not only hidden from CPUID: its instructions raise #UD.
 * A baseline is shown to VMs that start from now on; one that runs keeps what it was given until it is started anew.
 */
import type { Baseline, HostEntry, VmEntry } from './model';
import { compareText, count, names } from './text';
import type { View } from './view';

export interface BaselineHost {
  readonly hostId: string;
  readonly name: string;
  /** What it has beyond the baseline: guests that follow it are not shown it here. */
  readonly masked: readonly string[];
  /** What it lacks of it: VMs that follow the baseline cannot start here. */
  readonly missing: readonly string[];
  /** Of another vendor: they cannot either. */
  readonly otherVendor: boolean;
}

/** Without these hosts the baseline would have these features, too. */
export interface BaselineSuggestion {
  readonly hostIds: readonly string[];
  readonly features: readonly string[];
  readonly line: string;
}

export interface BaselineReport extends Baseline {
  readonly hosts: readonly BaselineHost[];
  /** Features that some hosts of the vendor have and others lack, with those that lack them. */
  readonly lost: readonly { readonly feature: string; readonly hostIds: readonly string[] }[];
  /** The fewest hosts first. */
  readonly suggestions: readonly BaselineSuggestion[];
  readonly lines: readonly string[];
}

/** Of hosts that have reported. Of several vendors, the one with the most hosts: VMs cannot move between vendors. */
export function computeBaseline(hosts: readonly HostEntry[]): BaselineReport {
  const known = hosts.filter((host) => host.facts !== null).sort((a, b) => compareText(a.name, b.name) || compareText(a.id, b.id));
  const silent = hosts.length - known.length;
  const vendors = groupBy(known, (host) => host.facts!.cpu.vendor);
  const [vendor, same] = [...vendors].sort((a, b) => b[1].length - a[1].length || compareText(a[0], b[0])).at(0) ?? ['', []];
  const lacking = lackingHosts(same);
  const features = [...lacking].flatMap(([feature, lack]) => (lack.length === 0 ? [feature] : [])).sort(compareText);
  const lost = [...lacking].flatMap(([feature, lack]) => (lack.length > 0 ? [{ feature, hostIds: lack.map(({ id }) => id) }] : []));
  const lines = [
    ...(vendors.size > 1
      ? [
          `the hosts have CPUs of ${[...vendors]
            .map(([name, of]) => `${name} (${of.length})`)
            .sort(compareText)
            .join(', ')}: no VM can move live between vendors`,
        ]
      : []),
    ...(silent > 0
      ? [`${count(silent, 'host')} ${silent === 1 ? 'has' : 'have'} not reported a CPU yet: compute it again when all have`]
      : []),
  ];
  return {
    vendor,
    features,
    hosts: known.map((host) => beside({ vendor, features }, host)),
    lost: lost.sort((a, b) => compareText(a.feature, b.feature)),
    suggestions: suggestions(lacking),
    lines,
  };
}

export interface BaselineEffect {
  readonly hosts: readonly BaselineHost[];
  /** VMs that run or are suspended and were given more: they follow only once they are started anew. */
  readonly vmsToRestart: readonly { readonly vmId: string; readonly name: string; readonly beyond: readonly string[] }[];
  /** VMs that asked for features of their own: the baseline does not apply to them. */
  readonly vmsApart: readonly { readonly vmId: string; readonly name: string }[];
  readonly lines: readonly string[];
}

/** What applying it would change, and what it would not. */
export function baselineEffect(view: View, baseline: Baseline): BaselineEffect {
  const hosts = view.hosts().flatMap((host) => (host.facts ? [beside(baseline, host)] : []));
  const shown = new Set(baseline.features);
  const vms = [...view.vms()].sort((a, b) => compareText(a.facts.name, b.facts.name) || compareText(a.facts.vmId, b.facts.vmId));
  const vmsToRestart = vms.filter(followsLater).flatMap(({ facts }) => {
    const beyond = facts.cpu.features.filter((feature) => !shown.has(feature));
    return beyond.length > 0 ? [{ vmId: facts.vmId, name: facts.name, beyond }] : [];
  });
  const vmsApart = vms.filter((vm) => vm.cpuFeatures !== null).map(({ facts }) => ({ vmId: facts.vmId, name: facts.name }));
  const unfit = hosts.filter(({ missing, otherVendor }) => otherVendor || missing.length > 0);
  return {
    hosts,
    vmsToRestart,
    vmsApart,
    lines: [
      'a masked feature cannot be used by a guest: its instructions raise an invalid-opcode fault',
      ...about('already running with more, and keeping it until started anew: ', vmsToRestart),
      ...about('asked for features of their own, so the baseline does not bind them: ', vmsApart),
      ...about('VMs that follow the baseline cannot start on ', unfit),
    ],
  };
}

const about = (what: string, things: readonly { readonly name: string }[]): string[] =>
  things.length > 0 ? [what + names(things.map(({ name }) => name))] : [];

const followsLater = ({ facts, cpuFeatures }: VmEntry): boolean =>
  cpuFeatures === null && facts.state !== 'stopped' && facts.cpu.vendor !== '';

function beside(baseline: Baseline, { id, name, facts }: HostEntry): BaselineHost {
  const has = new Set(facts!.cpu.features);
  const shown = new Set(baseline.features);
  return {
    hostId: id,
    name,
    masked: [...has].filter((feature) => !shown.has(feature)).sort(compareText),
    missing: baseline.features.filter((feature) => !has.has(feature)),
    otherVendor: facts!.cpu.vendor !== baseline.vendor,
  };
}

/** Each feature that any of them has, with the hosts that lack it. */
function lackingHosts(hosts: readonly HostEntry[]): Map<string, readonly HostEntry[]> {
  const sets = hosts.map((host) => ({ host, has: new Set(host.facts!.cpu.features) }));
  const all = new Set(hosts.flatMap((host) => host.facts!.cpu.features));
  return new Map([...all].map((feature) => [feature, sets.filter(({ has }) => !has.has(feature)).map(({ host }) => host)]));
}

/** For each set of hosts that alone lack something: all that would be won without them. */
function suggestions(lacking: ReadonlyMap<string, readonly HostEntry[]>): BaselineSuggestion[] {
  const sets = groupBy(
    [...lacking].filter(([, lack]) => lack.length > 0),
    ([, lack]) => JSON.stringify(lack.map(({ id }) => id)),
  );
  return [...sets.values()]
    .map((group) => {
      const [, lack] = group[0];
      const without = new Set(lack);
      const features = [...lacking].flatMap(([feature, hosts]) =>
        hosts.length > 0 && hosts.every((host) => without.has(host)) ? [feature] : [],
      );
      features.sort(compareText);
      const line = `without ${names(lack.map(({ name }) => name))} the baseline would have ${count(features.length, 'feature')} more: ${features.join(', ')}`;
      return { hostIds: lack.map(({ id }) => id), features, line };
    })
    .sort(
      (a, b) => a.hostIds.length - b.hostIds.length || b.features.length - a.features.length || compareText(a.hostIds[0], b.hostIds[0]),
    );
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}
